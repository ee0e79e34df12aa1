/**
 * Substring search in mapped memory. The C library's functions do the work; this file decides which of them, so that the
 * search is fast on most texts and linear on all.
 *
 * SAFETY: nothing here calls a method or getter of an array. Code that replaced one could unmap the memory in the middle of
 * a search. Each array that C fills or reads is made here with the length that C is passed, or measured by `lengthOf`.
 *
 * @module
 */

import { lengthOf } from "../ffi/array-buffer.ts";
import { ArrayBuffer, Int32Array, MathCeil, MathMax, MathMin, Uint8Array } from "../ffi/primordials.ts";
import { type FindWord, findByWords, LEAST_NEEDLE, listByWords } from "./word-search.ts";

/** The functions of the C library that searches are made of. */
export interface SearchPrimitives {
  /** The index of the first byte equal to `byte`, or -1: memchr. */
  findByte(address: number, length: number, byte: number): number;
  /** The index of the last byte equal to `byte`, or -1: memrchr. `undefined` if the system does not have it. */
  findLastByte: ((address: number, length: number, byte: number) => number) | undefined;
  /** The index of the first occurrence of a sequence, or -1: memmem. `undefined` if it does not take linear time. */
  findSequence: ((address: number, length: number, sequence: Uint8Array) => number) | undefined;
  /** `undefined` if it is no faster than `findSequence`, or not opened yet. */
  findWord: FindWord | undefined;
  /** Whether these are the bytes at `address`. */
  equals(address: number, bytes: Uint8Array): boolean;
  /** Copies out of mapped memory into an array of at least `length` bytes. */
  load(address: number, target: Uint8Array, length: number): void;
}

/** Turns what C's search functions return, an address or NULL, into an index from `address`, or -1. */
export function indexOfResult(address: number, result: number): number {
  return result === 0 ? -1 : result - address;
}

/** The index of the first occurrence of `needle`, of at least one byte, or -1. */
export function findBytes(memory: SearchPrimitives, address: number, length: number, needle: Uint8Array): number {
  return new Search(memory, needle).first(address, length);
}

/**
 * Lists where the occurrences of `needle` begin, as `listByWords` does. -1: there are too many, or this needle is not searched
 * by words.
 */
export function listBytes(
  { findWord, equals }: SearchPrimitives,
  address: number,
  length: number,
  needle: Uint8Array,
  found: Int32Array,
): number {
  const needed = lengthOf(needle);
  if (findWord === undefined || needed < LEAST_NEEDLE) return -1;
  return listByWords(findWord, equals, address, length, needle, needed, found, lengthOf(found) / 4);
}

/** The index of the last occurrence of `needle`, of at least one byte, or -1. */
export function findLastBytes(memory: SearchPrimitives, address: number, length: number, needle: Uint8Array): number {
  const needed = lengthOf(needle);
  if (needed === 1 && memory.findLastByte) return memory.findLastByte(address, length, needle[0] as number);
  // C searches forwards only. This searches blocks from the end, each twice as long as the one before, so that all together
  // cost at most twice as much as the last. Each overlaps the block after it, for occurrences across the edge.
  const search = new Search(memory, needle);
  let size = MathMax(FIRST_PIECE, 4 * needed);
  for (let end = length; end >= needed; size *= 2) {
    const start = MathMax(0, end - size);
    const first = search.first(address + start, end - start);
    if (first !== -1) return lastWithin(search, address, start + first, end);
    if (start === 0) break;
    end = start + needed - 1;
  }
  return -1;
}

/** The last occurrence that ends before `end`, given that there is one at `known`: a binary search of the rest. */
function lastWithin(search: Search, address: number, known: number, end: number): number {
  const { needed } = search;
  let last = known;
  let high = end - needed;
  while (last < high) {
    const middle = last + MathCeil((high - last) / 2);
    const later = search.first(address + middle, high + needed - middle);
    if (later === -1) high = middle - 1;
    else last = middle + later;
  }
  return last;
}

/** Bytes searched before sampling the text for rare bytes. Sampling shorter texts does not pay. */
const FIRST_PIECE = 4096;

/** Bytes searched with memmem before a search by words, which begins with a call for each of the four words. */
const BEFORE_WORDS = 1024;

/** Bytes searched by words before sampling the text: they take as long as memmem takes for a fourth of them. */
const BEFORE_SAMPLE = 4 * FIRST_PIECE;

/** Bytes after which the text is sampled again, because it may have changed. */
const LARGEST_PIECE = 4 * 1024 * 1024;

/** The size of a sample of the text, and of the parts at either end of the needle that are considered, in bytes. */
const SAMPLE = 1024;

/** The cost of one candidate: two calls into C take about as long as memmem takes for this many bytes. */
const CANDIDATE = 2048;

/** Credit for false candidates before falling back to memmem, in byte-equivalents. */
const CREDIT = 16 * CANDIDATE;

/** If memmem moves by fewer bytes than this on average, searching for three rare bytes is faster. */
const SMALL_STEP = 3;

/** How much is copied at once for the search in JavaScript, in bytes. */
const BLOCK = 256 * 1024;

