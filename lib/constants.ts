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
/** The offset of a mapping is a multiple of this many bytes. `MMap` takes any offset, and aligns the mapping itself. */
export const ALLOCATIONGRANULARITY: number = allocationGranularity;

/** Pages that cannot be touched: 0, no bit at all. A `prot` of every POSIX system. */
export const PROT_NONE: number | undefined = constants.PROT_NONE;
/** Pages can be read. A `prot` bit of every POSIX system. */
export const PROT_READ: number | undefined = constants.PROT_READ;
/** Pages can be written. A `prot` bit of every POSIX system. */
export const PROT_WRITE: number | undefined = constants.PROT_WRITE;
/** Pages can be executed. A `prot` bit of every POSIX system. */
export const PROT_EXEC: number | undefined = constants.PROT_EXEC;

/** Writes reach the file, and every other shared map of it. A `flags` bit of every POSIX system. */
export const MAP_SHARED: number | undefined = constants.MAP_SHARED;
/** Writes stay in this process: a page is copied when it is first written. A `flags` bit of every POSIX system. */
export const MAP_PRIVATE: number | undefined = constants.MAP_PRIVATE;
/**
 * Instead of `MAP_SHARED`, and more than one bit: the same, but flags that the system does not know are an error. Linux.
 */
export const MAP_SHARED_VALIDATE: number | undefined = constants.MAP_SHARED_VALIDATE;
/**
 * Maps at a given address, and replaces what is mapped there. Throws here. A `flags` bit of every POSIX system.
 */
export const MAP_FIXED: number | undefined = constants.MAP_FIXED;
/** Another name of `MAP_ANONYMOUS`. A `flags` bit of every POSIX system. */
export const MAP_ANON: number | undefined = constants.MAP_ANON;
/**
 * Memory that belongs to no file and begins as zeros, as with the descriptor -1. A `flags` bit of every POSIX system.
 */
export const MAP_ANONYMOUS: number | undefined = constants.MAP_ANONYMOUS;
/** For stacks: an access to the page below makes the mapping grow downwards. A `flags` bit of Linux. */
export const MAP_GROWSDOWN: number | undefined = constants.MAP_GROWSDOWN;
/** Ignored; once, writes to the file by others failed. A `flags` bit of Linux. */
export const MAP_DENYWRITE: number | undefined = constants.MAP_DENYWRITE;
/** Ignored. A `flags` bit of Linux. */
export const MAP_EXECUTABLE: number | undefined = constants.MAP_EXECUTABLE;
/** Locks the pages in memory, as far as possible. Failures are not reported: use `lock`. A `flags` bit of Linux. */
export const MAP_LOCKED: number | undefined = constants.MAP_LOCKED;
/** Reserves no swap space: if memory runs out, a write may end the process. A `flags` bit of Linux and macOS. */
export const MAP_NORESERVE: number | undefined = constants.MAP_NORESERVE;
/**
 * Brings the pages into memory at once, and reads the file ahead. Failures are not reported: use `prefault`. A `flags`
 * bit of Linux.
 */
export const MAP_POPULATE: number | undefined = constants.MAP_POPULATE;
/** Makes `MAP_POPULATE` do nothing. A `flags` bit of Linux. */
export const MAP_NONBLOCK: number | undefined = constants.MAP_NONBLOCK;
/**
 * Memory for a stack. Linux ignores it. On FreeBSD it has guard pages below, and throws here. A `flags` bit of Linux,
 * FreeBSD and OpenBSD.
 */
export const MAP_STACK: number | undefined = constants.MAP_STACK;
/** Memory in huge pages, from the system's pool of them. A `flags` bit of Linux. */
export const MAP_HUGETLB: number | undefined = constants.MAP_HUGETLB;
/**
 * With `MAP_SHARED_VALIDATE`, on persistent memory (DAX): what is written is in the file after a crash too. A `flags`
 * bit of Linux.
 */
