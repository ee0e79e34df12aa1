/**
 * A slab allocator for short Uint8Arrays: allocating an ArrayBuffer per array is slow in most engines.
 *
 * @module
 */

import { isDetached } from "../ffi/array-buffer.ts";
import { ArrayBuffer, Int32Array, MathClz32, MathMin, Uint8Array } from "../ffi/primordials.ts";

/** The size of a slab in bytes. */
const SLAB = 16 * 1024;

/** The longest array that a slab holds, in bytes. */
const SHORT = 1024;

/** The current slab; empty before the first array. */
let buffer = new ArrayBuffer(0);
let words = new Int32Array(buffer);
/** The number of bytes of the slab that are in use. */
let used = 0;

/** Makes room for a short array. A slab that the program has transferred, with one of its arrays, is replaced too. */
function makeRoom(): void {
  if (used + SHORT <= SLAB && !isDetached(buffer)) return;
  buffer = new ArrayBuffer(SLAB);
  words = new Int32Array(buffer);
  used = 0;
}

/** A new Uint8Array. Short ones share a slab. */
export function shortArray(length: number): Uint8Array<ArrayBuffer> {
  if (length > SHORT) return new Uint8Array(length);
  makeRoom();
  const array = new Uint8Array(buffer, used, length);
  used += length;
  return array;
}

/** Whether this machine is little-endian. */
const LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1;

/**
 * A copy of the line that starts at byte `start` of `source`, which has `count` words; undefined if the line is too long for
 * a slab or does not end within `source`.
 *
 * Copies word by word and looks for a newline in each: in JIT-compiled code, that takes half as long as one call into C that
 * searches and another that copies.
 */
export function copyLine(source: Int32Array, count: number, start: number): Uint8Array<ArrayBuffer> | undefined {
  if (!LITTLE_ENDIAN) return undefined;
  makeRoom();
  const target = words;
  const lead = start & 3;
  let index = start >>> 2;
  const last = MathMin(count, index + SHORT / 4 - 1);
  let place = (used + 3) >>> 2;
  const lineAt = 4 * place + lead;
  // `others` masks the bytes of the first word that precede the line.
  for (let others = (1 << (8 * lead)) - 1; index < last; others = 0) {
    const word = source[index++] as number;
    target[place++] = word;
    // SWAR newline test: XOR turns newlines into zero bytes; (x - 0x01…) & ~x & 0x80… marks the lowest zero byte.
    const zeroed = (word ^ 0x0a0a0a0a) | others;
    const borrowed = (zeroed - 0x01010101) & ~zeroed & -0x7f7f7f80;
    if (borrowed === 0) continue;
    used = 4 * place;
    const newline = used - 4 + ((31 - MathClz32(borrowed & -borrowed)) >>> 3);
    return new Uint8Array(buffer, lineAt, newline + 1 - lineAt);
  }
  return undefined;
}
