/**
 * The systems that the tests don't run on, call by call: what each platform asks of its C library is written down and
 * compared with what that system's headers and manual pages say. Beside each expectation stands its source.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFirst } from "../../ffi/open-library.ts";
import type { Ffi } from "../../ffi/types.ts";
import { errorFactory } from "../../lib/errors.ts";
import { MMap, type MMapOptions } from "../../lib/mod.ts";
import { darwinPlatform } from "../../platform/darwin.ts";
import { freebsdPlatform } from "../../platform/freebsd.ts";
import { librariesFor, linuxPlatform } from "../../platform/linux.ts";
import { openPlatform } from "../../platform/mod.ts";
import { openbsdPlatform } from "../../platform/openbsd.ts";
import type { ErrorFactory, Platform } from "../../platform/types.ts";
import { ERRNO, over, type Played, type Recorder, recorder, setErrno } from "../helpers/recorder.ts";
import { MACHINE } from "../helpers/runtimes.ts";
import { newPath, refuses, rejects, thrown, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("systems");

const posix = unless(WINDOWS && "node:util names Windows's errors there", test);

/** One system, as the tests play it. */
interface System {
  open(ffi: Ffi, errors: ErrorFactory): Platform;
  page: number;
  /** The number of _SC_PAGESIZE. */
  pageName: number;
  /** The name of the function that gives the address of errno. */
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
const darwin: System = {
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
const darwinIntel: System = {
  ...darwin,
  open: (ffi, errors) => darwinPlatform(ffi, errors, "x64"),
  page: 4096,
  stat: "fstat$INODE64",
};

// FreeBSD 12 and later, sys/sys/stat.h: dev_t, ino_t, nlink_t (8 bytes each), mode_t (2 bytes, at 24), 2 of padding, uid_t,
// gid_t (4 each), 4 of padding, dev_t (8), four struct timespec (16 each, from 48 on), off_t st_size (at 112), blkcnt_t (8),
// blksize_t, fflags_t (4 each), st_gen (8), ten spare longs: 224 in all. sys/unistd.h, _SC_PAGESIZE: 47. errno.h: __error.
const freebsd: System = {
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
const openbsd: System = {
  open: openbsdPlatform,
  page: 4096,
  pageName: 28,
  errno: "__errno",
  stat: "fstat",
  modeAt: 0,
  sizeAt: 80,
};

// Linux, include/uapi/linux/stat.h: struct statx has stx_mode (2 bytes) at 0x1c, stx_size (8 bytes) at 0x28, 256 in all.
const linux: System = {
  open: linuxPlatform,
  page: 4096,
  pageName: 30,
  errno: "__errno_location",
  stat: "statx",
  modeAt: 28,
  sizeAt: 40,
};

const MAPPED = 0x1_0000_0000;

/** A recorder that plays a system: one regular file of `size` bytes, and mappings 1 MiB apart. */
function played(system: System, size: number): Recorder {
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
function asserts(system: System, expected: Record<string, string[]>): void {
  const ffi = played(system, 20_000);
  over(system.open, ffi, (platform) => {
    assert.is(platform.pageSize, system.page);
    assert.equal(ffi.take(), expected.start);
    // The guard that Linux adds has calls of its own: sigbus.test.ts.
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

test("an emulated machine is what it was started as", () => {
  const running = `${process.platform}-${process.arch}`;
  if (MACHINE !== undefined) assert.ok(MACHINE.system.startsWith(running), `${running} instead of ${MACHINE.system}`);
});

test("macOS on Apple silicon", () => {
  asserts(darwin, {
    start: ["__error()", "sysconf(29)"],
    open: [
      "fstat(9, &memory[144])",
      "dup(9)",
      // bsd/sys/filio.h: `#define FIOCLEX _IO('f', 1) /* set close on exec on fd */`; bsd/sys/ioccom.h: _IO is IOC_VOID,
      // 0x20000000, or 'f' << 8 or 1: "no parameters".
      "ioctl(20, 0x20006601)",
      // fcntl(2): "F_FULLFSYNC: Does the same thing as fsync(2) then asks the drive to flush all buffered data to the permanent
      // storage device (arg is ignored)." sys/fcntl.h: 51. Python's mmap page: the file "is internally automatically
      // synchronized with the physical backing store on macOS".
      "fcntl(20, 51)",
      // mmap(2): "EINVAL: The offset argument was not page-aligned"; PROT_READ | PROT_WRITE, MAP_SHARED.
      "mmap(0, 32768, 3, 1, 20, 0)",
    ],
    // sys/mman.h: MS_SYNC is 0x10. The address is where a page begins.
    flush: ["msync(0x100004000, 626, 16)"],
    advise: ["madvise(0x100004000, 3616, 3)"],
    // There is no mremap: the file is mapped anew, and what was mapped goes. A file grows before and shrinks after.
    grow: [
      "fstat(20, &memory[144])",
      "ftruncate(20, 40000)",
      "fcntl(20, 51)",
      "mmap(0, 49152, 3, 1, 20, 0)",
      "munmap(0x100000000, 32768)",
    ],
    shrink: ["fstat(20, &memory[144])", "ftruncate(20, 10000)", "munmap(0x100104000, 32768)"],
    size: ["fstat(20, &memory[144])"],
    close: ["munmap(0x100100000, 16384)", "close(20)"],
  });
});

test("macOS on Intel", () => {
  asserts(darwinIntel, {
    start: ["__error()", "sysconf(29)"],
    open: [
      "fstat$INODE64(9, &memory[144])",
      "dup(9)",
      "ioctl(20, 0x20006601)",
      "fcntl(20, 51)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    flush: ["msync(0x100004000, 626, 16)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "fstat$INODE64(20, &memory[144])",
      "ftruncate(20, 40000)",
      "fcntl(20, 51)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["fstat$INODE64(20, &memory[144])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["fstat$INODE64(20, &memory[144])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test("FreeBSD", () => {
  asserts(freebsd, {
    start: ["__error()", "sysconf(47)"],
    open: [
      "fstat(9, &memory[224])",
      // sys/fcntl.h: `#define F_DUPFD_CLOEXEC 17 /* Like F_DUPFD, but FD_CLOEXEC is set */`
      "fcntl(9, 17, 0)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    // sys/mman.h: `#define MS_SYNC 0x0000 /* msync synchronously */`
    flush: ["msync(0x100004000, 626, 0)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "fstat(20, &memory[224])",
      "ftruncate(20, 40000)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["fstat(20, &memory[224])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["fstat(20, &memory[224])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test("OpenBSD", () => {
  asserts(openbsd, {
    start: ["__errno()", "sysconf(28)"],
    open: [
      "fstat(9, &memory[128])",
      // sys/fcntl.h: `#define F_DUPFD_CLOEXEC 10 /* duplicate with FD_CLOEXEC set */`
      "fcntl(9, 10, 0)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    // sys/mman.h: `#define MS_SYNC 0x02 /* perform synchronous writes */`
    flush: ["msync(0x100004000, 626, 2)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    grow: [
      "fstat(20, &memory[128])",
      "ftruncate(20, 40000)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    shrink: ["fstat(20, &memory[128])", "ftruncate(20, 10000)", "munmap(0x100103000, 28672)"],
    size: ["fstat(20, &memory[128])"],
    close: ["munmap(0x100100000, 12288)", "close(20)"],
  });
});

test("Linux", () => {
  asserts(linux, {
    start: ["__errno_location()", "sysconf(30)"],
    open: [
      // statx(2): AT_EMPTY_PATH is 0x1000; STATX_TYPE | STATX_SIZE is 0x201.
      "statx(9, &memory[1], 4096, 513, &memory[256])",
      // fcntl(2), F_DUPFD_CLOEXEC: 1030.
      "fcntl(9, 1030, 0)",
      "mmap(0, 20480, 3, 1, 20, 0)",
    ],
    flush: ["msync(0x100004000, 626, 4)"],
    advise: ["madvise(0x100001000, 15904, 3)"],
    // mremap(2), EFAULT: "you specified ... an address range that spans several mappings". Advice on a part may have made
    // several of it.
    grow: [
      "statx(20, &memory[1], 4096, 513, &memory[256])",
      "ftruncate(20, 40000)",
      "mmap(0, 40960, 3, 1, 20, 0)",
      "munmap(0x100000000, 20480)",
    ],
    // mremap(2): MREMAP_MAYMOVE is 1.
    shrink: [
      "statx(20, &memory[1], 4096, 513, &memory[256])",
      "ftruncate(20, 10000)",
      "mremap(0x100100000, 40960, 12288, 1)",
    ],
    size: ["statx(20, &memory[1], 4096, 513, &memory[256])"],
    close: ["munmap(0x100200000, 12288)", "close(20)"],
  });
});

/** What the calls that bring pages into memory ask a system for, on a file that is mapped for reading. */
function inMemory(system: System): Record<string, string[]> {
  const ffi = played(system, 200_000);
  return over(system.open, ffi, () => {
    const take = (act: () => unknown) => {
      ffi.take();
      act();
      return ffi.take();
    };
    using mm = new MMap(9, 0, { access: "read", guard: false });
    return {
      lock: take(() => mm.lock(70_000, 10)),
      unlock: take(() => mm.unlock(70_000, 10)),
      residency: take(() => (system === openbsd ? undefined : mm.residency(70_000, 10))),
      prefault: take(() => mm.prefault(70_000, 10)),
    };
  });
}

test("pages in memory: Linux locks a file's pages as they are touched, and touches them without a signal", () => {
  assert.equal(inMemory(linux), {
    // mlock2(2): MLOCK_ONFAULT "Lock pages that are currently resident and mark the entire range so that the remaining
    // nonresident pages are locked when they are populated by a page fault"; it is 1. madvise(2): MADV_POPULATE_READ is 22.
    lock: ["mlock2(0x100011000, 378, 1)", "madvise(0x100011000, 378, 22)"],
    unlock: ["munlock(0x100011000, 378)"],
    // mincore(2): "The vec argument must point to an array containing at least (length+PAGE_SIZE-1) / PAGE_SIZE bytes."
    residency: ["mincore(0x100011000, 378, &memory[1])"],
    prefault: ["madvise(0x100011000, 378, 22)"],
  });
  const ffi = played(linux, 0);
  over(linux.open, ffi, () => {
    using mm = MMap.anonymous(10_000, { access: "copy" });
    ffi.take();
    mm.lock();
    mm.prefault(4096, 1, { write: true });
    // MADV_POPULATE_WRITE is 23.
    assert.equal(ffi.take(), ["mlock(0x100000000, 10000)", "madvise(0x100001000, 1, 23)"]);
  });
});

test("pages in memory: macOS, FreeBSD and OpenBSD lock them, and reading brings them in", () => {
  for (const system of [darwin, freebsd, openbsd]) {
    const { lock, unlock, residency, prefault } = inMemory(system);
    const lead = 70_000 % system.page;
    const range = `0x${(MAPPED + 70_000 - lead).toString(16)}, ${lead + 10}`;
    const touched = `memcpy(&memory[10], 0x${(MAPPED + 70_000).toString(16)}, 10)`;
    assert.equal(lock, [`mlock(${range})`, touched]);
    assert.equal(unlock, [`munlock(${range})`]);
    // OpenBSD 6.5 removed mincore.
    assert.equal(residency, system === openbsd ? [] : [`mincore(${range}, &memory[1])`]);
    assert.equal(prefault, [touched]);
  }
});

test("pages in memory: of what mincore says, the lowest bit alone tells whether a page is there", () => {
  // mincore(2) of macOS and FreeBSD: MINCORE_INCORE 0x1, MINCORE_REFERENCED 0x2, MINCORE_MODIFIED 0x4,
  // MINCORE_REFERENCED_OTHER 0x8, MINCORE_MODIFIED_OTHER 0x10. Of Linux: "The settings of the other bits in each byte are
  // undefined".
  for (const system of [darwin, freebsd, linux]) {
    const ffi = played(system, 5 * system.page);
    ffi.play({
      mincore: (_address: number, _length: number, pages: Uint8Array) => {
        pages.set([0, 1, 0x1e, 0x1f, 0x61]);
        return 0;
      },
    });
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "read", guard: false });
      assert.equal(mm.residency(), { pages: Uint8Array.of(0, 1, 0, 1, 1), resident: 3 });
    });
  }
});

posix("pages in memory: what a system lacks, or a kernel before 5.14, is said or done in another way", () => {
  const ffi = played(openbsd, 20_000);
  over(openbsd.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "write" });
    ffi.take();
    refuses(TypeError, () => mm.residency(), "residency", "mincore");
    refuses(TypeError, () => mm.prefault(0, 1, { write: true }), "write", "MADV_POPULATE_WRITE");
    assert.equal(ffi.take(), []);
  });
  const old = played(linux, 3_000_000);
  old.play({
    madvise: () => {
      // EINVAL: "advice is not a valid."
      setErrno(old, 22);
      return -1;
    },
  });
  over(linux.open, old, () => {
    using mm = new MMap(9, 0, { access: "write", guard: false });
    old.take();
    mm.prefault();
    assert.equal(old.take().slice(1), [
      "memcpy(&memory[1048576], 0x100000000, 0x100000)",
      "memcpy(&memory[1048576], 0x100100000, 0x100000)",
      "memcpy(&memory[902848], 0x100200000, 0xdc6c0)",
    ]);
    refuses(TypeError, () => mm.prefault(0, 1, { write: true }), "MADV_POPULATE_WRITE");
  });
});

posix("pages in memory: a refusal names the call, and a lock that is not filled is undone", () => {
  const ffi = played(linux, 20_000);
  const failing = (errno: number) => () => {
    setErrno(ffi, errno);
    return -1;
  };
  over(linux.open, ffi, () => {
    using mm = new MMap(9, 0, { access: "read", guard: false });
    ffi.play({ mlock2: failing(12), munlock: failing(1), mincore: failing(11) });
    refuses("ENOMEM", () => mm.lock(), "mlock2");
    refuses("EPERM", () => mm.unlock(), "munlock");
    refuses("EAGAIN", () => mm.residency(), "mincore");
    ffi.play({ mlock2: () => 0, munlock: () => 0, madvise: failing(133) });
    ffi.take();
    // EHWPOISON: a page is broken.
    refuses("E133", () => mm.lock(), "madvise");
    assert.equal(ffi.take(), [
      "mlock2(0x100000000, 20000, 1)",
      "madvise(0x100000000, 20000, 22)",
      "munlock(0x100000000, 20000)",
    ]);
    // EFAULT where the file has all of the range: the disk.
    ffi.play({ madvise: failing(14) });
    refuses("EFAULT", () => mm.prefault(), "madvise");
  });
});

/** What mapping `size` bytes of a file with these options asks a system for, from mmap on. */
function mapped(system: System, options: MMapOptions, size = 20_000): string {
  const ffi = played(system, size);
  return over(system.open, ffi, () => {
    using mm = new MMap(9, 0, options);
    return ffi.take().find((call) => call.startsWith("mmap")) ?? `no mmap for ${mm.length}`;
  });
}

test("maps to be read and to be copied are private, and an offset is aligned to pages", () => {
  // MAP_PRIVATE is 2 everywhere. macOS has MAP_NORESERVE, 0x40; FreeBSD and OpenBSD have none.
  assert.is(mapped(darwin, { access: "read" }), "mmap(0, 32768, 3, 66, 20, 0)");
  assert.is(mapped(darwin, { access: "copy" }), "mmap(0, 32768, 3, 2, 20, 0)");
  assert.is(mapped(darwin, { access: "read", offset: 17_000 }), "mmap(0, 16384, 3, 66, 20, 16384)");
  for (const system of [freebsd, openbsd]) {
    assert.is(mapped(system, { access: "read" }), "mmap(0, 20480, 3, 2, 20, 0)");
    assert.is(mapped(system, { access: "copy" }), "mmap(0, 20480, 3, 2, 20, 0)");
    assert.is(mapped(system, { access: "read", offset: 17_000 }), "mmap(0, 4096, 3, 2, 20, 16384)");
  }
});

/** What an anonymous map asks a system for: to be made, to be given more memory, and to be closed. */
function anonymous(system: System, options?: MMapOptions): Record<string, string[]> {
  const ffi = played(system, 0);
  return over(system.open, ffi, () => {
    ffi.take();
    const mm = MMap.anonymous(5000, options);
    const open = ffi.take();
    mm.resize(50_000);
    const grow = ffi.take();
    mm.close();
    return { open, grow, close: ffi.take() };
  });
}

test("anonymous shared maps: macOS has no descriptor for them, and copies them to resize", () => {
  assert.equal(anonymous(darwin), {
    // MAP_ANON | MAP_SHARED is 0x1001. mmap(2): "the file descriptor [...] can be specified as -1".
    open: ["mmap(0, 16384, 3, 4097, -1, 0)"],
    // shm_open(2): `int shm_open(const char *name, int oflag, ...)`: its mode would be a variadic argument.
    grow: [
      "mmap(0, 0x10000, 3, 4097, -1, 0)",
      "memmove(0x100100000, 0x100000000, 16384)",
      "munmap(0x100000000, 16384)",
    ],
    close: ["munmap(0x100100000, 0x10000)"],
  });
});

test("anonymous shared maps: FreeBSD backs them by a shared memory object without a name", () => {
  assert.equal(anonymous(freebsd), {
    open: [
      // shm_open(2): "the constant SHM_ANON may be used for the path argument to shm_open(). In this case, an anonymous, unnamed
      // shared memory object is created"; "The new descriptor is set to close during execve(2)". sys/mman.h: `#define SHM_ANON ((char *)1)`. O_RDWR
      // is 2, 0600 is 384.
      "shm_open(1, 2, 384)",
      "ftruncate(21, 5000)",
      "mmap(0, 8192, 3, 1, 21, 0)",
    ],
    grow: [
      "fstat(21, &memory[224])",
      "ftruncate(21, 50000)",
      "mmap(0, 53248, 3, 1, 21, 0)",
      "munmap(0x100000000, 8192)",
    ],
    close: ["munmap(0x100100000, 53248)", "close(21)"],
  });
});

test("anonymous shared maps: OpenBSD backs them by a shared memory object whose name goes at once", () => {
  assert.equal(anonymous(openbsd), {
    open: [
      // shm_open(3): "If a temporary shared memory object is desired, the shm_mkstemp() function should be preferred [...] The
      // template argument is a string with at least six trailing Xs"; shm_unlink(): "The object is not freed until all
      // references to it have been released". lib/libc/gen/shm_open.c: `flags |= O_CLOEXEC | O_NOFOLLOW`.
      "shm_mkstemp(&memory[21])",
      "shm_unlink(&memory[21])",
      "ftruncate(21, 5000)",
      "mmap(0, 8192, 3, 1, 21, 0)",
    ],
    grow: [
      "fstat(21, &memory[128])",
      "ftruncate(21, 50000)",
      "mmap(0, 53248, 3, 1, 21, 0)",
      "munmap(0x100000000, 8192)",
    ],
    close: ["munmap(0x100100000, 53248)", "close(21)"],
  });
});

test("private anonymous maps keep their contents where there is no mremap", () => {
  // MAP_ANON | MAP_PRIVATE is 0x1002.
  for (const system of [freebsd, openbsd]) {
    assert.equal(anonymous(system, { flags: 2 }), {
      open: ["mmap(0, 8192, 3, 4098, -1, 0)"],
      grow: ["mmap(0, 53248, 3, 4098, -1, 0)", "memmove(0x100100000, 0x100000000, 8192)", "munmap(0x100000000, 8192)"],
      close: ["munmap(0x100100000, 53248)"],
    });
  }
});

test("Linux does not stretch shared memory that has no descriptor: it copies it", () => {
  // Pages of another size come from a pool of their own, without a memfd. MAP_HUGETLB | MAP_SHARED is 0x40001, and 21 in the
  // bits from 26 on stands for huge pages of 2 MiB.
  const flags = 0x40001 | (21 << 26);
  const joined = `0x${(flags | 0x20).toString(16)}`;
  const ffi = played(linux, 0);
  over(linux.open, ffi, () => {
    ffi.take();
    const mm = MMap.anonymous(10, { flags });
    assert.equal(ffi.take(), [`mmap(0, 0x200000, 3, ${joined}, -1, 0)`]);
    mm.resize(50_000);
    // The page has room for it.
    assert.equal(ffi.take(), []);
    mm.resize(2 ** 21 + 1);
    assert.equal(ffi.take(), [
      `mmap(0, 0x400000, 3, ${joined}, -1, 0)`,
      "memmove(0x100100000, 0x100000000, 0x200000)",
      "munmap(0x100000000, 0x200000)",
    ]);
    mm.close();
    assert.equal(ffi.take(), ["munmap(0x100100000, 0x400000)"]);
  });
});

test("memory that only its own pages have is cleared behind a new end", () => {
  for (const [system, options] of [
    [darwin, {}],
    [darwin, { flags: 2 }],
    [freebsd, { flags: 2 }],
    [openbsd, { flags: 2 }],
  ] as const) {
    const ffi = played(system, 0);
    over(system.open, ffi, () => {
      using mm = MMap.anonymous(1000, options);
      ffi.take();
      mm.resize(5);
      const rest = system.page - 5;
      assert.is(ffi.take().at(-1), `memmove(0x100000005, &memory[${rest}], ${rest})`);
    });
  }
});

test("trackfd: false refuses to resize on every system, before anything is called", () => {
  for (const system of [darwin, freebsd, openbsd, linux]) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      using file = new MMap(9, 0, { access: "write", trackfd: false });
      using memory = MMap.anonymous(10, { trackfd: false });
      ffi.take();
      refuses(TypeError, () => file.resize(1), "trackfd");
      refuses(TypeError, () => memory.resize(1), "trackfd");
      assert.equal(ffi.take(), []);
    });
  }
});

/** A system whose asynchronous I/O is played: `errors` are what aio_error gives, one after the other. */
function withAio(system: System, errors: number[]): { ffi: Recorder; blocks: Int32Array[] } {
  const ffi = played(system, 20_000);
  const blocks: Int32Array[] = [];
  let copies = 30;
  ffi.play({
    dup: () => copies++,
    fcntl: (_descriptor: number, command: number) => (command === 51 ? 0 : copies++),
    malloc: () => 0x7000,
    memcpy: (_to: number, from: Uint8Array) => {
      blocks.push(new Int32Array(from.slice().buffer));
      return 0;
    },
    aio_error: () => errors.shift() ?? 0,
  });
  return { ffi, blocks };
}

/** What flushAsync asks a system for; the map is closed while it runs. */
async function flushedInBackground(system: System, errors: number[]) {
  const { ffi, blocks } = withAio(system, errors);
  const flushed = over(system.open, ffi, () => {
    const mm = new MMap(9, 0, { access: "write", guard: false });
    ffi.take();
    const promise = mm.flushAsync(17_000, 10);
    mm.close();
    return promise;
  });
  return { flushed, blocks, ffi };
}

for (const [name, system, asked] of [
  // aio.h of glibc and of musl: aio_fildes, aio_lio_opcode, aio_reqprio (4 bytes each), aio_buf (at 16), aio_nbytes, aio_sigevent
  // (at 32): a sigval (8), sigev_signo, sigev_notify (at 44). SIGEV_NONE is 1, O_SYNC 04010000, EINPROGRESS 115; MS_ASYNC is 1.
  ["Linux", linux, { O_SYNC: "0x101000", running: 115, async: 1, notifyAt: 11, SIGEV_NONE: 1 }],
  // sys/aio.h of macOS: aio_fildes, aio_offset (at 8), aio_buf, aio_nbytes, aio_reqprio (at 32), aio_sigevent (at 40), which
  // begins with sigev_notify. sys/signal.h: SIGEV_NONE is 0; sys/fcntl.h: O_SYNC is 0x80; sys/errno.h: EINPROGRESS is 36.
  ["macOS", darwin, { O_SYNC: "128", running: 36, async: 1, notifyAt: 10, SIGEV_NONE: 0 }],
  // sys/aio.h of FreeBSD: aio_fildes, aio_offset, aio_buf, aio_nbytes, two spare ints, a spare pointer, aio_lio_opcode,
  // aio_reqprio, three private words, aio_sigevent (at 80), which begins with sigev_notify. SIGEV_NONE is 0, O_SYNC 0x80.
  ["FreeBSD", freebsd, { O_SYNC: "128", running: 36, async: 1, notifyAt: 20, SIGEV_NONE: 0 }],
] as const) {
  test(`flushAsync on ${name} waits for the system in the background`, async () => {
    const { running } = asked;
    const { flushed, blocks, ffi } = await flushedInBackground(system, [running, running, 0]);
    assert.is(await flushed, undefined);
    const calls = ffi.take().filter((call) => !/^(fcntl|dup|ioctl)/.test(call));
    const length = Math.ceil(20_000 / system.page) * system.page;
    assert.equal(calls, [
      `msync(0x100004000, 626, ${asked.async})`,
      "malloc(256)",
      "memcpy(28672, &memory[256], 256)",
      `aio_fsync(${asked.O_SYNC}, 28672)`,
      // The map is closed, and the descriptor of the request is not.
      `munmap(0x100000000, ${length})`,
      "close(30)",
      "aio_error(28672)",
      "aio_error(28672)",
      "aio_error(28672)",
      "aio_return(28672)",
      "free(28672)",
      "close(31)",
    ]);
    const [block] = blocks as [Int32Array];
    assert.equal([block[0], block[asked.notifyAt]], [31, asked.SIGEV_NONE]);
    assert.is(block.filter((word) => word !== 0).length, asked.SIGEV_NONE === 0 ? 1 : 2);
  });
}

posix("flush and flushAsync report an I/O error", async () => {
  // EIO is 5 on all of them. aio_error(3): "A positive error number, if the asynchronous I/O operation failed. This is the same
  // value that would have been stored in the errno variable".
  for (const system of [linux, darwin, freebsd]) {
    const { flushed, ffi } = await flushedInBackground(system, [5]);
    const error = await flushed.then(
      () => undefined,
      (reason) => reason,
    );
    assert.equal([error?.code, error?.errno, error?.syscall], ["EIO", 5, "aio_fsync"]);
    assert.equal(ffi.take().slice(-3), ["aio_return(28672)", "free(28672)", "close(31)"]);
  }
  for (const system of [linux, darwin, freebsd, openbsd]) {
    const ffi = played(system, 20_000);
    ffi.play({
      msync: () => {
        setErrno(ffi, 5);
        return -1;
      },
    });
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      const error = thrown(() => mm.flush()) as Error & Record<string, unknown>;
      assert.equal([error.code, error.errno, error.syscall], ["EIO", 5, "msync"]);
    });
  }
});

posix("a request that the system does not take leaves nothing behind", async () => {
  for (const system of [linux, darwin, freebsd]) {
    const { ffi } = withAio(system, []);
    ffi.play({
      aio_fsync: () => {
        // EAGAIN is 11 on Linux, 35 on the others; here it is the running system's name that matters.
        setErrno(ffi, 11);
        return -1;
      },
    });
    await over(system.open, ffi, () => {
      const mm = new MMap(9, 0, { access: "write" });
      const flushed = mm.flushAsync();
      mm.close();
      return rejects("EAGAIN", flushed, "aio_fsync");
    });
    assert.ok(ffi.take().includes("free(28672)"));
  }
});

test("OpenBSD has no asynchronous I/O: flushAsync waits, as flush does", async () => {
  const ffi = played(openbsd, 20_000);
  const flushed = over(openbsd.open, ffi, () => {
    const mm = new MMap(9, 0, { access: "write" });
    ffi.take();
    return mm.flushAsync(17_000, 10);
  });
  assert.is(await flushed, undefined);
  assert.equal(ffi.take(), ["fcntl(20, 10, 0)", "msync(0x100004000, 626, 2)", "close(20)"]);
});

posix("reserve is posix_fallocate, which returns its error, where the system has it", () => {
  for (const system of [linux, freebsd]) {
    const ffi = played(system, 20_000);
    let interruptions = 2;
    // posix_fallocate(2) of FreeBSD, as its page for Linux: "It returns an error on failure, without setting errno"; EINTR is
    // 4 and ENOSPC 28 on both.
    ffi.play({ posix_fallocate: () => (interruptions-- > 0 ? 4 : 0) });
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write", offset: 4096, guard: false });
      ffi.take();
      mm.resize(40_000, { reserve: true });
      const asked = ffi.take().filter((call) => /^(posix_f|ftrunc)/.test(call));
      const reserved = "posix_fallocate(20, 4096, 40000)";
      assert.equal(asked, ["ftruncate(20, 44096)", reserved, reserved, reserved]);
      setErrno(ffi, 12);
      ffi.play({ posix_fallocate: () => 28 });
      const error = thrown(() => mm.resize(50_000, { reserve: true })) as Error & Record<string, unknown>;
      assert.equal([error.code, error.errno, error.syscall], ["ENOSPC", 28, "posix_fallocate"]);
      assert.equal(ffi.take().slice(-2), ["posix_fallocate(20, 4096, 50000)", "ftruncate(20, 44096)"]);
      assert.is(mm.length, 40_000);
    });
  }
});

test("macOS and OpenBSD have nothing to reserve with, and say so before anything is called", () => {
  // fcntl(2) of macOS: F_PREALLOCATE takes a fstore_t by a variadic argument. OpenBSD has neither that nor posix_fallocate.
  for (const system of [darwin, openbsd]) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      ffi.take();
      refuses(TypeError, () => mm.resize(40_000, { reserve: true }), "reserve", "posix_fallocate");
      assert.equal(ffi.take(), []);
      const path = newPath();
      refuses(TypeError, () => MMap.open(path, { create: true, length: 10, reserve: true }), "reserve");
      assert.is(existsSync(path), false);
    });
  }
});

test("pages that the file lost are put out under a view that escaped", () => {
  // MAP_PRIVATE | MAP_ANON | MAP_FIXED is 0x1012, with macOS's MAP_NORESERVE 0x1052.
  for (const [system, flags] of [
    [darwin, 0x1052],
    [freebsd, 0x1012],
    [openbsd, 0x1012],
  ] as const) {
    const ffi = played(system, 40_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      structuredClone(mm.buffer, { transfer: [mm.buffer] });
      ffi.take();
      mm.resize(system.page);
      const calls = ffi.take().filter((call) => /^(mmap|munmap|ftruncate)/.test(call));
      const whole = Math.ceil(40_000 / system.page) * system.page;
      assert.equal(calls, [
        `mmap(0, ${system.page}, 3, 1, 20, 0)`,
        `ftruncate(20, ${system.page})`,
        `mmap(0x${(MAPPED + system.page).toString(16)}, ${whole - system.page}, 3, ${flags}, -1, 0)`,
      ]);
    });
  }
});

