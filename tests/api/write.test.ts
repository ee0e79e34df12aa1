import { openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAP_PRIVATE, MMap, type MMapError, PROT_READ } from "../../lib/mod.ts";
import { bytes, newFile, refuses, text, thrown, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("writing");

const detachable = unless(
  WINDOWS &&
    !("transfer" in ArrayBuffer.prototype) &&
    "this runtime cannot detach a view, and Windows shortens no file that has one",
  test,
);

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "it is about POSIX's flags or errors", test);

test("writes at the position, which moves, and gives the number of bytes", () => {
  const path = newFile("abcdefgh");
  using mm = MMap.open(path, { access: "write" });
  assert.is(mm.write("XY"), 2);
  assert.is(mm.tell(), 2);
  mm.seek(6);
  assert.is(mm.write(Uint8Array.of(49, 50)), 2);
  assert.is(mm.tell(), 8);
  assert.is(readFileSync(path, "latin1"), "XYcdef12");
});

test("takes strings as UTF-8, ArrayBuffers and every kind of view", () => {
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

test("what does not fit is not written at all", () => {
  using mm = MMap.anonymous(4);
  mm.write("ab");
  refuses(RangeError, () => mm.write("cde"), "bytes", "2", "3");
  assert.is(mm.tell(), 2);
  assert.equal(mm.slice(), Uint8Array.of(97, 98, 0, 0));
  assert.is(mm.write("cd"), 2);
  refuses(RangeError, () => mm.write("e"), "bytes");
});

test("writes pieces larger than any window", () => {
  const content = Uint8Array.from({ length: 500_000 }, (_, index) => (index * 13) % 256);
  const path = newFile(new Uint8Array(600_000));
  using mm = MMap.open(path, { access: "write" });
  mm.seek(99_999);
  mm.write(content);
  assert.equal(mm.slice(99_999, 599_999), content);
  assert.equal(new Uint8Array(readFileSync(path)).subarray(99_999, 599_999), content);
});

test("writes from its own memory, overlapping, as if from a copy", () => {
  for (const size of [16, 200_000]) {
    using mm = MMap.anonymous(size + 4);
    mm.bytes.set(Uint8Array.from({ length: size }, (_, index) => index % 251));
    const expected = mm.slice(0, size);
    mm.seek(3);
    mm.write(mm.bytes.subarray(0, size));
    assert.equal(mm.slice(3, size + 3), expected);
  }
});

test("writeByte writes one byte and moves by one", () => {
  using mm = MMap.anonymous(2);
  mm.writeByte(255);
  mm.writeByte(0);
  assert.equal(mm.slice(), Uint8Array.of(255, 0));
  refuses(RangeError, () => mm.writeByte(1), "position");
  assert.is(mm.tell(), 2);
});

test("an index can be assigned, a negative one too", () => {
  using mm = MMap.anonymous(4);
  mm[0] = 1;
  mm[-1] = 9;
  mm[3 - 1] = 255;
  assert.equal([...mm], [1, 0, 255, 9]);
});

test("assign writes a slice of exactly its length", () => {
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

test("assign takes steps, forwards and backwards, as Python's slices do", () => {
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

test("move copies within the map, overlapping ranges too", () => {
  using mm = MMap.anonymous(8);
  mm.write("abcdefgh");
  mm.move(2, 0, 4);
  assert.is(text(mm.slice()), "ababcdgh");
  mm.move(0, 1, 7);
  assert.is(text(mm.slice()), "babcdghh");
  mm.move(8, 0, 0);
  refuses(RangeError, () => mm.move(0, 6, 3), "src", "6", "3");
  refuses(RangeError, () => mm.move(6, 0, 3), "dest", "6", "3");
  refuses(RangeError, () => mm.move(-1, 0, 3), "dest", "-1");
  assert.is(text(mm.slice()), "babcdghh");
});

test("access write reaches the file, access copy does not", () => {
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

test("two maps of one file see each other's writes at once", () => {
  const path = newFile("0000");
  using one = MMap.open(path, { access: "write" });
  using other = MMap.open(path, { access: "write" });
  using reader = MMap.open(path);
  one[1] = 49;
  assert.is(other[1], 49);
  assert.is(reader[1], 49);
});

test("a read map refuses every write, and a prot without PROT_WRITE does too", () => {
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

test("resize grows and shrinks the map and its file, and keeps what both have", () => {
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

test("resize of a part of a file ends the file where the map ends", () => {
  const path = newFile(new Uint8Array(10_000).fill(1));
  using mm = MMap.open(path, { access: "write", offset: 5000, length: 100 });
  mm.resize(200);
  assert.is(statSync(path).size, 5200);
  assert.equal(mm.slice(), new Uint8Array(200).fill(1));
  mm.resize(9000);
  assert.is(statSync(path).size, 14_000);
  assert.is(mm.find(Uint8Array.of(0)), 200);
});

detachable("resize with views gives new views of the same memory", () => {
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

test("anonymous maps resize, shared and private, with views and without", () => {
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

posix("a private file map keeps its own changes over a resize", () => {
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

test("resize is refused for read and copy maps, and without a descriptor", () => {
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

posix("a resize that the system refuses changes nothing", () => {
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

test("size follows the file, which may be larger than the map", () => {
  const path = newFile("abcdefgh");
  using mm = MMap.open(path, { length: 4 });
  assert.is(mm.size(), 8);
  truncateSync(path, 100);
  assert.is(mm.size(), 100);
  assert.is(mm.length, 4);
  using anonymous = MMap.anonymous(123);
  assert.is(anonymous.size(), 123);
});

test("flush takes any range within the map", () => {
  const path = newFile(new Uint8Array(50_000));
  using mm = MMap.open(path, { access: "write", offset: 100 });
  for (const [offset, size] of [
    [0, 0],
    [0, 1],
    [1, 1],
    [4095, 2],
    [49_899, 1],
    [49_900, 0],
    [10_000, 20_000],
  ]) {
    mm.flush(offset, size);
  }
  mm.flush(10);
  refuses(RangeError, () => mm.flush(49_901), "offset", "49901");
  refuses(RangeError, () => mm.flush(0, 49_901), "size", "49901");
  refuses(RangeError, () => mm.flush(49_900, 1), "size");
});

test.run();
