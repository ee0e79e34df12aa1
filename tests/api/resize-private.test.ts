import { closeSync, openSync, statSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MADV_RANDOM, MADV_SEQUENTIAL, MAP_PRIVATE, MMap, PAGESIZE, PROT_READ } from "../../lib/mod.ts";
import { newFile, refuses, text, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("resizing what is private, advised or not for writing");

const posix = unless(WINDOWS && "it is about POSIX's flags, prot or advice", test);

posix("a map whose prot lacks PROT_WRITE cannot be resized", () => {
  const path = newFile("abcdef");
  const fd = openSync(path, "r+");
  using mm = new MMap(fd, 0, { prot: PROT_READ });
  closeSync(fd);
  refuses(TypeError, () => mm.resize(3), "PROT_WRITE");
  assert.is(mm.length, 6);
  assert.is(statSync(path).size, 6);
});

for (const viewed of [false, true]) {
  posix(
    `a private map grows by zeros, ${viewed ? "with" : "without"} views, whatever it had behind its end before`,
    () => {
      const fd = openSync(newFile("abcdef"), "r+");
      using mm = new MMap(fd, 0, { flags: MAP_PRIVATE });
      closeSync(fd);
      mm.assign("ABCDEF");
      if (viewed) mm.bytes;
      mm.resize(2);
      if (viewed) mm.bytes;
      mm.resize(6);
      assert.is(text(mm.slice()), "AB\0\0\0\0");
    },
  );
}

posix("a private map of a part of a file grows by zeros behind where it ended, and not by the file's bytes", () => {
  const fd = openSync(newFile(new Uint8Array(100).fill(97)), "r+");
  using mm = new MMap(fd, 95, { flags: MAP_PRIVATE, offset: 5 });
  closeSync(fd);
  mm[0] = 98;
  mm.resize(50);
  mm.resize(100);
  assert.equal([mm[0], mm[49], mm[50], mm[99]], [98, 97, 0, 0]);
});

posix("private changes are kept when the file may not be cut, with views and without", () => {
  for (const viewed of [false, true]) {
    const fd = openSync(newFile(new Uint8Array(5 * PAGESIZE).fill(97)), "r");
    using mm = new MMap(fd, 0, { flags: MAP_PRIVATE });
    closeSync(fd);
    mm[-1] = 98;
    if (viewed) mm.bytes;
    refuses("EINVAL", () => mm.resize(PAGESIZE), "ftruncate");
    assert.is(mm.length, 5 * PAGESIZE);
    assert.is(mm[-1], 98);
  }
});

test("private anonymous memory grows by zeros, whatever it had behind its end before", () => {
  using mm = MMap.anonymous(2 * PAGESIZE, { flags: MAP_PRIVATE });
  mm.bytes.fill(97);
  mm.resize(PAGESIZE + 1);
  mm.resize(2 * PAGESIZE);
  assert.is(mm.rfind("a"), PAGESIZE);
});

posix("a map can be resized after advice on a part of it", () => {
  const content = "abcd".repeat(PAGESIZE);
  for (const flags of [undefined, MAP_PRIVATE]) {
    const path = newFile(content);
    const fd = openSync(path, "r+");
    using mm = new MMap(fd, 0, { flags });
    closeSync(fd);
    mm[PAGESIZE] = 65;
    mm.madvise(MADV_RANDOM, PAGESIZE, PAGESIZE);
    mm.resize(content.length + 10);
    assert.is(text(mm.slice(PAGESIZE, PAGESIZE + 4)), "Abcd");
    assert.is(text(mm.slice(-14)), `abcd${"\0".repeat(10)}`);
    mm.madvise(MADV_SEQUENTIAL, 0, 1);
    mm.resize(PAGESIZE + 2);
    assert.is(text(mm.slice(-2)), "Ab");
    assert.is(statSync(path).size, PAGESIZE + 2);
  }
});

test.run();
