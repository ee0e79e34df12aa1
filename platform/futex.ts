/**
 * Waiting for words of shared memory on Linux, by futexes.
 *
 * In the form for several processes (without FUTEX_PRIVATE_FLAG), the kernel finds a word by its file and its place in it, so
 * that each process may have mapped it elsewhere.
 *
 * @see https://man7.org/linux/man-pages/man2/futex.2.html
 * @module
 */

import { once } from "../ffi/once.ts";
import { AtomicsAdd, MathFloor, MathMin, Uint32Array } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { errnoNumber, type Fail } from "./errno.ts";
import { Timespec } from "./timespec.ts";
import type { BackgroundWait, Waiting } from "./types.ts";

/** The number of the system call `futex`, by architecture. All of these are little-endian. */
export const SYS_FUTEX: Partial<Record<string, number>> = { x64: 202, arm64: 98, riscv64: 98, loong64: 98 };

/** From linux/futex.h, time.h, errno.h, limits.h, and sys/syscall.h: all architectures have the same SYS_futex_waitv (Linux 5.16). */
export const NUMBERS = {
  SYS_futex_waitv: 449,
  FUTEX_WAIT: 0,
  FUTEX_WAKE: 1,
  FUTEX_32: 2,
  FUTEX_WAITV_MAX: 128,
  CLOCK_MONOTONIC: 1,
  EINTR: 4,
  EAGAIN: 11,
  EFAULT: 14,
  EINVAL: 22,
  ETIMEDOUT: 110,
  INT_MAX: 2 ** 31 - 1,
} as const;

const { CLOCK_MONOTONIC, EAGAIN, EFAULT, EINTR, EINVAL, ETIMEDOUT, INT_MAX } = NUMBERS;
const { FUTEX_32, FUTEX_WAIT, FUTEX_WAITV_MAX, FUTEX_WAKE, SYS_futex_waitv: FUTEX_WAITV } = NUMBERS;

export const WAIT_SIGNATURES = {
  // long syscall(long number, ...); here with uint32_t *uaddr, int futex_op, uint32_t val, const struct timespec *timeout
  syscall: { parameters: ["i64", "pointer", "i32", "u32", "bytes"], result: "i64" },
} as const;

export const WAKE_SIGNATURES = {
  // long syscall(long number, ...); here with uint32_t *uaddr, int futex_op, uint32_t val
  syscall: { parameters: ["i64", "pointer", "i32", "u32"], result: "i64" },
} as const;

export const WAITV_SIGNATURES = {
  // long syscall(long number, ...); here with struct futex_waitv *waiters, unsigned int nr_futexes, unsigned int flags,
  //   struct timespec *timeout, clockid_t clockid; the result is an index or -1
  syscall: { parameters: ["i64", "pointer", "u32", "u32", "pointer", "i32"], result: "i32" },
} as const;

export const BACKGROUND_SIGNATURES = {
  // int clock_gettime(clockid_t clockid, struct timespec *tp);
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
  // void *malloc(size_t size);
  malloc: { parameters: ["usize"], result: "pointer" },
} as const;

/** Makes `Platform.waiting`. The functions are looked up on first use: few programs wait. */
export function futexWaiting(
  ffi: Ffi,
  libraries: readonly string[],
  arch: string,
  errnoAddress: number,
  fail: Fail,
): Waiting | undefined {
  const futex = SYS_FUTEX[arch];
  if (futex === undefined) return undefined;
  const opened = once(() => ({
    wait: ffi.open(libraries, WAIT_SIGNATURES).syscall,
    wake: ffi.open(libraries, WAKE_SIGNATURES).syscall,
    errno: errnoNumber(ffi, errnoAddress),
  }));
  let background: BackgroundWait | undefined;
  let hasLooked = false;
  const time = new Timespec();

  const waiting = {
    wait(address: number, value: number, timeout: number): boolean {
      const c = opened();
      time.set(timeout);
      if (c.wait(futex, address, FUTEX_WAIT, value >>> 0, time.bytes) === 0) return true;
      const error = c.errno();
      // EFAULT: the page is lost; the next read of the word reports that.
      if (error === EAGAIN || error === ETIMEDOUT || error === EINTR || error === EFAULT) return false;
      return fail("futex", error);
    },
    wake(address: number, count: number): number {
      const woken = opened().wake(futex, address, FUTEX_WAKE, MathMin(count, INT_MAX));
      return woken === -1 ? fail("futex") : woken;
    },
    get background(): BackgroundWait | undefined {
      if (hasLooked) return background;
      hasLooked = true;
      const c = opened();
      // With no words, the call fails with EINVAL. If the kernel or a sandbox does not support it, it fails with another error.
      const isKnown = c.wake(FUTEX_WAITV, 0, 0, 0) === -1 && c.errno() === EINVAL;
      background = isKnown ? futexBackground(ffi, libraries, waiting.wake) : undefined;
      return background;
    },
  };
  return waiting;
}

// The block of memory that the other thread reads, in 32-bit words: the control word; a struct timespec; and structs
// futex_waitv (uint64_t val, uint64_t uaddr, uint32_t flags, uint32_t __reserved), of which the first is that of the control
// word. It is allocated by C, because a call may outlive the JavaScript that started it.
const TIME = 4;
const ENTRIES = 8;
const ENTRY = 6;
const WORDS = ENTRIES + ENTRY * FUTEX_WAITV_MAX;

function futexBackground(
  ffi: Ffi,
  libraries: readonly string[],
  wake: (address: number, count: number) => number,
): BackgroundWait | undefined {
  const later = ffi.openLater?.(libraries, WAITV_SIGNATURES);
  if (later === undefined) return undefined;
  const c = ffi.open(libraries, BACKGROUND_SIGNATURES);
  const block = c.malloc(4 * WORDS);
  if (block === 0) return undefined;
  const words = new Uint32Array(ffi.view(block, 4 * WORDS));
  for (let index = 0; index < WORDS; index++) words[index] = 0;

  function set(entry: number, address: number, value: number): void {
    const at = ENTRIES + ENTRY * entry;
    words[at] = value;
    words[at + 2] = address % 2 ** 32;
    words[at + 3] = MathFloor(address / 2 ** 32);
    words[at + 4] = FUTEX_32;
  }

  return {
    limit: FUTEX_WAITV_MAX - 1,
    set: (index, address, value) => set(index + 1, address, value),
    async run(count, timeout) {
      set(0, block, words[0] as number);
      // The deadline.
      c.clock_gettime(CLOCK_MONOTONIC, block + 4 * TIME);
      const nanoseconds = (words[TIME + 2] as number) + MathFloor(timeout * 1e6);
      words[TIME] = (words[TIME] as number) + MathFloor(nanoseconds / 1e9);
      words[TIME + 2] = nanoseconds % 1e9;
      const place = block + 4 * ENTRIES;
      const index = await later.syscall(FUTEX_WAITV, place, count + 1, 0, block + 4 * TIME, CLOCK_MONOTONIC);
      return index > 0 ? index - 1 : -1;
    },
    interrupt() {
      AtomicsAdd(words, 0, 1);
      wake(block, 1);
    },
  };
}
