/**
 * Small reads and writes of mapped memory, through a view of a part of it that only the library has.
 *
 * Copying by a view is faster than by a call into C, and making a view is slower than that: so the window moves only when
 * accesses are clustered.
 *
 * @module
 */

import {
  ArrayBuffer,
  define,
  Int32Array,
  MathFloor,
  MathMin,
  TypedArrayPrototypeSet,
  Uint8Array,
} from "../../ffi/primordials.ts";
import { copyLine } from "../slab.ts";
import type { Memory } from "./memory.ts";

/**
 * The window's size in bytes: large enough that moving it costs nothing against what is read through it, and small enough
 * that the engine, which counts it as garbage-collected memory, does not collect sooner because of it.
 */
export const WINDOW = 64 * 1024;

const EMPTY_BUFFER = new ArrayBuffer(0);
const EMPTY_BYTES = new Uint8Array(EMPTY_BUFFER);
const EMPTY_WORDS = new Int32Array(EMPTY_BUFFER);

/** The last byte of each line that the window has. */
const NEWLINE = 10;

/** No block has been missed yet. -2, so that the block after it is not block 0. */
const NO_BLOCK = -2;

/** Receives a store that nothing reads. */
const storeBarrier = new Int32Array(1);

/** A byte on its way to or from memory outside the window. */
const oneByte = new Uint8Array(1);

/** V8 stores typed arrays of up to 64 bytes on its heap; passing one to C first moves it off the heap, which is slow. */
const SMALL_COPY = 64;

/**
 * One scratch array per small length, moved off the heap once. Null prototype, so that a polluted Object.prototype cannot
 * supply an entry.
 */
const smallCopyBuffers: Record<number, Uint8Array<ArrayBuffer>> = { __proto__: null } as never;

function smallCopyBuffer(length: number): Uint8Array<ArrayBuffer> {
  smallCopyBuffers[length] ??= new Uint8Array(length);
  return smallCopyBuffers[length] as Uint8Array<ArrayBuffer>;
}

export class Window {
  readonly #memory: Memory;
  #buffer = EMPTY_BUFFER;
  #bytes = EMPTY_BYTES;
  #words = EMPTY_WORDS;
  /** Where in the map the window begins, and its length. */
  #start = 0;
  #length = 0;
  /** The block (a part of the map, in windows from its start) that was last accessed outside the window. */
  #lastMissedBlock = NO_BLOCK;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Forgets the view, before the memory is unmapped. */
  clear(): void {
    this.#length = 0;
    this.#buffer = EMPTY_BUFFER;
    this.#bytes = EMPTY_BYTES;
    this.#words = EMPTY_WORDS;
  }

  byte(index: number): number {
    const at = index - this.#start;
    const value = (at >= 0 && at < this.#length ? this.#bytes[at] : this.#distantByte(index)) as number;
    // An engine may move a load out of a loop that stores nothing, and the fault counter must be read after the byte.
    storeBarrier[0] = value;
    const { faults } = this.#memory;
    if (faults.counts[faults.index] !== 0) faults.throwIfByteLost(index + 1, value);
    return value;
  }

  #distantByte(index: number): number {
    const memory = this.#memory;
    memory.checkRange(index, index + 1);
    if (this.#covers(index, 1)) return this.#bytes[index - this.#start] as number;
    memory.platform.load(memory.start + index, oneByte, 1);
    return oneByte[0] as number;
  }

  setByte(index: number, value: number): void {
    const memory = this.#memory;
    memory.checkRange(index, index + 1);
    if (this.#covers(index, 1)) {
      this.#bytes[index - this.#start] = value;
    } else {
      oneByte[0] = value;
      memory.platform.store(memory.start + index, oneByte, 1);
    }
    const { faults } = memory;
    if (faults.counts[faults.index] !== 0) faults.throwIfByteLost(index + 1, 0);
  }

  /** A copy of the bytes from `start` to `end`. */
  read(start: number, end: number): Uint8Array<ArrayBuffer> {
    const memory = this.#memory;
    memory.checkRange(start, end);
    const length = end - start;
    if (length === 0) return new Uint8Array(0);
    const isShort = length <= memory.platform.smallCopyLimit;
    if (isShort && this.#covers(start, length)) {
      // A copy by the constructor: slice() would consult Symbol.species.
      const copy = new Uint8Array(new Uint8Array(this.#buffer, start - this.#start, length));
      memory.faults.throwIfTruncated(end, copy[length - 1]);
      return copy;
    }
    const isSmall = isShort && length <= SMALL_COPY;
    const copy = isSmall ? smallCopyBuffer(length) : new Uint8Array(length);
    memory.platform.load(memory.start + start, copy, length);
    memory.faults.throwIfTruncated(end, copy[length - 1]);
    return isSmall ? new Uint8Array(copy) : copy;
  }

  /** Writes the first `length` bytes of `source`, which has as many. */
  write(start: number, source: Uint8Array, length: number): void {
    const memory = this.#memory;
    memory.checkRange(start, start + length);
    // Before the write as well: if pages are known to be lost, nothing is written.
    memory.faults.throwIfTruncated(start + length);
    if (length > 0) {
      if (length > WINDOW || !this.#covers(start, length)) {
        memory.platform.store(memory.start + start, source, length);
      } else this.#bytes.set(source, start - this.#start);
    }
    memory.faults.throwIfTruncated(start + length);
  }

  /** A copy of the line that begins at `start`; undefined if the line is long, or does not end in the window. */
  line(start: number): Uint8Array<ArrayBuffer> | undefined {
    const memory = this.#memory;
    if (start >= memory.length || !this.#covers(start, 1)) return undefined;
    const line = copyLine(this.#words, this.#length >>> 2, start - this.#start);
    if (line !== undefined) memory.faults.throwIfTruncated(start + line.length, NEWLINE);
    return line;
  }

  /**
   * Makes the window cover `count` (≤ WINDOW) bytes at `index` if accesses are clustered, and returns whether it does. The
   * window moves only on a second access to the same or the next block: making a view costs more than one memcpy call.
   */
  #covers(index: number, count: number): boolean {
    const at = index - this.#start;
    if (at >= 0 && at + count <= this.#length) return true;
    const block = MathFloor(index / WINDOW);
    const isNear = block === this.#lastMissedBlock || block === this.#lastMissedBlock + 1;
    const close = isNear && this.#memory.platform.canView;
    this.#lastMissedBlock = block;
    if (close) this.#moveOver(index, count);
    return close;
  }

  /** Moves the window over at least `count` bytes from `index` on. */
  #moveOver(index: number, count: number): void {
    const memory = this.#memory;
    const aligned = index - (index % WINDOW);
    const start = index + count <= aligned + WINDOW ? aligned : index;
    const length = MathMin(WINDOW, memory.length - start);
    // All are made before any is kept, so that the fields always describe the same part.
    const buffer = memory.platform.view(memory.start + start, length);
    const bytes = new Uint8Array(buffer);
    const words = new Int32Array(buffer, 0, length >>> 2);
    // An own property, so that a replaced Uint8Array.prototype.set never sees the window. Faster than Reflect.apply.
    define(bytes, "set", TypedArrayPrototypeSet);
    this.#buffer = buffer;
    this.#bytes = bytes;
    this.#words = words;
    this.#start = start;
    this.#length = length;
  }
}