posix("each system reads errno where it has it, and nothing is left open", () => {
  for (const [system, call] of [
    [darwin, "fcntl(20, 51)"],
    [freebsd, "fcntl(9, 17, 0)"],
    [openbsd, "fcntl(9, 10, 0)"],
    [linux, "fcntl(9, 1030, 0)"],
  ] as const) {
    const ffi = played(system, 20_000);
    ffi.play({
      mmap: () => {
        // ENOMEM is 12 on all four.
        setErrno(ffi, 12);
        return -1;
      },
    });
    over(system.open, ffi, () => {
      const error = thrown(() => new MMap(9, 0, { access: "write" })) as Error & Record<string, unknown>;
      assert.equal([error.code, error.errno, error.syscall], ["ENOMEM", 12, "mmap"]);
      const calls = ffi.take();
      assert.ok(calls.includes(call), calls.join());
      assert.is(calls.at(-1), "close(20)");
    });
  }
});

test("macOS maps what its file system can't synchronize, and closes a copy that it can't make close-on-exec", () => {
  const ffi = played(darwin, 20_000);
  // fcntl(2): F_FULLFSYNC "is currently implemented on HFS, MS-DOS (FAT), UDF and APFS".
  ffi.play({ fcntl: () => -1 });
  over(darwin.open, ffi, () => {
    new MMap(9, 0, { access: "read" }).close();
    ffi.play({
      ioctl: () => {
        setErrno(ffi, 9);
        return -1;
      },
    });
    ffi.take();
    assert.is((thrown(() => new MMap(9, 0)) as Error & { syscall: string }).syscall, "ioctl");
    assert.equal(ffi.take().slice(-2), ["ioctl(20, 0x20006601)", "close(20)"]);
  });
});

