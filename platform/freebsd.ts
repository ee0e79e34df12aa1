/**
 * FreeBSD 12 and later.
 *
 * @see https://man.freebsd.org/cgi/man.cgi?query=mmap&sektion=2
 * @module
 */

import type { Ffi } from "../ffi/types.ts";
import { umtxWaiting } from "./address-wait.ts";
import { BSD_AIO, BSD_CONSTANTS } from "./bsd.ts";
import { errnoReader } from "./errno.ts";
import { lockFiles } from "./lock-files.ts";
import { blockAllocator, duplicator, posixPlatform, residencyReader, SHARED_SIGNATURES } from "./posix.ts";
import { shmObjects } from "./shm-objects.ts";
import { type StatusLayout, statusReader } from "./status.ts";
import type { Constants, ErrorFactory, Platform } from "./types.ts";

/** From the system's sys/mman.h and unistd.h. */
export const constants: Constants = {
  ...BSD_CONSTANTS,
  MAP_HASSEMAPHORE: 0x200,
  MAP_STACK: 0x400,
  MAP_NOSYNC: 0x800,
  MAP_GUARD: 0x2000,
  MAP_EXCL: 0x4000,
  MAP_NOCORE: 0x20000,
  MAP_PREFAULT_READ: 0x40000,
  MAP_32BIT: 0x80000,
  MAP_ALIGNED_SUPER: 0x1000000,
  MADV_FREE: 5,
  MADV_NOSYNC: 6,
  MADV_AUTOSYNC: 7,
  MADV_NOCORE: 8,
  MADV_CORE: 9,
  MADV_PROTECT: 10,
  MS_SYNC: 0x0,
  MS_INVALIDATE: 0x2,
  _SC_PAGESIZE: 47,
};

/** Numbers that only the library uses. SHM_ANON is `(char *) 1` in place of a path: an object without a name. */
export const NUMBERS = { F_DUPFD_CLOEXEC: 17, O_RDWR: 2, SHM_ANON: 1 } as const;

const { F_DUPFD_CLOEXEC, O_RDWR, SHM_ANON } = NUMBERS;

/** `struct stat` with 64-bit inode numbers. */
export const STAT: StatusLayout = {
  name: "fstat",
  length: 224,
  mode: { at: 24, bytes: 2 },
  size: { at: 112, bytes: 8 },
};

export const LIBRARIES: readonly string[] = ["libc.so.7"];

/** From the system's sys/aio.h. */
export const AIO = { ...BSD_AIO, libraries: LIBRARIES, offsetAt: 8, notifyAt: 80 };

export const SIGNATURES = {
  // int *__error(void);
  __error: { parameters: [], result: "pointer" },
  fstat: SHARED_SIGNATURES.fstat,
  fcntl: SHARED_SIGNATURES.fcntl,
  // int shm_open(const char *path, int flags, mode_t mode);
  shm_open: { parameters: ["pointer", "i32", "u32"], result: "i32" },
  mincore: SHARED_SIGNATURES.mincore,
} as const;

export function freebsdPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const c = ffi.open(LIBRARIES, SIGNATURES);
  const errnoAddress = c.__error();
  const fail = errnoReader(ffi, errnoAddress, errors);
  const posix = posixPlatform(
    ffi,
    {
      libraries: LIBRARIES,
      constants,
      hasFastMemmem: true,
      // The lowest pages of a growing stack are a guard: accessing one is SIGSEGV.
      refusedFlags: ["MAP_STACK"],
      aio: AIO,
    },
    fail,
  );
  return {
    ...posix,
    // Its errno is read through a view.
    waiting: posix.canView ? umtxWaiting(ffi, LIBRARIES, errnoAddress, fail) : undefined,
    ownerLocks: posix.canView ? lockFiles(ffi, LIBRARIES, errnoAddress, errors) : undefined,
    named: shmObjects(ffi, LIBRARIES, fail, false),
    status: statusReader(c.fstat, STAT, fail),
    allocateBlocks: blockAllocator(ffi, LIBRARIES, fail),
    duplicate: duplicator(c.fcntl, F_DUPFD_CLOEXEC, fail),
    anonymousFile() {
      // shm_open makes it close-on-exec.
      const descriptor = c.shm_open(SHM_ANON, O_RDWR, 0o600);
      if (descriptor === -1) fail("shm_open");
      return descriptor;
    },
    residency: residencyReader(c.mincore, fail),
  };
}
