/**
 * The POSIX systems as the tests play them: what their C libraries answer, from their headers and manual pages.
 *
 * @module
 */

import * as assert from "uvu/assert";
import type { Ffi } from "../../ffi/types.ts";
import { MMap, type MMapOptions } from "../../lib/mod.ts";
import { darwinPlatform } from "../../platform/darwin.ts";
import { freebsdPlatform } from "../../platform/freebsd.ts";
import { linuxPlatform } from "../../platform/linux.ts";
import { openbsdPlatform } from "../../platform/openbsd.ts";
import type { ErrorFactory, Platform } from "../../platform/types.ts";
import { ERRNO, over, type Played, type Recorder, recorder } from "./recorder.ts";

/** One system, as the tests play it. */
export interface System {
  open(ffi: Ffi, errors: ErrorFactory): Platform;
  page: number;
  /** The number of _SC_PAGESIZE. */
  pageName: number;
  /** The name of the function that returns the address of errno. */
  errno: string;
  /** The name of the function that fills a struct stat, and where that has st_mode and st_size. */
  stat: string;
  modeAt: number;
  sizeAt: number;
}

// macOS, https://github.com/apple-oss-distributions/xnu, bsd/sys/stat.h: __DARWIN_STRUCT_STAT64 is dev_t (4 bytes), mode_t (2
// bytes, at 4), nlink_t (2), ino64_t (8), uid_t, gid_t, dev_t (4 each, then 4 of padding), four struct timespec (16 each, from
// 32 on), off_t st_size (at 96), blkcnt_t (8), blksize_t, st_flags, st_gen, st_lspare (4 each), st_qspare (16): 144 in all.
// bsd/sys/unistd.h, _SC_PAGESIZE: 29. sys/errno.h: `extern int * __error(void); #define errno (*__error())`.
export const darwin: System = {
  open: (ffi, errors) => darwinPlatform(ffi, errors, "arm64"),
  page: 16384,
  pageName: 29,
  errno: "__error",
  stat: "fstat",
  modeAt: 4,
  sizeAt: 96,
};

// bsd/sys/cdefs.h: __DARWIN_SUF_64_BIT_INO_T, with which sys/stat.h names fstat's symbol, is "$INODE64", and is empty where
// __DARWIN_ONLY_64_BIT_INO_T is set: on arm64.
export const darwinIntel: System = {
  ...darwin,
  open: (ffi, errors) => darwinPlatform(ffi, errors, "x64"),
  page: 4096,
  stat: "fstat$INODE64",
};

// FreeBSD 12 and later, sys/sys/stat.h: dev_t, ino_t, nlink_t (8 bytes each), mode_t (2 bytes, at 24), 2 of padding, uid_t,
// gid_t (4 each), 4 of padding, dev_t (8), four struct timespec (16 each, from 48 on), off_t st_size (at 112), blkcnt_t (8),
// blksize_t, fflags_t (4 each), st_gen (8), ten spare longs: 224 in all. sys/unistd.h, _SC_PAGESIZE: 47. errno.h: __error.
export const freebsd: System = {
  open: freebsdPlatform,
  page: 4096,
  pageName: 47,
  errno: "__error",
  stat: "fstat",
  modeAt: 24,
  sizeAt: 112,
};

// OpenBSD, sys/sys/stat.h: mode_t, dev_t (4 bytes each), ino_t (8), nlink_t, uid_t, gid_t, dev_t (4 each), three struct
// timespec (16 each, from 32 on), off_t st_size (at 80), blkcnt_t (8), blksize_t, st_flags, st_gen (4 each), 4 of padding, a
// struct timespec: 128 in all. unistd.h, _SC_PAGESIZE: 28. errno.h: `int *__errno(void); #define errno (*__errno())`.
export const openbsd: System = {
  open: openbsdPlatform,
  page: 4096,
  pageName: 28,
  errno: "__errno",
  stat: "fstat",
  modeAt: 0,
  sizeAt: 80,
};

