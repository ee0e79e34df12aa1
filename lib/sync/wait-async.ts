/**
 * Waiting without blocking the event loop.
 *
 * A partner that is running answers within microseconds, so a wait first blocks the thread for about as long, if it is the only
 * one: the wake-up then needs no event loop. After that it polls its word in a few turns of the event loop. Then it waits in a
 * thread that all waits share, or polls in longer and longer pauses if the runtime has no such thread.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { MathMin } from "../../ffi/primordials.ts";
import { closedError } from "../errors.ts";
import type { Memory } from "../mapping/memory.ts";
import { type Mirror, mirrorWord } from "../mapping/mirror.ts";
import type { WaitSignal } from "../options.ts";
import { interrupt, join } from "./background.ts";
import { LONGEST_PAUSE, loadWord, SLICE, type WaitResult } from "./wait.ts";

/** For how many turns of the event loop a wait polls: more if it continues with timers, which are slow, and not in a thread. */
const TURNS = 50;
const TURNS_BEFORE_TIMERS = 500;

/** How long the only wait blocks the thread, in milliseconds. */
const BRIEFLY = 0.1;

/** How long waits may go without a turn of the event loop, in milliseconds: other events are due, however fast a partner answers. */
const LONGEST_TURN = 1;

/** When a wait last gave the event loop a turn. */
let lastTurn = -Infinity;

let pending = 0;

/** How many of the pending waits have a mirror of their word. */
let mirrors = 0;

/** `current` returns the map's memory; as long as the wait is pending, it keeps the map from being garbage-collected. */
export async function waitAsync(
  current: () => Memory,
  index: number,
  value: number,
  timeout: number,
  signal: WaitSignal | undefined,
): Promise<WaitResult> {
  if (signal?.aborted) throw signal.reason;
  // Asked for after that, because a getter of the signal may have closed the map.
  const memory = current();
  if (loadWord(memory, index) !== value) return "not-equal";
  const { now, setImmediate } = builtins();
  const end = now() + timeout;
  const turns = memory.platform.waiting?.background === undefined ? TURNS_BEFORE_TIMERS : TURNS;
  const pauses = new Pauses(memory, index, value);
  // A separate function for each wait: a signal calls a function once, however often it was added.
  const stop = () => interrupt();
  signal?.addEventListener("abort", stop);
  pending++;
  try {
    for (let turn = 0; ; turn++) {
      const left = end - now();
      if (!(left > 0)) return "timed-out";
      let woken = false;
      // The caller's code continues first: it may change what the partner waits for.
      if (turn === 0 && now() - lastTurn < LONGEST_TURN) await undefined;
      else if (turn === 1 && pending === 1) woken = block(memory, index, value, left);
      else if (turn < turns) {
        await setImmediate();
        lastTurn = now();
      } else woken = await pauses.next(left);
      // If it was woken, nobody else was: a wake-up must not be lost because of an abort that came after it.
      if (!woken && signal?.aborted) throw signal.reason;
      // The map was resized. The old memory may be unmapped, so this is checked first.
      if (current() !== memory) throw closedError("the map was resized, which ends its waits");
      if (loadWord(memory, index) !== value || woken) return "ok";
    }
  } finally {
    pending--;
    pauses.end();
    signal?.removeEventListener("abort", stop);
  }
}

/** Blocks the thread briefly. Returns whether the wait was woken. */
function block(memory: Memory, index: number, value: number, left: number): boolean {
  // SAFETY: no code runs in this thread during the call that could close the map.
  return memory.platform.waiting?.wait(memory.start + index, value, MathMin(left, BRIEFLY)) ?? false;
}

/** The pauses of one wait. */
class Pauses {
  readonly #memory: Memory;
  readonly #index: number;
  readonly #value: number;
  #mirror: Mirror | undefined;
  #pause = 0.5;

  constructor(memory: Memory, index: number, value: number) {
    this.#memory = memory;
    this.#index = index;
    this.#value = value;
  }

  /** Waits for at most `left` milliseconds. Resolves to whether the wait was woken. */
  async next(left: number): Promise<boolean> {
    const background = this.#memory.platform.waiting?.background;
    // One call waits for `limit` words at most; further waits poll. Each mirror takes a mapping.
    if (background !== undefined && this.#mirror === undefined && mirrors < background.limit) {
      this.#mirror = mirrorWord(this.#memory, this.#index);
      if (this.#mirror !== undefined) mirrors++;
    }
    if (background !== undefined && this.#mirror !== undefined) {
      return await join(background, this.#mirror.address, this.#value, MathMin(left, SLICE));
    }
    this.#pause = MathMin(2 * this.#pause, LONGEST_PAUSE);
    await builtins().setTimeout(MathMin(left, this.#pause));
    return false;
  }

  /** Releases the mirror. Must not be called while `next` is pending. */
  end(): void {
    if (this.#mirror === undefined) return;
    mirrors--;
    this.#mirror.release();
  }
}
