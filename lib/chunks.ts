/**
 * The bytes of a map in pieces, without a copy.
 *
 * @module
 */

import {
  type ArrayBuffer,
  IteratorPrototype,
  MathFloor,
  MathMax,
  MathMin,
  ObjectSetPrototypeOf,
  Uint8Array,
} from "../ffi/primordials.ts";
import type { Memory } from "./mapping/memory.ts";

/** The size of a chunk by default, in bytes. */
export const CHUNK = 1024 * 1024;

/** Chunks share buffers of up to this many bytes, if they are shorter: a buffer costs more than a view of it. */
const SHARED = 16 * 1024 * 1024;

/**
 * Views of `size` bytes each, from `start` to `end`.
 *
 * @param memoryOf Returns the map's present memory, and refers to the map, so that it is not finalized during iteration.
 */
export function chunks(
  memoryOf: () => Memory,
  size: number,
  start: number,
  end: number,
): IteratorObject<Uint8Array<ArrayBuffer>, undefined> {
  // It is one by its prototype.
  return new Chunks(memoryOf, size, start, end) as unknown as IteratorObject<Uint8Array<ArrayBuffer>, undefined>;
}

class Chunks implements IterableIterator<Uint8Array<ArrayBuffer>> {
  readonly #memoryOf: () => Memory;
  readonly #size: number;
  readonly #end: number;
  /** Where the next chunk begins. */
  #next: number;
  /** The memory that the buffer shows, and where in the map that begins and ends. */
  #memory: Memory | undefined;
  #buffer: ArrayBuffer | undefined;
  #bufferStart = 0;
  #bufferEnd = 0;
  /** How many chunks the next buffer is for: one at first, for programs that read only the first. */
  #count = 1;
  #done = false;

  static {
    ObjectSetPrototypeOf(Chunks.prototype, IteratorPrototype);
  }

  constructor(memoryOf: () => Memory, size: number, start: number, end: number) {
    this.#memoryOf = memoryOf;
    this.#size = size;
    this.#next = start;
    this.#end = end;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    if (this.#done) return { done: true, value: undefined };
    // An error ends the iteration, as it ends a generator.
    this.#done = true;
    const memory = this.#memoryOf();
    // The chunk before may have shown zeros in the place of pages that the file has lost.
    if (memory === this.#memory) memory.faults.throwIfTruncated(this.#next);
    const end = MathMin(this.#end, memory.length);
    const start = this.#next;
    if (start >= end) return this.return();
    const length = MathMin(this.#size, end - start);
    const value = this.#view(memory, start, length, end);
    this.#next = start + length;
    this.#done = false;
    return { done: false, value };
  }

  return(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    this.#done = true;
    this.#memory = undefined;
    this.#buffer = undefined;
    return { done: true, value: undefined };
  }

  #view(memory: Memory, start: number, length: number, end: number): Uint8Array<ArrayBuffer> {
    if (this.#buffer !== undefined && memory === this.#memory && start + length <= this.#bufferEnd) {
      try {
        return new Uint8Array(this.#buffer, start - this.#bufferStart, length);
      } catch {
        // The buffer was transferred away with a chunk.
      }
    }
    if (!memory.platform.canView) return memory.read(start, start + length);
    const span = MathMin(end - start, this.#size * this.#count);
    this.#buffer = memory.views.chunk(start, span);
    this.#memory = memory;
    this.#bufferStart = start;
    this.#bufferEnd = start + span;
    this.#count = MathMin(4 * this.#count, MathMax(1, MathFloor(SHARED / this.#size)));
    return new Uint8Array(this.#buffer, 0, length);
  }
}
