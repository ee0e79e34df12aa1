/**
 * Linux, with glibc or musl.
 *
 * @see https://man7.org/linux/man-pages/man2/mmap.2.html
 * @module
 */

import { arch, builtins } from "../ffi/builtins.ts";
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
import { sigbusGuard } from "./sigbus/mod.ts";
import type { Constants, ErrorFactory, FileStatus, Platform } from "./types.ts";

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

const ENOMEM = 12;
const MREMAP_MAYMOVE = 1;
const MFD_CLOEXEC = 1;
const MLOCK_ONFAULT = 1;
const F_DUPFD_CLOEXEC = 1030;
const AT_EMPTY_PATH = 0x1000;
const STATX_TYPE = 0x1;
const STATX_SIZE = 0x200;

/** From glibc's and musl's aio.h, fcntl.h and bits/siginfo.h; older glibc has the functions in a library of their own. */
const AIO = { O_SYNC: 0x101000, EINPROGRESS: 115, SIGEV_NONE: 1, notifyAt: 44 };

const SIGNATURES = {
  // int *__errno_location(void);
  __errno_location: { parameters: [], result: "pointer" },
  // void *mremap(void *old_address, size_t old_size, size_t new_size, int flags, ... /* void *new_address */);
  mremap: { parameters: ["pointer", "usize", "usize", "i32"], result: "pointer" },
  // int fcntl(int fd, int cmd, ... /* int arg */);
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { parameters: ["bytes", "u32"], result: "i32" },
  // int mlock2(const void *addr, size_t len, unsigned int flags);
  mlock2: { parameters: ["pointer", "usize", "u32"], result: "i32" },
  // int mincore(void *addr, size_t length, unsigned char *vec);
  mincore: { parameters: ["pointer", "usize", "bytes"], result: "i32" },
} as const;

const STATX = {
  // int statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx *statxbuf);
  statx: { parameters: ["i32", "bytes", "i32", "u32", "bytes"], result: "i32" },
} as const;

const FSTAT = {
  // int fstat(int fd, struct stat *statbuf);
  fstat: { parameters: ["i32", "bytes"], result: "i32" },
} as const;

/** The architectures as musl names its library's file. */
const MUSL_ARCHITECTURES: Record<string, string> = { x64: "x86_64", arm64: "aarch64" };

/** glibc's file name, then musl's: as Alpine calls it, and its loader, which is the library and lies there on every system. */
export function librariesFor(arch: string): string[] {
  const musl = MUSL_ARCHITECTURES[arch] ?? arch;
  return ["libc.so.6", `libc.musl-${musl}.so.1`, `/lib/ld-musl-${musl}.so.1`];
}

/** Makes the function that asks for a descriptor's status. */
function statusReader(ffi: Ffi, libraries: string[], fail: Fail): (descriptor: number) => FileStatus {
  try {
    const c = ffi.open(libraries, STATX);
    const noPath = Uint8Array.of(0);
    // struct statx is the same on every architecture: stx_mode is 16 bits at byte 28, stx_size 64 bits at byte 40.
    const statx = statusMemory(256, 28, 40);
    return (descriptor) => {
      if (c.statx(descriptor, noPath, AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, statx.memory) !== 0) fail("statx");
      return statx.read();
    };
  } catch {
    // musl before 1.2.5 lacks statx; glibc before 2.33 lacks fstat.
    const c = ffi.open(libraries, FSTAT);
    // struct stat: st_mode is 32 bits at byte 24 on x64, at byte 16 on arm64; st_size 64 bits at byte 48 on both.
    const stat = statusMemory(144, arch === "x64" ? 24 : 16, 48);
    return (descriptor) => {
      if (c.fstat(descriptor, stat.memory) !== 0) fail("fstat");
      return stat.read();
    };
  }
}

/**
 * How many of the mappings that the system allows a process are left to the runtime. One that is refused memory of its own
 * ends the process.
 */
const HEADROOM = 4096;

/** With fewer mappings than this the limit is far: nobody sets it so low. */
const MANY = 16_384;

