/**
 * Errors of POSIX system calls.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { Int32Array, MapPrototypeGet } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import type { ErrorFactory } from "./types.ts";

/** Throws the error that the thread's errno, or `number` if it is given, describes for the call `syscall`. */
export type Fail = (syscall: string, number?: number) => never;

/** Makes the function that reads errno, which is at `address`. It must run right after the call that failed. */
export function errnoReader(ffi: Ffi, address: number, errors: ErrorFactory): Fail {
  const read = errnoNumber(ffi, address);
  return (syscall, number = read()) => {
    const known = MapPrototypeGet(builtins().getSystemErrorMap(), -number) as
      | [code: string, meaning: string]
      | undefined;
    throw errors.system(syscall, number, known?.[0] ?? `E${number}`, known?.[1] ?? "unknown error");
  };
}

/** Makes the function that returns errno, which is at `address`, as a number. It too must run right after the call. */
export function errnoNumber({ readInt32, view }: Ffi, address: number): () => number {
  if (readInt32 !== undefined) return () => readInt32(address);
  // One view is enough: the address is the thread's, and each thread has its own instance of this module.
  const errno = new Int32Array(view(address, 4));
  return () => errno[0] as number;
}
