import { Buffer } from "node:buffer";
import { closeSync, openSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { Random } from "../fuzz/random.ts";
import { newFile, refuses, runs, text, withoutDescriptors } from "../helpers/support.ts";

const test = suite("reading");

test("reads from the position on, which moves", () => {
  using mm = MMap.open(newFile("abcdefgh"));
  assert.is(text(mm.read(3)), "abc");
  assert.is(mm.tell(), 3);
  assert.is(text(mm.read()), "defgh");
  assert.is(mm.read(5).length, 0);
  mm.seek(6);
  assert.is(text(mm.read(100)), "gh");
});

test("undefined, null and negative counts read to the end", () => {
  using mm = MMap.open(newFile("abcdefgh"));
  for (const count of [undefined, null, -1, -1000]) {
    mm.seek(2);
    assert.is(text(mm.read(count)), "cdefgh");
    assert.is(mm.tell(), 8);
  }
});

test("what is read is a copy", () => {
  using mm = MMap.open(newFile("abcd"), { access: "write" });
  const copy = mm.read(2);
  mm[0] = 122;
  assert.is(text(copy), "ab");
  copy[1] = 122;
  assert.is(mm[1], 98);
});

test("readByte gives bytes until the end, where it throws and the position stays", () => {
  using mm = MMap.open(newFile(Uint8Array.of(0, 127, 255)));
  assert.equal([mm.readByte(), mm.readByte(), mm.readByte()], [0, 127, 255]);
  refuses(RangeError, () => mm.readByte(), "position", "3");
  assert.is(mm.tell(), 3);
});

test("readline gives lines with their newlines, and the last without", () => {
  using mm = MMap.open(newFile("one\n\ntwo\r\nlast"));
  const read = [mm.readline(), mm.readline(), mm.readline(), mm.readline(), mm.readline()].map(text);
  assert.equal(read, ["one\n", "\n", "two\r\n", "last", ""]);
  assert.is(mm.tell(), 14);
});

test("readline begins in the middle of a line, where the position is", () => {
  using mm = MMap.open(newFile("one two\nthree"));
  mm.seek(4);
  assert.is(text(mm.readline()), "two\n");
});

// Lines are looked for four bytes at a time, in which a newline's neighbours must not be taken for one, nor hide it.
test("readline gives what split does, wherever lines begin and whatever is in them", () => {
  const random = new Random(7);
  const others = [0, 9, 11, 0x7f, 0x80, 0x8a, 0x8b, 0xff];
  const content = Uint8Array.from({ length: 150_000 }, () => (random.oneIn(6) ? 10 : random.pick(others)));
  // Around the longest that is copied by words.
  for (const length of [1000, 1014, 1015, 1016, 1017, 1018, 1019, 1020, 1021, 1024, 5000]) {
    const start = random.below(140_000);
    content.fill(11, start, start + length);
  }
  const path = newFile(content);
  for (let offset = 0; offset < 9; offset++) {
    using mm = MMap.open(path, { offset, length: 150_000 - 8 });
    const read: Uint8Array[] = [];
    while (mm.tell() < mm.length) {
      const line = mm.readline();
      read.push(line);
      // The lines that lie with it lose their memory; those to come lie elsewhere.
      if (random.oneIn(1000)) structuredClone(line.buffer, { transfer: [line.buffer] });
    }
    const whole = Buffer.from(content.subarray(offset, offset + mm.length)).toString("latin1");
    const right = whole.split(/(?<=\n)/);
    assert.is(read.length, right.length);
    const wrong = read.findIndex((line, at) => line.length > 0 && Buffer.from(line).toString("latin1") !== right[at]);
    assert.is(wrong, -1, `offset ${offset}`);
  }
});

test("lines longer than any window come out whole", () => {
  const long = `${"x".repeat(200_000)}\n`;
  using mm = MMap.open(newFile(`a\n${long}b\n${long.slice(0, -1)}`));
  const lengths = [mm.readline(), mm.readline(), mm.readline(), mm.readline()].map((line) => line.length);
  assert.equal(lengths, [2, 200_001, 2, 200_000]);
});

test("lines() covers the map and leaves the position alone", () => {
  using mm = MMap.open(newFile("one\ntwo\n\nfour"));
  mm.seek(5);
  assert.equal([...mm.lines()].map(text), ["one\n", "two\n", "\n", "four"]);
  assert.is(mm.tell(), 5);
});

test("lines() takes the bounds of a slice", () => {
  using mm = MMap.open(newFile("one\ntwo\nthree\n"));
  assert.equal([...mm.lines(1)].map(text), ["ne\n", "two\n", "three\n"]);
  assert.equal([...mm.lines(-6, -1)].map(text), ["three"]);
  assert.equal([...mm.lines(4, 6)].map(text), ["tw"]);
  assert.equal([...mm.lines(6, 4)].map(text), []);
  assert.equal([...mm.lines(-100, 100)].length, 3);
});

test("lines() reads a file of many windows as split does", () => {
  const content = Array.from({ length: 30_000 }, (_, index) => `${"-".repeat(index % 97)}${index}`).join("\n");
  using mm = MMap.open(newFile(content));
  const read = [...mm.lines()].map((line) => text(line).replace("\n", ""));
  assert.equal(read, content.split("\n"));
});

test("lines stay as they were read, whatever becomes of the map and of other lines", () => {
  const mm = MMap.anonymous(60_000);
  for (let index = 0; index < 6000; index++) mm.write(`line ${String(index).padStart(4, "0")}\n`);
  mm.seek(0);
  const kept = [mm.readline(), mm.readline()];
  const iterator = mm.lines(20);
  const read: Uint8Array[] = [];
  for (let line = iterator.next(); !line.done; line = iterator.next()) {
    read.push(line.value);
    // Its memory goes away with all the lines in it; those to come are copied anew.
    if (read.length % 700 === 0) {
      structuredClone(line.value, { transfer: [line.value.buffer] });
      assert.is(line.value.length, 0);
    }
  }
  mm.seek(0);
  mm.write(new Uint8Array(60_000));
  mm.close();
  assert.equal(kept.map(text), ["line 0000\n", "line 0001\n"]);
  assert.is(read.length, 5998);
  const left = read.filter(({ length }) => length > 0);
  assert.ok(left.length > 100, `${left.length} lines kept their memory`);
  const numbers = left.map((line) => Number(text(line).slice(5, 9)));
  assert.equal(
    numbers,
    [...new Set(numbers)].sort((one, other) => one - other),
  );
  const lost = new Set(read.flatMap(({ length }, index) => (length === 0 ? [index + 2] : [])));
  assert.equal(
    numbers,
    Array.from({ length: 5998 }, (_, index) => index + 2).filter((index) => !lost.has(index)),
  );
});

test("lines() gives an iterator of the engine's kind, which ends where it is told to", () => {
  using mm = MMap.open(newFile("one\ntwo\nthree"));
  const iterator = mm.lines();
  assert.is(iterator[Symbol.iterator](), iterator);
  const ofEngine = Object.getPrototypeOf(Object.getPrototypeOf([].values()));
  assert.ok(Object.prototype.isPrototypeOf.call(ofEngine, iterator));
  for (const line of iterator) {
    assert.is(text(line), "one\n");
    break;
  }
  assert.equal(iterator.next(), { done: true, value: undefined });
  const [first] = mm.lines();
  assert.is(text(first), "one\n");
  const other = mm.lines(8);
  assert.is(text(other.next().value), "three");
  assert.equal(other.next(), { done: true, value: undefined });
  assert.equal(other.next(), { done: true, value: undefined });
});

test("lines() follows a resize and ends with the map", () => {
  const mm = MMap.anonymous(100);
  mm.write("a\n".repeat(50));
  const iterator = mm.lines();
  iterator.next();
  mm.resize(4);
  assert.is(text(iterator.next().value as Uint8Array), "a\n");
  assert.is(iterator.next().done, true);
  const other = mm.lines();
  other.next();
  mm.close();
  assert.throws(
    () => other.next(),
    (error: unknown) => (error as { code?: string }).code === "ERR_MMAP_CLOSED",
  );
  assert.equal(other.next(), { done: true, value: undefined });
});

test("seek moves from the start, the position and the end, and gives the new position", () => {
  using mm = MMap.open(newFile("0123456789"));
  assert.is(mm.seek(4), 4);
  assert.is(mm.seek(3, 1), 7);
  assert.is(mm.seek(-2, 1), 5);
  assert.is(mm.seek(-1, 2), 9);
  assert.is(mm.seek(0, 2), 10);
  assert.is(mm.seek(10), 10);
  assert.is(mm.seekable(), true);
});

test("seek outside of the map throws, and the position stays", () => {
  using mm = MMap.open(newFile("0123456789"));
  mm.seek(4);
  refuses(RangeError, () => mm.seek(-1), "pos", "-1");
  refuses(RangeError, () => mm.seek(11), "pos", "11");
  refuses(RangeError, () => mm.seek(-5, 1), "pos", "-5");
  refuses(RangeError, () => mm.seek(1, 2), "pos", "1");
  refuses(RangeError, () => mm.seek(0, 3), "whence", "3");
  assert.is(mm.tell(), 4);
});

test("reads across windows and in one large piece", () => {
  const content = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251);
  using mm = MMap.open(newFile(content));
  assert.equal(mm.read(65_000), content.slice(0, 65_000));
  assert.equal(mm.read(2000), content.slice(65_000, 67_000));
  assert.equal(mm.read(), content.slice(67_000));
  assert.is(mm[65_535], content[65_535]);
  assert.is(mm[65_536], content[65_536]);
});

