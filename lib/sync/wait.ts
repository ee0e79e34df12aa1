/**
 * Waiting for a 32-bit word of a map that other threads and processes share, and waking those who wait.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { AtomicsLoad, AtomicsWait, Int32Array, MathMin, SharedArrayBuffer, Uint8Array } from "../../ffi/primordials.ts";
import { show } from "../errors.ts";
import type { Memory } from "../mapping/memory.ts";
import { integer } from "../validate.ts";

/** How a wait ended, in the words of `Atomics.wait`. */
export type WaitResult = "ok" | "not-equal" | "timed-out";

/**
 * The longest that one system call waits, in milliseconds. Between calls, a worker can be terminated and the process can end;
 * and the word is read again, so that a lost wake-up costs no more than this.
 */
export const SLICE = 100;

/** The longest pause between two reads of a polled word, in milliseconds. */
export const LONGEST_PAUSE = 16;

/** Where a word is copied to if no view can read it. */
const copied = new Int32Array(1);
const copiedBytes = new Uint8Array(copied.buffer);

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** The index of the aligned word at a byte offset of the map. `size`: how many bytes are needed, and their alignment. */
export function wordIndex({ length, offset, protection }: Memory, call: string, byteOffset: unknown, size = 4): number {
  const index = integer("byteOffset", byteOffset, 0, length - size);
  if ((offset + index) % size !== 0) {
    const place = offset === 0 ? "" : `, at ${offset + index} in the file`;
    throw new RangeError(`byteOffset must be at a multiple of ${size} in the file: got ${index}${place}`);
  }
  if (!protection.common || !protection.readable) {
    throw new TypeError(`${call} needs a map that shares its memory: use access: "write"`);
  }
  return index;
}

/** A value to wait for. Those from 2^31 on are accepted as unsigned, because views may be. */
export function wordValue(value: unknown): number {
  return integer("value", value, -(2 ** 31), 2 ** 32 - 1) | 0;
}

/** A timeout in milliseconds by the rules of `Atomics.wait`: NaN means no limit, and a negative number means 0. */
export function milliseconds(timeout: unknown): number {
  if (timeout === undefined) return Infinity;
  if (typeof timeout !== "number")
    throw new TypeError(`timeout must be a number of milliseconds: got ${show(timeout)}`);
  return timeout >= -Infinity ? timeout : Infinity;
}

/** The word's value now. `memory` is the map's current memory. */
export function loadWord(memory: Memory, index: number): number {
  let value: number;
  if (memory.protection.writable && memory.platform.canView) value = AtomicsLoad(memory.word(index), 0);
  else {
    // No view is possible; or the page is read-only, where Atomics.load has killed Bun (SIGSEGV).
    memory.load(index, copiedBytes);
    value = copied[0] as number;
  }
  memory.faults.throwIfTruncated(index + 4);
  return value;
}

/** Blocks this thread. `current` returns the map's memory. */
export function wait(current: () => Memory, index: number, value: number, timeout: number): WaitResult {
  if (loadWord(current(), index) !== value) return "not-equal";
  const { now } = builtins();
  const end = now() + timeout;
  for (let pause = 1; ; pause = MathMin(2 * pause, LONGEST_PAUSE)) {
    const left = end - now();
    if (!(left > 0)) return "timed-out";
    const memory = current();
    const { waiting } = memory.platform;
    let woken = false;
    // SAFETY: no code runs in this thread during the call that could close the map.
    if (waiting !== undefined) woken = waiting.wait(memory.start + index, value, MathMin(left, SLICE));
    else AtomicsWait(sleeper, 0, 0, MathMin(left, pause));
    if (loadWord(current(), index) !== value || woken) return "ok";
  }
}

/** Wakes at most `count` of those who wait. Returns how many, if the system reports that. */
export function notify(memory: Memory, index: number, count: number): number {
  // If the page is lost, this throws.
  loadWord(memory, index);
  return count === 0 ? 0 : (memory.platform.waiting?.wake(memory.start + index, count) ?? 0);
}