export const MAP_SYNC: number | undefined = constants.MAP_SYNC;
/** Like `MAP_FIXED`, but fails if something is mapped there already. Throws here. A `flags` bit of Linux. */
export const MAP_FIXED_NOREPLACE: number | undefined = constants.MAP_FIXED_NOREPLACE;
/**
 * No bit: how far left the binary logarithm of a huge page's size is shifted, for `flags` with `MAP_HUGETLB`. Linux.
 */
export const MAP_HUGE_SHIFT: number | undefined = constants.MAP_HUGE_SHIFT;
/**
 * An address in the first 2 GiB (macOS: 4 GiB). Linux has it on x64 alone. A `flags` bit of Linux, macOS and FreeBSD.
 */
export const MAP_32BIT: number | undefined = constants.MAP_32BIT;
/** Does not change the file's size. A `flags` bit of macOS. */
export const MAP_NOEXTEND: number | undefined = constants.MAP_NOEXTEND;
/** The memory may contain semaphores. A `flags` bit of macOS and FreeBSD. */
export const MAP_HASSEMAPHORE: number | undefined = constants.MAP_HASSEMAPHORE;
/** Pages are among the first to be reclaimed: they are unlikely to be needed again soon. A `flags` bit of macOS. */
export const MAP_NOCACHE: number | undefined = constants.MAP_NOCACHE;
/** Memory for code that is made at run time. Throws here. A `flags` bit of macOS. */
export const MAP_JIT: number | undefined = constants.MAP_JIT;
/** For reading only: contents that fail their code signature are no error. A `flags` bit of macOS. */
export const MAP_RESILIENT_CODESIGN: number | undefined = constants.MAP_RESILIENT_CODESIGN;
/**
 * Contents that are not available (removed media, past the end of the file) read as zeros, in private maps of files. A `flags`
 * bit of macOS.
 */
export const MAP_RESILIENT_MEDIA: number | undefined = constants.MAP_RESILIENT_MEDIA;
/** A translated process may execute the memory. A `flags` bit of macOS. */
export const MAP_TRANSLATED_ALLOW_EXECUTE: number | undefined = constants.MAP_TRANSLATED_ALLOW_EXECUTE;
/** Conformance to UNIX 03; its header says no more. A `flags` bit of macOS. */
export const MAP_UNIX03: number | undefined = constants.MAP_UNIX03;
/** Memory that TPRO protects. Throws here. A `flags` bit of macOS. */
export const MAP_TPRO: number | undefined = constants.MAP_TPRO;
/** Changes go to the disk only when they must, not every half minute. A `flags` bit of FreeBSD. */
export const MAP_NOSYNC: number | undefined = constants.MAP_NOSYNC;
/** No mapping, but a range of addresses that cannot be accessed. A `flags` bit of FreeBSD. */
export const MAP_GUARD: number | undefined = constants.MAP_GUARD;
/** With `MAP_FIXED`: fails if something is mapped there already. Throws here. A `flags` bit of FreeBSD. */
export const MAP_EXCL: number | undefined = constants.MAP_EXCL;
/** Left out of core dumps. A `flags` bit of FreeBSD. */
export const MAP_NOCORE: number | undefined = constants.MAP_NOCORE;
/** Pages that are in memory can be read at once, without a fault for each. A `flags` bit of FreeBSD. */
export const MAP_PREFAULT_READ: number | undefined = constants.MAP_PREFAULT_READ;
/** An address that suits large pages. A `flags` bit of FreeBSD. */
export const MAP_ALIGNED_SUPER: number | undefined = constants.MAP_ALIGNED_SUPER;
/** Left out of core dumps. A `flags` bit of OpenBSD. */
export const MAP_CONCEAL: number | undefined = constants.MAP_CONCEAL;

