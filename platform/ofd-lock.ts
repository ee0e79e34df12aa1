/**
 * Open-file-description locks on single bytes of a file. The kernel releases them when the description is closed: by `close`,
 * or when the process ends, however it ends.
 *
 * @see https://man7.org/linux/man-pages/man2/fcntl_locking.2.html
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { Int32Array, Uint8Array } from "../ffi/primordials.ts";
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

const { EACCES, EAGAIN, F_OFD_GETLK, F_OFD_SETLK, F_UNLCK, F_WRLCK, O_CLOEXEC, O_RDWR } = NUMBERS;

export const SIGNATURES = {
  // int fcntl(int fd, int cmd, ... /* struct flock *arg */);
  fcntl: { parameters: ["i32", "i32", "bytes"], result: "i32" },
  // int open(const char *pathname, int flags, ...);
  open: { parameters: ["bytes", "i32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** The high half of the offsets that are locked: 2^62, past the end of any file. */
const HIGH = 2 ** 30;

/** Makes `Platform.ownerLocks`. The functions are looked up on first use. */
export function ofdLocks(ffi: Ffi, libraries: readonly string[], errnoAddress: number, fail: Fail): OwnerLocks {
  const open = () => ffi.open(libraries, SIGNATURES);
  let opened: ReturnType<typeof open> | undefined;
  const errno = errnoNumber(ffi, errnoAddress);
  // struct flock: l_type and l_whence (16 bits each), 4 bytes of padding, l_start and l_len (64 bits each), l_pid, padding.
  // Filled for little-endian machines.
  const words = new Int32Array(8);
  const flock = new Uint8Array(words.buffer);

  function call(descriptor: number, command: number, id: number): number {
    opened ??= open();
    words[0] = F_WRLCK;
    words[2] = id;
    words[3] = HIGH;
    words[4] = 1;
    words[6] = 0;
    return opened.fcntl(descriptor, command, flock);
  }

  return {
    open(descriptor) {
      const path = `/proc/self/fd/${descriptor}`;
      try {
        // When a worker ends, Node closes the descriptors that it has opened by node:fs.
        const { closeSync, openSync } = builtins();
        const own = openSync(path, "r+");
        return { descriptor: own, close: () => closeSync(own) };
      } catch {
        // The runtime's permissions do not include /proc. Below, only the file is opened that the map has open already.
      }
      opened ??= open();
      const { open: openPath, close } = opened;
      const own = openPath(cString(path), O_RDWR | O_CLOEXEC);
      if (own === -1) fail("open");
      return { descriptor: own, close: () => close(own) };
    },
    take(descriptor, id) {
      if (call(descriptor, F_OFD_SETLK, id) === 0) return true;
      const error = errno();
      return error === EAGAIN || error === EACCES ? false : fail("fcntl", error);
    },
    isTaken(descriptor, id) {
      if (call(descriptor, F_OFD_GETLK, id) !== 0) fail("fcntl");
      return ((words[0] as number) & 0xffff) !== F_UNLCK;
    },
  };
}
