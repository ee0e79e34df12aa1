/**
 * OpenBSD.
 *
 * @see https://man.openbsd.org/mmap.2
 * @module
 */

import type { Ffi } from "../ffi/types.ts";
import { duplicator, errnoReader, type Fail, posixPlatform, statusMemory } from "./posix.ts";
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
  MAP_ANON: 0x1000,
  MAP_ANONYMOUS: 0x1000,
  MAP_STACK: 0x4000,
  MAP_CONCEAL: 0x8000,
  MADV_NORMAL: 0,
  MADV_RANDOM: 1,
  MADV_SEQUENTIAL: 2,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  MADV_FREE: 6,
  MS_ASYNC: 0x1,
  MS_SYNC: 0x2,
  MS_INVALIDATE: 0x4,
  _SC_PAGESIZE: 28,
};

const F_DUPFD_CLOEXEC = 10;

/** The library's version is a part of its file's name; the loader takes the newest where a name has none. */
const LIBRARIES = ["libc.so"];

const SIGNATURES = {
  // int *__errno(void);
  __errno: { parameters: [], result: "pointer" },
  // int fstat(int fd, struct stat *sb);
  fstat: { parameters: ["i32", "bytes"], result: "i32" },
  // int fcntl(int fd, int cmd, ... /* int arg */);
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int shm_mkstemp(char *template);
  shm_mkstemp: { parameters: ["bytes"], result: "i32" },
  // int shm_unlink(const char *path);
  shm_unlink: { parameters: ["bytes"], result: "i32" },
} as const;

export function openbsdPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const c = ffi.open(LIBRARIES, SIGNATURES);
  const fail: Fail = errnoReader(ffi, c.__errno(), errors);
  // struct stat: st_mode is 32 bits at byte 0, st_size 64 bits at byte 80.
  const stat = statusMemory(128, 0, 80);

  const posix = posixPlatform(
    ffi,
    { libraries: LIBRARIES, constants, hasFastMemmem: true, refusedFlags: [], aio: undefined },
    fail,
  );
  return {
    ...posix,
    status(descriptor) {
      if (c.fstat(descriptor, stat.memory) !== 0) fail("fstat");
      return stat.read();
    },
    duplicate: duplicator(c.fcntl, F_DUPFD_CLOEXEC, fail),
    anonymousFile() {
      // Its X's become the name, in place. The object is close-on-exec by itself, and needs no name once it is open.
      const name = new TextEncoder().encode("/mmap-ffi.XXXXXXXXXX\0");
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
