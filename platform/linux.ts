/**
 * Linux, with glibc or musl.
 *
 * @see https://man7.org/linux/man-pages/man2/mmap.2.html
 * @module
 */

import { arch, builtins } from "../ffi/builtins.ts";
import {
  Int32Array,
  Number,
  NumberParseInt,
  RegExpPrototypeExec,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  Uint8Array,
} from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { errnoReader, type Fail } from "./errno.ts";
import { cString } from "./libc.ts";
import {
  blockAllocator,
  duplicator,
  posixPlatform,
  residencyReader,
  SHARED_SIGNATURES,
  statusReader,
} from "./posix.ts";
import { sigbusGuard } from "./sigbus/mod.ts";
import type { Constants, ErrorFactory, Platform } from "./types.ts";

/** From the kernel's uapi headers: asm-generic/mman.h, asm-generic/mman-common.h and linux/mman.h. */
const COMMON = {
  PROT_NONE: 0x0,
  PROT_READ: 0x1,
  PROT_WRITE: 0x2,
  PROT_EXEC: 0x4,
  MAP_SHARED: 0x01,
  MAP_PRIVATE: 0x02,
  MAP_SHARED_VALIDATE: 0x03,
  MAP_FIXED: 0x10,
  MAP_ANON: 0x20,
  MAP_ANONYMOUS: 0x20,
  MAP_GROWSDOWN: 0x100,
  MAP_DENYWRITE: 0x800,
  MAP_EXECUTABLE: 0x1000,
  MAP_LOCKED: 0x2000,
  MAP_NORESERVE: 0x4000,
  MAP_POPULATE: 0x8000,
  MAP_NONBLOCK: 0x10000,
  MAP_STACK: 0x20000,
  MAP_HUGETLB: 0x40000,
  MAP_SYNC: 0x80000,
  MAP_FIXED_NOREPLACE: 0x100000,
  MAP_HUGE_SHIFT: 26,
  MADV_NORMAL: 0,
  MADV_RANDOM: 1,
  MADV_SEQUENTIAL: 2,
  MADV_WILLNEED: 3,
  MADV_DONTNEED: 4,
  MADV_FREE: 8,
  MADV_REMOVE: 9,
  MADV_DONTFORK: 10,
  MADV_DOFORK: 11,
  MADV_MERGEABLE: 12,
  MADV_UNMERGEABLE: 13,
  MADV_HUGEPAGE: 14,
  MADV_NOHUGEPAGE: 15,
  MADV_DONTDUMP: 16,
  MADV_DODUMP: 17,
  MADV_WIPEONFORK: 18,
  MADV_KEEPONFORK: 19,
  MADV_COLD: 20,
  MADV_PAGEOUT: 21,
  MADV_POPULATE_READ: 22,
  MADV_POPULATE_WRITE: 23,
  MADV_DONTNEED_LOCKED: 24,
  MADV_COLLAPSE: 25,
  MADV_HWPOISON: 100,
  MADV_SOFT_OFFLINE: 101,
  MS_ASYNC: 0x1,
  MS_INVALIDATE: 0x2,
  MS_SYNC: 0x4,
  _SC_PAGESIZE: 30,
};

/** The constants of an architecture, by its name in `process.arch`. */
export function constantsFor(arch: string): Constants {
  // The x86 architecture alone has MAP_32BIT.
  return arch === "x64" ? { ...COMMON, MAP_32BIT: 0x40 } : COMMON;
}

/** The running architecture's constants. */
export const constants: Constants = constantsFor(arch);

const { MADV_POPULATE_READ, MADV_POPULATE_WRITE, MAP_HUGE_SHIFT, MAP_HUGETLB, MAP_NORESERVE } = COMMON;
const READ_WRITE = COMMON.PROT_READ | COMMON.PROT_WRITE;
const RESERVING = COMMON.MAP_PRIVATE | COMMON.MAP_ANONYMOUS | MAP_NORESERVE;
const REPLACING = COMMON.MAP_SHARED | COMMON.MAP_FIXED | MAP_NORESERVE;

