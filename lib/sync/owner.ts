/**
 * Who a map is to the mutexes of its file: a number, and a lock that proves that the map's process lives.
 *
 * Process numbers would not do: they are used again, and mean something else in another container.
 *
 * @module
 */

import { MathFloor, MathRandom } from "../../ffi/primordials.ts";
import type { OwnerLocks } from "../../platform/types.ts";

/** The highest owner number: above it is the bit that says that somebody waits. */
export const MAX_OWNER: number = 2 ** 30 - 1;

export class Owner {
  /** From 1 to `MAX_OWNER`; no two owners of a file that live have the same. */
  readonly id: number;
  /** How many mutexes it holds. */
  held = 0;
  readonly #locks: OwnerLocks;
  readonly #file: ReturnType<OwnerLocks["open"]>;

  constructor(locks: OwnerLocks, descriptor: number) {
    this.#locks = locks;
    this.#file = locks.open(descriptor);
    try {
      let id: number;
      do id = 1 + MathFloor(MathRandom() * MAX_OWNER);
      while (!locks.take(this.#file.descriptor, id));
      this.id = id;
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  /** Whether another owner lives. */
  isAlive(id: number): boolean {
    return id !== this.id && this.#locks.isTaken(this.#file.descriptor, id);
  }

  /** Ends the proof of life: mutexes that are still held are abandoned. */
  close(): void {
    this.#file.close();
  }
}