test("OpenBSD closes a shared memory object whose name does not go", () => {
  const ffi = played(openbsd, 0);
  ffi.play({
    shm_unlink: () => {
      setErrno(ffi, 1);
      return -1;
    },
  });
  over(openbsd.open, ffi, () => {
    assert.is((thrown(() => MMap.anonymous(1)) as Error & { syscall: string }).syscall, "shm_unlink");
    assert.is(ffi.take().at(-1), "close(21)");
  });
});

/** C's variadic functions, with the number of their named parameters. */
const NAMED: Record<string, number> = {
  fcntl: 2,
  ioctl: 2,
  open: 2,
  openat: 3,
  shm_open: 2,
  sem_open: 2,
  semctl: 3,
  syscall: 1,
  mremap: 4,
};

test("macOS is never passed a variadic argument", () => {
  // Apple's document on its arm64 ABI: variadic arguments are passed on the stack, where others expect them in registers.
  for (const { open, stat } of [darwin, darwinIntel]) {
    const ffi = recorder();
    open(ffi, errorFactory);
    const names = ffi.opened.flatMap(({ signatures }) => Object.keys(signatures));
    for (const name of ["mmap", "munmap", "msync", "madvise", "ftruncate", "close", stat])
      assert.ok(names.includes(name));
    for (const { signatures } of ffi.opened) {
      for (const [name, { parameters }] of Object.entries(signatures)) {
        const named = NAMED[name] ?? parameters.length;
        assert.ok(parameters.length <= named, `${name} is passed ${parameters.length - named} variadic arguments`);
      }
    }
  }
});

