/**
 * Open-file-description locks on single bytes of a file. The kernel releases them when the description is closed: by `close`,
 * or when the process ends, however it ends. Linux and macOS have them. The BSDs do not: lock-files.ts.
 *
 * @see https://man7.org/linux/man-pages/man2/fcntl_locking.2.html
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { once } from "../ffi/once.ts";
import { ArrayBuffer, Int32Array, ReflectApply, Uint8Array } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { errnoNumber, type Fail } from "./errno.ts";
import { cString } from "./libc.ts";
import type { OwnerLocks } from "./types.ts";

/** From asm-generic/fcntl.h and errno.h. */
export const NUMBERS = {
  F_OFD_GETLK: 36,
  F_OFD_SETLK: 37,
  F_WRLCK: 1,
  F_UNLCK: 2,
  O_RDWR: 2,
  O_CLOEXEC: 0o2000000,
  EAGAIN: 11,
  EACCES: 13,
} as const;

/** From macOS's sys/fcntl.h, sys/errno.h and sys/syslimits.h. */
export const DARWIN_NUMBERS = {
  F_OFD_GETLK: 92,
  F_OFD_SETLK: 90,
  F_WRLCK: 3,
  F_UNLCK: 2,
  F_GETPATH: 50,
  PATH_MAX: 1024,
  EBADF: 9,
  ESTALE: 70,
  EAGAIN: 35,
  EACCES: 13,
} as const;

/** Where a `struct flock` has what is used of it, in bytes: `l_type` and `l_whence`, of 16 bits each, and 64-bit integers. */
interface FlockLayout {
  readonly length: number;
  readonly type: number;
  readonly start: number;
  readonly len: number;
}

/** On little-endian machines. */
export const FLOCK: FlockLayout = { length: 32, type: 0, start: 8, len: 16 };
export const DARWIN_FLOCK: FlockLayout = { length: 24, type: 20, start: 0, len: 8 };

