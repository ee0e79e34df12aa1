/**
 * Writes a file to its disk without blocking, by POSIX's asynchronous I/O.
 *
 * Not by `node:fs`, which rejects the library's descriptors in Deno, and all descriptors under Node's permission model. Not by
 * a call into C on another thread, because errno is that thread's. `aio_error` returns the error.
 *
 * @see https://man7.org/linux/man-pages/man7/aio.7.html
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { ArrayBuffer, Int32Array, MathMin, Uint8Array } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import type { Fail } from "./errno.ts";

/** The values of a system's headers. */
export interface Aio {
  /** The libraries that have the functions, the likeliest first. */
  readonly libraries: readonly string[];
  readonly O_SYNC: number;
  readonly EINPROGRESS: number;
  readonly SIGEV_NONE: number;
  /** The offset of `aio_sigevent.sigev_notify` in `struct aiocb`, in bytes; `aio_fildes` comes first on every system. */
  readonly notifyAt: number;
}

export const SIGNATURES = {
  // int aio_fsync(int op, struct aiocb *aiocbp);
  aio_fsync: { parameters: ["i32", "pointer"], result: "i32" },
  // int aio_error(const struct aiocb *aiocbp);
  aio_error: { parameters: ["pointer"], result: "i32" },
  // ssize_t aio_return(struct aiocb *aiocbp);
  aio_return: { parameters: ["pointer"], result: "i64" },
  // void *malloc(size_t size);
  malloc: { parameters: ["usize"], result: "pointer" },
  // void free(void *ptr);
  free: { parameters: ["pointer"], result: "void" },
  // void *memcpy(void *dest, const void *src, size_t n);
  memcpy: { parameters: ["pointer", "bytes", "usize"], result: "pointer" },
} as const;

/** The length in bytes of the memory that is passed as a `struct aiocb`: longer than that of any system. */
export const BLOCK = 256;

/** The longest pause between two calls of `aio_error`, in milliseconds. */
const LONGEST_PAUSE = 16;

/** Makes the function that writes a descriptor's file to its disk. The descriptor must stay open until the promise settles. */
export function backgroundSync(ffi: Ffi, aio: Aio, fail: Fail): (descriptor: number) => Promise<void> {
  const open = () => ffi.open(aio.libraries, SIGNATURES);
  let opened: ReturnType<typeof open> | undefined;

  /** Starts the operation and returns the address of its block, which the system uses until the operation is done. */
  function start(c: ReturnType<typeof open>, descriptor: number): number {
    const memory = new ArrayBuffer(BLOCK);
    const block = new Uint8Array(memory);
    const words = new Int32Array(memory);
    words[0] = descriptor;
    words[aio.notifyAt / 4] = aio.SIGEV_NONE;
    const address = c.malloc(BLOCK);
    if (address === 0) fail("malloc");
    // SAFETY: both have BLOCK bytes. The block is malloc's, because the garbage collector may move or free an ArrayBuffer.
    c.memcpy(address, block, BLOCK);
    if (c.aio_fsync(aio.O_SYNC, address) === 0) return address;
    try {
      return fail("aio_fsync");
    } finally {
      c.free(address);
    }
  }

  return async (descriptor) => {
    const { setTimeout } = builtins();
    opened ??= open();
    const c = opened;
    const address = start(c, descriptor);
    let error: number;
    let pause = 1;
    do {
      await setTimeout(pause);
      pause = MathMin(2 * pause, LONGEST_PAUSE);
      error = c.aio_error(address);
    } while (error === aio.EINPROGRESS);
    // SAFETY: the operation has ended, so the system no longer uses the block. Some systems keep it until aio_return.
    c.aio_return(address);
    c.free(address);
    if (error !== 0) fail("aio_fsync", error);
  };
}
