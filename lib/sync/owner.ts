/**
 * A map as an owner of mutexes: a number, and a file lock that proves that the map's process is alive.
 *
 * Process ids are not used, because the system reuses them, and they mean something else in another container.
 *
 * @module
 */

import { MathFloor, MathRandom } from "../../ffi/primordials.ts";
import type { OwnerLocks, Platform } from "../../platform/types.ts";
import { noViewsError } from "../errors.ts";

/** The highest owner number. The bit after it says that somebody may be waiting. */
export const MAX_OWNER: number = 2 ** 30 - 1;

export class Owner {
  /** From 1 to `MAX_OWNER`; no two live owners of a file have the same. */
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

  /** Whether another owner is alive. */
  isAlive(id: number): boolean {
    return id !== this.id && this.#locks.isTaken(this.#file.descriptor, id);
  }

  /** Releases the lock: mutexes that are still held are abandoned then. */
  close(): void {
    this.#file.close();
  }
}

/** @throws {TypeError} The map has no descriptor, or the system does not support it. */
export function makeOwner({ canView, ownerLocks }: Platform, descriptor: number): Owner {
  if (!canView) throw noViewsError();
  if (ownerLocks === undefined) throw new TypeError("mutex() is supported on Linux only");
  if (descriptor === -1) throw new TypeError("mutex() needs a map with a descriptor: not private, nor trackfd: false");
  return new Owner(ownerLocks, descriptor);
}
