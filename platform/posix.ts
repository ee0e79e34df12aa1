/**
 * What the POSIX systems share. A system's own file adds what its C library calls differently.
 *
 * @module
 */

import { lengthOf } from "../ffi/array-buffer.ts";
import { builtins } from "../ffi/builtins.ts";
import {
  ArrayBuffer,
  BigInt64Array,
  Int32Array,
  Number,
  ReflectApply,
  Uint8Array,
  Uint16Array,
} from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { type Aio, backgroundSync } from "./aio.ts";
import { findBytes, findLastBytes, found, type SearchPrimitives } from "./memmem.ts";
import type {
  Constants,
  ErrorFactory,
  FileStatus,
  MapRequest,
  Platform,
  Protection,
  ProtectionRequest,
} from "./types.ts";

/** What a POSIX system's own file says of it. */
export interface PosixSystem {
  /** The C library's file names, the likeliest first. */
  readonly libraries: readonly string[];
  readonly constants: Constants;
  /** Has the C library memrchr, and a memmem whose time is linear? */
  readonly hasFastMemmem: boolean;
  /** The flags that make memory which a read or a write of may kill the process. */
  readonly refusedFlags: readonly string[];
  /** Its asynchronous I/O, where it has one. */
  readonly aio: Aio | undefined;
}

// Each entry has its C prototype beside it; size_t and off_t have 64 bits on every system that has a file here.
const SIGNATURES = {
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
  // void *memchr(const void *s, int c, size_t n);
  memchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  // int memcmp(const void *s1, const void *s2, size_t n);
  memcmp: { parameters: ["pointer", "bytes", "usize"], result: "i32" },
  // void *memmove(void *dest, const void *src, size_t n);
  memmove: { parameters: ["pointer", "pointer", "usize"], result: "pointer" },
  // void *memcpy(void *dest, const void *src, size_t n); here out of mapped memory
  memcpy: { parameters: ["bytes", "pointer", "usize"], result: "pointer" },
} as const;

const SEARCH_SIGNATURES = {
  // void *memrchr(const void *s, int c, size_t n);
  memrchr: { parameters: ["pointer", "i32", "usize"], result: "pointer" },
  // void *memmem(const void *haystack, size_t haystacklen, const void *needle, size_t needlelen);
  memmem: { parameters: ["pointer", "usize", "bytes", "usize"], result: "pointer" },
} as const;

// The same functions with other types, for which the library is opened a second time.
const STORE_SIGNATURES = {
  // void *memmove(void *dest, const void *src, size_t n); here into mapped memory, of which the source may be a view
  memmove: { parameters: ["pointer", "bytes", "usize"], result: "pointer" },
} as const;

const ALLOCATE_SIGNATURES = {
  // int posix_fallocate(int fd, off_t offset, off_t len);
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
} as const;

const EINTR = 4;

/** The advice that makes memory unusable: a later read of it would kill the process. */
const DEADLY_ADVICE = ["MADV_HWPOISON", "MADV_SOFT_OFFLINE"] as const;

/** What `posixPlatform` leaves to the system's own file. */
type SystemsOwn = "status" | "duplicate" | "anonymousFile";

/** Throws what the thread's errno, or the given number of an error, says about the call `syscall`. */
export type Fail = (syscall: string, number?: number) => never;

// The engine's own functions, taken before any code could replace them.
const { get } = Map.prototype;

/** Makes the function that reads errno, which is at `address`, right after a call that failed. */
export function errnoReader(ffi: Ffi, address: number, errors: ErrorFactory): Fail {
  // One view for good: the address is the thread's, and each thread has its own instance of this module.
  const errno = new Int32Array(ffi.view(address, 4));
  return (syscall, number = errno[0] as number) => {
    const known = ReflectApply(get, builtins().getSystemErrorMap(), [-number]) as
      | [code: string, meaning: string]
      | undefined;
    throw errors.system(syscall, number, known?.[0] ?? `E${number}`, known?.[1] ?? "unknown error");
  };
}

/** Makes `Platform.allocateBlocks` for the systems that have `posix_fallocate`, which returns its error and leaves errno alone. */
export function blockAllocator(
  ffi: Ffi,
  libraries: readonly string[],
  fail: Fail,
): NonNullable<Platform["allocateBlocks"]> {
  const { posix_fallocate } = ffi.open(libraries, ALLOCATE_SIGNATURES);
  return (descriptor, offset, length) => {
    let error: number;
    do error = posix_fallocate(descriptor, offset, length);
    while (error === EINTR);
    if (error !== 0) fail("posix_fallocate", error);
  };
}

