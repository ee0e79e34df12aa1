/**
 * Named shared memory by `shm_open`: on macOS, FreeBSD and OpenBSD. Linux has files in /dev/shm.
 *
 * @see https://man.freebsd.org/cgi/man.cgi?query=shm_open&sektion=2
 * @module
 */

import type { Ffi } from "../ffi/types.ts";
import type { Fail } from "./errno.ts";
import { cString } from "./libc.ts";
import type { NamedMemory } from "./types.ts";

/** From sys/fcntl.h of all three. */
export const NUMBERS = { O_RDONLY: 0x0, O_RDWR: 0x2, O_CREAT: 0x200, O_EXCL: 0x800 } as const;

const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = NUMBERS;

export const SIGNATURES = {
  // int shm_open(const char *name, int oflag, mode_t mode);
  shm_open: { parameters: ["bytes", "i32", "u32"], result: "i32" },
  // int shm_unlink(const char *name);
  shm_unlink: { parameters: ["bytes"], result: "i32" },
} as const;

export const VARIADIC_SIGNATURES = {
  // int shm_open(const char *name, int oflag, ... /* mode_t mode */); macOS. Intel takes the mode from the third register,
  // arm64 from the stack, where a ninth argument is.
  shm_open: { parameters: ["bytes", "i32", "u32", "i32", "i32", "i32", "i32", "i32", "u32"], result: "i32" },
  shm_unlink: SIGNATURES.shm_unlink,
} as const;

/** Makes `Platform.named`. `isVariadic`: the mode is a variadic argument. */
export function shmObjects(ffi: Ffi, libraries: readonly string[], fail: Fail, isVariadic: boolean): NamedMemory {
  function open(name: string, flags: number, mode: number): number {
    const bytes = cString(`/${name}`);
    if (!isVariadic) return ffi.open(libraries, SIGNATURES).shm_open(bytes, flags, mode);
    return ffi.open(libraries, VARIADIC_SIGNATURES).shm_open(bytes, flags, mode, 0, 0, 0, 0, 0, mode);
  }
  return {
    kind: "objects",
    open(name, { writable, create, exclusive, mode }) {
      const access = writable ? O_RDWR : O_RDONLY;
      const descriptor = open(name, access | (create ? O_CREAT : 0) | (exclusive ? O_EXCL : 0), mode);
      return descriptor === -1 ? fail("shm_open") : descriptor;
    },
    unlink(name) {
      if (ffi.open(libraries, SIGNATURES).shm_unlink(cString(`/${name}`)) !== 0) fail("shm_unlink");
    },
  };
}
