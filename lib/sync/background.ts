/**
 * The one thread in which all asynchronous waits of this thread are: each joins for a slice, and joins again if it is not over.
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

/** Those who have joined for the next call, the newest first. */
let joined: Joined | undefined;
let scheduled = false;
/** The call that is under way. */
let running: BackgroundWait | undefined;

/**
 * Waits while the word at an address is `value`. Resolves to true if it was woken; to false after `timeout` milliseconds or
 * earlier. The word must stay mapped until then.
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

/** Ends the slice that is under way, so that every wait looks at its map and its signal. */
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
      if (count < background.limit) background.set(count, wait.address, wait.value);
      // The others are polled.
      else timeout = MathMin(timeout, LONGEST_PAUSE);
      count++;
    }
    const woken = await call(background, MathMin(count, background.limit), timeout);
    let index = 0;
    for (let wait: Joined | undefined = waits; wait !== undefined; wait = wait.next) wait.resolve(index++ === woken);
    // Those whose wait goes on join again.
    await setImmediate();
  }
  scheduled = false;
}

async function call(background: BackgroundWait, count: number, timeout: number): Promise<number> {
  running = background;
  try {
    return await background.run(count, timeout);
  } catch {
    // The runtime has no thread for it now.
    await builtins().setTimeout(LONGEST_PAUSE);
    return -1;
  } finally {
    running = undefined;
  }
}