/** Nothing special: the default. An advice to `madvise` on every POSIX system. */
export const MADV_NORMAL: number | undefined = constants.MADV_NORMAL;
/**
 * Pages will be accessed in random order: reading ahead is of little use. An advice to `madvise` on every POSIX
 * system.
 */
export const MADV_RANDOM: number | undefined = constants.MADV_RANDOM;
/**
 * Pages will be accessed in order: the system may read ahead, and free soon what was read. An advice to `madvise` on
 * every POSIX system.
 */
export const MADV_SEQUENTIAL: number | undefined = constants.MADV_SEQUENTIAL;
/**
 * Pages will be accessed soon: the system may read them ahead (FreeBSD maps those that are in memory). An advice to
 * `madvise` on every system.
 */
export const MADV_WILLNEED: number | undefined = constants.MADV_WILLNEED;
/**
 * Pages will not be accessed soon. Linux drops them at once, and what was written to private ones is lost. An advice
 * to `madvise` on every POSIX system.
 */
export const MADV_DONTNEED: number | undefined = constants.MADV_DONTNEED;
/**
 * The contents are not needed: the system may take the pages, which are zeros then (Linux: private anonymous ones
 * only). An advice to `madvise` on every POSIX system.
 */
export const MADV_FREE: number | undefined = constants.MADV_FREE;
/**
 * Frees the pages and their blocks in the file: a hole, which reads as zeros. An advice to `madvise` on Linux.
 */
export const MADV_REMOVE: number | undefined = constants.MADV_REMOVE;
/** A child that is forked does not get the pages. An advice to `madvise` on Linux. */
export const MADV_DONTFORK: number | undefined = constants.MADV_DONTFORK;
/** Ends `MADV_DONTFORK`. An advice to `madvise` on Linux. */
export const MADV_DOFORK: number | undefined = constants.MADV_DOFORK;
/** Pages of equal contents may be merged into one (KSM; private anonymous ones). An advice to `madvise` on Linux. */
export const MADV_MERGEABLE: number | undefined = constants.MADV_MERGEABLE;
/** Ends `MADV_MERGEABLE`, and separates what was merged. An advice to `madvise` on Linux. */
export const MADV_UNMERGEABLE: number | undefined = constants.MADV_UNMERGEABLE;
/** Transparent huge pages, if the system supports them. An advice to `madvise` on Linux. */
export const MADV_HUGEPAGE: number | undefined = constants.MADV_HUGEPAGE;
/** No transparent huge pages. An advice to `madvise` on Linux. */
export const MADV_NOHUGEPAGE: number | undefined = constants.MADV_NOHUGEPAGE;
/** Left out of core dumps. An advice to `madvise` on Linux. */
export const MADV_DONTDUMP: number | undefined = constants.MADV_DONTDUMP;
/** Ends `MADV_DONTDUMP`. An advice to `madvise` on Linux. */
export const MADV_DODUMP: number | undefined = constants.MADV_DODUMP;
/** A child that is forked finds zeros (private anonymous memory). An advice to `madvise` on Linux. */
export const MADV_WIPEONFORK: number | undefined = constants.MADV_WIPEONFORK;
/** Ends `MADV_WIPEONFORK`. An advice to `madvise` on Linux. */
export const MADV_KEEPONFORK: number | undefined = constants.MADV_KEEPONFORK;
/** Pages are among the first to be reclaimed when memory is short. Nothing is lost. An advice to `madvise` on Linux. */
export const MADV_COLD: number | undefined = constants.MADV_COLD;
/** Pages are reclaimed now: swapped out, or written to their file. Nothing is lost. An advice to `madvise` on Linux. */
export const MADV_PAGEOUT: number | undefined = constants.MADV_PAGEOUT;
/**
 * Brings pages into memory, as if each was read, but with an error where an access would raise a signal: see `prefault`.
 * An advice to `madvise` on Linux.
 */
