/**
 * A lock in memory that processes share, which survives the death of its owner.
 *
 * Its word is 0 if it is free; else it has the number of its owner (owner.ts), and `WAITING` if somebody may be waiting. A
 * thread that has waited for a while checks whether the owner is alive. If it is not, the thread takes the mutex over, by a
 * compare-and-exchange that only one can win.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import {
  AtomicsCompareExchange,
  AtomicsExchange,
  AtomicsLoad,
  type Int32Array,
  MathMin,
} from "../../ffi/primordials.ts";
import type { Memory } from "../mapping/memory.ts";
import { checkObject, signalOf, WAIT_OPTIONS, type WaitOptions } from "../options.ts";
import { MAX_OWNER, type Owner } from "./owner.ts";
import { milliseconds, notify, wait } from "./wait.ts";
import { waitAsync } from "./wait-async.ts";

/** The bit of the word that says that somebody may be waiting. */
const WAITING = MAX_OWNER + 1;

/** How many times the word is read before `acquire` blocks. */
const SPINS = 100;

/** How long to wait before looking whether the owner lives, in milliseconds. */
const PATIENCE = 50;

/** The most recently acquired of the mutexes that are held. Their list keeps their maps from being garbage-collected. */
let newest: Mutex | undefined;

/** How a mutex was acquired. "abandoned": its last owner died holding it, and what it guards may be half-done. */
export type Acquired = "ok" | "abandoned";

/** A mutex that is held, until it is disposed of. */
export interface Held extends Disposable {
  /** Whether the last owner died holding it: what the mutex guards may be half-done. */
  readonly abandoned: boolean;
}

/** A lock between all processes and workers that map the same file or memory. `MMap.mutex` makes it. */
export class Mutex {
  readonly #current: () => Memory;
  readonly #owner: () => Owner;
  readonly #index: number;
  #held = false;
  /** How often this map has acquired it. */
  #turn = 0;
  /** The neighbours in the list of held mutexes. */
  #older: Mutex | undefined;
  #newer: Mutex | undefined;

  /** @internal */
  constructor(current: () => Memory, owner: () => Owner, index: number) {
    this.#current = current;
    this.#owner = owner;
    this.#index = index;
  }

