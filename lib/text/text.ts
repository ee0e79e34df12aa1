/**
 * A range of a map as one string.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { type ArrayBuffer, MathMin, Uint8Array } from "../../ffi/primordials.ts";
import type { Memory } from "../mapping/memory.ts";
import type { Decoder } from "./decoder.ts";

/** The number of bytes that are decoded at once. */
export const BLOCK = 64 * 1024;

/** The bytes of the block that is being decoded. No other code runs meanwhile, so one is enough. */
let block: Uint8Array<ArrayBuffer> | undefined;

/** A copy of up to `BLOCK` bytes, valid until the next call. Copied, because others may change the file while it is decoded. */
export function copyBlock(memory: Memory, start: number, length: number): Uint8Array<ArrayBuffer> {
  block ??= new Uint8Array(BLOCK);
  const bytes = length === BLOCK ? block : new Uint8Array(block.buffer, 0, length);
  memory.load(start, bytes);
  return bytes;
}

/**
 * The text of a range.
 *
 * @param isLast Whether the decoder's text ends with the range.
 * @param hint What to do instead if no string can be that long.
 * @throws {RangeError} No string can be that long.
 */
export function textOf(
  memory: Memory,
  decoder: Decoder,
  start: number,
  end: number,
  isLast: boolean,
  hint: string,
): string {
  const most = builtins().maxStringLength;
  if (end - start > mostBytes(decoder)) throwTooLong(start, end, most, hint);
  let text = "";
  for (let from = start; from < end; ) {
    let length = MathMin(BLOCK, end - from);
    const bytes = copyBlock(memory, from, length);
    if (decoder.isUtf8 && from + length < end) length = wholeCharacters(bytes, length);
    from += length;
    const part = decoder.decode(new Uint8Array(bytes.buffer, 0, length), isLast && from === end);
    if (text.length + part.length > most) throwTooLong(start, end, most, hint);
    text += part;
  }
  return text;
}

/** The most bytes whose text a string can hold: all characters have 4 bytes, or 3 in UTF-8, where 4 are two units of text. */
export function mostBytes(decoder: Decoder): number {
  return (decoder.isUtf8 ? 3 : 4) * (builtins().maxStringLength + 1);
}

function throwTooLong(start: number, end: number, most: number, hint: string): never {
  throw new RangeError(
    `the text of the bytes from ${start} to ${end} has more than the ${most} characters of the longest string: ${hint}`,
  );
}

/**
 * The length of the longest part of a block that ends between two characters of UTF-8. If the last three bytes are all continuation
 * bytes, then a character ends with the last of them, or it belongs to none.
 */
function wholeCharacters(bytes: Uint8Array, length: number): number {
  for (let index = length - 1; index >= length - 3; index--) {
    const byte = bytes[index] as number;
    // A byte that begins a character of several bytes.
    if (byte >= 0xc0) return index;
    if (byte < 0x80) return length;
  }
  return length;
}