const limit = existsSync("/proc/sys/vm/max_map_count")
  ? Number(readFileSync("/proc/sys/vm/max_map_count", "latin1"))
  : Number.POSITIVE_INFINITY;

unless(limit > 1_000_000 && "the system's limit is too far away", test)(
  "Linux leaves the runtime some of the mappings that a process may have",
  () => {
    // Documentation/admin-guide/sysctl/vm.rst: max_map_count "contains the maximum number of memory map areas a process may
    // have".
    const platform = linuxPlatform(played(linux, 4096), errorFactory);
    const request = { descriptor: 9, access: "read", prot: undefined, flags: undefined, tagname: undefined } as const;
    const page = { descriptor: 9, length: 4096, offset: 0, protection: platform.protection(request) };
    for (let made = 0; made < limit - 4096; made++) platform.map(page);
    refuses("ENOMEM", () => platform.map(page), "vm.max_map_count", String(limit));
    platform.unmap(MAPPED, 4096);
    platform.map(page);
    refuses("ENOMEM", () => platform.map(page));
  },
);

test("flags that make memory which may kill the process are refused", () => {
  // pthread_jit_write_protect_np(3) of macOS: "MAP_JIT regions are never writeable and executable simultaneously", for each
  // thread on its own. mmap(2) of FreeBSD: "Any memory access to the guarded range results in the delivery of a SIGSEGV
  // signal"; "the system uses guards to prevent the inadvertent use of regions into which stacks created with MAP_STACK will
  // automatically grow", and the lowest pages stay one.
  const wrong: [System, number, string][] = [
    [darwin, 0x802, "MAP_JIT"],
    [darwin, 0x80002, "MAP_TPRO"],
    [freebsd, 0x402, "MAP_STACK"],
    [freebsd, 0x4001, "MAP_FIXED"],
    [openbsd, 0x11, "MAP_FIXED"],
  ];
  for (const [system, flags, name] of wrong) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      ffi.take();
      refuses(RangeError, () => new MMap(9, 0, { flags }), "flags", String(flags), name);
      assert.equal(ffi.take(), []);
    });
  }
  assert.is(mapped(openbsd, { flags: 0x4002 }), "mmap(0, 20480, 3, 16386, 20, 0)");
});

