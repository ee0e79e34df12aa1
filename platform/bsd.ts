/**
 * What macOS, FreeBSD and OpenBSD share, because 4.4BSD had it.
 *
 * @module
 */

/** From each system's sys/mman.h, where the values are the same. */
export const BSD_CONSTANTS = {
  PROT_NONE: 0x0,
  PROT_READ: 0x1,
  PROT_WRITE: 0x2,
  PROT_EXEC: 0x4,
  MAP_SHARED: 0x1,
  MAP_PRIVATE: 0x2,
  MAP_FIXED: 0x10,
  MAP_ANON: 0x1000,
  MAP_ANONYMOUS: 0x1000,
  MADV_NORMAL: 0,
  MADV_RANDOM: 1,
  MADV_SEQUENTIAL: 2,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  MS_ASYNC: 0x1,
} as const;

/** From sys/aio.h, sys/fcntl.h, sys/errno.h and sys/signal.h of macOS and FreeBSD. OpenBSD has no asynchronous I/O. */
export const BSD_AIO = { O_SYNC: 0x80, EINPROGRESS: 36, SIGEV_NONE: 0 } as const;
