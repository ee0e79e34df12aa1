/**
 * A way to call C of which one call fails when the test wants it to. All others are passed on: to the machine, or to a recorder.
 *
 * @module
 */

import type { Ffi, Functions, Signatures } from "../../ffi/types.ts";

export interface FailingFfi extends Ffi {
  /** The names of the system calls so far. */
  calls: string[];
  /** Which of the calls from now on fails, from 0; undefined for none. */
  failAt: number | undefined;
  /** The name of the call that failed last. */
  failed: string | undefined;
}

/** They only look at memory or copy it: they have no way to fail. */
const CANNOT_FAIL = new Set([
  ...["memchr", "wmemchr", "memrchr", "memcmp", "memmem", "memmove", "memcpy", "malloc", "free", "sysconf"],
  ...["__errno_location", "__error", "__errno"],
]);

/** The errno of every failure: ENOMEM, which is 12 on every system. */
export const FAILURE = 12;

/** What the function returns when it fails. */
function failure(name: string): number {
  // These return the error, and do not set errno.
  return name === "posix_fallocate" || name === "aio_error" ? FAILURE : -1;
}

export function failingFfi(real: Ffi): FailingFfi {
  let errno: number | undefined;
  const made: FailingFfi = {
    ...real,
    calls: [],
    failAt: undefined,
    failed: undefined,
    open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S> {
      const functions = real.open(libraries, signatures) as Record<string, (...values: unknown[]) => number>;
      const wrapped = Object.keys(signatures).map((name) => {
        const call = functions[name] as (...values: unknown[]) => number;
        if (name.startsWith("__err")) errno = call();
        if (CANNOT_FAIL.has(name)) return [name, call];
        return [
          name,
          (...values: unknown[]) => {
            made.calls.push(name);
            if (made.failAt === undefined || made.failAt-- > 0) return call(...values);
            made.failAt = undefined;
            made.failed = name;
            if (errno !== undefined) new Int32Array(real.view(errno, 4))[0] = FAILURE;
            return failure(name);
          },
        ];
      });
      return Object.fromEntries(wrapped) as Functions<S>;
    },
  };
  return made;
}
