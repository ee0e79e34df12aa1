import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { newFile, refuses, text } from "../helpers/support.ts";

const test = suite("api/read");

test("read() reads from the position on and moves it", () => {
  using mm = MMap.open(newFile("abcdefgh"));
  assert.is(text(mm.read(3)), "abc");
  assert.is(mm.tell(), 3);
  assert.is(text(mm.read()), "defgh");
  assert.is(mm.read(5).length, 0);
  mm.seek(6);
  assert.is(text(mm.read(100)), "gh");
});

test("read() reads to the end for undefined, null and negative counts", () => {
  using mm = MMap.open(newFile("abcdefgh"));
  for (const count of [undefined, null, -1, -1000]) {
    mm.seek(2);
    assert.is(text(mm.read(count)), "cdefgh");
    assert.is(mm.tell(), 8);
  }
});

test("read() of no bytes returns none, and the position stays", () => {
  using mm = MMap.open(newFile("abcdefgh"));
  mm.seek(3);
  assert.equal([mm.read(0).length, mm.tell()], [0, 3]);
  assert.is(text(mm.read(1)), "d");
});

test("read() returns a copy", () => {
  using mm = MMap.open(newFile("abcd"), { access: "write" });
  const copy = mm.read(2);
  mm[0] = 122;
  assert.is(text(copy), "ab");
  copy[1] = 122;
  assert.is(mm[1], 98);
});

test("readByte() returns bytes; at the end it throws and the position stays", () => {
  using mm = MMap.open(newFile(Uint8Array.of(0, 127, 255)));
  assert.equal([mm.readByte(), mm.readByte(), mm.readByte()], [0, 127, 255]);
  refuses(RangeError, () => mm.readByte(), "position", "3");
  assert.is(mm.tell(), 3);
});

test("seek() moves from the start, the position or the end, and returns the new position", () => {
  using mm = MMap.open(newFile("0123456789"));
  assert.is(mm.seek(4), 4);
  assert.is(mm.seek(3, 1), 7);
  assert.is(mm.seek(-2, 1), 5);
  assert.is(mm.seek(-1, 2), 9);
  assert.is(mm.seek(0, 2), 10);
  assert.is(mm.seek(10), 10);
  assert.is(mm.seekable(), true);
});

test("seek() outside of the map throws, and the position stays", () => {
  using mm = MMap.open(newFile("0123456789"));
  mm.seek(4);
  refuses(RangeError, () => mm.seek(-1), "pos", "-1");
  refuses(RangeError, () => mm.seek(11), "pos", "11");
  refuses(RangeError, () => mm.seek(-5, 1), "pos", "-5");
  refuses(RangeError, () => mm.seek(1, 2), "pos", "1");
  refuses(RangeError, () => mm.seek(0, 3), "whence", "3");
  assert.is(mm.tell(), 4);
});

test("read() and mm[index] agree across windows and in one large piece", () => {
  const content = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251);
  using mm = MMap.open(newFile(content));
  assert.equal(mm.read(65_000), content.slice(0, 65_000));
  assert.equal(mm.read(2000), content.slice(65_000, 67_000));
  assert.equal(mm.read(), content.slice(67_000));
  assert.is(mm[65_535], content[65_535]);
  assert.is(mm[65_536], content[65_536]);
});

test.run();
