/**
 * The lines of a map as strings.
 *
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import { IteratorPrototype, MathMin, ObjectSetPrototypeOf, String, Uint8Array } from "../../ffi/primordials.ts";
import type { Memory } from "../mapping/memory.ts";
import { Decoder } from "./decoder.ts";
import { BLOCK, copyBlock, mostBytes, textOf } from "./text.ts";

/** The size of the first block, in bytes. It is smaller, for programs that read only the first lines. */
const FIRST_BLOCK = 1024;

const CARRIAGE_RETURN = 13;

// Captured at import time. They are given text, and no memory.
const { charCodeAt, indexOf, slice } = String.prototype;

/**
 * The lines between `start` and `end`, without "\n" or "\r\n".
 *
 * @param memoryOf Returns the map's present memory, and refers to the map, so that it is not finalized during iteration.
 */
export function textLines(
  memoryOf: () => Memory,
  start: number,
  end: number,
  encoding: unknown,
): IteratorObject<string, undefined> {
  // It is one by its prototype.
  return new TextLines(memoryOf, start, end, encoding) as unknown as IteratorObject<string, undefined>;
}

/** A class and not a generator, which V8 resumes more slowly than it calls a method. */
class TextLines implements IterableIterator<string> {
  readonly #memoryOf: () => Memory;
  readonly #encoding: unknown;
  readonly #start: number;
  readonly #end: number;
  #decoder: Decoder;
  /** The memory that the block was copied from. */
  #memory: Memory | undefined;
  /** Where in the map the block begins, which is where a line does, and where the next one begins. */
  #blockStart: number;
  #blockEnd: number;
  #size = FIRST_BLOCK;
  /** The block's text, how much of it has been returned, and in how many lines. */
  #text = "";
  #returned = 0;
  #lines = 0;
  #done = false;

  static {
    ObjectSetPrototypeOf(TextLines.prototype, IteratorPrototype);
  }

  constructor(memoryOf: () => Memory, start: number, end: number, encoding: unknown) {
    this.#decoder = new Decoder(encoding);
    this.#memoryOf = memoryOf;
    this.#encoding = encoding;
    this.#start = start;
    this.#end = end;
    this.#blockStart = start;
    this.#blockEnd = start;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<string, undefined> {
    const from = this.#returned;
    const text = this.#text;
    const newline = this.#memory?.released === false ? indexOf.call(text, "\n", from) : -1;
    if (newline === -1) return this.#nextBlock();
    this.#returned = newline + 1;
    this.#lines++;
    const isCrLf = newline > from && charCodeAt.call(text, newline - 1) === CARRIAGE_RETURN;
    return { done: false, value: slice.call(text, from, isCrLf ? newline - 1 : newline) };
  }

  return(): IteratorResult<string, undefined> {
    this.#done = true;
    this.#memory = undefined;
    this.#text = "";
    return { done: true, value: undefined };
  }

  #nextBlock(): IteratorResult<string, undefined> {
    if (this.#done) return { done: true, value: undefined };
    // An error ends the iteration, as it ends a generator.
    this.#done = true;
    while (this.#decodeBlock()) {
      if (indexOf.call(this.#text, "\n") === -1) continue;
      this.#done = false;
      return this.next();
    }
    const last = this.#rest();
    if (last === "") return this.return();
    this.#text = "";
    this.#returned = 0;
    this.#done = false;
    return { done: false, value: last };
  }

  /** What follows the block's last newline. */
  #rest(): string {
    return slice.call(this.#text, this.#returned);
  }

  /** Makes the next lines the block. Returns whether there are any. */
  #decodeBlock(): boolean {
    const memory = this.#memoryOf();
    const end = MathMin(this.#end, memory.length);
    if (memory !== this.#memory) this.#moveTo(memory, end);
    const start = this.#blockEnd;
    if (start >= end) return false;
    let length = MathMin(this.#size, end - start);
    const bytes = copyBlock(memory, start, length);
    if (start + length < end) length = wholeLines(bytes, length, this.#decoder.newline);
    // A line that is longer than a block becomes a block alone.
    const next = length === 0 ? this.#longLineEnd(memory, start, end) : start + length;
    const text =
      length === 0
        ? textOf(memory, this.#decoder, start, next, next === end, "read it by chunks()")
        : this.#decoder.decode(new Uint8Array(bytes.buffer, 0, length), next === end);
    // The block ends with the byte of a newline, which is none while ISO-2022-JP is in a set of two bytes a character.
    const rest = this.#rest();
    if (rest === "") {
      this.#blockStart = start;
      this.#lines = 0;
    }
    this.#blockEnd = next;
    this.#size = MathMin(4 * this.#size, BLOCK);
    this.#text = rest + text;
    this.#returned = 0;
    return true;
  }

  /** The end of a line that is longer than a block, or a place where it is already too long for a string. */
  #longLineEnd(memory: Memory, start: number, end: number): number {
    const limit = start + mostBytes(this.#decoder) + 1;
    return lineEnd(memory, start, MathMin(end, limit), this.#decoder.newline);
  }

  /** Continues after the line that was returned last, in memory that `resize` or `remap` has put in the place of the old. */
  #moveTo(memory: Memory, end: number): void {
    let next = MathMin(this.#blockStart, end);
    for (let line = 0; line < this.#lines; line++) next = lineEnd(memory, next, end, this.#decoder.newline);
    this.#decoder = new Decoder(this.#encoding, next === this.#start);
    this.#blockEnd = next;
    this.#text = "";
    this.#returned = 0;
    this.#memory = memory;
  }
}

/** The length of the whole lines that a block begins with; 0 if its first line is longer than the block. */
function wholeLines(bytes: Uint8Array, length: number, newline: Uint8Array): number {
  const unit = lengthOf(newline);
  const last = newline[unit - 1];
  for (let end = length - (length % unit); end > 0; end -= unit) {
    if (bytes[end - 1] === last && bytes[end - unit] === newline[0]) return end;
  }
  return 0;
}

/** Where the line that begins at `start` ends: after its newline, or at `end`. */
function lineEnd(memory: Memory, start: number, end: number, newline: Uint8Array): number {
  const unit = lengthOf(newline);
  for (let from = start; ; from++) {
    from = unit === 1 ? memory.findByte(from, end, 10) : memory.findBytes(from, end, newline);
    if (from === -1) return end;
    // In UTF-16, the two bytes may also be halves of two characters.
    if ((from - start) % unit === 0) return from + unit;
  }
}
