/**
 * The lines of a mapped region, copied a block at a time.
 *
 * @module
 */

import { Buffers, Bytes, min } from "../../ffi/engine.ts";
import { host } from "../../ffi/host.ts";
import type { Mapping } from "../mapping.ts";

const NEWLINE = 10;

// The engine's own, taken before any code could replace it. It is given text, and no memory.
const { indexOf: indexIn } = String.prototype;

/** Where the line that begins at `start` ends: behind its newline, or at `end`. */
export function lineEnd(mapping: Mapping, start: number, end: number): number {
  const newline = mapping.findByte(start, end, NEWLINE);
  return newline === -1 ? end : newline + 1;
}

/** A copy in memory of its own, which was not filled with zeros first. */
export function loaded(mapping: Mapping, start: number, length: number): Buffer<ArrayBuffer> {
  const bytes = host().Buffer.allocUnsafeSlow(length);
  mapping.load(start, bytes);
  return bytes;
}

/** How much `Lines` copies at first and at most, in bytes: whoever keeps a line keeps what was copied with it. */
const FIRST_BLOCK = 1024;
const BLOCK = 32 * 1024;

/** What all iterators of the engine inherit from: `map`, `take` and their like, where it has them. */
const ITERATOR = Object.getPrototypeOf(Object.getPrototypeOf([].values()));

/** The lines between `start` and `end`, each with its newline. `mappingOf`: as for `matches`. */
export function lines(
  mappingOf: () => Mapping,
  start: number,
  end: number,
): IteratorObject<Uint8Array<ArrayBuffer>, undefined> {
  // What it is by its prototype.
  return new Lines(mappingOf, start, end) as unknown as IteratorObject<Uint8Array<ArrayBuffer>, undefined>;
}

/**
 * Engines take long to make memory for an array, and little to make one over a part of what there is; they find a character
 * in a string sooner than a byte in an array; and V8 takes longer to go on with a generator than to call a method.
 */
class Lines implements IterableIterator<Uint8Array<ArrayBuffer>> {
  /** Keeps the map, whose end as garbage would be the mapping's. */
  readonly #mappingOf: () => Mapping;
  readonly #mapping: Mapping;
  readonly #end: number;
  /** Where the block begins in the map, and what of it was given. */
  #start: number;
  #given = 0;
  #block = new Buffers(0);
  #text = "";
  /** `changes` of the mapping when the block was copied. */
  #changes = -1;
  #size = FIRST_BLOCK;
  #done = false;

  static {
    Object.setPrototypeOf(Lines.prototype, ITERATOR);
  }

  constructor(mappingOf: () => Mapping, start: number, end: number) {
    this.#mappingOf = mappingOf;
    this.#mapping = mappingOf();
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
    this.#block = new Buffers(0);
    return { done: true, value: undefined };
  }

  #nextInBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> | undefined {
    if (this.#changes !== this.#mapping.changes) return undefined;
    const from = this.#given;
    const newline = indexIn.call(this.#text, "\n", from);
    if (newline === -1) return undefined;
    try {
      const value = new Bytes(this.#block, from, newline + 1 - from);
      this.#given = newline + 1;
      return { done: false, value };
    } catch {
      // The block was transferred away with a line.
      return undefined;
    }
  }

  #nextBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    if (this.#done) return { done: true, value: undefined };
    // An error ends it, as it ends a generator.
    this.#done = true;
    const result = this.#copyBlock();
    this.#done = result.done === true;
    return result;
  }

  #copyBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    const mapping = this.#mappingOf();
    this.#start += this.#given;
    this.#given = 0;
    this.#text = "";
    this.#changes = mapping.changes;
    const left = min(this.#end, mapping.length) - this.#start;
    if (left <= 0) return this.return();
    const bytes = loaded(mapping, this.#start, min(left, this.#size));
    this.#size = min(4 * this.#size, BLOCK);
    this.#block = bytes.buffer;
    this.#text = bytes.toString("latin1");
    return this.#nextInBlock() ?? this.#lineAlone();
  }

  /** The last line, or one that is longer than a block. */
  #lineAlone(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    // What made the text may have been replaced by code that resized the map, or closed it.
    if (this.#changes !== this.#mapping.changes) return this.#copyBlock();
    const end = lineEnd(this.#mapping, this.#start, min(this.#end, this.#mapping.length));
    const value = this.#mapping.read(this.#start, end);
    this.#given = end - this.#start;
    return { done: false, value };
  }
}
