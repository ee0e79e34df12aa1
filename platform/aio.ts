/**
 * Writes a file to its disk, or reads it from there, without blocking, by POSIX's asynchronous I/O.
 *
 * Not by `node:fs`, which rejects the library's descriptors in Deno, and all descriptors under Node's permission model. Not by
 * a call into C on another thread, because errno is that thread's, and not every runtime has such calls. `aio_error` returns
 * the error.
 *
 * @see https://man7.org/linux/man-pages/man7/aio.7.html
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { once } from "../ffi/once.ts";
import { ArrayBuffer, BigInt, BigInt64Array, Int32Array, MathMin, Uint8Array } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import type { Fail } from "./errno.ts";
import type { Platform } from "./types.ts";

/** The values of a system's headers. The offsets are those of fields in `struct aiocb`, in bytes. */
export interface Aio {
  /** The libraries that have the functions, the likeliest first. */
  readonly libraries: readonly string[];
  readonly O_SYNC: number;
  readonly EINPROGRESS: number;
  readonly SIGEV_NONE: number;
  /** `aio_offset`. On every system, `aio_fildes` is at 0, `aio_buf` at 16 and `aio_nbytes` at 24. */
  readonly offsetAt: number;
  /** `aio_sigevent.sigev_notify`. */
  readonly notifyAt: number;
}

export const SIGNATURES = {
  // int aio_fsync(int op, struct aiocb *aiocbp);
  aio_fsync: { parameters: ["i32", "pointer"], result: "i32" },
  // int aio_read(struct aiocb *aiocbp);
  aio_read: { parameters: ["pointer"], result: "i32" },
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

/** What the operations do. Their descriptors must stay open until the promise settles. */
export interface AsynchronousIo {
  /** Writes a descriptor's file to its disk. */
  sync(descriptor: number): Promise<void>;
  readonly readAhead: NonNullable<Platform["readAhead"]>;
}

export function asynchronousIo(ffi: Ffi, aio: Aio, fail: Fail): AsynchronousIo {
  const opened = once(() => ffi.open(aio.libraries, SIGNATURES));

  /** Runs an operation to its end. `length` bytes of memory follow its block, for what is read. */
  async function run(
    name: "aio_fsync" | "aio_read",
    { descriptor, offset, length }: { descriptor: number; offset: number; length: number },
  ): Promise<void> {
    const c = opened();
    const { setTimeout } = builtins();
    const memory = new ArrayBuffer(BLOCK);
    const block = new Uint8Array(memory);
    const words = new Int32Array(memory);
    const longs = new BigInt64Array(memory);
    // Memory of the C library, because the garbage collector may move or free an ArrayBuffer while the system uses it.
    const address = c.malloc(BLOCK + length);
    if (address === 0) fail("malloc");
    words[0] = descriptor;
    words[aio.notifyAt / 4] = aio.SIGEV_NONE;
    if (length > 0) {
      longs[2] = BigInt(address + BLOCK);
      longs[3] = BigInt(length);
      longs[aio.offsetAt / 8] = BigInt(offset);
    }
    // SAFETY: both have BLOCK bytes, and what is read fits after them.
    c.memcpy(address, block, BLOCK);
    if ((name === "aio_read" ? c.aio_read(address) : c.aio_fsync(aio.O_SYNC, address)) !== 0) {
      try {
        return fail(name);
      } finally {
        c.free(address);
      }
    }
    let error: number;
    let pause = 1;
    do {
      await setTimeout(pause);
      pause = MathMin(2 * pause, LONGEST_PAUSE);
      error = c.aio_error(address);
    } while (error === aio.EINPROGRESS);
    // SAFETY: the operation has ended, so the system no longer uses the memory. Some systems keep it until aio_return.
    c.aio_return(address);
    c.free(address);
    if (error !== 0) fail(name, error);
  }

  return {
    sync: (descriptor) => run("aio_fsync", { descriptor, offset: 0, length: 0 }),
    readAhead: (descriptor, offset, length) => run("aio_read", { descriptor, offset, length }),
  };
}
