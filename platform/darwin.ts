/**
 * macOS, on Intel and on Apple silicon.
 *
 * Apple's arm64 passes variadic arguments on the stack, where the runtimes' FFIs pass the first eight in registers. So
 * variadic functions are called here with their named parameters only. Those of ofd-lock.ts and shm-objects.ts need one
 * more, which is passed twice.
 *
 * @see https://developer.apple.com/library/archive/documentation/System/Conceptual/ManPages_iPhoneOS/man2/mmap.2.html
 * @module
 */

import { arch as runningArch } from "../ffi/builtins.ts";
import { Int32Array, Uint8Array } from "../ffi/primordials.ts";
import type { Ffi, Functions } from "../ffi/types.ts";
import { darwinWaiting } from "./address-wait.ts";
import { BSD_AIO, BSD_CONSTANTS } from "./bsd.ts";
import { errnoNumber, errnoReader } from "./errno.ts";
import { darwinOfdLocks } from "./ofd-lock.ts";
import { NUMBERS as POSIX_NUMBERS, posixPlatform, residencyReader, SHARED_SIGNATURES } from "./posix.ts";
import { shmObjects } from "./shm-objects.ts";
import { pagesLeft, SizeGuard } from "./size-guard.ts";
import { type StatusLayout, statusReader } from "./status.ts";
import type { Constants, ErrorFactory, Platform, Protection } from "./types.ts";

/** From the kernel's sys/mman.h and the C library's unistd.h. */
export const constants = {
  ...BSD_CONSTANTS,
  MAP_NORESERVE: 0x40,
  MAP_NOEXTEND: 0x100,
  MAP_HASSEMAPHORE: 0x200,
  MAP_NOCACHE: 0x400,
  MAP_JIT: 0x800,
  MAP_RESILIENT_CODESIGN: 0x2000,
  MAP_RESILIENT_MEDIA: 0x4000,
  MAP_32BIT: 0x8000,
  MAP_TRANSLATED_ALLOW_EXECUTE: 0x20000,
  MAP_UNIX03: 0x40000,
  MAP_TPRO: 0x80000,
  MADV_FREE: 5,
  MADV_ZERO_WIRED_PAGES: 6,
  MADV_FREE_REUSABLE: 7,
  MADV_FREE_REUSE: 8,
  MADV_CAN_REUSE: 9,
  MADV_ZERO: 11,
  MS_INVALIDATE: 0x2,
  MS_KILLPAGES: 0x4,
  MS_DEACTIVATE: 0x8,
  MS_SYNC: 0x10,
  _SC_PAGESIZE: 29,
} as const satisfies Constants;

const { MAP_RESILIENT_MEDIA, MAP_SHARED } = constants;

/** Numbers that only the library uses. FIOCLEX is `_IO('f', 1)`: it takes no argument. */
export const NUMBERS = { EIO: 5, F_FULLFSYNC: 51, FIOCLEX: 0x20006601 } as const;

const { EIO, F_FULLFSYNC, FIOCLEX } = NUMBERS;

/** `struct stat` with 64-bit inode numbers. */
export const STAT: StatusLayout = {
  name: "fstat",
  length: 144,
  mode: { at: 4, bytes: 2 },
  size: { at: 96, bytes: 8 },
};

/** Where `struct stat` has what tells one file from another: `st_dev`, of 4 bytes, and `st_ino`, of 8. */
export const STAT_IDENTITY = { st_dev: 0, st_ino: 8 } as const;

const LIBRARIES = ["/usr/lib/libSystem.B.dylib"];

/** From the kernel's sys/aio.h. */
export const AIO = { ...BSD_AIO, libraries: LIBRARIES, offsetAt: 8, notifyAt: 40 };

export const SIGNATURES = {
  // int *__error(void);
  __error: { parameters: [], result: "pointer" },
  // int fcntl(int fildes, int cmd, ...); here with none of the variadic arguments
  fcntl: { parameters: ["i32", "i32"], result: "i32" },
  // int ioctl(int fildes, unsigned long request, ...); here with none of the variadic arguments
  ioctl: { parameters: ["i32", "usize"], result: "i32" },
  // int dup(int fildes);
  dup: { parameters: ["i32"], result: "i32" },
  mincore: SHARED_SIGNATURES.mincore,
} as const;

/** Whether the kernel puts zeros in the place of pages that the file no longer has. */
function isResilientlyMapped({ flags }: Protection): boolean {
  return (flags & MAP_RESILIENT_MEDIA) !== 0 && (flags & MAP_SHARED) === 0;
}

