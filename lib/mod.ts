/**
 * Memory-mapped files for Bun, Deno and Node: Python's `mmap` module for JavaScript, with no native add-on.
 *
 * @example
 * ```ts
 * import { MMap } from "mmap-ffi";
 *
 * using mm = MMap.open("package.json");
 * console.log(mm.length, mm.find("name"), new TextDecoder().decode(mm.bytes.subarray(0, 20)));
 * ```
 *
 * @module
 */

export type { BytesLike } from "./check.ts";
export * from "./constants.ts";
export { MMapError, type MMapErrorDetails } from "./errors.ts";
export {
  type Access,
  MMap,
  type MMapOptions,
  type OpenOptions,
  type PrefaultOptions,
  type Residency,
  type ResizeOptions,
  type ViewConstructor,
} from "./mmap.ts";
export type { ByteMatch } from "./search.ts";