test("advice that a system lacks is refused", () => {
  for (const [system, advice] of [
    [darwin, 10],
    [freebsd, 11],
    [openbsd, 5],
    [linux, 100],
  ] as const) {
    const ffi = played(system, 20_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "read" });
      ffi.take();
      refuses(RangeError, () => mm.madvise(advice), "option", String(advice));
      assert.equal(ffi.take(), []);
    });
  }
});

test("bytes are written by memmove, for their source may be a view of the same memory", () => {
  // C99 with its corrigenda (ISO/IEC 9899:TC3), 7.21.2.1 on memcpy: "If copying takes place between objects that overlap, the
  // behavior is undefined." musl's repeats the first bytes.
  for (const system of [darwin, freebsd, openbsd, linux]) {
    const ffi = played(system, 200_000);
    over(system.open, ffi, () => {
      using mm = new MMap(9, 0, { access: "write" });
      ffi.take();
      mm.write(new Uint8Array(100_000));
      assert.equal(ffi.take(), ["memmove(0x100000000, &memory[100000], 0x186a0)"]);
    });
  }
});

test("macOS finds the last byte with memchr alone", () => {
  const content = new Uint8Array(3_000_000).fill(1);
  for (let index = 0; index < content.length; index += 4099) content[index] = 2;
  content[0] = 7;
  content[1_234_567] = 8;
  content[2_999_999] = 9;
  const ffi = played(darwin, 0);
  ffi.play({
    memchr: (address: number, byte: number, length: number) => {
      const at = content.subarray(address - MAPPED, address - MAPPED + length).indexOf(byte);
      return at === -1 ? 0 : address + at;
    },
  });
  const platform = darwinPlatform(ffi, errorFactory, "arm64");
  for (const byte of [1, 2, 3, 7, 8, 9]) {
    for (const [start, end] of [
      [0, 3_000_000],
      [1, 2_999_999],
      [1_234_567, 1_234_568],
      [4098, 4100],
    ] as const) {
      ffi.take();
      const wanted = content.subarray(start, end).lastIndexOf(byte);
      assert.is(
        platform.findLastBytes(MAPPED + start, end - start, Uint8Array.of(byte)),
        wanted,
        `${byte} from ${start} to ${end}`,
      );
      assert.ok(ffi.take().length < 40);
    }
  }
});

