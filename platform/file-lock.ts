/**
 * Advisory locks on open files, which exclude other threads and other processes alike.
 *
 * @see https://man7.org/linux/man-pages/man2/flock.2.html
 * @module
 */

import { once } from "../ffi/once.ts";
import type { Ffi } from "../ffi/types.ts";
import type { Fail } from "./errno.ts";
import type { FileLock } from "./types.ts";

export const SIGNATURES = {
  // int flock(int fd, int operation);
  flock: { parameters: ["i32", "i32"], result: "i32" },
} as const;

/** From sys/file.h of Linux, macOS and the BSDs. */
export const NUMBERS = { LOCK_SH: 1, LOCK_EX: 2, LOCK_NB: 4, LOCK_UN: 8 } as const;

const { LOCK_EX, LOCK_NB, LOCK_UN } = NUMBERS;

/** Makes `Platform.fileLock`. The library is opened on first use: few programs create or extend files. */
export function flockLock(ffi: Ffi, libraries: readonly string[], fail: Fail): FileLock {
  const opened = once(() => ffi.open(libraries, SIGNATURES));
  function call(descriptor: number, operation: number): void {
    if (opened().flock(descriptor, operation) !== 0) fail("flock");
  }
  return {
    tryLock: (descriptor) => call(descriptor, LOCK_EX | LOCK_NB),
    unlock: (descriptor) => call(descriptor, LOCK_UN),
  };
}