/**
 * A search for a needle.
 *
 * memchr looks for a byte of the needle that does not occur in a sample of the text, and memcmp compares the needle
 * wherever memchr finds one. If there are too many such candidates, memmem takes over for a while; on glibc and x64 a search
 * by words does, which leaves the text to memmem if it too meets too many candidates. In repetitive text, memmem moves by a
 * byte or two at a time and compares long parts of the needle each time; then three bytes that do not occur in the sample are
 * searched instead of one. Without memmem, the Two-Way algorithm runs over copies.
 */
class Search {
  readonly needed: number;
  readonly #memory: SearchPrimitives;
  readonly #needle: Uint8Array;
  /** Whether the needle can be searched by words. */
  readonly #hasWords: boolean;
  #inCopy: ((text: Uint8Array, size: number) => number) | undefined;

  constructor(memory: SearchPrimitives, needle: Uint8Array) {
    this.#memory = memory;
    this.#needle = needle;
    this.needed = lengthOf(needle);
    this.#hasWords = this.needed >= LEAST_NEEDLE && memory.findWord !== undefined;
  }

  /** The index of the first occurrence in `length` bytes, or -1. */
  first(address: number, length: number): number {
    const { needed } = this;
    if (needed === 1) return this.#memory.findByte(address, length, this.#needle[0] as number);
    const last = length - needed;
    const unsampled = this.#hasWords ? BEFORE_SAMPLE : FIRST_PIECE;
    const growth = this.#hasWords ? BEFORE_SAMPLE / BEFORE_WORDS : 4;
    let piece = MathMax(this.#hasWords ? BEFORE_WORDS : FIRST_PIECE, 4 * needed);
    for (let from = 0; from <= last; ) {
      if (piece > unsampled || this.#memory.findSequence === undefined) {
        const followed = this.#followRare(address, from, length);
        if (followed >= -1) return followed;
        from = -followed - 2;
      }
      const span = MathMin(piece + needed - 1, length - from);
      const found = this.#findInPiece(address + from, span);
      if (found !== -1) return from + found;
      from += piece;
      piece = MathMin(growth * piece, MathMax(LARGEST_PIECE, 4 * needed));
    }
    return -1;
  }

  #findInPiece(address: number, length: number): number {
    const { equals, findSequence, findWord } = this.#memory;
    if (findSequence === undefined) return this.#findInCopies(address, length);
    let skipped = 0;
    if (findWord !== undefined && this.#hasWords && length > FIRST_PIECE) {
      const found = findByWords(findWord, equals, address, length, this.#needle, this.needed);
      if (found >= -1) return found;
      skipped = -found - 2;
    }
    const found = findSequence(address + skipped, length - skipped, this.#needle);
    return found === -1 ? -1 : skipped + found;
  }

  /** Searches by what is rare in the text from `from` on. Returns what `#follow` returns, at once if nothing is rare. */
  #followRare(address: number, from: number, length: number): number {
    const needle = this.#needle;
    const memory = this.#memory;
    const size = MathMin(SAMPLE, length - from);
    const sample = new Uint8Array(size);
    memory.load(address + from, sample, size);
    const byteAt = absentByte(sample, size, needle, this.needed);
    if (byteAt !== -1) {
      const byte = needle[byteAt] as number;
      return this.#follow(address, from, length, byteAt, 1, (start, count) => memory.findByte(start, count, byte));
    }
    const { findSequence } = memory;
    if (findSequence && this.needed > 3 && averageStep(sample, size, needle, this.needed) < SMALL_STEP) {
      const at = absentTriple(sample, size, needle, this.needed);
      if (at === -1) return -from - 2;
      const triple = new Uint8Array(3);
      for (let index = 0; index < 3; index++) triple[index] = needle[at + index] as number;
      return this.#follow(address, from, length, at, 3, (start, count) => findSequence(start, count, triple));
    }
    return -from - 2;
  }

  /**
   * Compares the needle wherever `find` finds a certain part of it. Returns the index of the first occurrence, or -1 if there
   * is none, or `-2 - next` if there were too many candidates, and no occurrence before `next`.
   */
  #follow(
    address: number,
    from: number,
    length: number,
    partAt: number,
    partLength: number,
    find: (address: number, length: number) => number,
  ): number {
    const { needed } = this;
    let spent = from - CREDIT;
    for (let next = from; next <= length - needed; next++) {
      const found = find(address + next + partAt, length - needed - next + partLength);
      if (found === -1) return -1;
      next += found;
      if (spent > next) return -2 - next;
      if (this.#memory.equals(address + next, this.#needle)) return next;
      spent += CANDIDATE + needed;
    }
    return -1;
  }

  /** Searches in JavaScript, in copies that overlap because of occurrences across their edges. */
  #findInCopies(address: number, length: number): number {
    const { needed } = this;
    this.#inCopy ??= twoWay(this.#needle);
    const block = MathMin(length, MathMax(BLOCK, 2 * needed));
    const memory = new ArrayBuffer(block);
    for (let from = 0; length - from >= needed; from += block - needed + 1) {
      const size = MathMin(block, length - from);
      const copy = new Uint8Array(memory, 0, size);
      this.#memory.load(address + from, copy, size);
      const found = this.#inCopy(copy, size);
      if (found !== -1) return from + found;
    }
    return -1;
  }
}