test("libraries: each system's own name", () => {
  const opened = ({ open }: System) => {
    const ffi = recorder();
    open(ffi, errorFactory);
    return [...new Set(ffi.opened.map(({ libraries }) => libraries.join()))];
  };
  assert.equal(opened(darwin), ["/usr/lib/libSystem.B.dylib"]);
  assert.equal(opened(freebsd), ["libc.so.7"]);
  // libexec/ld.so/library_subr.c of OpenBSD: a name without a version matches any, and the largest found is loaded.
  assert.equal(opened(openbsd), ["libc.so"]);
  assert.equal(opened(linux), [librariesFor(process.arch).join()]);
});

test("libraries: Linux tries glibc's name and then musl's", () => {
  assert.equal(librariesFor("x64"), ["libc.so.6", "libc.musl-x86_64.so.1", "/lib/ld-musl-x86_64.so.1"]);
  assert.equal(librariesFor("arm64"), ["libc.so.6", "libc.musl-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"]);
  for (const present of librariesFor("x64")) {
    const tried: string[] = [];
    const opened = openFirst(librariesFor("x64"), (library) => {
      tried.push(library);
      if (library !== present) throw new Error(`${library}: cannot open shared object file`);
      return library;
    });
    assert.is(opened, present);
    assert.equal(tried, librariesFor("x64").slice(0, librariesFor("x64").indexOf(present) + 1));
  }
});

