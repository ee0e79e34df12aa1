import { closeSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MADV_RANDOM, MADV_SEQUENTIAL, MAP_PRIVATE, MMap, type MMapError, PAGESIZE, PROT_READ } from "../../lib/mod.ts";
import { newFile, newPath, refuses, text, thrown, unless, WINDOWS, withoutReserve } from "../helpers/support.ts";

const test = suite("api/resize");

test("resize() grows and shrinks the map and its file, and keeps the bytes of both", () => {
  const path = newFile("abcdefgh");
  using mm = MMap.open(path, { access: "write" });
  mm.resize(100_000);
  assert.is(mm.length, 100_000);
  assert.is(mm.size(), 100_000);
  assert.is(statSync(path).size, 100_000);
  assert.is(text(mm.slice(0, 8)), "abcdefgh");
  assert.is(mm.find(Uint8Array.of(0)), 8);
  mm[99_999] = 7;
  mm.seek(50_000);
  mm.resize(4);
  assert.is(statSync(path).size, 4);
  assert.is(text(mm.slice()), "abcd");
  assert.is(mm.tell(), 4);
  mm.resize(8);
  assert.equal(mm.slice(4), new Uint8Array(4));
});

test("resize() of a part of a file ends the file where the map ends", () => {
  const path = newFile(new Uint8Array(10_000).fill(1));
  using mm = MMap.open(path, { access: "write", offset: 5000, length: 100 });
  mm.resize(200);
  assert.is(statSync(path).size, 5200);
  assert.equal(mm.slice(), new Uint8Array(200).fill(1));
  mm.resize(9000);
  assert.is(statSync(path).size, 14_000);
  assert.is(mm.find(Uint8Array.of(0)), 200);
});

const detachable = unless(
  WINDOWS &&
    !("transfer" in ArrayBuffer.prototype) &&
    "this runtime cannot detach a view, and Windows shortens no file that has one",
  test,
);

detachable("resize() with views makes new views of the same memory", () => {
  const path = newFile("abcdefgh");
  using mm = MMap.open(path, { access: "write" });
  mm.bytes[0] = 65;
  mm.resize(20_000);
  mm.bytes[19_999] = 90;
  mm.resize(10_000);
  assert.is(mm.bytes.length, 10_000);
  assert.is(text(mm.slice(0, 8)), "Abcdefgh");
  mm.bytes[1] = 66;
  assert.is(readFileSync(path, "latin1").slice(0, 3), "ABc");
});

test("resize() keeps the bytes of anonymous maps, shared and private, with views and without", () => {
  for (const flags of [undefined, MAP_PRIVATE]) {
    for (const withViews of [false, true]) {
      using mm = MMap.anonymous(10, { flags });
      mm.write("0123456789");
      if (withViews) assert.is(mm.bytes[9], 57);
      mm.resize(1_000_000);
      assert.is(text(mm.slice(0, 10)), "0123456789");
      assert.is(mm.find(Uint8Array.of(0)), 10);
      mm[999_999] = 1;
      if (withViews) assert.is(mm.bytes[999_999], 1);
      mm.resize(5);
      assert.is(text(mm.slice()), "01234");
      assert.is(mm.size(), 5);
      mm.resize(5000);
      assert.equal(mm.slice(4, 12), Uint8Array.of(52, 0, 0, 0, 0, 0, 0, 0));
    }
  }
});

test("size() of anonymous memory is the length of the map, whatever its offset", () => {
  for (const flags of [undefined, MAP_PRIVATE]) {
    using mm = MMap.anonymous(10, { offset: 5000, flags });
    assert.equal([mm.size(), mm.length, mm.offset], [10, 10, 5000]);
    mm.resize(20_000);
    assert.equal([mm.size(), mm.length], [20_000, 20_000]);
  }
});

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "it is about POSIX's flags, prot, advice, blocks or errors", test);

posix("resize() keeps the changes of a private map of a file", () => {
  const path = newFile("abcdefgh");
  using mm = new MMap(openSync(path, "r+"), 0, { flags: MAP_PRIVATE });
  mm[0] = 88;
  assert.is(mm.bytes[0], 88);
  mm.resize(10_000);
  assert.is(text(mm.slice(0, 4)), "Xbcd");
  mm.resize(20_000);
  assert.is(text(mm.slice(0, 4)), "Xbcd");
  assert.is(readFileSync(path, "latin1").slice(0, 4), "abcd");
});