  /**
   * Acquires the mutex if it is free, or if its owner is dead. Does not block.
   *
   * @returns "ok"; "abandoned": acquired too, but the last owner died holding it, and what it guards may be half-done;
   * `undefined`: somebody holds it.
   * @throws {MMapError} The map is closed (`ERR_MMAP_CLOSED`), or was truncated (`ERR_MMAP_TRUNCATED`).
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("shared.bin", { create: true, length: 4096 });
   * const mutex = mm.mutex(0);
   * if (mutex.tryAcquire() !== undefined) mutex.release();
   * ```
   */
  tryAcquire(): Acquired | undefined {
    const word = this.#word();
    const owner = this.#owner();
    if (this.#take(word, owner, 0, owner.id)) return "ok";
    return this.#inherits(word, owner) ? "abandoned" : undefined;
  }

  /**
   * Acquires the mutex. Blocks this thread until its owner releases it or dies, at most `timeout` milliseconds.
   *
   * @param timeout In milliseconds. By default without end.
   * @returns "ok"; "abandoned", as for `tryAcquire`, about 50 ms after the owner's death; "timed-out": not acquired.
   * @throws {TypeError} This map holds the mutex already, so that waiting for it would never end.
   * @throws {MMapError} As for `tryAcquire`.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("shared.bin", { create: true, length: 4096 });
   * const mutex = mm.mutex(0);
   * console.log(mutex.acquire()); // ok
   * try {
   *   mm.write("nobody else writes now");
   * } finally {
   *   mutex.release();
   * }
   * ```
   */
  acquire(timeout?: number): Acquired | "timed-out" {
    const most = milliseconds(timeout);
    if (this.#held) throw new TypeError("the mutex is held by this map already: release() it first");
    const now = this.#spin();
    if (now !== undefined) return now;
    const wanted = new Attempt(most);
    for (;;) {
      const seen = this.#announce();
      if (seen === 0) return "ok";
      const left = wanted.left();
      if (left <= 0) return "timed-out";
      const result = wait(this.#current, this.#index, seen, MathMin(left, PATIENCE));
      if (result === "timed-out" && this.#inherits(this.#word(), this.#owner())) return "abandoned";
    }
  }

  /**
   * Like `acquire`, without blocking. While this map holds the mutex already, it waits for `release`, so the tasks of one
   * thread take turns.
   *
   * @param options `timeout` in milliseconds, by default without end; `signal` ends the wait: the promise rejects with its
   * reason.
   * @returns As for `acquire`.
   * @throws {TypeError} An option is wrong.
   * @throws {MMapError} As for `tryAcquire`; the map was closed or resized meanwhile (`ERR_MMAP_CLOSED`).
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("shared.bin", { create: true, length: 4096 });
   * const mutex = mm.mutex(0);
   * console.log(await mutex.acquireAsync({ timeout: 1000 })); // ok
   * mutex.release();
   * ```
   */
  async acquireAsync(options: WaitOptions = {}): Promise<Acquired | "timed-out"> {
    const { timeout, signal } = checkObject(options, WAIT_OPTIONS, "acquireAsync()");
    const wanted = new Attempt(milliseconds(timeout));
    const stop = signalOf(signal);
    if (stop?.aborted) throw stop.reason;
    const now = this.tryAcquire();
    if (now !== undefined) return now;
    for (;;) {
      const seen = this.#announce();
      if (seen === 0) return "ok";
      const left = wanted.left();
      if (left <= 0) return "timed-out";
      const result = await waitAsync(this.#current, this.#index, seen, MathMin(left, PATIENCE), stop);
      if (result === "timed-out" && this.#inherits(this.#word(), this.#owner())) return "abandoned";
    }
  }

  /**
   * Releases the mutex, and wakes one of those who wait for it.
   *
   * @throws {TypeError} This map does not hold it.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("shared.bin", { create: true, length: 4096 });
   * const mutex = mm.mutex(0);
   * mutex.acquire();
   * mutex.release();
   * ```
   */
  release(): void {
    if (!this.#held) throw new TypeError("the mutex is not held by this map: acquire() it first");
    const memory = this.#current();
    const owner = this.#owner();
    const word = memory.word(this.#index);
    const seen = AtomicsExchange(word, 0, 0);
    // No call until the map knows: execution can end at one, and a second release would be that of another owner.
    this.#held = false;
    owner.held--;
    if (this.#older !== undefined) this.#older.#newer = this.#newer;
    if (this.#newer === undefined) newest = this.#older;
    else this.#newer.#older = this.#older;
    this.#older = undefined;
    this.#newer = undefined;
    if ((seen & WAITING) !== 0) notify(memory, this.#index, 1);
  }

  /**
   * Acquires the mutex, and releases it when what it returns is disposed of: `using held = mutex.hold();`. If it was released
   * before, disposing does nothing, also if another task of this map holds the mutex by then.
   *
   * @throws {TypeError} As for `acquire`.
   * @throws {MMapError} As for `acquire`.
   *
   * @example
   * ```ts
   * import { MMap } from "mmap-ffi";
   *
   * using mm = MMap.open("shared.bin", { create: true, length: 4096 });
   * const mutex = mm.mutex(0);
   * {
   *   using held = mutex.hold();
   *   if (held.abandoned) mm.write("what the dead owner was writing is written anew");
   * }
   * console.log(mutex.tryAcquire()); // ok
   * mutex.release();
   * ```
   */
  hold(): Held {
    const abandoned = this.acquire() === "abandoned";
    const turn = this.#turn;
    const dispose = () => {
      if (this.#held && this.#turn === turn) this.release();
    };
    return { abandoned, [Symbol.dispose]: dispose };
  }

  /** The mutex's word, in the map's present memory. */
  #word(): Int32Array {
    const memory = this.#current();
    const word = memory.word(this.#index);
    memory.faults.throwIfTruncated(this.#index + 4);
    return word;
  }

  /** Puts this owner in the word if that is still `seen`, and so acquires the mutex. Returns whether it did. */
  #take(word: Int32Array, owner: Owner, seen: number, next: number): boolean {
    const { faults } = this.#current();
    if (AtomicsCompareExchange(word, 0, seen, next) !== seen) return false;
    // A page that the file has lost is this process's own, so that every process could acquire the mutex.
    if (faults.counts[faults.index] !== 0) faults.throwIfTruncated(this.#index + 4);
    // No call: execution can end at one, by a stack overflow or a timeout of node:vm.
    this.#held = true;
    this.#turn++;
    owner.held++;
    this.#older = newest;
    if (newest !== undefined) newest.#newer = this;
    newest = this;
    return true;
  }

  /** Tries for some microseconds: an owner that is running may release it within that time. */
  #spin(): Acquired | undefined {
    const now = this.tryAcquire();
    if (now !== undefined) return now;
    const word = this.#word();
    const owner = this.#owner();
    for (let spin = 0; spin < SPINS; spin++) {
      if (AtomicsLoad(word, 0) === 0 && this.#take(word, owner, 0, owner.id)) return "ok";
    }
    return undefined;
  }

  /** Sets `WAITING`, so that the owner wakes a waiter. Returns the word, or 0 if the mutex was acquired instead. */
  #announce(): number {
    const word = this.#word();
    const owner = this.#owner();
    for (;;) {
      const seen = AtomicsLoad(word, 0);
      if (seen === 0) {
        // With `WAITING`, because others may be waiting too.
        if (this.#take(word, owner, 0, owner.id | WAITING)) return 0;
        continue;
      }
      const marked = seen | WAITING;
      if (seen === marked || AtomicsCompareExchange(word, 0, seen, marked) === seen) return marked;
    }
  }

  /** Takes the mutex over if the owner in its word is dead. */
  #inherits(word: Int32Array, owner: Owner): boolean {
    const seen = AtomicsLoad(word, 0);
    const id = seen & MAX_OWNER;
    // If this owner's number is in the word of a mutex that it does not hold, an earlier owner with that number has died.
    if (seen === 0 || (id === owner.id ? this.#held : owner.isAlive(id))) return false;
    return this.#take(word, owner, seen, owner.id | (seen & WAITING));
  }
}

/** The deadline of an attempt. */
class Attempt {
  readonly #end: number;

  constructor(timeout: number) {
    this.#end = builtins().now() + timeout;
  }

  /** The time left, in milliseconds. */
  left(): number {
    return this.#end - builtins().now();
  }
}