/** How much of the needle is considered in repetitive text, in bytes. */
const PREFIX = 256;

/** The index of a byte among the needle's first and last bytes that does not occur in the sample, or -1. */
function absentByte(sample: Uint8Array, size: number, needle: Uint8Array, needed: number): number {
  const present = new Uint8Array(256);
  for (let at = 0; at < size; at++) present[sample[at] as number] = 1;
  const looked = MathMin(SAMPLE, needed);
  for (let at = 0; at < looked; at++) if (present[needle[at] as number] === 0) return at;
  for (let at = needed - looked; at < needed; at++) if (present[needle[at] as number] === 0) return at;
  return -1;
}

/** The index of three bytes in the needle's prefix that do not occur in the sample, or -1. Equal hashes count as equal. */
function absentTriple(sample: Uint8Array, size: number, needle: Uint8Array, needed: number): number {
  const present = new Uint8Array(4096);
  const hash = (bytes: Uint8Array, at: number) =>
    (((bytes[at] as number) << 8) ^ ((bytes[at + 1] as number) << 4) ^ (bytes[at + 2] as number)) & 4095;
  for (let at = 0; at + 2 < size; at++) present[hash(sample, at)] = 1;
  const looked = MathMin(PREFIX, needed);
  for (let at = 0; at + 2 < looked; at++) if (present[hash(needle, at)] === 0) return at;
  return -1;
}

/**
 * How far memmem moves in such a text on average, in bytes: by the distance from the needle's end at which the needle has
 * the pair of bytes at the end of memmem's window.
 */
function averageStep(sample: Uint8Array, size: number, needle: Uint8Array, needed: number): number {
  const hash = (before: number, byte: number) => (byte - (before << 3)) & 255;
  const longest = MathMin(PREFIX, needed) - 1;
  const steps = new Uint8Array(256);
  for (let step = longest; step > 0; step--) {
    const at = needed - 1 - step;
    if (at > 0) steps[hash(needle[at - 1] as number, needle[at] as number)] = step;
  }
  let sum = 0;
  for (let at = 1; at < size; at++) {
    sum += steps[hash(sample[at - 1] as number, sample[at] as number)] || longest;
  }
  return sum / MathMax(1, size - 1);
}

/**
 * Prepares the Two-Way search for a needle, with a table of shifts by the last byte of the window. Linear in the worst case,
 * and sublinear on most texts.
 *
 * @see https://doi.org/10.1145/116825.116845 M. Crochemore, D. Perrin: Two-way string-matching
 */
export function twoWay(needle: Uint8Array): (text: Uint8Array, size: number) => number {
  const length = lengthOf(needle);
  const skips = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) skips[byte] = length;
  for (let index = 0; index < length; index++) skips[needle[index] as number] = length - index - 1;
  const { cut, period } = factorize(needle, length);
  let repeats = true;
  for (let index = 0; index < cut && repeats; index++) repeats = needle[index] === needle[index + period];
  // How far to move if the part before the cut differs, and how much of the needle is known to match then.
  const shift = repeats ? period : MathMax(cut, length - cut) + 1;
  const kept = repeats ? length - period : 0;
  return (text, size) => {
    let known = 0;
    for (let at = 0; at <= size - length; ) {
      const skip = skips[text[at + length - 1] as number] as number;
      if (skip > 0) {
        at += MathMax(skip, known);
        known = 0;
        continue;
      }
      let index = MathMax(cut, known);
      while (index < length && needle[index] === text[at + index]) index++;
      if (index < length) {
        at += index - cut + 1;
        known = 0;
        continue;
      }
      index = cut;
      while (index > known && needle[index - 1] === text[at + index - 1]) index--;
      if (index <= known) return at;
      at += shift;
      known = kept;
    }
    return -1;
  };
}

/** Cuts the needle so that the part after the cut is its greatest suffix, by the order of bytes or the reverse order. */
function factorize(needle: Uint8Array, length: number): { cut: number; period: number } {
  const up = greatestSuffix(needle, length, 1);
  const down = greatestSuffix(needle, length, -1);
  return up.cut > down.cut ? up : down;
}

/** Where the greatest suffix begins, and its period. */
function greatestSuffix(needle: Uint8Array, length: number, order: 1 | -1): { cut: number; period: number } {
  let cut = 0;
  let period = 1;
  let same = 0;
  for (let next = 1; next + same < length; ) {
    const difference = order * ((needle[next + same] as number) - (needle[cut + same] as number));
    if (difference === 0) {
      same++;
      if (same === period) {
        next += period;
        same = 0;
      }
    } else if (difference < 0) {
      next += same + 1;
      same = 0;
      period = next - cut;
    } else {
      cut = next;
      next = cut + 1;
      same = 0;
      period = 1;
    }
  }
  return { cut, period };
}