test("short copies that share their memory leave each other alone", () => {
  using long = MMap.open(newFile(`${"x".repeat(1500)}\n`.repeat(40)));
  for (let count = 0; count < 40; count++) assert.is(long.readline().length, 1501);
  using mm = MMap.open(newFile("abc\nde\n".repeat(100)));
  const lines = [mm.readline(), mm.readline()];
  const found = mm.search(/abc/)?.bytes as Uint8Array;
  lines.push(mm.readline(), mm.readline());
  assert.equal(lines.map(text), ["abc\n", "de\n", "abc\n", "de\n"]);
  assert.is(text(found), "abc");
});

if (runs("an offset need not be aligned", withoutDescriptors))
  test("an offset need not be aligned", () => {
    const content = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251);
    const fd = openSync(newFile(content), "r");
    for (const offset of [0, 1, 4095, 4096, 4097, 19_999]) {
      using mm = new MMap(fd, 0, { access: "read", offset });
      assert.is(mm.offset, offset);
      assert.is(mm.length, 20_000 - offset);
      assert.equal(mm.read(), content.slice(offset));
      assert.equal(mm.bytes.slice(), content.slice(offset));
    }
    using part = new MMap(fd, 10, { access: "read", offset: 5000 });
    assert.equal(part.read(), content.slice(5000, 5010));
    closeSync(fd);
  });

test.run();
