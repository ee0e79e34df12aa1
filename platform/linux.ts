/**
 * Linux, with glibc or musl.
 *
 * @see https://man7.org/linux/man-pages/man2/mmap.2.html
 * @module
 */

import { arch as runningArch } from "../ffi/builtins.ts";
import { Uint8Array } from "../ffi/primordials.ts";
import type { Ffi, Functions } from "../ffi/types.ts";
import type { Aio } from "./aio.ts";
import { errnoReader, type Fail } from "./errno.ts";
import { futexWaiting } from "./futex.ts";
import { cString } from "./libc.ts";
import { AIO, constantsFor, type LinuxConstants, NUMBERS, STATX, statFor, statfsFor } from "./linux-headers.ts";
import { ofdLocks } from "./ofd-lock.ts";
import { blockAllocator, duplicator, posixPlatform, residencyReader, SHARED_SIGNATURES } from "./posix.ts";
import { countMappings, defaultHugePageSize, mappingLimit, permissionsAt } from "./proc.ts";
import { flags } from "./protection.ts";
import { sigbusGuard } from "./sigbus/mod.ts";
import { fieldReader, statusReader } from "./status.ts";
import type { Constants, ErrorFactory, Platform } from "./types.ts";

/** The running architecture's constants. */
export const constants: Constants = constantsFor(runningArch);

const { AT_EMPTY_PATH, EINVAL, ENOMEM, F_DUPFD_CLOEXEC, HUGETLBFS_MAGIC, PR_SET_VMA, PR_SET_VMA_ANON_NAME } = NUMBERS;
const { MFD_CLOEXEC, MLOCK_ONFAULT, MREMAP_FIXED, MREMAP_MAYMOVE, STATX_SIZE, STATX_TYPE } = NUMBERS;

export const SIGNATURES = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // void *mremap(void *old_address, size_t old_size, size_t new_size, int flags, ... /* void *new_address */);
  mremap: { parameters: ["pointer", "usize", "usize", "i32", "pointer"], result: "pointer" },
  fcntl: SHARED_SIGNATURES.fcntl,
  mincore: SHARED_SIGNATURES.mincore,
  // int prctl(int option, ... /* unsigned long, void *addr, size_t, const char *name */);
  prctl: { parameters: ["i32", "usize", "pointer", "usize", "bytes"], result: "i32" },
} as const;

// glibc has them since 2.27, musl since 1.1.20, Android since version 11.
export const NEWER_SIGNATURES = {
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { parameters: ["bytes", "u32"], result: "i32" },
  // int mlock2(const void *addr, size_t len, unsigned int flags);
  mlock2: { parameters: ["pointer", "usize", "u32"], result: "i32" },
} as const;

export const ERRNO_SIGNATURES = {
  // int *__errno_location(void);
  __errno_location: { parameters: [], result: "pointer" },
  // int *__errno(void); Android's
  __errno: { parameters: [], result: "pointer" },
} as const;

export const STATX_SIGNATURES = {
  // int statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx *statxbuf);
  statx: { parameters: ["i32", "bytes", "i32", "u32", "bytes"], result: "i32" },
} as const;

export const FSTATFS_SIGNATURES = {
  // int fstatfs(int fd, struct statfs *buf);
  fstatfs: { parameters: ["i32", "bytes"], result: "i32" },
} as const;

export const FSTAT_SIGNATURES = { fstat: SHARED_SIGNATURES.fstat } as const;

/** The names of architectures in the file names of musl's library. */
const MUSL_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "x86_64",
  arm64: "aarch64",
  loong64: "loongarch64",
  ppc64: "powerpc64le",
};

/** glibc's file name, then musl's: Alpine's, and that of musl's loader, which is the library and is at this path everywhere. */
export function librariesFor(arch: string): readonly [glibc: string, musl: string, loader: string] {
  const musl = MUSL_ARCHITECTURES[arch] ?? arch;
  return ["libc.so.6", `libc.musl-${musl}.so.1`, `/lib/ld-musl-${musl}.so.1`];
}

/** Makes `Platform.status`. */
function linuxStatusReader(ffi: Ffi, libraries: readonly string[], fail: Fail, arch: string): Platform["status"] {
  const { length, type } = statfsFor(arch);
  const bytes = new Uint8Array(length);
  const readType = fieldReader(bytes.buffer, type);
  const { fstatfs } = ffi.open(libraries, FSTATFS_SIGNATURES);
  const onHugePages = (descriptor: number) => fstatfs(descriptor, bytes) === 0 && readType() === HUGETLBFS_MAGIC;
  try {
    const { statx } = ffi.open(libraries, STATX_SIGNATURES);
    const noPath = new Uint8Array(1);
    const fill = (descriptor: number, status: Uint8Array) =>
      statx(descriptor, noPath, AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, status);
    return statusReader(fill, STATX, fail, onHugePages);
  } catch {
    // musl before 1.2.5 has no statx, nor has Android before 11; and glibc before 2.33 has no fstat.
    const { fstat } = ffi.open(libraries, FSTAT_SIGNATURES);
    return statusReader(fstat, statFor(arch), fail, onHugePages);
  }
}

