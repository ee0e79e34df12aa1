/**
 * FreeBSD 12 and later.
 *
 * @see https://man.freebsd.org/cgi/man.cgi?query=mmap&sektion=2
 * @module
 */

import type { Ffi } from "../ffi/types.ts";
import {
  blockAllocator,
  duplicator,
  errnoReader,
  type Fail,
  posixPlatform,
  residencyReader,
  statusMemory,
} from "./posix.ts";
import type { Constants, ErrorFactory, Platform } from "./types.ts";

/** From the system's sys/mman.h and unistd.h. */
export const constants: Constants = {
  PROT_NONE: 0x0,
  PROT_READ: 0x1,
  PROT_WRITE: 0x2,
  PROT_EXEC: 0x4,
  MAP_SHARED: 0x1,
  MAP_PRIVATE: 0x2,
  MAP_FIXED: 0x10,
  MAP_HASSEMAPHORE: 0x200,
  MAP_STACK: 0x400,
  MAP_NOSYNC: 0x800,
  MAP_ANON: 0x1000,
  MAP_ANONYMOUS: 0x1000,
  MAP_GUARD: 0x2000,
  MAP_EXCL: 0x4000,
  MAP_NOCORE: 0x20000,
  MAP_PREFAULT_READ: 0x40000,
  MAP_32BIT: 0x80000,
  MAP_ALIGNED_SUPER: 0x1000000,
  MADV_NORMAL: 0,
  MADV_RANDOM: 1,
  MADV_SEQUENTIAL: 2,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  MADV_FREE: 5,
  MADV_NOSYNC: 6,
  MADV_AUTOSYNC: 7,
  MADV_NOCORE: 8,
  MADV_CORE: 9,
  MADV_PROTECT: 10,
  MS_SYNC: 0x0,
  MS_ASYNC: 0x1,
  MS_INVALIDATE: 0x2,
  _SC_PAGESIZE: 47,
};

const F_DUPFD_CLOEXEC = 17;
const O_RDWR = 2;
/** (char *) 1, in the place of a path: the object has none. */
const SHM_ANON = 1;

const LIBRARIES = ["libc.so.7"];

/** From the system's sys/aio.h, sys/fcntl.h, sys/errno.h and sys/signal.h. */
const AIO = { libraries: LIBRARIES, O_SYNC: 0x80, EINPROGRESS: 36, SIGEV_NONE: 0, notifyAt: 80 };

const SIGNATURES = {
  // int *__error(void);
  __error: { parameters: [], result: "pointer" },
  // int fstat(int fd, struct stat *sb);
  fstat: { parameters: ["i32", "bytes"], result: "i32" },
  // int fcntl(int fd, int cmd, ... /* int arg */);
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int shm_open(const char *path, int flags, mode_t mode);
  shm_open: { parameters: ["pointer", "i32", "u32"], result: "i32" },
  // int mincore(const void *addr, size_t len, char *vec);
  mincore: { parameters: ["pointer", "usize", "bytes"], result: "i32" },
} as const;

export function freebsdPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const c = ffi.open(LIBRARIES, SIGNATURES);
  const fail: Fail = errnoReader(ffi, c.__error(), errors);
  // struct stat with 64-bit inode numbers: st_mode is 16 bits at byte 24, st_size 64 bits at byte 112.
  const stat = statusMemory(224, 24, 112);

  // The lowest pages of a growing stack are a guard, which nothing may touch.
  const posix = posixPlatform(
    ffi,
    { libraries: LIBRARIES, constants, hasFastMemmem: true, refusedFlags: ["MAP_STACK"], aio: AIO },
    fail,
  );
  return {
    ...posix,
    status(descriptor) {
      if (c.fstat(descriptor, stat.memory) !== 0) fail("fstat");
      return stat.read();
    },
    allocateBlocks: blockAllocator(ffi, LIBRARIES, fail),
    duplicate: duplicator(c.fcntl, F_DUPFD_CLOEXEC, fail),
    anonymousFile() {
      // Close-on-exec by itself.
      const descriptor = c.shm_open(SHM_ANON, O_RDWR, 0o600);
      if (descriptor === -1) fail("shm_open");
      return descriptor;
    },
    residency: residencyReader(c.mincore, fail),
  };
}
