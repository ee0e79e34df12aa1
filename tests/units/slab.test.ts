import { suite } from "uvu";
import * as assert from "uvu/assert";
import { copyLine, shortArray } from "../../lib/slab.ts";
import { text } from "../helpers/support.ts";

const test = suite("units/slab");

/** The size of a slab, and of the longest array that lies in one. */
const SLAB = 16 * 1024;
const SHORT = 1024;

/** Makes sure that the next array begins a new slab, or one word behind its start at most. */
function newSlab(): void {
  const { buffer } = shortArray(4);
  structuredClone(buffer, { transfer: [buffer] });
}

/** A text as words, with as many spaces behind it as fill the last word, and some words of spaces. */
function wordsOf(content: string): Int32Array {
  const bytes = new Uint8Array(4 * Math.ceil(content.length / 4) + 40).fill(32);
  bytes.set(new TextEncoder().encode(content));
  return new Int32Array(bytes.buffer);
}

/** The line at `start` of a text; undefined where copyLine() finds no end of it. */
function lineOf(content: string, start = 0): string | undefined {
  const words = wordsOf(content);
  const line = copyLine(words, words.length, start);
  return line && text(line);
}

test("shortArray() puts short arrays into one slab, one behind the other", () => {
  newSlab();
  const [one, two, three] = [shortArray(5), shortArray(SHORT), shortArray(7)];
  assert.is(one.buffer, two.buffer);
  assert.is(two.buffer, three.buffer);
  assert.equal([one.byteOffset, two.byteOffset, three.byteOffset], [0, 5, 5 + SHORT]);
  assert.equal([one.length, two.length, three.length], [5, SHORT, 7]);
  assert.is(one.buffer.byteLength, SLAB);
});

test("shortArray() gives a longer array a buffer of its own", () => {
  newSlab();
  const [before, long, after] = [shortArray(1), shortArray(SHORT + 1), shortArray(1)];
  assert.equal([long.byteOffset, long.length, long.buffer.byteLength], [0, SHORT + 1, SHORT + 1]);
  assert.is(after.buffer, before.buffer);
  assert.is(after.byteOffset, 1);
});

test("shortArray() fills a slab to its last byte before it begins another", () => {
  newSlab();
  const arrays = Array.from({ length: SLAB / SHORT }, () => shortArray(SHORT));
  assert.is(new Set(arrays.map(({ buffer }) => buffer)).size, 1);
  assert.is(arrays.at(-1)?.byteOffset, SLAB - SHORT);
  const next = shortArray(1);
  assert.is.not(next.buffer, arrays[0]?.buffer);
  assert.is(next.byteOffset, 0);
});

test("shortArray() begins another slab when the longest array would not fit", () => {
  newSlab();
  const first = shortArray(1);
  for (let count = 1; count < SLAB / SHORT; count++) assert.is(shortArray(SHORT).buffer, first.buffer);
  assert.is.not(shortArray(1).buffer, first.buffer);
});

test("copyLine() copies a line with its newline, wherever it begins and ends", () => {
  for (let start = 0; start < 9; start++) {
    for (let length = 1; length < 14; length++) {
      const line = `${"x".repeat(length - 1)}\n`;
      assert.is(lineOf(`${"\n".repeat(start)}${line}more\n`, start), line);
    }
  }
});

test("copyLine() takes no neighbour of a newline for one", () => {
  for (const byte of [0, 1, 9, 11, 0x0b, 0x7f, 0x80, 0x8a, 0x8b, 0xff]) {
    const content = new Uint8Array(32).fill(byte);
    content[21] = 10;
    const words = new Int32Array(content.buffer);
    for (let start = 0; start < 21; start++) {
      const line = copyLine(words, words.length, start);
      assert.equal(line, content.slice(start, 22), `byte ${byte}, start ${start}`);
    }
  }
});

test("copyLine() takes the longest lines that a slab holds, and none that are longer", () => {
  // It looks at 255 words: what stands before the line in the first of them counts.
  const longest = SHORT - 4;
  for (let lead = 0; lead < 4; lead++) {
    const before = "\n".repeat(lead);
    const fits = `${"x".repeat(longest - lead - 1)}\n`;
    assert.is(lineOf(before + fits, lead), fits);
    assert.is(lineOf(`${before}x${fits}`, lead), undefined);
  }
});

test("copyLine() does not look behind the words that it is given", () => {
  const words = wordsOf("abcdefghijk\n");
  assert.is(copyLine(words, 2, 0), undefined);
  assert.is(text(copyLine(words, 3, 0) as Uint8Array), "abcdefghijk\n");
  assert.is(copyLine(words, 2, 4), undefined);
  assert.is(copyLine(words, 0, 0), undefined);
});

test("copyLine() leaves earlier arrays as they are", () => {
  newSlab();
  const array = shortArray(5).fill(7);
  const lines = ["a\n", "bc\n", "def\n", "ghij\n"].map((line) => [line, lineOf(`${line}xxxx`)]);
  for (const [line, copied] of lines) assert.is(copied, line);
  const kept = Array.from({ length: 3000 }, (_, index) => {
    const words = wordsOf(`${index}\n`);
    return copyLine(words, words.length, 0) as Uint8Array;
  });
  for (const [index, line] of kept.entries()) assert.is(text(line), `${index}\n`);
  assert.equal(array, new Uint8Array(5).fill(7));
});

test.run();
