/**
 * The occurrences of certain bytes, one after the other. Where they are near each other, those of a block are listed at once:
 * that takes two calls into C for each, and `find` takes six.
 *
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import { Int32Array, MathMin, type Uint8Array } from "../../ffi/primordials.ts";
import { find, type Searched } from "./find.ts";

/** How much is listed at once, in bytes: as much as a regular expression sees at first. */
const BLOCK = 64 * 1024;

/** The most occurrences of a block that are listed. If they are nearer to each other, one call of memmem finds each. */
const MOST = 256;

/** Occurrences that are further apart are not listed, in bytes: there, `find` searches for rare bytes first. */
const NEAR = 16 * 1024;

/** For how many bytes nothing is listed after a list that was too long: making it was of no use. */
const PAUSE = 16 * BLOCK;

export class Occurrences {
  readonly #needle: Uint8Array;
  readonly #needed: number;
  /** The memory that the list is of. */
  #memory: Searched | undefined;
  /** The list: indices from `#start`, `#taken` of them taken. It has all occurrences that begin before `#end`. */
  readonly #list = new Int32Array(MOST);
  #count = 0;
  #taken = 0;
  #start = 0;
  #end = 0;
  /** Whether the occurrences are near each other, and where listing them may pay again. */
  #areNear = false;
  #resume = 0;

  constructor(needle: Uint8Array) {
    this.#needle = needle;
    this.#needed = lengthOf(needle);
  }

  /** The first occurrence between `from` and `limit`, or -1. `from` is where the last search began, or after it. */
  next(memory: Searched, from: number, limit: number): number {
    if (memory !== this.#memory) {
      this.#memory = memory;
      this.#count = this.#end = 0;
    }
    for (let first = from; ; first = this.#end) {
      while (this.#taken < this.#count) {
        const at = this.#start + (this.#list[this.#taken++] as number);
        if (at >= from) return at;
      }
      if (first < this.#end) first = this.#end;
      if (!this.#areNear || first < this.#resume || !this.#makeList(memory, first, limit)) {
        const at = find(memory, this.#needle, first, limit);
        this.#areNear = at - first < NEAR;
        return at;
      }
    }
  }

  /** Lists the occurrences from `start` on. Returns whether there is a list. */
  #makeList(memory: Searched, start: number, limit: number): boolean {
    const end = MathMin(limit, start + BLOCK);
    if (end - start < this.#needed) return false;
    const count = memory.listBytes(start, end, this.#needle, this.#list);
    if (count === -1) {
      this.#resume = start + PAUSE;
      return false;
    }
    this.#count = count;
    this.#taken = 0;
    this.#start = start;
    this.#end = end - this.#needed + 1;
    this.#areNear = count * NEAR >= end - start;
    return true;
  }
}
