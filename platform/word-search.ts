/**
 * Substring search by aligned words. A needle of 7 bytes or more contains a whole word of 4 bytes at an address that is a
 * multiple of 4, wherever it begins: one of 4 words, depending on the remainder of that address. glibc's wmemchr looks for
 * a word with vector instructions, so that four passes over a block that stays in the processor's cache take a third of the
 * time of memmem on ordinary text.
 *
 * SAFETY: see memmem.ts.
 *
 * @module
 */

import { Int32Array, MathCeil, MathMax, MathMin, type Uint8Array } from "../ffi/primordials.ts";

/** Which of `count` words of 4 bytes, the first of them at an address that is a multiple of 4, is `word`; or -1: wmemchr. */
export type FindWord = (address: number, count: number, word: number) => number;

/** Whether these are the bytes at `address`: memcmp. */
type Equals = (address: number, bytes: Uint8Array) => boolean;

/** The length of the shortest needle that can be searched, in bytes. */
export const LEAST_NEEDLE = 7;

/** What is searched for four words in turn, in bytes: it fits into the second-level cache. */
const BLOCK = 128 * 1024;

/** A false candidate costs about as much time as this many bytes: two calls into C. */
const CANDIDATE = 1024;

/** How many bytes the false candidates may cost beyond what was searched. */
const CREDIT = 32 * CANDIDATE;

/**
 * The index of the first occurrence of `needle`, of `needed` bytes, or -1; or `-2 - next` if there were too many false
 * candidates, and no occurrence begins before `next`.
 */
export function findByWords(
  findWord: FindWord,
  equals: Equals,
  address: number,
  length: number,
  needle: Uint8Array,
  needed: number,
): number {
  const words = wordsOf(needle);
  /** The last address at which the needle can begin. */
  const last = address + length - needed;
  let spent = -CREDIT;
  for (let block = alignedUp(address); block <= alignedUp(last); block += BLOCK) {
    let first = last + 1;
    for (let before = 0; before < 4; before++) {
      for (let next = block; ; ) {
        // A word that begins later belongs to no occurrence before `first`.
        const end = MathMin(block + BLOCK, first + before);
        if (next >= end) break;
        const found = findWord(next, MathCeil((end - next) / 4), words[before] as number);
        if (found === -1) break;
        next += 4 * found;
        const start = next - before;
        if (start >= address && equals(start, needle)) {
          first = start;
          break;
        }
        next += 4;
        spent += CANDIDATE;
        // The needle may begin up to 3 bytes before its first aligned word.
        if (spent > block - address) return -2 - MathMax(0, block - 3 - address);
      }
    }
    if (first <= last) return first - address;
  }
  return -1;
}

/**
 * Lists where the occurrences of `needle`, of `needed` bytes, begin: indices from `address`, in order, those that overlap too.
 * Returns how many there are, or -1 if there are more candidates, false ones among them, than `found` has room for.
 */
export function listByWords(
  findWord: FindWord,
  equals: Equals,
  address: number,
  length: number,
  needle: Uint8Array,
  needed: number,
  found: Int32Array,
  room: number,
): number {
  const words = wordsOf(needle);
  let candidates = 0;
  let count = 0;
  for (let before = 0; before < 4; before++) {
    const end = address + length - needed + 1 + before;
    for (let next = alignedUp(address + before); next < end; next += 4) {
      const index = findWord(next, MathCeil((end - next) / 4), words[before] as number);
      if (index === -1) break;
      if (candidates++ === room) return -1;
      next += 4 * index;
      const start = next - before;
      if (equals(start, needle)) insert(found, count++, start - address);
    }
  }
  return count;
}

/** Puts a number into an array of `count` numbers in order, and keeps the order. */
function insert(numbers: Int32Array, count: number, number: number): void {
  let place = count;
  for (; place > 0 && (numbers[place - 1] as number) > number; place--) numbers[place] = numbers[place - 1] as number;
  numbers[place] = number;
}

/** The four words, as wmemchr gets them: little-endian, and with a sign. */
function wordsOf(needle: Uint8Array): Int32Array {
  const words = new Int32Array(4);
  for (let at = 0; at < 4; at++) {
    words[at] = pairAt(needle, at) | (pairAt(needle, at + 2) << 16);
  }
  return words;
}

function pairAt(needle: Uint8Array, at: number): number {
  return (needle[at] as number) | ((needle[at + 1] as number) << 8);
}

function alignedUp(address: number): number {
  return 4 * MathCeil(address / 4);
}