test("Linux asks fstat where the C library has no statx", () => {
  // bits/stat.h in Debian's musl-dev 1.2.3. For x86_64: dev_t, ino_t, nlink_t (8 bytes each), mode_t (4, at 24), uid_t, gid_t,
  // __pad0 (4 each), dev_t (8), off_t st_size (at 48): 144 in all. For aarch64: dev_t, ino_t (8 each), mode_t (4, at 16),
  // nlink_t, uid_t, gid_t (4 each), dev_t, __pad (8 each), off_t st_size (at 48): 128 in all.
  const musl: System = { ...linux, stat: "fstat", modeAt: process.arch === "x64" ? 24 : 16, sizeAt: 48 };
  const ffi = played(musl, 20_000);
  const { open } = ffi;
  ffi.open = (libraries, signatures) => {
    if ("statx" in signatures) throw new Error("Symbol not found: statx");
    return open(libraries, signatures);
  };
  over(musl.open, ffi, () => {
    ffi.take();
    using mm = new MMap(9, 0, { access: "read", guard: false });
    assert.is(mm.size(), 20_000);
    assert.equal(ffi.take(), [
      "fstat(9, &memory[144])",
      "fcntl(9, 1030, 0)",
      "mmap(0, 20480, 3, 16386, 20, 0)",
      "fstat(20, &memory[144])",
    ]);
  });
});

test("a system that nobody wrote a platform for says so", () => {
  const error = thrown(() => openPlatform(errorFactory, "sunos"));
  assert.is(error.name, "PlatformUnavailable");
  for (const part of ['"sunos"', "linux", "darwin", "freebsd", "openbsd"]) {
    assert.ok(error.message.includes(part), error.message);
  }
});

test.run();