/**
 * How many of the mappings that the system allows a process are left to the runtime, which ends the process if the system
 * refuses it memory.
 */
const HEADROOM = 4096;

/** With fewer mappings than this, the limit is not read: nobody sets it so low. */
const FEW_MAPPINGS = 16_384;

/** A C library of Linux, as far as they differ. */
export interface CLibrary {
  readonly libraries: readonly string[];
  /** The function that returns the address of errno. */
  readonly errno: keyof typeof ERRNO_SIGNATURES;
  readonly constants: LinuxConstants;
  readonly aio: Aio | undefined;
  /** Whether its `struct sigaction` is the one that the SIGBUS handler expects. */
  readonly canGuard: boolean;
}

/** glibc or musl. Older glibc has asynchronous I/O in librt. */
function glibcOrMusl(arch: string): CLibrary {
  const libraries = librariesFor(arch);
  return {
    libraries,
    errno: "__errno_location",
    constants: constantsFor(arch),
    aio: { ...AIO, libraries: ["librt.so.1", libraries[0], libraries[1], libraries[2]] },
    canGuard: true,
  };
}

interface Opened extends Functions<typeof SIGNATURES> {
  /** The library that they are from. */
  readonly library: string;
  readonly newer: Partial<Functions<typeof NEWER_SIGNATURES>>;
  readonly errno: () => number;
}

