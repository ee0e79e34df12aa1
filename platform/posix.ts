/**
 * What the POSIX systems share. A system's own file adds what its C library calls differently.
 *
 * @module
 */

import { once } from "../ffi/once.ts";
import {
  Map,
  MapPrototypeGet,
  MapPrototypeSet,
  ObjectKeys,
  StringPrototypeStartsWith,
  type Uint8Array,
} from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { type Aio, asynchronousIo } from "./aio.ts";
import type { Fail } from "./errno.ts";
import { flockLock } from "./file-lock.ts";
import { memoryFunctions } from "./libc.ts";
import { flags, posixProtection, type SystemFlags } from "./protection.ts";
import type { Constants, MapRequest, Platform } from "./types.ts";

/** What a POSIX system's own file says about it. */
export interface PosixSystem extends SystemFlags {
  /** The C library's file names, the likeliest first. */
  readonly libraries: readonly string[];
  /** Whether the C library has memrchr, and a memmem that takes linear time. */
  readonly hasFastMemmem: boolean;
  /** Its asynchronous I/O; `undefined` if it has none. */
  readonly aio: Aio | undefined;
}

// Each entry has its C prototype beside it; size_t and off_t have 64 bits on every system that has a file here.
export const SIGNATURES = {
  // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int munmap(void *addr, size_t length);
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  // int msync(void *addr, size_t length, int flags);
  msync: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // int madvise(void *addr, size_t length, int advice);
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // int mlock(const void *addr, size_t len);
  mlock: { parameters: ["pointer", "usize"], result: "i32" },
  // int munlock(const void *addr, size_t len);
  munlock: { parameters: ["pointer", "usize"], result: "i32" },
  // int ftruncate(int fd, off_t length);
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // long sysconf(int name);
  sysconf: { parameters: ["i32"], result: "i64" },
} as const;

/** Functions that several systems' own tables have. */
export const SHARED_SIGNATURES = {
  // int fstat(int fd, struct stat *statbuf);
  fstat: { parameters: ["i32", "bytes"], result: "i32" },
  // int fcntl(int fd, int cmd, ... /* int arg */);
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int mincore(void *addr, size_t length, unsigned char *vec);
  mincore: { parameters: ["pointer", "usize", "bytes"], result: "i32" },
} as const;

export const ALLOCATE_SIGNATURES = {
  // int posix_fallocate(int fd, off_t offset, off_t len);
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
} as const;

/** Numbers that are the same on every POSIX system. */
export const NUMBERS = { EPERM: 1, EINTR: 4 } as const;

/** What `posixPlatform` leaves to the system's own file. */
type SystemsOwn = "named" | "status" | "duplicate" | "anonymousFile";

/** Makes `Platform.allocateBlocks` for the systems with `posix_fallocate`, which returns its error and does not set errno. */
export function blockAllocator(
  ffi: Ffi,
  libraries: readonly string[],
  fail: Fail,
): NonNullable<Platform["allocateBlocks"]> {
  const { posix_fallocate } = ffi.open(libraries, ALLOCATE_SIGNATURES);
  return (descriptor, offset, length) => {
    let error: number;
    do error = posix_fallocate(descriptor, offset, length);
    while (error === NUMBERS.EINTR);
    if (error !== 0) fail("posix_fallocate", error);
  };
}

/** Makes `Platform.residency` from the system's mincore. */
export function residencyReader(
  mincore: (address: number, length: number, pages: Uint8Array) => number,
  fail: Fail,
): NonNullable<Platform["residency"]> {
  return (address, length, pages) => {
    if (mincore(address, length, pages) !== 0) fail("mincore");
  };
}

/** Makes `Platform.duplicate` from the system's fcntl and its number for `F_DUPFD_CLOEXEC`. */
export function duplicator(
  fcntl: (descriptor: number, command: number, lowest: number) => number,
  command: number,
  fail: Fail,
): Platform["duplicate"] {
  return (descriptor) => {
    const copy = fcntl(descriptor, command, 0);
    if (copy === -1) fail("fcntl");
    return copy;
  };
}

