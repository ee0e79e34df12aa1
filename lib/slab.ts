/**
 * Short arrays, which lie together in memory: most engines take long to make some for each.
 *
 * @module
 */

import { isDetached } from "../ffi/array-buffer.ts";
import { ArrayBuffer, Int32Array, MathClz32, MathMin, Uint8Array } from "../ffi/primordials.ts";

/** The length in bytes of the memory that is made at once. */
const POOL = 16 * 1024;

/** No array here is longer, in bytes. */
const SHORT = 1024;

/** None before the first array. */
let buffer = new ArrayBuffer(0);
let words = new Int32Array(buffer);
/** How far it is taken, in bytes. */
let taken = 0;

/** Has the pool room for a short array? One that was transferred away with an array is no longer ours. */
function makeRoom(): void {
  if (taken + SHORT <= POOL && !isDetached(buffer)) return;
  buffer = new ArrayBuffer(POOL);
  words = new Int32Array(buffer);
  taken = 0;
}

/** A new array of bytes. Short ones share their memory. */
export function shortArray(length: number): Uint8Array<ArrayBuffer> {
  if (length > SHORT) return new Uint8Array(length);
  makeRoom();
  const array = new Uint8Array(buffer, taken, length);
  taken += length;
  return array;
}

/** Where the line begins that was copied last. */
let lineAt = 0;

/** An array of the line that was copied last, which has so many bytes. */
export function copiedLine(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer, lineAt, length);
}

/** Does the first byte of a word have its lowest bits? */
const LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1;

/**
 * Copies the line that begins at a byte of `source`, which has `count` words; gives its length in bytes, or -1 where it is
 * not short, or does not end there.
 *
 * Goes by words, and copies each while it looks for a newline in it: an engine's code does so in half the time of a call
 * into C that looks, and another that copies.
 */
export function copyLine(source: Int32Array, count: number, start: number): number {
  if (!LITTLE_ENDIAN) return -1;
  makeRoom();
  const target = words;
  const lead = start & 3;
  let index = start >>> 2;
  const last = MathMin(count, index + SHORT / 4 - 1);
  let place = (taken + 3) >>> 2;
  lineAt = 4 * place + lead;
  // In the first word, the bytes before the line count as no newlines.
  for (let others = (1 << (8 * lead)) - 1; index < last; others = 0) {
    const word = source[index++] as number;
    target[place++] = word;
    // A newline is a zero here, and the lowest byte that is one has its high bit set where it was not, and is 1 less.
    const zeroed = (word ^ 0x0a0a0a0a) | others;
    const borrowed = (zeroed - 0x01010101) & ~zeroed & -0x7f7f7f80;
    if (borrowed === 0) continue;
    taken = 4 * place;
    const newline = taken - 4 + ((31 - MathClz32(borrowed & -borrowed)) >>> 3);
    return newline + 1 - lineAt;
  }
  return -1;
}