const ENOMEM = 12;
const MREMAP_MAYMOVE = 1;
const MREMAP_FIXED = 2;
const MFD_CLOEXEC = 1;
const MLOCK_ONFAULT = 1;
const F_DUPFD_CLOEXEC = 1030;
const AT_EMPTY_PATH = 0x1000;
const STATX_TYPE = 0x1;
const STATX_SIZE = 0x200;

/** From glibc's and musl's aio.h, fcntl.h and bits/siginfo.h. Older glibc has the functions in librt. */
const AIO = { O_SYNC: 0x101000, EINPROGRESS: 115, SIGEV_NONE: 1, notifyAt: 44 };

const SIGNATURES = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int *__errno_location(void);
  __errno_location: { parameters: [], result: "pointer" },
  // void *mremap(void *old_address, size_t old_size, size_t new_size, int flags, ... /* void *new_address */);
  mremap: { parameters: ["pointer", "usize", "usize", "i32", "pointer"], result: "pointer" },
  fcntl: SHARED_SIGNATURES.fcntl,
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { parameters: ["bytes", "u32"], result: "i32" },
  // int mlock2(const void *addr, size_t len, unsigned int flags);
  mlock2: { parameters: ["pointer", "usize", "u32"], result: "i32" },
  mincore: SHARED_SIGNATURES.mincore,
} as const;

const STATX = {
  // int statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx *statxbuf);
  statx: { parameters: ["i32", "bytes", "i32", "u32", "bytes"], result: "i32" },
} as const;

const FSTATFS = {
  // int fstatfs(int fd, struct statfs *buf);
  fstatfs: { parameters: ["i32", "bytes"], result: "i32" },
} as const;

/** From linux/magic.h. */
const HUGETLBFS_MAGIC = 0x958458f6;

const FSTAT = { fstat: SHARED_SIGNATURES.fstat } as const;

/** The names of architectures in the file names of musl's library. */
const MUSL_ARCHITECTURES: Record<string, string> = { x64: "x86_64", arm64: "aarch64" };

/** glibc's file name, then musl's: Alpine's, and that of musl's loader, which is the library and is at this path everywhere. */
export function librariesFor(arch: string): readonly [glibc: string, musl: string, loader: string] {
  const musl = MUSL_ARCHITECTURES[arch] ?? arch;
  return ["libc.so.6", `libc.musl-${musl}.so.1`, `/lib/ld-musl-${musl}.so.1`];
}

/** Makes `Platform.status`. */
function linuxStatusReader(ffi: Ffi, libraries: readonly string[], fail: Fail): Platform["status"] {
  const fileSystem = new Int32Array(32);
  const bytes = new Uint8Array(fileSystem.buffer);
  const { fstatfs } = ffi.open(libraries, FSTATFS);
  // struct statfs begins with f_type.
  const onHugePages = (descriptor: number) =>
    fstatfs(descriptor, bytes) === 0 && (fileSystem[0] as number) >>> 0 === HUGETLBFS_MAGIC;
  try {
    const { statx } = ffi.open(libraries, STATX);
    const noPath = new Uint8Array(1);
    const fill = (descriptor: number, status: Uint8Array) =>
      statx(descriptor, noPath, AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, status);
    // struct statx is the same on every architecture: stx_blksize is 32 bits at byte 4, stx_mode 16 bits at byte 28,
    // stx_size 64 bits at byte 40.
    const layout = { name: "statx", length: 256, modeAt: 28, sizeAt: 40, blockSizeAt: 4 };
    return statusReader(fill, layout, fail, onHugePages);
  } catch {
    // musl before 1.2.5 has no statx, and glibc before 2.33 no fstat.
    const { fstat } = ffi.open(libraries, FSTAT);
    // struct stat: st_mode is 32 bits at byte 24 on x64, at byte 16 on arm64; on both, st_size is 64 bits at byte 48, and the
    // low half of st_blksize at byte 56.
    const layout = { name: "fstat", length: 144, modeAt: arch === "x64" ? 24 : 16, sizeAt: 48, blockSizeAt: 56 };
    return statusReader(fstat, layout, fail, onHugePages);
  }
}