// Linux, include/uapi/linux/stat.h: struct statx has stx_mode (2 bytes) at 0x1c, stx_size (8 bytes) at 0x28, 256 in all.
export const linux: System = {
  open: linuxPlatform,
  page: 4096,
  pageName: 30,
  errno: "__errno_location",
  stat: "statx",
  modeAt: 28,
  sizeAt: 40,
};

/** The address of the first mapping that a played system makes. */
export const MAPPED = 0x1_0000_0000;

/** A recorder that plays a system: one regular file of `size` bytes, and mappings 1 MiB apart. */
export function played(system: System, size: number): Recorder {
  let mappings = 0;
  let fileSize = size;
  const functions: Played = {
    [system.errno]: () => ERRNO,
    sysconf: (name: number) => (name === system.pageName ? system.page : -1),
    [system.stat]: (...values: (number | Uint8Array)[]) => {
      const memory = new DataView((values.at(-1) as Uint8Array).buffer);
      memory.setUint16(system.modeAt, 0o100644, true);
      memory.setBigInt64(system.sizeAt, BigInt(fileSize), true);
      return 0;
    },
    ftruncate: (_descriptor: number, length: number) => {
      fileSize = length;
      return 0;
    },
    mmap: (address: number) => (address === 0 ? MAPPED + 2 ** 20 * mappings++ : address),
    mremap: () => MAPPED + 2 ** 20 * mappings++,
    dup: () => 20,
    fcntl: (_descriptor: number, command: number) => (command === 51 ? 0 : 20),
    memfd_create: () => 21,
    shm_open: () => 21,
    shm_mkstemp: () => 21,
  };
  return recorder(functions);
}

/** Asserts what a system's C library is asked for by each of the library's calls on a file that is mapped to be written. */
export function assertCalls(system: System, expected: Record<string, string[]>): void {
  const ffi = played(system, 20_000);
  over(system.open, ffi, (platform) => {
    assert.is(platform.pageSize, system.page);
    assert.equal(ffi.take(), expected.start);
    // The guard that Linux adds has calls of its own: tests/safety/sigbus-handler.test.ts.
    const mm = new MMap(9, 0, { access: "write", guard: false });
    assert.is(mm.length, 20_000);
    assert.equal(ffi.take(), expected.open);
    mm.flush(17_000, 10);
    assert.equal(ffi.take(), expected.flush);
    mm.madvise(3, system.page);
    assert.equal(ffi.take(), expected.advise);
    mm.resize(40_000);
    assert.equal(ffi.take(), expected.grow);
    mm.resize(10_000);
    assert.equal(ffi.take(), expected.shrink);
    assert.is(mm.size(), 10_000);
    assert.equal(ffi.take(), expected.size);
    mm.close();
    mm.close();
    assert.equal(ffi.take(), expected.close);
  });
}

/** Plays what asynchronous I/O needs of C: descriptors from 30 on, and `onBlock` is given each control block that is copied to C. */
export function playBlocks(ffi: Recorder, onBlock: (block: Uint8Array<ArrayBuffer>) => void): void {
  let copies = 30;
  ffi.play({
    dup: () => copies++,
    fcntl: (_descriptor: number, command: number) => (command === 51 ? 0 : copies++),
    malloc: () => 0x7000,
    memcpy: (_to: number | Uint8Array, from: number | Uint8Array) => {
      // Pages of the map are copied from an address.
      if (typeof from !== "number") onBlock(new Uint8Array(from));
      return 0;
    },
  });
}

/** What mapping `size` bytes of a file with these options asks a system for, from mmap on. */
export function mapped(system: System, options: MMapOptions, size = 20_000): string {
  const ffi = played(system, size);
  return over(system.open, ffi, () => {
    using mm = new MMap(9, 0, options);
    return ffi.take().find((call) => call.startsWith("mmap")) ?? `no mmap for ${mm.length}`;
  });
}