/** Makes `Platform.residency` of the system's mincore. */
export function residencyReader(
  mincore: (address: number, length: number, pages: Uint8Array) => number,
  fail: Fail,
): NonNullable<Platform["residency"]> {
  return (address, length, pages) => {
    if (mincore(address, length, pages) !== 0) fail("mincore");
  };
}

/** Makes `Platform.duplicate` of the system's fcntl, and of its number for `F_DUPFD_CLOEXEC`. */
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
  const { constants } = system;
  const c = ffi.open(system.libraries, SIGNATURES);
  const store = ffi.open(system.libraries, STORE_SIGNATURES);
  const pageSize = c.sysconf(constants._SC_PAGESIZE as number);
  const advices = new Map(
    Object.entries(constants).flatMap(([name, value]) => (/^MADV_/.test(name) ? [[value, name]] : [])),
  );
  const synchronize = system.aio && backgroundSync(ffi, system.aio, fail);
  const zeros = flags(constants, "MAP_PRIVATE", "MAP_ANONYMOUS", "MAP_FIXED", "MAP_NORESERVE");

  function map({ length, protection, descriptor, offset }: MapRequest): number {
    const anonymous = descriptor === -1 ? flags(constants, "MAP_ANONYMOUS") : 0;
    const address = c.mmap(0, length, protection.prot, protection.flags | anonymous, descriptor, offset);
    if (address === -1) fail("mmap");
    return address;
  }

  function unmap(address: number, length: number): void {
    if (c.munmap(address, length) !== 0) fail("munmap");
  }

  const memory: SearchPrimitives = {
    findByte: (address, length, byte) => found(address, c.memchr(address, byte, length)),
    equals: (address, bytes) => c.memcmp(address, bytes, lengthOf(bytes)) === 0,
    load(address, target, length) {
      if (length > 0) c.memcpy(target, address, length);
    },
    findLastByte: undefined,
    findSequence: undefined,
    ...(system.hasFastMemmem ? searchFunctions(ffi, system) : undefined),
  };

  function flush(address: number, length: number, way: "MS_ASYNC" | "MS_SYNC"): void {
    if (c.msync(address, length, constants[way] as number) !== 0) fail("msync");
  }

  return {
    pageSize,
    allocationGranularity: pageSize,
    maxViewLength: ffi.maxViewLength,
    smallCopyLimit: ffi.smallCopyLimit,
    canTruncateMappedFiles: true,
    mappingExtendsFile: false,
    hasRealDescriptors: true,
    protection: (request) => posixProtection(system, pageSize, request),
    map,
    unmap,
    remap(address, length, request) {
      if (request.length <= length) {
        // What is left stays where it is, and needs nothing that the system could refuse.
        if (request.length < length) unmap(address + request.length, length - request.length);
        return address;
      }
      const moved = map(request);
      if (livesInMemory(request)) c.memmove(moved, address, length);
      unmap(address, length);
      return moved;
    },
    mapZeros(address, length) {
      const { PROT_READ, PROT_WRITE } = constants as { PROT_READ: number; PROT_WRITE: number };
      // MAP_FIXED replaces what is there, in one step that other threads cannot see the middle of. The range is the
      // caller's own mapping, so nothing else can be there.
      if (c.mmap(address, length, PROT_READ | PROT_WRITE, zeros, -1, 0) === -1) fail("mmap");
    },
    flush: (address, length) => flush(address, length, "MS_SYNC"),
    async flushAsync(address, length, descriptor) {
      if (synchronize === undefined) {
        flush(address, length, "MS_SYNC");
        return;
      }
      // On some systems a file learns only so of what was written to its pages.
      flush(address, length, "MS_ASYNC");
      await synchronize(descriptor);
    },
    advise(address, length, advice) {
      const name = ReflectApply(get, advices, [advice]) as string | undefined;
      if (name === undefined || name === DEADLY_ADVICE[0] || name === DEADLY_ADVICE[1]) {
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
    // A system's own file says where it has these.
    guard: undefined,
    residency: undefined,
    allocateBlocks: undefined,
    // No mapping has a name here, none for reading is protected from stray writes, and a descriptor is a file's for good.
    releaseName: undefined,
    mapPrivateView: undefined,
    withPath: undefined,
    truncate(descriptor, size) {
      if (c.ftruncate(descriptor, size) !== 0) fail("ftruncate");
    },
    closeDescriptor(descriptor) {
      if (c.close(descriptor) !== 0) fail("close");
    },
    view: (address, length) => ffi.view(address, length),
    findByte: memory.findByte,
    findBytes: (address, length, needle) => findBytes(memory, address, length, needle),
    findLastBytes: (address, length, needle) => findLastBytes(memory, address, length, needle),
    move(destination, source, length) {
      c.memmove(destination, source, length);
    },
    load: memory.load,
    store(address, source, length) {
      if (length > 0) store.memmove(address, source, length);
    },
  };
}

function searchFunctions(
  ffi: Ffi,
  { libraries }: PosixSystem,
): Pick<SearchPrimitives, "findLastByte" | "findSequence"> {
  const c = ffi.open(libraries, SEARCH_SIGNATURES);
  return {
    findLastByte: (address, length, byte) => found(address, c.memrchr(address, byte, length)),
    findSequence: (address, length, needle) => found(address, c.memmem(address, length, needle, lengthOf(needle))),
  };
}

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;

/**
 * The memory that a system's `fstat` fills, and what it then says. `modeAt` and `sizeAt` are the offsets of `st_mode`,
 * whose lowest 16 bits are the file's type on every system, and of the 64 bits of `st_size`.
 */
export function statusMemory(length: number, modeAt: number, sizeAt: number) {
  const buffer = new ArrayBuffer(length);
  const memory = new Uint8Array(buffer);
  const words = new Uint16Array(buffer);
  const longs = new BigInt64Array(buffer);
  const read = (): FileStatus => ({
    regular: ((words[modeAt / 2] as number) & S_IFMT) === S_IFREG,
    size: Number(longs[sizeAt / 8]),
  });
  return { memory, read };
}

/** Are the mapping's pages the only place that has their contents? Then whoever maps it anew must copy them. */
function livesInMemory({ protection, descriptor }: MapRequest): boolean {
  // What nobody could write holds what a new mapping holds.
  return protection.writable && (!protection.shared || descriptor === -1);
}

/** The named constants, joined; those that the system lacks add nothing. */
function flags(constants: Constants, ...names: string[]): number {
  return names.reduce((joined, name) => joined | (constants[name] ?? 0), 0);
}

function posixProtection(system: PosixSystem, unit: number, request: ProtectionRequest): Protection {
  const { constants, refusedFlags } = system;
  const { descriptor, access, prot, flags: wanted, tagname } = request;
  if (tagname !== undefined) {
    throw new TypeError(`tagname names a mapping on Windows; this system has none: got ${JSON.stringify(tagname)}`);
  }
  if (access !== "default") {
    if (prot !== undefined) throw new TypeError(`prot ${prot} cannot be given together with access "${access}"`);
    if (wanted !== undefined) throw new TypeError(`flags ${wanted} cannot be given together with access "${access}"`);
  }
  const { PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE } = constants as Record<string, number> & {
    PROT_READ: number;
    PROT_WRITE: number;
    MAP_SHARED: number;
    MAP_PRIVATE: number;
  };
  const both = PROT_READ | PROT_WRITE;
  if (access === "read") {
    // A private page takes a stray write without passing it on, where a page without PROT_WRITE would kill the process.
    // Without MAP_NORESERVE, a file larger than memory would not map.
    const joined = flags(constants, "MAP_PRIVATE", "MAP_NORESERVE");
    return { prot: both, flags: joined, readable: true, writable: false, unit, shared: false, name: undefined };
  }
  if (access === "copy") {
    return { prot: both, flags: MAP_PRIVATE, readable: true, writable: true, unit, shared: false, name: undefined };
  }
  const chosen = prot ?? both;
  const anonymous = flags(constants, "MAP_ANONYMOUS");
  if (descriptor !== -1 && wanted !== undefined && (wanted & anonymous) !== 0) {
    throw new TypeError(`flags must not have MAP_ANONYMOUS for a file, which it would leave out: got ${wanted}`);
  }
  // The system would take it to mean that nobody else may have the memory. \`map\` adds it where that is so.
  const joined = (wanted ?? MAP_SHARED) & ~anonymous;
  const fixed = flags(constants, "MAP_FIXED", "MAP_FIXED_NOREPLACE", "MAP_EXCL");
  if ((joined & fixed) !== 0) {
    throw new RangeError(`flags must leave the address to the system: ${joined} has MAP_FIXED or its like`);
  }
  const deadly = refusedFlags.find((name) => (joined & flags(constants, name)) !== 0);
  if (deadly !== undefined) {
    throw new RangeError(`flags must not have ${deadly}, which makes memory that may kill the process: got ${joined}`);
  }
  return {
    prot: chosen,
    flags: joined,
    readable: (chosen & PROT_READ) !== 0,
    writable: (chosen & PROT_WRITE) !== 0,
    unit,
    shared: (joined & MAP_PRIVATE) === 0 || (joined & MAP_SHARED) !== 0,
    name: undefined,
  };
}
