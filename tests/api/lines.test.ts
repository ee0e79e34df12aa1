import { Buffer } from "node:buffer";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { Random } from "../fuzz/random.ts";
import { newFile, text } from "../helpers/support.ts";

const test = suite("api/lines");

test("readline() returns lines with their newlines, and the last without", () => {
  using mm = MMap.open(newFile("one\n\ntwo\r\nlast"));
  const read = [mm.readline(), mm.readline(), mm.readline(), mm.readline(), mm.readline()].map(text);
  assert.equal(read, ["one\n", "\n", "two\r\n", "last", ""]);
  assert.is(mm.tell(), 14);
});

test("readline() begins at the position, also within a line", () => {
  using mm = MMap.open(newFile("one two\nthree"));
  mm.seek(4);
  assert.is(text(mm.readline()), "two\n");
});

// Lines are looked for four bytes at a time, in which a newline's neighbours must not be taken for one, nor hide it.
test("readline() agrees with split() on random lines, at every alignment", () => {
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

test("readline() returns lines longer than its window whole", () => {
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

test("lines() agrees with split() on a file of many windows", () => {
  const content = Array.from({ length: 30_000 }, (_, index) => `${"-".repeat(index % 97)}${index}`).join("\n");
  using mm = MMap.open(newFile(content));
  const read = [...mm.lines()].map((line) => text(line).replace("\n", ""));
  assert.equal(read, content.split("\n"));
});

test("lines() returns lines longer than its blocks whole, wherever they are", () => {
  const lines = ["a", "x".repeat(100_000), "b", "", "y".repeat(32 * 1024), "c", "z".repeat(50_000)];
  using mm = MMap.open(newFile(lines.join("\n")));
  assert.equal(
    Array.from(mm.lines(), (line) => text(line).replace("\n", "")),
    lines,
  );
});

test("lines() copies many lines at a time, which share their buffer", () => {
  using mm = MMap.open(newFile("line\n".repeat(20_000)));
  const buffers = new Set(Array.from(mm.lines(), ({ buffer }) => buffer));
  assert.ok(buffers.size <= 10, `${buffers.size} buffers`);
  const sizes = Array.from(buffers, ({ byteLength }) => byteLength);
  assert.equal(sizes.slice(0, 4), [1024, 4096, 16_384, 32_768]);
});

test("an iterator of lines() that has ended stays so, after resize() and close() too", () => {
  const mm = MMap.open(newFile("one\ntwo\n"), { access: "write" });
  const lines = mm.lines(0, 100);
  assert.is([...lines].length, 2);
  mm.resize(100);
  assert.equal(lines.next(), { done: true, value: undefined });
  mm.close();
  assert.equal(lines.next(), { done: true, value: undefined });
});

test("lines() and readline() return copies that later writes, close() and transferred buffers do not change", () => {
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

test("lines() returns an iterator of the engine's kind, which break ends", () => {
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

test("lines() follows a resize and throws after close()", () => {
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

test("readline() and search() return short copies that do not overlap in their shared buffer", () => {
  using long = MMap.open(newFile(`${"x".repeat(1500)}\n`.repeat(40)));
  for (let count = 0; count < 40; count++) assert.is(long.readline().length, 1501);
  using mm = MMap.open(newFile("abc\nde\n".repeat(100)));
  const lines = [mm.readline(), mm.readline()];
  const found = mm.search(/abc/)?.bytes as Uint8Array;
  lines.push(mm.readline(), mm.readline());
  assert.equal(lines.map(text), ["abc\n", "de\n", "abc\n", "de\n"]);
  assert.is(text(found), "abc");
});

test.run();
