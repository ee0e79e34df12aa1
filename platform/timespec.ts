/**
 * C's `struct timespec`, for durations.
 *
 * @module
 */

import { Int32Array, MathFloor, Uint8Array } from "../ffi/primordials.ts";

export class Timespec {
  // Two 64-bit integers, seconds and nanoseconds, of which the low halves are enough.
  readonly #words = new Int32Array(4);
  readonly bytes: Uint8Array = new Uint8Array(this.#words.buffer);

  set(milliseconds: number): void {
    this.#words[0] = MathFloor(milliseconds / 1000);
    this.#words[2] = MathFloor((milliseconds % 1000) * 1e6);
  }
}
