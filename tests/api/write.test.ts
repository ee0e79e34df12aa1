import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAP_PRIVATE, MMap, PROT_READ } from "../../lib/mod.ts";
import { bytes, newFile, refuses, text, unless } from "../helpers/support.ts";

const test = suite("api/write");

test("write() writes at the position, moves it, and returns the number of bytes", () => {
  const path = newFile("abcdefgh");
  using mm = MMap.open(path, { access: "write" });
  assert.is(mm.write("XY"), 2);
  assert.is(mm.tell(), 2);
  mm.seek(6);
  assert.is(mm.write(Uint8Array.of(49, 50)), 2);
  assert.is(mm.tell(), 8);
  assert.is(readFileSync(path, "latin1"), "XYcdef12");
});

test("write() takes strings as UTF-8, ArrayBuffers and every kind of view", () => {
  using mm = MMap.anonymous(64);
  const written = () => text(mm.slice(0, mm.tell()));
  mm.write("é€");
  assert.is(written(), "é€");
  mm.seek(0);
  mm.write(bytes("abc").buffer as ArrayBuffer);
  mm.write(new DataView(bytes("xdefx").buffer, 1, 3));
  mm.write(new Uint16Array(bytes("gh").buffer));
  mm.write(Buffer.from("ij"));
  assert.is(written(), "abcdefghij");
  assert.is(mm.write(""), 0);
});

test("write() throws and writes nothing when the bytes do not fit", () => {
  using mm = MMap.anonymous(4);
  mm.write("ab");
  refuses(RangeError, () => mm.write("cde"), "bytes", "2", "3");
  assert.is(mm.tell(), 2);
  assert.equal(mm.slice(), Uint8Array.of(97, 98, 0, 0));
  assert.is(mm.write("cd"), 2);
  refuses(RangeError, () => mm.write("e"), "bytes");
});

test("write() writes pieces larger than the window", () => {
  const content = Uint8Array.from({ length: 500_000 }, (_, index) => (index * 13) % 256);
  const path = newFile(new Uint8Array(600_000));
  using mm = MMap.open(path, { access: "write" });
  mm.seek(99_999);
  mm.write(content);
  assert.equal(mm.slice(99_999, 599_999), content);
  assert.equal(new Uint8Array(readFileSync(path)).subarray(99_999, 599_999), content);
});

test("write() of the map's own bytes, overlapping, writes a copy of them", () => {
  for (const size of [16, 200_000]) {
    using mm = MMap.anonymous(size + 4);
    mm.bytes.set(Uint8Array.from({ length: size }, (_, index) => index % 251));
    const expected = mm.slice(0, size);
    mm.seek(3);
    mm.write(mm.bytes.subarray(0, size));
    assert.equal(mm.slice(3, size + 3), expected);
  }
});

test("writeByte() writes one byte and moves by one", () => {
  using mm = MMap.anonymous(2);
  mm.writeByte(255);
  mm.writeByte(0);
  assert.equal(mm.slice(), Uint8Array.of(255, 0));
  refuses(RangeError, () => mm.writeByte(1), "position");
  assert.is(mm.tell(), 2);
});

test("assign() writes a slice of exactly its length", () => {
  using mm = MMap.anonymous(10);
  mm.assign("0123456789");
  mm.assign("ab", 2, 4);
  mm.assign("yz", -2);
  assert.is(text(mm.slice()), "01ab4567yz");
  refuses(RangeError, () => mm.assign("abc", 2, 4), "bytes", "2", "3");
  refuses(RangeError, () => mm.assign("a"), "bytes", "10", "1");
  assert.is(text(mm.slice()), "01ab4567yz");
  assert.is(mm.tell(), 0);
});

test("assign() takes the steps of Python's slices, forwards and backwards", () => {
  using mm = MMap.anonymous(6);
  mm.assign("abcdef");
  mm.assign("XYZ", 0, 6, 2);
  assert.is(text(mm.slice()), "XbYdZf");
  mm.assign("123456", undefined, undefined, -1);
  assert.is(text(mm.slice()), "654321");
  mm.assign(mm.bytes, undefined, undefined, -1);
  assert.is(text(mm.slice()), "123456");
  mm.assign("", 3, 3, 2);
  refuses(RangeError, () => mm.assign("ab", 0, 6, 0), "step");
});

test("write() reaches the file with access write, not with access copy", () => {
  const path = newFile("original");
  using copy = MMap.open(path, { access: "copy" });
  copy.write("COPY");
  assert.is(text(copy.slice()), "COPYinal");
  assert.is(readFileSync(path, "latin1"), "original");
  using shared = MMap.open(path, { access: "write" });
  shared.write("shared");
  assert.is(readFileSync(path, "latin1"), "sharedal");
  shared.flush();
  shared.flush(3, 2);
  copy.flush();
  assert.is(readFileSync(path, "latin1"), "sharedal");
});

test("write() is visible in other writable maps of the file at once", () => {
  const path = newFile("0000");
  using one = MMap.open(path, { access: "write" });
  using other = MMap.open(path, { access: "write" });
  one[1] = 49;
  assert.is(other[1], 49);
});

unless(process.platform === "darwin" && "a read map is a snapshot there", test)(
  "write() is visible in read maps of the file at once",
  () => {
    const path = newFile("0000");
    using writer = MMap.open(path, { access: "write" });
    using reader = MMap.open(path);
    assert.is(reader[1], 48);
    writer[1] = 49;
    assert.is(reader[1], 49);
  },
);

test("write(), writeByte(), assign(), move() and mm[index] = byte throw on a map that is only for reading", () => {
  const path = newFile("abcd");
  using read = MMap.open(path);
  using prot = MMap.open(path, { prot: PROT_READ });
  using privately = MMap.open(path, { prot: PROT_READ, flags: MAP_PRIVATE });
  for (const mm of [read, prot, privately]) {
    refuses(TypeError, () => mm.write("x"), "cannot be written");
    refuses(TypeError, () => mm.writeByte(1), "cannot be written");
    refuses(TypeError, () => mm.assign("wxyz"), "cannot be written");
    refuses(TypeError, () => mm.move(0, 1, 1), "cannot be written");
    refuses(
      TypeError,
      () => {
        mm[0] = 1;
      },
      "cannot be written",
    );
    assert.is(text(mm.slice()), "abcd");
  }
  assert.is(readFileSync(path, "latin1"), "abcd");
});

test.run();