/** Opens the functions of all C libraries, and those that older ones lack, from the first library that has the former. */
function openFunctions(ffi: Ffi, { libraries, errno }: CLibrary): Opened {
  const signatures = { ...SIGNATURES, [errno]: ERRNO_SIGNATURES[errno] };
  const address = (functions: object) => (functions as Functions<typeof ERRNO_SIGNATURES>)[errno];
  let failure: unknown;
  for (let index = 0; index < libraries.length; index++) {
    const library = libraries[index] as string;
    try {
      const opened = ffi.open([library], { ...signatures, ...NEWER_SIGNATURES });
      return { ...opened, library, newer: opened, errno: address(opened) };
    } catch {
      // It is missing, or older.
    }
    try {
      const opened = ffi.open([library], signatures);
      return { ...opened, library, newer: { __proto__: null } as object, errno: address(opened) };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

export function linuxPlatform(
  ffi: Ffi,
  errors: ErrorFactory,
  arch: string = runningArch,
  library: CLibrary = glibcOrMusl(arch),
): Platform {
  const { constants } = library;
  const c = openFunctions(ffi, library);
  // Never two libraries: a function of musl would take the thread's memory of glibc for its own.
  const libraries = [c.library];
  const errnoAddress = c.errno();
  const fail = errnoReader(ffi, errnoAddress, errors);
  const posix = posixPlatform(
    ffi,
    {
      libraries,
      constants,
      hasFastMemmem: true,
      refusedFlags: [],
      aio: library.aio,
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

  const {
    MADV_DONTFORK,
    MADV_KEEPONFORK,
    MADV_POPULATE_READ,
    MADV_POPULATE_WRITE,
    MADV_SEQUENTIAL,
    MAP_HUGE_SHIFT,
    MAP_HUGETLB,
    MAP_NORESERVE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
  } = constants;
  const reserving = flags(constants, ["MAP_PRIVATE", "MAP_ANONYMOUS", "MAP_NORESERVE"]);
  const replacing = flags(constants, ["MAP_SHARED", "MAP_FIXED", "MAP_NORESERVE"]);

  let limit: number | undefined;
  let mappings = 0;
  /** Whether there may be fewer: the kernel joins neighbours that are alike, and does not split what is alike already. */
  let isEstimate = false;

  /** @throws {MMapError} ENOMEM: what is left of the mappings that the process may have is left to the runtime. */
  function checkMappings(syscall: string): void {
    // Not read before there are many mappings: a runtime may ask its user for the permission.
    if (mappings < FEW_MAPPINGS) return;
    limit ??= mappingLimit();
    const most = (limit ?? Infinity) - HEADROOM;
    if (isEstimate && mappings >= most) mappings = countMappings() ?? mappings;
    if (mappings < most) return;
    const meaning = `vm.max_map_count allows the process ${limit} mappings, and it has ${mappings}`;
    throw errors.system(syscall, ENOMEM, "ENOMEM", meaning);
  }

  /** Changes a range. If it is a part of a mapping, that may become three. */
  function change(isPart: boolean | undefined, syscall: string, call: () => void): void {
    if (isPart) checkMappings(syscall);
    call();
    if (!isPart) return;
    mappings += 2;
    isEstimate = true;
  }

  // The guard counts lost pages in memory that is viewed.
  const sigbus = library.canGuard && posix.canView ? sigbusGuard(ffi, libraries, posix.pageSize, arch) : undefined;

  /**
   * An empty file, which lasts as long as the process. Its threads share it: a worker leaves no descriptor behind when it
   * ends, and what one thread retires continues what another one has.
   */
  function emptyFile(): number {
    const table = sigbus?.table;
    if (table === undefined || table.descriptor !== -1) return table?.descriptor ?? -1;
    const made = c.newer.memfd_create?.(EMPTY_NAME, MFD_CLOEXEC) ?? -1;
    if (made === -1) return -1;
    const shared = table.share(made);
    if (shared !== made) posix.closeDescriptor(made);
    return shared;
  }

  return {
    ...posix,
    map(request) {
      checkMappings("mmap");
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
      return { ...protection, unit: hugePageSize(protection.flags, MAP_HUGE_SHIFT) };
    },
    retire(address, length, guarded) {
      isEstimate = true;
      const file = guarded ? emptyFile() : -1;
      if (file === -1) return posix.retire?.(address, length, false);
      // No page of an empty file can be read or written: a system call fails with EFAULT, and for what the process itself
      // reads the guard provides zeros. The offset makes neighbours continue each other: the kernel joins them to one mapping.
      if (c.mmap(address, length, PROT_READ | PROT_WRITE, replacing, file, address) === -1) fail("mmap");
    },
    guard: sigbus?.guard,
    // They are written for little-endian machines.
    ownerLocks: posix.canView && arch !== "s390x" ? ofdLocks(ffi, libraries, errnoAddress, fail) : undefined,
    named: { kind: "folder", folder: "/dev/shm/" },
    waiting: posix.canView ? futexWaiting(ffi, libraries, arch, errnoAddress, fail) : undefined,
    mirror(page) {
      // An old size of 0 leaves the mapping as it is, and makes a second one of the same pages.
      const address = c.mremap(page, 0, posix.pageSize, MREMAP_MAYMOVE, 0);
      if (address === -1) fail("mremap");
      mappings++;
      return address;
    },
    setName(address, length, name) {
      if (c.prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, length, cString(name)) === 0) return;
      try {
        fail("prctl");
      } catch (error) {
        // The arguments are right: the kernel does not know the option.
        if ((error as { code?: string }).code !== "EINVAL") throw error;
        const meaning = "the kernel names no memory: it is older than 5.17, or lacks CONFIG_ANON_VMA_NAME";
        throw errors.system("prctl", EINVAL, "EINVAL", meaning);
      }
    },
    remapping: {
      extend: (address, length, newLength) => c.mremap(address, length, newLength, 0, 0) !== -1,
      reserve(length) {
        const address = c.mmap(0, length, PROT_NONE, reserving, -1, 0);
        if (address === -1) fail("mmap");
        mappings++;
        return address;
      },
      move(address, length, reserved, newLength) {
        // SAFETY: MREMAP_FIXED replaces what is at `reserved`, which is the caller's own reservation.
        if (c.mremap(address, length, newLength, MREMAP_MAYMOVE | MREMAP_FIXED, reserved) === -1) fail("mremap");
        mappings--;
      },
      isReserved: (address) => permissionsAt(address)?.startsWith("---"),
    },
    advise(address, length, advice, isPart) {
      // Other advice is done to the pages and forgotten.
      const stays = advice <= MADV_SEQUENTIAL || (advice >= MADV_DONTFORK && advice <= MADV_KEEPONFORK);
      change(isPart && stays, "madvise", () => posix.advise(address, length, advice));
    },
    lock(address, length, ofFile, isPart) {
      change(isPart, "mlock", () => {
        if (!ofFile || c.newer.mlock2 === undefined) posix.lock(address, length, ofFile);
        else if (c.newer.mlock2(address, length, MLOCK_ONFAULT) !== 0) fail("mlock2");
      });
    },
    unlock: (address, length, isPart) => change(isPart, "munlock", () => posix.unlock(address, length)),
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
    status: linuxStatusReader(ffi, libraries, fail, arch),
    allocateBlocks: blockAllocator(ffi, libraries, fail),
    duplicate: duplicator(c.fcntl, F_DUPFD_CLOEXEC, fail),
    anonymousFile(protection) {
      // Huge pages come from a separate pool, which a memfd made here would not use.
      if ((protection.flags & MAP_HUGETLB) !== 0 || c.newer.memfd_create === undefined) return -1;
      const descriptor = c.newer.memfd_create(MEMFD_NAME, MFD_CLOEXEC);
      if (descriptor === -1) fail("memfd_create");
      return descriptor;
    },
  };
}

const MEMFD_NAME = cString("mmap-ffi");
const EMPTY_NAME = cString("retired by mmap-ffi");

/** The size in bytes of the huge pages that `flags` ask for: the power of two that is in them, or else the default size. */
function hugePageSize(flags: number, shift: number): number {
  const power = (flags >>> shift) & 0x3f;
  return power === 0 ? defaultHugePageSize() : 2 ** power;
}