test("resize() is refused for read and copy maps, and without a descriptor", () => {
  const path = newFile("abcdefgh");
  using read = MMap.open(path);
  using copy = MMap.open(path, { access: "copy" });
  using untracked = MMap.open(path, { access: "write", trackfd: false });
  using anonymousCopy = MMap.anonymous(8, { access: "copy" });
  refuses(TypeError, () => read.resize(4), "read");
  refuses(TypeError, () => copy.resize(4), "copy");
  refuses(TypeError, () => anonymousCopy.resize(4), '"copy"', 'only "write" and "default"');
  refuses(TypeError, () => untracked.resize(4), "trackfd");
  refuses(TypeError, () => untracked.size(), "trackfd");
  assert.is(statSync(path).size, 8);
  assert.is(untracked.length, 8);
  untracked.write("works");
  assert.is(readFileSync(path, "latin1"), "worksfgh");
});

posix("resize() that the system refuses changes nothing", () => {
  const path = newFile("abcdefgh");
  using mm = new MMap(openSync(path, "r"), 0, { flags: MAP_PRIVATE });
  const view = mm.bytes;
  refuses("EINVAL", () => mm.resize(100), "ftruncate");
  refuses("EINVAL", () => mm.resize(4), "ftruncate");
  assert.is(mm.length, 8);
  assert.is(view.length, 8);
  using writable = MMap.open(path, { access: "write" });
  const kept = writable.bytes;
  writable.seek(3);
  const { code } = thrown(() => writable.resize(2 ** 52)) as MMapError;
  assert.ok(["EFBIG", "ENOMEM", "EINVAL"].includes(code), code);
  assert.is(statSync(path).size, 8);
  assert.is(kept.length, 8);
  assert.is(writable.tell(), 3);
  assert.is(text(writable.slice()), "abcdefgh");
});

test("size() is the file's size, which may be larger than the map", () => {
  const path = newFile("abcdefgh");
  using mm = MMap.open(path, { length: 4 });
  assert.is(mm.size(), 8);
  truncateSync(path, 100);
  assert.is(mm.size(), 100);
  assert.is(mm.length, 4);
  using anonymous = MMap.anonymous(123);
  assert.is(anonymous.size(), 123);
});

posix("resize() is refused without PROT_WRITE", () => {
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
    `resize() grows a private map by zeros, ${viewed ? "with" : "without"} views, after it was longer before`,
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

posix("resize() grows a private map of a part of a file by zeros, not by the file's bytes", () => {
  const fd = openSync(newFile(new Uint8Array(100).fill(97)), "r+");
  using mm = new MMap(fd, 95, { flags: MAP_PRIVATE, offset: 5 });
  closeSync(fd);
  mm[0] = 98;
  mm.resize(50);
  mm.resize(100);
  assert.equal([mm[0], mm[49], mm[50], mm[99]], [98, 97, 0, 0]);
});

posix("resize() that may not cut the file keeps private changes, with views and without", () => {
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

test("resize() grows private anonymous memory by zeros, after it was longer before", () => {
  using mm = MMap.anonymous(2 * PAGESIZE, { flags: MAP_PRIVATE });
  mm.bytes.fill(97);
  mm.resize(PAGESIZE + 1);
  mm.resize(2 * PAGESIZE);
  assert.is(mm.rfind("a"), PAGESIZE);
});

posix("resize() works after madvise() on a part of the map", () => {
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

const allocated = (path: string) => statSync(path).blocks * 512;

const reserving = unless(withoutReserve, posix);

reserving("resize() with reserve allocates every block of the new size", () => {
  const path = newPath();
  using mm = MMap.open(path, { create: true, length: 10 });
  mm.resize(40_000, { reserve: true });
  assert.is(mm.size(), 40_000);
  assert.ok(allocated(path) >= 40_000);
  mm.resize(80_000);
  assert.ok(allocated(path) < 80_000);
  mm.resize(60_000, { reserve: true });
  assert.is(mm.size(), 60_000);
  assert.ok(allocated(path) >= 60_000);
});

posix("resize() refuses reserve for memory that belongs to no file", () => {
  using memory = MMap.anonymous(10, { flags: 2 });
  refuses(TypeError, () => memory.resize(20, { reserve: true }), "reserve");
  assert.is(memory.length, 10);
});

test.run();