/** How many mappings the system allows a process. No limit where it may not be read: the system then refuses by itself. */
function mostMappings(): number | undefined {
  try {
    return Number(builtins().readFileSync("/proc/sys/vm/max_map_count", "latin1"));
  } catch (error) {
    // Without a descriptor for it, another time: there may be one then.
    return (error as { code?: string }).code === "EMFILE" ? undefined : Number.POSITIVE_INFINITY;
  }
}

export function linuxPlatform(ffi: Ffi, errors: ErrorFactory): Platform {
  const libraries = librariesFor(arch);
  const c = ffi.open(libraries, SIGNATURES);
  const fail: Fail = errnoReader(ffi, c.__errno_location(), errors);

  const posix = posixPlatform(
    ffi,
    {
      libraries,
      constants,
      hasFastMemmem: true,
      refusedFlags: [],
      aio: { ...AIO, libraries: ["librt.so.1", ...libraries] },
    },
    fail,
  );
  let most: number | undefined;
  let mappings = 0;
  return {
    ...posix,
    map(request) {
      // Not asked before there are many: a runtime may ask its user whether it may be read.
      if (mappings >= MANY) most ??= mostMappings();
      if (most !== undefined && mappings >= most - HEADROOM) {
        const meaning = `vm.max_map_count allows the process ${most} mappings, and this thread has ${mappings}`;
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
      if ((protection.flags & (constants.MAP_HUGETLB as number)) === 0) return protection;
      // The pool would be asked at the first touch, and an empty one answers that by SIGBUS.
      if ((protection.flags & (constants.MAP_NORESERVE as number)) !== 0) {
        throw new RangeError(
          `flags must not have MAP_NORESERVE with MAP_HUGETLB, which makes memory that may kill the process: got ${protection.flags}`,
        );
      }
      return { ...protection, unit: hugePageSize(protection.flags) };
    },
    guard: sigbusGuard(ffi, libraries, posix.pageSize),
    remap(address, length, request) {
      // Shared memory without a file does not grow with its mapping: a touch of what is new would kill the process.
      if (request.descriptor === -1 && request.protection.shared) return posix.remap(address, length, request);
      const moved = c.mremap(address, length, request.length, MREMAP_MAYMOVE);
      if (moved === -1) fail("mremap");
      return moved;
    },
    lock(address, length, ofFile) {
      if (!ofFile) return posix.lock(address, length, ofFile);
      if (c.mlock2(address, length, MLOCK_ONFAULT) !== 0) fail("mlock2");
    },
    residency: residencyReader(c.mincore, fail),
    populate(address, length, write) {
      const { MADV_POPULATE_READ, MADV_POPULATE_WRITE } = constants as Record<string, number>;
      try {
        posix.advise(address, length, (write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) as number);
        return true;
      } catch (error) {
        // A kernel before 5.14 does not know them.
        if ((error as { code?: string }).code === "EINVAL") return false;
        throw error;
      }
    },
    status: statusReader(ffi, libraries, fail),
    allocateBlocks: blockAllocator(ffi, libraries, fail),
    duplicate: duplicator(c.fcntl, F_DUPFD_CLOEXEC, fail),
    anonymousFile(protection) {
      // Huge pages come from a pool of their own, which a memfd made here would not draw from.
      if ((protection.flags & (constants.MAP_HUGETLB as number)) !== 0) return -1;
      const descriptor = c.memfd_create(MEMFD_NAME, MFD_CLOEXEC);
      if (descriptor === -1) fail("memfd_create");
      return descriptor;
    },
  };
}

const MEMFD_NAME = new TextEncoder().encode("mmap-ffi\0");

/** The size in bytes of the huge pages that `flags` ask for: its power of two is in them, or they want the default. */
function hugePageSize(flags: number): number {
  const power = (flags >>> (constants.MAP_HUGE_SHIFT as number)) & 0x3f;
  if (power !== 0) return 2 ** power;
  const kibibytes = /^Hugepagesize:\s+(\d+) kB$/m.exec(builtins().readFileSync("/proc/meminfo", "latin1"))?.[1];
  return kibibytes === undefined ? 2 ** 21 : Number(kibibytes) * 1024;
}
