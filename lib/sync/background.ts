/**
 * Runs all asynchronous waits of this thread in one background thread. A wait joins for a slice of time, and joins again if it
 * has not ended.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { MathMin, Promise } from "../../ffi/primordials.ts";
import type { BackgroundWait } from "../../platform/types.ts";
import { LONGEST_PAUSE, SLICE } from "./wait.ts";

/** A wait that has joined. */
interface Joined {
  readonly address: number;
  readonly value: number;
  readonly timeout: number;
  readonly resolve: (woken: boolean) => void;
  readonly next: Joined | undefined;
}

/** The waits that take part in the next call, the newest first: as many as `limit` at most. */
let joined: Joined | undefined;
let scheduled = false;
/** The call that is under way. */
let running: BackgroundWait | undefined;

/**
 * Waits while the word at an address is `value`. Resolves to true if it was woken; to false after `timeout` milliseconds or
 * earlier. The word must stay mapped until then. No more than `background.limit` may be pending.
 */
export function join(background: BackgroundWait, address: number, value: number, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    joined = { address, value, timeout, resolve, next: joined };
    interrupt();
    if (scheduled) return;
    scheduled = true;
    run(background);
  });
}

/** Ends the current call, so that every wait checks its map and its signal. */
export function interrupt(): void {
  const background = running;
  running = undefined;
  background?.interrupt();
}

async function run(background: BackgroundWait): Promise<void> {
  const { setImmediate } = builtins();
  await setImmediate();
  while (joined !== undefined) {
    const waits = joined;
    joined = undefined;
    let timeout = SLICE;
    let count = 0;
    for (let wait: Joined | undefined = waits; wait !== undefined; wait = wait.next) {
      timeout = MathMin(timeout, wait.timeout);
      background.set(count++, wait.address, wait.value);
    }
    const woken = await call(background, count, timeout);
    let index = 0;
    for (let wait: Joined | undefined = waits; wait !== undefined; wait = wait.next) wait.resolve(index++ === woken);
    // Waits that have not ended join again.
    await setImmediate();
  }
  scheduled = false;
}

async function call(background: BackgroundWait, count: number, timeout: number): Promise<number> {
  running = background;
  try {
    return await background.run(count, timeout);
  } catch {
    // No thread is available now: poll.
    await builtins().setTimeout(LONGEST_PAUSE);
    return -1;
  } finally {
    running = undefined;
  }
}
