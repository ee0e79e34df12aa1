/**
 * The constants: `ACCESS_*` and `SEEK_*`, which are the library's own, and the running system's `PROT_*`, `MAP_*`,
 * `MADV_*` and `MS_*` by their C names, so that the manual page is one search away. One that the running system lacks is
 * `undefined`.
 *
 * @module
 */

import { allocationGranularity, constants, pageSize } from "../platform/mod.ts";

/** The default access: shared, readable and writable. Python's `ACCESS_DEFAULT`. */
export const ACCESS_DEFAULT = "default";
/** Reading only; a write throws. Python's `ACCESS_READ`. */
export const ACCESS_READ = "read";
/** Reading and writing; writes reach the file. Python's `ACCESS_WRITE`. */
export const ACCESS_WRITE = "write";
/** Reading and writing; writes stay in this process. Python's `ACCESS_COPY`. */
export const ACCESS_COPY = "copy";

/** `seek` counts from the start. */
export const SEEK_SET = 0;
/** `seek` counts from the current position. */
export const SEEK_CUR = 1;
/** `seek` counts from the end. */
export const SEEK_END = 2;

/** The size of a page of memory in bytes: `sysconf(_SC_PAGESIZE)`. */
export const PAGESIZE: number = pageSize;
/** What the system wants a mapping's offset to be a multiple of, in bytes. `MMap` aligns by itself. */
export const ALLOCATIONGRANULARITY: number = allocationGranularity;

/** A `prot` bit of every POSIX system. */
export const PROT_NONE: number | undefined = constants.PROT_NONE;
/** A `prot` bit of every POSIX system. */
export const PROT_READ: number | undefined = constants.PROT_READ;
/** A `prot` bit of every POSIX system. */
export const PROT_WRITE: number | undefined = constants.PROT_WRITE;
/** A `prot` bit of every POSIX system. */
export const PROT_EXEC: number | undefined = constants.PROT_EXEC;