/**
 * How many of the mappings that the system allows a process are left to the runtime, which ends the process when it is
 * refused memory.
 */
const HEADROOM = 4096;

/** With fewer mappings than this, the limit is not read: nobody sets it so low. */
const FEW_MAPPINGS = 16_384;

/** How many mappings the system allows a process; `Infinity` if that may not be read, so that the system alone decides. */
function mappingLimit(): number | undefined {
  try {
    return Number(builtins().readFileSync("/proc/sys/vm/max_map_count", "latin1"));
  } catch (error) {
    // No descriptor is free to read it with. Try again at the next map.
    return (error as { code?: string }).code === "EMFILE" ? undefined : Number.POSITIVE_INFINITY;
  }
}

/** The permissions of the mapping at an address, as /proc/self/maps has them ("rw-p"); undefined if it cannot be read. */
function permissionsAt(address: number): string | undefined {
  try {
    const maps = builtins().readFileSync("/proc/self/maps", "latin1");
    for (let at = 0; at < maps.length; at = StringPrototypeIndexOf(maps, "\n", at) + 1) {
      const line = RegExpPrototypeExec(/^([0-9a-f]+)-([0-9a-f]+) (....)/, StringPrototypeSlice(maps, at, at + 64));
      if (line === null) return undefined;
      const start = NumberParseInt(line[1] as string, 16);
      const end = NumberParseInt(line[2] as string, 16);
      if (start <= address && address < end) return line[3];
    }
  } catch {
    // The runtime's permissions do not include /proc.
  }
  return undefined;
}

/** How many mappings the process has: fewer than this module has made if the kernel has joined neighbours. */
function countMappings(): number | undefined {
  try {
    const maps = builtins().readFileSync("/proc/self/maps", "latin1");
    let count = 0;
    for (let index = 0; index < maps.length; index++) if (maps[index] === "\n") count++;
    return count;
  } catch {
    return undefined;
  }
}

