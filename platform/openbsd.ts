/**
 * OpenBSD.
 *
 * @see https://man.openbsd.org/mmap.2
 * @module
 */

import type { Ffi } from "../ffi/types.ts";
import { BSD_CONSTANTS } from "./bsd.ts";
import { errnoReader } from "./errno.ts";
import { cString } from "./libc.ts";
import { lockFiles } from "./lock-files.ts";
import { duplicator, posixPlatform, SHARED_SIGNATURES } from "./posix.ts";
import { shmObjects } from "./shm-objects.ts";
import { type StatusLayout, statusReader } from "./status.ts";
import type { Constants, ErrorFactory, Platform } from "./types.ts";

/** From the system's sys/mman.h and unistd.h. */
export const constants: Constants = {
  ...BSD_CONSTANTS,
  MAP_STACK: 0x4000,
  MAP_CONCEAL: 0x8000,
  MADV_FREE: 6,
  MS_SYNC: 0x2,
  MS_INVALIDATE: 0x4,
  _SC_PAGESIZE: 28,
};

/** Numbers that only the library uses. */
export const NUMBERS = { F_DUPFD_CLOEXEC: 10 } as const;

export const STAT: StatusLayout = {
  name: "fstat",
  length: 128,
  mode: { at: 0, bytes: 4 },
  size: { at: 80, bytes: 8 },
};

/** The name without a version: the loader then takes the newest. */
const LIBRARIES = ["libc.so"];

export const SIGNATURES = {
  // int *__errno(void);
  __errno: { parameters: [], result: "pointer" },
  fstat: SHARED_SIGNATURES.fstat,
  fcntl: SHARED_SIGNATURES.fcntl,
  // int shm_mkstemp(char *template);
  shm_mkstemp: { parameters: ["bytes"], result: "i32" },
  // int shm_unlink(const char *path);
  shm_unlink: { parameters: ["bytes"], result: "i32" },
} as const;

export function openbsdPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const c = ffi.open(LIBRARIES, SIGNATURES);
  const errnoAddress = c.__errno();
  const fail = errnoReader(ffi, errnoAddress, errors);
  const posix = posixPlatform(
    ffi,
    { libraries: LIBRARIES, constants, hasFastMemmem: true, refusedFlags: [], aio: undefined },
    fail,
  );
  return {
    ...posix,
    ownerLocks: posix.canView ? lockFiles(ffi, LIBRARIES, errnoAddress, errors) : undefined,
    named: shmObjects(ffi, LIBRARIES, fail, false),
    status: statusReader(c.fstat, STAT, fail),
    duplicate: duplicator(c.fcntl, NUMBERS.F_DUPFD_CLOEXEC, fail),
    anonymousFile() {
      // shm_mkstemp replaces the X's, in place, and makes the object close-on-exec. Once it is open, it needs no name.
      const name = cString("/mmap-ffi.XXXXXXXXXX");
      const descriptor = c.shm_mkstemp(name);
      if (descriptor === -1) fail("shm_mkstemp");
      if (c.shm_unlink(name) === 0) return descriptor;
      try {
        return fail("shm_unlink");
      } finally {
        posix.closeDescriptor(descriptor);
      }
    },
  };
}