/** A `flags` bit of every POSIX system. */
export const MAP_SHARED: number | undefined = constants.MAP_SHARED;
/** A `flags` bit of every POSIX system. */
export const MAP_PRIVATE: number | undefined = constants.MAP_PRIVATE;
/** A `flags` bit of Linux. */
export const MAP_SHARED_VALIDATE: number | undefined = constants.MAP_SHARED_VALIDATE;
/** A `flags` bit of every POSIX system. */
export const MAP_FIXED: number | undefined = constants.MAP_FIXED;
/** A `flags` bit of every POSIX system. */
export const MAP_ANON: number | undefined = constants.MAP_ANON;
/** A `flags` bit of every POSIX system. */
export const MAP_ANONYMOUS: number | undefined = constants.MAP_ANONYMOUS;
/** A `flags` bit of Linux. */
export const MAP_GROWSDOWN: number | undefined = constants.MAP_GROWSDOWN;
/** A `flags` bit of Linux. */
export const MAP_DENYWRITE: number | undefined = constants.MAP_DENYWRITE;
/** A `flags` bit of Linux. */
export const MAP_EXECUTABLE: number | undefined = constants.MAP_EXECUTABLE;
/** A `flags` bit of Linux. */
export const MAP_LOCKED: number | undefined = constants.MAP_LOCKED;
/** A `flags` bit of Linux and macOS. */
export const MAP_NORESERVE: number | undefined = constants.MAP_NORESERVE;
/** A `flags` bit of Linux. */
export const MAP_POPULATE: number | undefined = constants.MAP_POPULATE;
/** A `flags` bit of Linux. */
export const MAP_NONBLOCK: number | undefined = constants.MAP_NONBLOCK;
/** A `flags` bit of Linux, FreeBSD and OpenBSD. */
export const MAP_STACK: number | undefined = constants.MAP_STACK;
/** A `flags` bit of Linux. */
export const MAP_HUGETLB: number | undefined = constants.MAP_HUGETLB;
/** A `flags` bit of Linux. */
export const MAP_SYNC: number | undefined = constants.MAP_SYNC;
/** A `flags` bit of Linux. */
export const MAP_FIXED_NOREPLACE: number | undefined = constants.MAP_FIXED_NOREPLACE;
/** A `flags` bit of Linux. */
export const MAP_HUGE_SHIFT: number | undefined = constants.MAP_HUGE_SHIFT;
/** A `flags` bit of Linux, macOS and FreeBSD. */
export const MAP_32BIT: number | undefined = constants.MAP_32BIT;
/** A `flags` bit of macOS. */
export const MAP_NOEXTEND: number | undefined = constants.MAP_NOEXTEND;
/** A `flags` bit of macOS and FreeBSD. */
export const MAP_HASSEMAPHORE: number | undefined = constants.MAP_HASSEMAPHORE;
/** A `flags` bit of macOS. */
export const MAP_NOCACHE: number | undefined = constants.MAP_NOCACHE;
/** A `flags` bit of macOS. */
export const MAP_JIT: number | undefined = constants.MAP_JIT;
/** A `flags` bit of macOS. */
export const MAP_RESILIENT_CODESIGN: number | undefined = constants.MAP_RESILIENT_CODESIGN;
/** A `flags` bit of macOS. */
export const MAP_RESILIENT_MEDIA: number | undefined = constants.MAP_RESILIENT_MEDIA;
/** A `flags` bit of macOS. */
export const MAP_TRANSLATED_ALLOW_EXECUTE: number | undefined = constants.MAP_TRANSLATED_ALLOW_EXECUTE;
/** A `flags` bit of macOS. */
export const MAP_UNIX03: number | undefined = constants.MAP_UNIX03;
/** A `flags` bit of macOS. */
export const MAP_TPRO: number | undefined = constants.MAP_TPRO;
/** A `flags` bit of FreeBSD. */
export const MAP_NOSYNC: number | undefined = constants.MAP_NOSYNC;
/** A `flags` bit of FreeBSD. */
export const MAP_GUARD: number | undefined = constants.MAP_GUARD;
/** A `flags` bit of FreeBSD. */
export const MAP_EXCL: number | undefined = constants.MAP_EXCL;
/** A `flags` bit of FreeBSD. */
export const MAP_NOCORE: number | undefined = constants.MAP_NOCORE;
/** A `flags` bit of FreeBSD. */
export const MAP_PREFAULT_READ: number | undefined = constants.MAP_PREFAULT_READ;
/** A `flags` bit of FreeBSD. */
export const MAP_ALIGNED_SUPER: number | undefined = constants.MAP_ALIGNED_SUPER;
/** A `flags` bit of OpenBSD. */
export const MAP_CONCEAL: number | undefined = constants.MAP_CONCEAL;

