/**
 * The lines of a mapped region, copied a block at a time.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { ArrayBuffer, IteratorPrototype, MathMin, ObjectSetPrototypeOf, Uint8Array } from "../../ffi/primordials.ts";
import type { Memory } from "../mapping/memory.ts";

const NEWLINE = 10;

// Captured at import time. It is given text, and no memory.
const { indexOf } = globalThis.String.prototype;

/** Where the line that begins at `start` ends: after its newline, or at `end`. */
export function lineEnd(memory: Memory, start: number, end: number): number {
  const newline = memory.findByte(start, end, NEWLINE);
  return newline === -1 ? end : newline + 1;
}

/** A copy of a range, in a new buffer that was not filled with zeros first. */
export function loaded(memoryOf: () => Pick<Memory, "load">, start: number, length: number): Buffer<ArrayBuffer> {
  const bytes = builtins().Buffer.allocUnsafeSlow(length);
  // Asked for after the allocation, because a replaced allocUnsafeSlow() may have closed the map.
  memoryOf().load(start, bytes);
  return bytes;
}

/** The sizes of the first and of the largest block, in bytes. A line that is kept keeps its whole block. */
const FIRST_BLOCK = 1024;
const BLOCK = 32 * 1024;

/** The lines between `start` and `end`, each with its newline. `memoryOf`: as for `matches`. */
export function lines(
  memoryOf: () => Memory,
  start: number,
  end: number,
): IteratorObject<Uint8Array<ArrayBuffer>, undefined> {
  // It is one by its prototype.
  return new Lines(memoryOf, start, end) as unknown as IteratorObject<Uint8Array<ArrayBuffer>, undefined>;
}

/**
 * A class and not a generator, and blocks of text: allocating an ArrayBuffer per line is slow in most engines and a view of
 * one is not; a newline is found sooner in a string than in an array; and V8 resumes a generator more slowly than it calls
 * a method.
 */
class Lines implements IterableIterator<Uint8Array<ArrayBuffer>> {
  /** Refers to the map, so that it is not finalized during iteration. */
  readonly #memoryOf: () => Memory;
  /** The memory that the block was copied from. */
  #memory: Memory | undefined;
  readonly #end: number;
  /** Where in the map the block begins, and how much of it has been returned. */
  #start: number;
  #returned = 0;
  #block = new ArrayBuffer(0);
  #text = "";
  #size = FIRST_BLOCK;
  #done = false;

  static {
    ObjectSetPrototypeOf(Lines.prototype, IteratorPrototype);
  }

  constructor(memoryOf: () => Memory, start: number, end: number) {
    this.#memoryOf = memoryOf;
    this.#start = start;
    this.#end = end;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    return this.#nextInBlock() ?? this.#nextBlock();
  }

  return(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    this.#done = true;
    this.#text = "";
    this.#block = new ArrayBuffer(0);
    return { done: true, value: undefined };
  }

  #nextInBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> | undefined {
    if (this.#memory === undefined || this.#memory.released) return undefined;
    const from = this.#returned;
    const newline = indexOf.call(this.#text, "\n", from);
    if (newline === -1) return undefined;
    try {
      const value = new Uint8Array(this.#block, from, newline + 1 - from);
      this.#returned = newline + 1;
      return { done: false, value };
    } catch {
      // The block was transferred away with a line.
      return undefined;
    }
  }

  #nextBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    if (this.#done) return { done: true, value: undefined };
    // An error ends the iteration, as it ends a generator.
    this.#done = true;
    const result = this.#copyBlock();
    this.#done = result.done === true;
    return result;
  }

  #copyBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    const memory = this.#memoryOf();
    this.#start += this.#returned;
    this.#returned = 0;
    this.#text = "";
    this.#memory = memory;
    const left = MathMin(this.#end, memory.length) - this.#start;
    if (left <= 0) return this.return();
    const bytes = loaded(this.#memoryOf, this.#start, MathMin(left, this.#size));
    this.#size = MathMin(4 * this.#size, BLOCK);
    this.#block = bytes.buffer;
    this.#text = bytes.toString("latin1");
    return this.#nextInBlock() ?? this.#singleLine(memory);
  }

  /** The last line, or one that is longer than a block. */
  #singleLine(memory: Memory): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    // A replaced toString() may have resized or closed the map.
    if (memory.released) return this.#copyBlock();
    const end = lineEnd(memory, this.#start, MathMin(this.#end, memory.length));
    const value = memory.read(this.#start, end);
    this.#returned = end - this.#start;
    return { done: false, value };
  }
}
