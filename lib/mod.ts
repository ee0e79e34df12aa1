/**
 * Memory-mapped files for Bun, Deno and Node: Python's `mmap` module for JavaScript, with no native add-on.
 *
 * @example
 * ```ts
 * import { MMap } from "mmap-ffi";
 *
 * using mm = MMap.open("hello.bin", { create: true, length: 4096 });
 * mm.write("Hello from memory!\n");
 * console.log(mm.find("memory"), new TextDecoder().decode(mm.bytes.subarray(0, 5))); // 11 Hello
 * ```
 *
 * @module
 */

export * from "./constants.ts";
export { MMapError, type MMapErrorDetails } from "./errors.ts";
export { MMap, type Residency } from "./mmap.ts";
export type {
  Access,
  CloseOptions,
  FlushOptions,
  MMapOptions,
  OpenOptions,
  PrefaultOptions,
  ResizeOptions,
  SharedOptions,
  WaitOptions,
  WaitSignal,
} from "./options.ts";
export type { ByteMatch } from "./search/search.ts";
export type { ByteStream } from "./stream.ts";
export type { Acquired, Held, Mutex } from "./sync/mutex.ts";
export type { WaitResult } from "./sync/wait.ts";
export type { BytesLike } from "./validate.ts";
export type { ViewConstructor, ViewOf } from "./view-types.ts";