export const SIGNATURES = {
  // int fcntl(int fd, int cmd, ... /* struct flock *arg */);
  fcntl: { parameters: ["i32", "i32", "bytes"], result: "i32" },
  // int open(const char *pathname, int flags, ...);
  open: { parameters: ["bytes", "i32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
} as const;

export const DARWIN_SIGNATURES = {
  // int fcntl(int fd, int cmd, ... /* void *arg */); macOS. Intel takes the argument from the third register, arm64 from the
  // stack, where a ninth argument is.
  fcntl: { parameters: ["i32", "i32", "bytes", "i32", "i32", "i32", "i32", "i32", "bytes"], result: "i32" },
} as const;

/** The high half of the offsets that are locked: 2^62, past the end of any file. */
const HIGH = 2 ** 30;

/** One more opening of a file. */
interface Opening {
  readonly descriptor: number;
  close(): void;
}

/** How a system's locks are called. */
interface OfdSystem {
  readonly numbers: typeof NUMBERS | typeof DARWIN_NUMBERS;
  readonly layout: FlockLayout;
  fcntl(descriptor: number, command: number, argument: Uint8Array): number;
  /** Opens a descriptor's file once more. */
  reopen(descriptor: number): Opening;
}

/** Makes `Platform.ownerLocks` of Linux. The functions are looked up on first use. */
export function ofdLocks(ffi: Ffi, libraries: readonly string[], errnoAddress: number, fail: Fail): OwnerLocks {
  const opened = once(() => ffi.open(libraries, SIGNATURES));
  return locks(ffi, errnoAddress, fail, {
    numbers: NUMBERS,
    layout: FLOCK,
    fcntl: (descriptor, command, argument) => opened().fcntl(descriptor, command, argument),
    reopen(descriptor) {
      const path = `/proc/self/fd/${descriptor}`;
      try {
        return reopenByNodeFs(path);
      } catch {
        // The runtime's permissions do not include /proc. Below, only the file is opened that the map has open already.
      }
      const { open, close } = opened();
      const own = open(cString(path), NUMBERS.O_RDWR | NUMBERS.O_CLOEXEC);
      if (own === -1) fail("open");
      return { descriptor: own, close: () => close(own) };
    },
  });
}

/**
 * Makes `Platform.ownerLocks` of macOS, where memory of `shm_open` has no locks. `isSameFile` compares the files of two
 * descriptors.
 */
export function darwinOfdLocks(
  ffi: Ffi,
  libraries: readonly string[],
  errnoAddress: number,
  fail: Fail,
  isSameFile: (descriptor: number, other: number) => boolean,
): OwnerLocks {
  const { EBADF, ESTALE, F_GETPATH, PATH_MAX } = DARWIN_NUMBERS;
  const opened = once(() => ffi.open(libraries, DARWIN_SIGNATURES));
  const errno = errnoNumber(ffi, errnoAddress);

  function fcntl(descriptor: number, command: number, argument: Uint8Array): number {
    return opened().fcntl(descriptor, command, argument, 0, 0, 0, 0, 0, argument);
  }

  function pathOf(descriptor: number): string {
    const bytes = new Uint8Array(PATH_MAX);
    if (fcntl(descriptor, F_GETPATH, bytes) !== 0) {
      const error = errno();
      if (error !== EBADF) fail("fcntl", error);
      throw new TypeError("mutex() needs a map of a file on macOS, where shared memory without one has no locks");
    }
    let length = 0;
    while (length < PATH_MAX && bytes[length] !== 0) length++;
    const { decode, TextDecoder } = builtins();
    return ReflectApply(decode, new TextDecoder(), [new Uint8Array(bytes.buffer, 0, length)]);
  }

  return locks(ffi, errnoAddress, fail, {
    numbers: DARWIN_NUMBERS,
    layout: DARWIN_FLOCK,
    fcntl,
    reopen(descriptor) {
      const opening = reopenByNodeFs(pathOf(descriptor));
      if (isSameFile(opening.descriptor, descriptor)) return opening;
      // Another file has the path by now.
      opening.close();
      return fail("open", ESTALE);
    },
  });
}

/** By `node:fs`, because Node closes such descriptors of a worker when that ends. */
function reopenByNodeFs(path: string): Opening {
  const { closeSync, openSync } = builtins();
  const descriptor = openSync(path, "r+");
  return { descriptor, close: () => closeSync(descriptor) };
}

function locks(ffi: Ffi, errnoAddress: number, fail: Fail, system: OfdSystem): OwnerLocks {
  const { layout } = system;
  const { EACCES, EAGAIN, F_OFD_GETLK, F_OFD_SETLK, F_UNLCK, F_WRLCK } = system.numbers;
  const errno = errnoNumber(ffi, errnoAddress);
  const buffer = new ArrayBuffer(layout.length);
  const words = new Int32Array(buffer);
  const flock = new Uint8Array(buffer);

  function call(descriptor: number, command: number, id: number): number {
    // l_pid must be 0, and F_OFD_GETLK fills the structure.
    for (let index = 0; index < layout.length / 4; index++) words[index] = 0;
    words[layout.type / 4] = F_WRLCK;
    words[layout.start / 4] = id;
    words[layout.start / 4 + 1] = HIGH;
    words[layout.len / 4] = 1;
    return system.fcntl(descriptor, command, flock);
  }

  return {
    open(descriptor) {
      const { descriptor: own, close } = system.reopen(descriptor);
      return {
        take(id) {
          if (call(own, F_OFD_SETLK, id) === 0) return true;
          const error = errno();
          return error === EAGAIN || error === EACCES ? false : fail("fcntl", error);
        },
        isTaken(id) {
          if (call(own, F_OFD_GETLK, id) !== 0) fail("fcntl");
          return ((words[layout.type / 4] as number) & 0xffff) !== F_UNLCK;
        },
        close,
      };
    },
  };
}
