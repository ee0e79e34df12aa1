/**
 * The search by aligned words, against the plain way.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findByWords, listByWords } from "../../platform/word-search.ts";
import { Random } from "../fuzz/random.ts";

const test = suite("units/word-search");

/** Where the searched memory begins within what the test has, so that its address can have any remainder. */
const BEFORE = 8;

/** `text` at an address, and functions that search it, which fail if they look at anything else. */
function placed(text: Uint8Array, needle: Uint8Array, remainder: number) {
  const start = BEFORE + remainder;
  const memory = new Uint8Array(4 * Math.ceil((start + text.length + 8) / 4));
  // Around it is what a search beyond the text would find.
  for (let at = 0; at < memory.length; at++) memory[at] = needle[at % needle.length] as number;
  memory.set(text, start);
  const work = { words: 0, candidates: 0 };
  const findWord = (address: number, count: number, word: number) => {
    assert.is(address % 4, 0, "not aligned");
    assert.ok(count > 0 && address >= start && address + 4 * count <= start + text.length, "outside of the text");
    const index = new Int32Array(memory.buffer, address, count).indexOf(word);
    work.words += index === -1 ? count : index + 1;
    return index;
  };
  const equals = (address: number, bytes: Uint8Array) => {
    work.candidates++;
    assert.ok(address >= start && address + bytes.length <= start + text.length, "outside of the text");
    return bytes.every((byte, at) => memory[address + at] === byte);
  };
  return { start, work, findWord, equals };
}

function search(text: Uint8Array, needle: Uint8Array, remainder: number) {
  const { start, work, findWord, equals } = placed(text, needle, remainder);
  return { found: findByWords(findWord, equals, start, text.length, needle, needle.length), work };
}

/** The list of all occurrences, or undefined if there is none. */
function list(text: Uint8Array, needle: Uint8Array, remainder: number, room: number): number[] | undefined {
  const { start, work, findWord, equals } = placed(text, needle, remainder);
  const found = new Int32Array(room + 1).fill(-7);
  const count = listByWords(findWord, equals, start, text.length, needle, needle.length, found, room);
  assert.ok(work.candidates <= room && found[room] === -7, "more than there is room for");
  return count === -1 ? undefined : Array.from(found.subarray(0, count));
}

/** The answer, in the plainest way. */
function plainFind(text: Uint8Array, needle: Uint8Array): number {
  return Buffer.from(text).indexOf(Buffer.from(needle));
}

test("a search by words finds what the plain way finds, at every alignment", () => {
  const random = new Random(1);
  let found = 0;
  for (let round = 0; round < 4000; round++) {
    const letters = 2 + random.below(200);
    const text = Uint8Array.from({ length: 7 + random.below(60) }, () => random.below(letters));
    const length = 7 + random.below(Math.min(8, text.length - 6));
    const at = random.below(text.length - length + 1);
    const needle = text.slice(at, at + length);
    if (random.below(3) === 0) needle[random.below(length)] = letters;
    const expected = plainFind(text, needle);
    if (expected !== -1) found++;
    for (let remainder = 0; remainder < 4; remainder++) {
      assert.is(search(text, needle, remainder).found, expected, `[${needle}] in [${text}] at ${remainder}`);
    }
  }
  assert.ok(found > 2000 && found < 3900, `${found} of the needles were there`);
});

test("a search by words finds the first of several, across the edges of its blocks, and at either end", () => {
  const random = new Random(2);
  const clean = Uint8Array.from({ length: 600_000 }, () => random.below(100));
  const needle = Uint8Array.of(7, 200, 201, 202, 203, 204, 205, 206);
  assert.is(search(clean, needle, 1).found, -1);
  const block = 128 * 1024;
  const last = clean.length - needle.length;
  for (const edge of [0, block, 2 * block, last]) {
    for (let at = Math.max(0, edge - 12); at <= Math.min(last, edge + 12); at++) {
      const text = clean.slice();
      text.set(needle, at);
      // Later ones, of each alignment, do not come first.
      for (const later of [at + 9, at + 18, at + 27, at + 36]) if (later <= last) text.set(needle, later);
      for (const remainder of [0, 3]) assert.is(search(text, needle, remainder).found, at, `${at}, ${remainder}`);
    }
  }
});

test("a search by words looks four times at what it passes, and no further than at the first occurrence", () => {
  const text = new Uint8Array(1_000_000).fill(1);
  const needle = Uint8Array.of(2, 3, 4, 5, 6, 7, 8);
  // The words at which an occurrence can have its first whole one, for each of the four remainders.
  const words = [0, 1, 2, 3].map((before) => Math.ceil((1_000_000 - 7 + 1 + before) / 4));
  assert.is(
    search(text, needle, 0).work.words,
    words.reduce((sum, count) => sum + count),
  );
  text.set(needle, 500);
  const { found, work } = search(text, needle, 0);
  assert.equal([found, work.candidates], [500, 1]);
  // The first pass meets it at its 126th word, and the others end there.
  assert.ok(work.words <= 4 * 126, `${work.words} words`);
});

test("a search by words gives up where candidates come too often, and says from where on", () => {
  const needle = Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 2);
  const all = new Uint8Array(600_000).fill(1);
  const { found, work } = search(all, needle, 0);
  assert.is(found, -2);
  assert.ok(work.candidates <= 40, `${work.candidates} candidates`);
  // Rare for two blocks, and then frequent. What is before is not to be searched again, except 3 bytes.
  const block = 128 * 1024;
  all.fill(3, 0, 3 * block);
  for (let remainder = 0; remainder < 4; remainder++) {
    const given = -2 - search(all, needle, remainder).found;
    const aligned = (4 - remainder) % 4;
    assert.ok(given >= 3 * block + aligned - 3 && given < 3 * block + 3 * block, `from ${given} on`);
    assert.is((given + 3 - aligned) % block, 0);
  }
});

test("a list by words has what the plain way finds, at every alignment, in order", () => {
  const random = new Random(3);
  let several = 0;
  for (let round = 0; round < 4000; round++) {
    const letters = 1 + random.below(3);
    const text = Uint8Array.from({ length: 7 + random.below(60) }, () => random.below(letters));
    const length = 7 + random.below(Math.min(8, text.length - 6));
    const at = random.below(text.length - length + 1);
    const needle = text.slice(at, at + length);
    const copy = random.below(text.length - length + 1);
    text.set(needle, copy);
    const expected: number[] = [];
    for (let next = plainFind(text, needle); next !== -1; next = Buffer.from(text).indexOf(needle, next + 1)) {
      expected.push(next);
    }
    if (expected.length > 1) several++;
    for (let remainder = 0; remainder < 4; remainder++) {
      assert.equal(list(text, needle, remainder, 100), expected, `[${needle}] in [${text}] at ${remainder}`);
    }
  }
  assert.ok(several > 1000, `${several} texts had several`);
});

test("there is no list by words if there are more candidates than room, false ones too", () => {
  const needle = Uint8Array.of(1, 1, 1, 1, 1, 1, 1);
  const text = new Uint8Array(16).fill(1);
  assert.equal(list(text, needle, 0, 10)?.length, 10);
  assert.is(list(text, needle, 0, 9), undefined);
  // Seven words of four ones that an occurrence may contain.
  assert.equal(list(text, Uint8Array.of(1, 1, 1, 1, 1, 1, 2), 0, 7), []);
  assert.is(list(text, Uint8Array.of(1, 1, 1, 1, 1, 1, 2), 0, 6), undefined);
  assert.equal(list(needle.subarray(1), needle, 0, 9), []);
});

test.run();