export function linuxPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const libraries = librariesFor(arch);
  const c = ffi.open(libraries, SIGNATURES);
  const fail = errnoReader(ffi, c.__errno_location(), errors);
  const posix = posixPlatform(
    ffi,
    {
      libraries,
      constants,
      hasFastMemmem: true,
      refusedFlags: [],
      aio: { ...AIO, libraries: ["librt.so.1", libraries[0], libraries[1], libraries[2]] },
    },
    fail,
  );

  /** Whether the kernel knows an advice: it checks that first, and then has nothing to do for an empty range. */
  function accepts(advice: number, address: number): boolean {
    try {
      posix.advise(address, 0, advice);
      return true;
    } catch {
      return false;
    }
  }

  let limit: number | undefined;
  let mappings = 0;
  let hasRetired = false;
  /** An empty file, which lasts as long as the process. */
  let emptyFile = -1;
  return {
    ...posix,
    map(request) {
      // Not read before there are many mappings: a runtime may ask its user for the permission.
      if (mappings >= FEW_MAPPINGS) limit ??= mappingLimit();
      if (hasRetired && limit !== undefined && mappings >= limit - HEADROOM) mappings = countMappings() ?? mappings;
      if (limit !== undefined && mappings >= limit - HEADROOM) {
        const meaning = `vm.max_map_count allows the process ${limit} mappings, and it has ${mappings}`;
        throw errors.system("mmap", ENOMEM, "ENOMEM", meaning);
      }
      const address = posix.map(request);
      mappings++;
      return address;
    },
    unmap(address, length) {
      posix.unmap(address, length);
      mappings--;
    },
    protection(request) {
      const protection = posix.protection(request);
      if ((protection.flags & MAP_HUGETLB) === 0) return protection;
      // The pages would be taken from the pool at the first access, which is SIGBUS if the pool is empty.
      if ((protection.flags & MAP_NORESERVE) !== 0) {
        throw new RangeError(
          `flags must not have MAP_NORESERVE with MAP_HUGETLB, because such memory may kill the process: got ${protection.flags}`,
        );
      }
      return { ...protection, unit: hugePageSize(protection.flags) };
    },
    retire(address, length, guarded) {
      hasRetired = true;
      if (guarded && emptyFile === -1) emptyFile = c.memfd_create(EMPTY_NAME, MFD_CLOEXEC);
      if (!guarded || emptyFile === -1) return posix.retire?.(address, length, false);
      // No page of an empty file can be read or written: a system call fails with EFAULT, and for what the process itself
      // reads the guard provides zeros. The offset makes neighbours continue each other: the kernel joins them to one mapping.
      if (c.mmap(address, length, READ_WRITE, REPLACING, emptyFile, address) === -1) fail("mmap");
    },
    guard: sigbusGuard(ffi, libraries, posix.pageSize),
    remapping: {
      extend: (address, length, newLength) => c.mremap(address, length, newLength, 0, 0) !== -1,
      reserve(length) {
        const address = c.mmap(0, length, COMMON.PROT_NONE, RESERVING, -1, 0);
        if (address === -1) fail("mmap");
        return address;
      },
      move(address, length, reserved, newLength) {
        // SAFETY: MREMAP_FIXED replaces what is at `reserved`, which is the caller's own reservation.
        if (c.mremap(address, length, newLength, MREMAP_MAYMOVE | MREMAP_FIXED, reserved) === -1) fail("mremap");
      },
      isReserved: (address) => permissionsAt(address)?.startsWith("---"),
    },
    lock(address, length, ofFile) {
      if (!ofFile) return posix.lock(address, length, ofFile);
      if (c.mlock2(address, length, MLOCK_ONFAULT) !== 0) fail("mlock2");
    },
    residency: residencyReader(c.mincore, fail),
    populate(address, length, write) {
      const advice = write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;
      try {
        posix.advise(address, length, advice);
        return true;
      } catch (error) {
        // Either a kernel before 5.14, or memory that the kernel itself may not access (memfd_secret), but the process can.
        // What cannot be written in another way is an error of the call, if the kernel knows the advice.
        if ((error as { code?: string }).code !== "EINVAL" || (write && accepts(advice, address))) throw error;
        return false;
      }
    },
    status: linuxStatusReader(ffi, libraries, fail),
    allocateBlocks: blockAllocator(ffi, libraries, fail),
    duplicate: duplicator(c.fcntl, F_DUPFD_CLOEXEC, fail),
    anonymousFile(protection) {
      // Huge pages come from a separate pool, which a memfd made here would not use.
      if ((protection.flags & MAP_HUGETLB) !== 0) return -1;
      const descriptor = c.memfd_create(MEMFD_NAME, MFD_CLOEXEC);
      if (descriptor === -1) fail("memfd_create");
      return descriptor;
    },
  };
}

const MEMFD_NAME = cString("mmap-ffi");
const EMPTY_NAME = cString("retired by mmap-ffi");

/** The size in bytes of the huge pages that `flags` ask for: the power of two that is in them, or else the default size. */
function hugePageSize(flags: number): number {
  const power = (flags >>> MAP_HUGE_SHIFT) & 0x3f;
  if (power !== 0) return 2 ** power;
  const meminfo = builtins().readFileSync("/proc/meminfo", "latin1");
  const kibibytes = RegExpPrototypeExec(/^Hugepagesize:\s+(\d+) kB$/m, meminfo)?.[1];
  return kibibytes === undefined ? 2 ** 21 : Number(kibibytes) * 1024;
}