/** The part of a platform that is the same on every POSIX system. */
export function posixPlatform(ffi: Ffi, system: PosixSystem, fail: Fail): Omit<Platform, SystemsOwn> {
  const { libraries, constants } = system;
  const c = ffi.open(libraries, SIGNATURES);
  const memory = memoryFunctions(ffi, libraries, system.hasFastMemmem);
  const pageSize = c.sysconf(constants._SC_PAGESIZE as number);
  const { MS_ASYNC, MS_SYNC } = constants as { MS_ASYNC: number; MS_SYNC: number };
  const advices = once(() => adviceNames(constants));
  const background = system.aio && asynchronousIo(ffi, system.aio, fail);
  const zeros = flags(constants, ["MAP_PRIVATE", "MAP_ANONYMOUS", "MAP_FIXED", "MAP_NORESERVE"]);

  function map({ length, protection, descriptor, offset }: MapRequest): number {
    const anonymous = descriptor === -1 ? flags(constants, ["MAP_ANONYMOUS"]) : 0;
    const address = c.mmap(0, length, protection.prot, protection.flags | anonymous, descriptor, offset);
    if (address === -1) fail("mmap");
    return address;
  }

  function mapZeros(address: number, length: number): void {
    const { PROT_READ, PROT_WRITE } = constants as { PROT_READ: number; PROT_WRITE: number };
    // SAFETY: MAP_FIXED replaces whatever is mapped there, in one step. The range is the caller's own mapping, so nothing
    // else can be there.
    if (c.mmap(address, length, PROT_READ | PROT_WRITE, zeros, -1, 0) === -1) fail("mmap");
  }

  function unmap(address: number, length: number): void {
    if (c.munmap(address, length) !== 0) fail("munmap");
  }

  function flush(address: number, length: number, way: number): void {
    if (c.msync(address, length, way) !== 0) fail("msync");
  }

  return {
    pageSize,
    allocationGranularity: pageSize,
    canView: ffi.readInt32 === undefined,
    maxViewLength: ffi.maxViewLength,
    smallCopyLimit: ffi.smallCopyLimit,
    operationsKeepBuffers: ffi.operationsKeepBuffers,
    canLeaveAddresses: true,
    canTruncateMappedFiles: true,
    mappingExtendsFile: false,
    hasRealDescriptors: true,
    protection: (request) => posixProtection(system, pageSize, request),
    map,
    unmap,
    trim(address, length, newLength) {
      // The rest keeps its address, so only the end is unmapped.
      if (newLength < length && c.munmap(address + newLength, length - newLength) !== 0) fail("munmap");
    },
    remapping: undefined,
    mapZeros,
    retire: mapZeros,
    flush: (address, length, _descriptor, way = MS_SYNC) => flush(address, length, way),
    async flushAsync(address, length, descriptor) {
      if (background === undefined) {
        flush(address, length, MS_SYNC);
        return;
      }
      // Some systems write to the file's pages only what msync has passed to it.
      flush(address, length, MS_ASYNC);
      await background.sync(descriptor);
    },
    advise(address, length, advice) {
      const name = MapPrototypeGet(advices(), advice);
      if (name === undefined || name === "MADV_HWPOISON" || name === "MADV_SOFT_OFFLINE") {
        const why = name === undefined ? "is not one" : `is ${name}, after which reading the memory kills the process`;
        throw new RangeError(`option must be one of this system's MADV_* constants: ${advice} ${why}`);
      }
      if (c.madvise(address, length, advice) !== 0) fail("madvise");
    },
    lock(address, length) {
      if (c.mlock(address, length) !== 0) fail("mlock");
    },
    unlock(address, length) {
      if (c.munlock(address, length) !== 0) fail("munlock");
    },
    populate: () => false,
    readAhead: background?.readAhead,
    setName: undefined,
    // A system's own file replaces those that it supports.
    waiting: undefined,
    ownerLocks: undefined,
    mirror: undefined,
    guard: undefined,
    residency: undefined,
    allocateBlocks: undefined,
    // Only Windows needs these: it names mappings, and a stray write to a mapping for reading would kill the process there.
    releaseName: undefined,
    mapPrivateView: undefined,
    withPath: undefined,
    truncate(descriptor, size) {
      if (c.ftruncate(descriptor, size) !== 0) fail("ftruncate");
    },
    fileLock: flockLock(ffi, system.libraries, fail),
    closeDescriptor(descriptor) {
      if (c.close(descriptor) !== 0) fail("close");
    },
    view: (address, length) => ffi.view(address, length),
    ...memory,
  };
}

/** The names of the system's MADV_* constants by their values. */
function adviceNames(constants: Constants): Map<number, string> {
  const advices = new Map<number, string>();
  const names = ObjectKeys(constants);
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    if (StringPrototypeStartsWith(name, "MADV_")) MapPrototypeSet(advices, constants[name] as number, name);
  }
  return advices;
}