/** An advice to `madvise` on every POSIX system. */
export const MADV_NORMAL: number | undefined = constants.MADV_NORMAL;
/** An advice to `madvise` on every POSIX system. */
export const MADV_RANDOM: number | undefined = constants.MADV_RANDOM;
/** An advice to `madvise` on every POSIX system. */
export const MADV_SEQUENTIAL: number | undefined = constants.MADV_SEQUENTIAL;
/** An advice to `madvise` on every POSIX system. */
export const MADV_WILLNEED: number | undefined = constants.MADV_WILLNEED;
/** An advice to `madvise` on every POSIX system. */
export const MADV_DONTNEED: number | undefined = constants.MADV_DONTNEED;
/** An advice to `madvise` on every POSIX system. */
export const MADV_FREE: number | undefined = constants.MADV_FREE;
/** An advice to `madvise` on Linux. */
export const MADV_REMOVE: number | undefined = constants.MADV_REMOVE;
/** An advice to `madvise` on Linux. */
export const MADV_DONTFORK: number | undefined = constants.MADV_DONTFORK;
/** An advice to `madvise` on Linux. */
export const MADV_DOFORK: number | undefined = constants.MADV_DOFORK;
/** An advice to `madvise` on Linux. */
export const MADV_MERGEABLE: number | undefined = constants.MADV_MERGEABLE;
/** An advice to `madvise` on Linux. */
export const MADV_UNMERGEABLE: number | undefined = constants.MADV_UNMERGEABLE;
/** An advice to `madvise` on Linux. */
export const MADV_HUGEPAGE: number | undefined = constants.MADV_HUGEPAGE;
/** An advice to `madvise` on Linux. */
export const MADV_NOHUGEPAGE: number | undefined = constants.MADV_NOHUGEPAGE;
/** An advice to `madvise` on Linux. */
export const MADV_DONTDUMP: number | undefined = constants.MADV_DONTDUMP;
/** An advice to `madvise` on Linux. */
export const MADV_DODUMP: number | undefined = constants.MADV_DODUMP;
/** An advice to `madvise` on Linux. */
export const MADV_WIPEONFORK: number | undefined = constants.MADV_WIPEONFORK;
/** An advice to `madvise` on Linux. */
export const MADV_KEEPONFORK: number | undefined = constants.MADV_KEEPONFORK;
/** An advice to `madvise` on Linux. */
export const MADV_COLD: number | undefined = constants.MADV_COLD;
/** An advice to `madvise` on Linux. */
export const MADV_PAGEOUT: number | undefined = constants.MADV_PAGEOUT;
/** An advice to `madvise` on Linux. */
export const MADV_POPULATE_READ: number | undefined = constants.MADV_POPULATE_READ;
/** An advice to `madvise` on Linux. */
export const MADV_POPULATE_WRITE: number | undefined = constants.MADV_POPULATE_WRITE;
/** An advice to `madvise` on Linux. */
export const MADV_DONTNEED_LOCKED: number | undefined = constants.MADV_DONTNEED_LOCKED;
/** An advice to `madvise` on Linux. */
export const MADV_COLLAPSE: number | undefined = constants.MADV_COLLAPSE;
/** An advice to `madvise` on Linux. */
export const MADV_HWPOISON: number | undefined = constants.MADV_HWPOISON;
/** An advice to `madvise` on Linux. */
export const MADV_SOFT_OFFLINE: number | undefined = constants.MADV_SOFT_OFFLINE;
/** An advice to `madvise` on macOS. */
export const MADV_ZERO_WIRED_PAGES: number | undefined = constants.MADV_ZERO_WIRED_PAGES;
/** An advice to `madvise` on macOS. */
export const MADV_FREE_REUSABLE: number | undefined = constants.MADV_FREE_REUSABLE;
/** An advice to `madvise` on macOS. */
export const MADV_FREE_REUSE: number | undefined = constants.MADV_FREE_REUSE;
/** An advice to `madvise` on macOS. */
export const MADV_CAN_REUSE: number | undefined = constants.MADV_CAN_REUSE;
/** An advice to `madvise` on macOS. */
export const MADV_ZERO: number | undefined = constants.MADV_ZERO;
/** An advice to `madvise` on FreeBSD. */
export const MADV_NOSYNC: number | undefined = constants.MADV_NOSYNC;
/** An advice to `madvise` on FreeBSD. */
export const MADV_AUTOSYNC: number | undefined = constants.MADV_AUTOSYNC;
/** An advice to `madvise` on FreeBSD. */
export const MADV_NOCORE: number | undefined = constants.MADV_NOCORE;
/** An advice to `madvise` on FreeBSD. */
export const MADV_CORE: number | undefined = constants.MADV_CORE;
/** An advice to `madvise` on FreeBSD. */
export const MADV_PROTECT: number | undefined = constants.MADV_PROTECT;

/** A flag of `msync` on every POSIX system. */
export const MS_ASYNC: number | undefined = constants.MS_ASYNC;
/** A flag of `msync` on every POSIX system. */
export const MS_INVALIDATE: number | undefined = constants.MS_INVALIDATE;
/** A flag of `msync` on every POSIX system. */
export const MS_SYNC: number | undefined = constants.MS_SYNC;
/** A flag of `msync` on macOS. */
export const MS_KILLPAGES: number | undefined = constants.MS_KILLPAGES;
/** A flag of `msync` on macOS. */
export const MS_DEACTIVATE: number | undefined = constants.MS_DEACTIVATE;
