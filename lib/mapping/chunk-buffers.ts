/**
 * The ArrayBuffers that `chunks` has handed out. A walk over a large map makes many, so those that it has passed are held
 * weakly.
 *
 * A buffer that was collected cannot tell that it was transferred before. So the newest are held strongly, and each is
 * looked at once more before it is held weakly, and whenever the list is swept.
 *
 * @module
 */

import { isDetached } from "../../ffi/array-buffer.ts";
import { List } from "../../ffi/list.ts";
import { type ArrayBuffer, WeakRef, WeakRefPrototypeDeref } from "../../ffi/primordials.ts";

/** How many are held strongly. */
const STRONG = 8;

/** A link in the queue of the newest buffers. */
interface Recent {
  readonly buffer: ArrayBuffer;
  newer: Recent | undefined;
}

export class ChunkBuffers {
  #oldest: Recent | undefined;
  #newest: Recent | undefined;
  #strong = 0;
  #weak = new List<WeakRef<ArrayBuffer>>();
  #weakCount = 0;
  /** The weak references are swept when there are this many: twice as many as were left by the last sweep. */
  #sweepAt = 2 * STRONG;
  /** Whether one that is no longer held was transferred to a new owner. */
  transferred = false;
  /** Whether one was held weakly: it may have been transferred, and its old buffer collected, without a trace. */
  untraced = false;

  add(buffer: ArrayBuffer): void {
    const recent: Recent = { buffer, newer: undefined };
    if (this.#newest === undefined) this.#oldest = recent;
    else this.#newest.newer = recent;
    this.#newest = recent;
    this.#strong++;
    while (this.#strong > STRONG) {
      const { buffer: passed, newer } = this.#oldest as Recent;
      // First, because a stack overflow in it must not lose the buffer: the user would have it after its memory.
      this.#addWeak(passed);
      this.#oldest = newer;
      this.#strong--;
    }
    if (this.#weakCount >= this.#sweepAt) this.#sweep();
  }

  #addWeak(buffer: ArrayBuffer): void {
    if (isDetached(buffer)) {
      this.transferred = true;
      return;
    }
    this.untraced = true;
    this.#weak.add(new WeakRef(buffer));
    this.#weakCount++;
  }

  #sweep(): void {
    const passed = this.#weak;
    const left = new List<WeakRef<ArrayBuffer>>();
    let count = 0;
    passed.each((reference) => {
      const buffer = WeakRefPrototypeDeref(reference);
      if (buffer === undefined) return;
      if (isDetached(buffer)) this.transferred = true;
      else {
        left.add(reference);
        count++;
      }
    });
    this.#weak = left;
    this.#weakCount = count;
    this.#sweepAt = 2 * (STRONG + count);
  }

  /** Adds to a list what the program may still have. */
  addTo(list: List<ArrayBuffer>): void {
    for (let recent = this.#oldest; recent !== undefined; recent = recent.newer) list.add(recent.buffer);
    this.#weak.each((reference) => {
      const buffer = WeakRefPrototypeDeref(reference);
      if (buffer !== undefined) list.add(buffer);
    });
  }
}
