/**
 * The guard for systems that silently replace pages that a file no longer has by zeros: the file's size says which pages those
 * are.
 *
 * @module
 */

import { Int32Array, MathCeil, MathMax, MathMin } from "../ffi/primordials.ts";
import type { Guard } from "./types.ts";

/** A counter that always says that pages may be lost. */
const ALWAYS_SET = new Int32Array(1);
ALWAYS_SET[0] = 1;

export class SizeGuard implements Guard {
  readonly isQueried = true;
  readonly faults = ALWAYS_SET;
  readonly index = 0;
  readonly #address: number;
  /** Returns the length in bytes of what the file has of the region now. */
  readonly #query: () => number;
  /** The shortest length so far. Pages that were replaced once stay zeros. */
  #least: number;

  constructor(address: number, length: number, query: () => number) {
    this.#address = address;
    this.#query = query;
    this.#least = length;
  }

  lowest(): number {
    this.#least = MathMin(this.#least, this.#query());
    return this.#address + this.#least;
  }

  /** The system itself provides the zeros, as long as the pages are mapped. */
  release(): void {}
}

/** How many bytes of the pages that begin at `offset` a file of `size` bytes has: whole pages. */
export function pagesLeft(size: number, offset: number, pageSize: number): number {
  return MathCeil(MathMax(0, size - offset) / pageSize) * pageSize;
}
