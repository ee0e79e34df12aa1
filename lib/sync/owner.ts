/**
 * A map as an owner of mutexes: a number, and a lock that proves that the map's process is alive.
 *
 * Process ids are not used, because the system reuses them, and they mean something else in another container.
 *
 * @module
 */

import { MathFloor, MathRandom } from "../../ffi/primordials.ts";
import type { OwnerLock, Platform } from "../../platform/types.ts";
import { MMapError, noViewsError } from "../errors.ts";

/** The highest owner number. The bit after it says that somebody may be waiting. */
export const MAX_OWNER: number = 2 ** 30 - 1;

/** How often numbers are tried whose lock somebody else has. More of them in a row are one lock of all bytes. */
const TRIES = 100;

export class Owner {
  /** From 1 to `MAX_OWNER`; no two live owners of a file have the same. */
  readonly id: number;
  /** How many mutexes it holds. */
  held = 0;
  readonly #lock: OwnerLock;

  constructor(lock: OwnerLock) {
    this.#lock = lock;
    try {
      this.id = takeAny(lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /** Whether another owner is alive. */
  isAlive(id: number): boolean {
    return id !== this.id && this.#lock.isTaken(id);
  }

  /** Releases the lock: mutexes that are still held are abandoned then. */
  close(): void {
    this.#lock.close();
  }
}

/**
 * `name`: of memory without a file.
 *
 * @throws {TypeError} The map has neither a descriptor nor a name, or the system does not support it.
 */
export function makeOwner({ canView, ownerLocks }: Platform, descriptor: number, name: string | undefined): Owner {
  if (!canView) throw noViewsError();
  if (ownerLocks === undefined)
    throw new TypeError("mutex() is not supported on this system: it has no lock that shows whether an owner is alive");
  if (descriptor === -1 && name === undefined)
    throw new TypeError("mutex() needs a map with a descriptor or a name: not private, nor trackfd: false");
  return new Owner(ownerLocks.open(descriptor, name));
}

/** Takes the lock of some number, and returns it. */
function takeAny(lock: OwnerLock): number {
  for (let tries = 0; tries < TRIES; tries++) {
    const id = 1 + MathFloor(MathRandom() * MAX_OWNER);
    if (lock.take(id)) return id;
  }
  const meaning = "mutex() locks a byte after the end of the file, and another program has locked all of the file";
  throw new MMapError(meaning, { code: "EBUSY" });
}
