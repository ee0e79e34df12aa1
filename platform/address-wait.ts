/**
 * Waiting for words of shared memory on macOS 14.4 and later, and on FreeBSD. Maps are polled on older versions of macOS, and on
 * OpenBSD and Windows, where another process cannot end a wait.
 *
 * @see https://developer.apple.com/documentation/os/os_sync_wait_on_address_with_timeout
 * @see https://man.freebsd.org/cgi/man.cgi?query=_umtx_op&sektion=2
 * @module
 */

import { once } from "../ffi/once.ts";
import { MathFloor, MathMax, MathMin } from "../ffi/primordials.ts";
import type { Ffi, Functions } from "../ffi/types.ts";
import { errnoNumber, type Fail } from "./errno.ts";
import { Timespec } from "./timespec.ts";
import type { Waiting } from "./types.ts";

export const DARWIN_SIGNATURES = {
  // int os_sync_wait_on_address_with_timeout(void *addr, uint64_t value, size_t size,
  //   os_sync_wait_on_address_flags_t flags, os_clockid_t clockid, uint64_t timeout_ns);
  os_sync_wait_on_address_with_timeout: {
    parameters: ["pointer", "usize", "usize", "u32", "u32", "usize"],
    result: "i32",
  },
  // int os_sync_wake_by_address_any(void *addr, size_t size, os_sync_wake_by_address_flags_t flags);
  os_sync_wake_by_address_any: { parameters: ["pointer", "usize", "u32"], result: "i32" },
} as const;

export const FREEBSD_SIGNATURES = {
  // int _umtx_op(void *obj, int op, u_long val, void *uaddr, void *uaddr2);
  _umtx_op: { parameters: ["pointer", "i32", "usize", "usize", "bytes"], result: "i32" },
} as const;

// From os/os_sync_wait_on_address.h and os/clock.h.
const SHARED = 1;
const OS_CLOCK_MACH_ABSOLUTE_TIME = 32;

/** From sys/umtx.h: the forms for several processes. */
export const FREEBSD_NUMBERS = { UMTX_OP_WAKE: 3, UMTX_OP_WAIT_UINT: 11 } as const;

/** From sys/errno.h of both. */
export const NUMBERS = { ENOENT: 2, EINTR: 4, ENOMEM: 12, EFAULT: 14, ETIMEDOUT: 60 } as const;

const { UMTX_OP_WAIT_UINT, UMTX_OP_WAKE } = FREEBSD_NUMBERS;
const { EFAULT, EINTR, ENOENT, ENOMEM, ETIMEDOUT } = NUMBERS;

const WORD = 4;
const INT_MAX = 2 ** 31 - 1;

/** Whether an error says only that the wait has ended. EFAULT: the page is lost; the next read of the word reports that. */
function isEnd(error: number): boolean {
  return error === ETIMEDOUT || error === EINTR || error === EFAULT || error === ENOMEM;
}

/** Makes `Platform.waiting` of macOS, or returns undefined before 14.4. */
export function darwinWaiting(
  ffi: Ffi,
  libraries: readonly string[],
  errnoAddress: number,
  fail: Fail,
): Waiting | undefined {
  const errno = errnoNumber(ffi, errnoAddress);
  let c: Functions<typeof DARWIN_SIGNATURES>;
  try {
    c = ffi.open(libraries, DARWIN_SIGNATURES);
  } catch {
    return undefined;
  }
  return {
    wait(address, value, timeout) {
      const nanoseconds = MathMax(1, MathFloor(timeout * 1e6));
      const clock = OS_CLOCK_MACH_ABSOLUTE_TIME;
      if (c.os_sync_wait_on_address_with_timeout(address, value >>> 0, WORD, SHARED, clock, nanoseconds) >= 0)
        return true;
      const error = errno();
      return isEnd(error) ? false : fail("os_sync_wait_on_address_with_timeout", error);
    },
    wake(address, count) {
      for (let woken = 0; ; woken++) {
        if (woken >= count) return woken;
        if (c.os_sync_wake_by_address_any(address, WORD, SHARED) === 0) continue;
        // No waiter is left.
        return errno() === ENOENT ? woken : fail("os_sync_wake_by_address_any");
      }
    },
    background: undefined,
  };
}

/** Makes `Platform.waiting` of FreeBSD. */
export function umtxWaiting(ffi: Ffi, libraries: readonly string[], errnoAddress: number, fail: Fail): Waiting {
  const errno = errnoNumber(ffi, errnoAddress);
  const opened = once(() => ffi.open(libraries, FREEBSD_SIGNATURES));
  const time = new Timespec();
  return {
    wait(address, value, timeout) {
      time.set(timeout);
      // The fourth argument is the length of what the fifth points to.
      if (opened()._umtx_op(address, UMTX_OP_WAIT_UINT, value >>> 0, 16, time.bytes) === 0) return true;
      const error = errno();
      return isEnd(error) ? false : fail("_umtx_op", error);
    },
    wake(address, count) {
      // It does not report how many it woke.
      if (opened()._umtx_op(address, UMTX_OP_WAKE, MathMin(count, INT_MAX), 0, time.bytes) !== 0) fail("_umtx_op");
      return 0;
    },
    background: undefined,
  };
}