export function darwinPlatform(ffi: Ffi, errors: ErrorFactory, arch: string = runningArch): Platform {
  const c = ffi.open(LIBRARIES, SIGNATURES);
  // Intel's plain fstat fills the older struct, from before inode numbers had 64 bits.
  const name = arch === "x64" ? "fstat$INODE64" : "fstat";
  const fstat = ffi.open(LIBRARIES, { [name]: SHARED_SIGNATURES.fstat })[name] as Functions<
    typeof SHARED_SIGNATURES
  >["fstat"];
  const errnoAddress = c.__error();
  const fail = errnoReader(ffi, errnoAddress, errors);
  const errno = errnoNumber(ffi, errnoAddress);
  const posix = posixPlatform(
    ffi,
    {
      libraries: LIBRARIES,
      constants,
      // Its memmem compares at every byte that equals the needle's first, and there is no memrchr.
      hasFastMemmem: false,
      refusedFlags: ["MAP_JIT", "MAP_TPRO"],
      aio: AIO,
    },
    fail,
  );

  let waiting: Platform["waiting"] | null = null;

  const status = statusReader(fstat, STAT, fail);
  /** Whether the kernel takes MAP_RESILIENT_MEDIA for memory that can be written: since macOS 11. */
  let hasResilience = true;

  /** Not by `node:fs`, which rejects the library's descriptors in Deno. */
  function isSameFile(descriptor: number, other: number): boolean {
    const { st_dev: device, st_ino: number } = STAT_IDENTITY;
    const words = new Int32Array(STAT.length / 4);
    const others = new Int32Array(STAT.length / 4);
    if (fstat(descriptor, new Uint8Array(words.buffer)) !== 0) return false;
    if (fstat(other, new Uint8Array(others.buffer)) !== 0) return false;
    const has = (at: number) => words[at / 4] === others[at / 4];
    return has(device) && has(number) && has(number + 4);
  }

  /**
   * Has the drive write its cache, which msync and aio_fsync do not. Some file systems do not have the command, and fail with
   * one of several errors; EIO is the drive's.
   */
  function syncDrive(descriptor: number): void {
    if (descriptor === -1 || c.fcntl(descriptor, F_FULLFSYNC) !== -1) return;
    const error = errno();
    if (error === EIO) fail("fcntl", error);
  }

  return {
    ...posix,
    get waiting(): Platform["waiting"] {
      // Its errno is read through a view.
      if (!posix.canView) return undefined;
      // Looked up when something first waits.
      if (waiting === null) waiting = darwinWaiting(ffi, LIBRARIES, errnoAddress, fail);
      return waiting;
    },
    named: shmObjects(ffi, LIBRARIES, fail, true),
    ownerLocks: posix.canView ? darwinOfdLocks(ffi, LIBRARIES, errnoAddress, fail, isSameFile) : undefined,
    protection(request) {
      const protection = posix.protection(request);
      const isPrivateFile = request.descriptor !== -1 && (request.access === "read" || request.access === "copy");
      if (!isPrivateFile || request.guard !== true) return protection;
      return { ...protection, flags: protection.flags | MAP_RESILIENT_MEDIA };
    },
    map(request) {
      const { protection } = request;
      const { flags } = protection;
      if ((flags & MAP_RESILIENT_MEDIA) === 0) return posix.map(request);
      try {
        if (hasResilience) return posix.map(request);
      } catch (error) {
        if ((error as { errno?: number }).errno !== POSIX_NUMBERS.EPERM) throw error;
      }
      const address = posix.map({ ...request, protection: { ...protection, flags: flags & ~MAP_RESILIENT_MEDIA } });
      hasResilience = false;
      return address;
    },
    guard(address, length, file) {
      // Shared maps have no place for zeros that the file does not have: the kernel ignores the flag.
      const isResilient = hasResilience && file !== undefined && isResilientlyMapped(file.protection);
      if (!isResilient || file.descriptor === -1 || !status(file.descriptor).regular) return undefined;
      const { descriptor, offset } = file;
      return new SizeGuard(address, length, () => pagesLeft(status(descriptor).size, offset, posix.pageSize));
    },
    flush(address, length, descriptor, flags) {
      posix.flush(address, length, descriptor, flags);
      if (flags === undefined) syncDrive(descriptor);
    },
    async flushAsync(address, length, descriptor) {
      await posix.flushAsync(address, length, descriptor);
      syncDrive(descriptor);
    },
    status,
    duplicate(descriptor) {
      const copy = c.dup(descriptor);
      if (copy === -1) fail("dup");
      if (c.ioctl(copy, FIOCLEX) === 0) return copy;
      try {
        return fail("ioctl");
      } finally {
        posix.closeDescriptor(copy);
      }
    },
    // shm_open takes its mode as a variadic argument, and what it opens can be given a size only once.
    anonymousFile: () => -1,
    residency: residencyReader(c.mincore, fail),
  };
}
