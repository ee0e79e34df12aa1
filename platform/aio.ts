/**
 * Brings a file to its disk while the program goes on, by POSIX's asynchronous I/O.
 *
 * Not by `node:fs`, which takes no descriptor of ours in Deno and none at all under Node's permission model; and not by a call
 * into C on another thread, which leaves errno there. Here the error is what `aio_error` returns.
 *
 * @see https://man7.org/linux/man-pages/man7/aio.7.html
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { ArrayBuffer, Int32Array, MathMin, Uint8Array } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import type { Fail } from "./errno.ts";

/** What a system's headers say. */
export interface Aio {
  /** The libraries that have the functions, the likeliest first. */
  readonly libraries: readonly string[];
  readonly O_SYNC: number;
  readonly EINPROGRESS: number;
  readonly SIGEV_NONE: number;
  /** Where `struct aiocb` has `aio_sigevent.sigev_notify`, in bytes; `aio_fildes` comes first in all of them. */
  readonly notifyAt: number;
}

const SIGNATURES = {
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

/** The length in bytes of what is passed as a `struct aiocb`: more than any system's has. */
const BLOCK = 256;

/** How long to wait between two looks at what runs, at most, in milliseconds. */
const LONGEST_PAUSE = 16;

/** Makes the function that brings a descriptor's file to its disk. The descriptor must stay open until that is done. */
export function backgroundSync(ffi: Ffi, aio: Aio, fail: Fail): (descriptor: number) => Promise<void> {
  const open = () => ffi.open(aio.libraries, SIGNATURES);
  let opened: ReturnType<typeof open> | undefined;

  /** The address of the block, which the system uses until all is done: not memory that a garbage collector moves. */
  function start(c: ReturnType<typeof open>, descriptor: number): number {
    const memory = new ArrayBuffer(BLOCK);
    const block = new Uint8Array(memory);
    const words = new Int32Array(memory);
    words[0] = descriptor;
    words[aio.notifyAt / 4] = aio.SIGEV_NONE;
    const address = c.malloc(BLOCK);
    if (address === 0) fail("malloc");
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
    // Some systems keep a request until its result was asked for.
    c.aio_return(address);
    c.free(address);
    if (error !== 0) fail("aio_fsync", error);
  };
}