export const MADV_POPULATE_READ: number | undefined = constants.MADV_POPULATE_READ;
/** The same, as if each was written, contents unchanged: see `prefault`. An advice to `madvise` on Linux. */
export const MADV_POPULATE_WRITE: number | undefined = constants.MADV_POPULATE_WRITE;
/** As `MADV_DONTNEED`, of locked pages too. An advice to `madvise` on Linux. */
export const MADV_DONTNEED_LOCKED: number | undefined = constants.MADV_DONTNEED_LOCKED;
/** Gathers pages into transparent huge pages now, as well as it can. An advice to `madvise` on Linux. */
export const MADV_COLLAPSE: number | undefined = constants.MADV_COLLAPSE;
/** Simulates broken memory, for tests of the system. Throws here. An advice to `madvise` on Linux. */
export const MADV_HWPOISON: number | undefined = constants.MADV_HWPOISON;
/**
 * Moves the contents to other memory and takes the old out of use, for tests of the system. Throws here. An advice
 * to `madvise` on Linux.
 */
export const MADV_SOFT_OFFLINE: number | undefined = constants.MADV_SOFT_OFFLINE;
/** Pages that are still locked when the mapping ends are zeroed. An advice to `madvise` on macOS. */
export const MADV_ZERO_WIRED_PAGES: number | undefined = constants.MADV_ZERO_WIRED_PAGES;
/** The contents are not needed: the pages can be reused by anyone. An advice to `madvise` on macOS. */
export const MADV_FREE_REUSABLE: number | undefined = constants.MADV_FREE_REUSABLE;
/** Takes back pages that were given up by `MADV_FREE_REUSABLE`. An advice to `madvise` on macOS. */
export const MADV_FREE_REUSE: number | undefined = constants.MADV_FREE_REUSE;
/**
 * Asks whether memory is of a kind that `MADV_FREE_REUSABLE` takes: fails where not. An advice to `madvise` on macOS.
 */
export const MADV_CAN_REUSE: number | undefined = constants.MADV_CAN_REUSE;
/** Zeros, without bringing more pages into memory. An advice to `madvise` on macOS. */
export const MADV_ZERO: number | undefined = constants.MADV_ZERO;
/** Changes go to the disk only when they must, not every half minute. An advice to `madvise` on FreeBSD. */
export const MADV_NOSYNC: number | undefined = constants.MADV_NOSYNC;
/** Ends `MADV_NOSYNC`, for pages that are changed from then on. An advice to `madvise` on FreeBSD. */
export const MADV_AUTOSYNC: number | undefined = constants.MADV_AUTOSYNC;
/** Left out of core dumps. An advice to `madvise` on FreeBSD. */
export const MADV_NOCORE: number | undefined = constants.MADV_NOCORE;
/** Ends `MADV_NOCORE`. An advice to `madvise` on FreeBSD. */
export const MADV_CORE: number | undefined = constants.MADV_CORE;
/** The process is not killed when swap space is used up; for the superuser. An advice to `madvise` on FreeBSD. */
export const MADV_PROTECT: number | undefined = constants.MADV_PROTECT;

/** Asks for the changes to be written, and does not wait. A flag of `msync` on every POSIX system. */
export const MS_ASYNC: number | undefined = constants.MS_ASYNC;
/** Other mappings of the file are to see what was written. A flag of `msync` on every POSIX system. */
export const MS_INVALIDATE: number | undefined = constants.MS_INVALIDATE;
/** Writes the changes and waits, as `flush` does. A flag of `msync` on every POSIX system. */
export const MS_SYNC: number | undefined = constants.MS_SYNC;
/** Drops the pages, which stay mapped. A flag of `msync` on macOS. */
export const MS_KILLPAGES: number | undefined = constants.MS_KILLPAGES;
/** Pages are among the first to be reclaimed; they stay mapped. A flag of `msync` on macOS. */
export const MS_DEACTIVATE: number | undefined = constants.MS_DEACTIVATE;
