/**
 * `MMapError`, and the functions that make errors. A message names the argument, the value it had and what was expected.
 *
 * @module
 */

import { FfiUnavailable } from "../ffi/types.ts";
import { type ErrorFactory, PlatformUnavailable } from "../platform/types.ts";

/** What an `MMapError` says beyond its message. */
export interface MMapErrorDetails {
  /** "ENOMEM" and its like where the system refused; one of `ERR_MMAP_CLOSED`, `ERR_MMAP_TRUNCATED`, `ERR_MMAP_FFI`. */
  code: string;
  /** The system's number for the error. */
  errno?: number;
  /** The system call that failed. */
  syscall?: string;
  /** The path that was opened. */
  path?: string;
  /** The error that this one comes from. */
  cause?: unknown;
}

/**
 * What the library throws where neither `TypeError` nor `RangeError` fits: a closed map, a call that the system refused,
 * a machine where C cannot be called.
 *
 * @example
 * ```ts
 * import { MMap, MMapError } from "mmap-ffi";
 *
 * try {
 *   MMap.open("/no/such/file");
 * } catch (error) {
 *   if (error instanceof MMapError) console.log(error.code, error.path); // ENOENT /no/such/file
 * }
 * ```
 */
export class MMapError extends Error {
  override readonly name = "MMapError";
  /** "ENOMEM" and its like where the system refused; one of `ERR_MMAP_CLOSED`, `ERR_MMAP_TRUNCATED`, `ERR_MMAP_FFI`. */
  readonly code: string;
  // Declared only: a field would be there as `undefined` in each error, and printed with it.
  /** The system's number for the error, where the system refused. */
  declare readonly errno?: number;
  /** The system call that failed ("mmap"), where the system refused. */
  declare readonly syscall?: string;
  /** The path that was opened, where it is known. */
  declare readonly path?: string;

  /** Makes an error from its message and details. */
  constructor(message: string, details: MMapErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.path !== undefined) this.path = details.path;
  }
}

/** The map was closed. */
export function closedError(): MMapError {
  return new MMapError("the map is closed", { code: "ERR_MMAP_CLOSED" });
}

/** Pages could not be had from the file, and what is said to be gone is gone. */
export function truncatedError(gone: string): MMapError {
  return new MMapError(
    `the file shrank under the map, or its disk is full or fails: ${gone}; resize the map, or make a new one`,
    {
      code: "ERR_MMAP_TRUNCATED",
    },
  );
}

/** What `openPlatform` throws where there is no way to call C, as users are told of it; any other error stays as it is. */
export function ffiError(error: unknown): unknown {
  if (!(error instanceof FfiUnavailable || error instanceof PlatformUnavailable)) return error;
  return new MMapError(error.message, { code: "ERR_MMAP_FFI", cause: error.cause });
}

/** The errors that the platform throws. */
export const errorFactory: ErrorFactory = {
  system: (syscall, errno, code, meaning) =>
    new MMapError(`${syscall}: ${meaning} (${code})`, { code, errno, syscall }),
};

/** The same error of a map to be written, saying what to do where its descriptor is for reading only. */
export function orReadOnly(error: unknown): unknown {
  if (!(error instanceof MMapError) || error.code !== "EACCES") return error;
  const advice = 'the descriptor must be open for reading and writing ("r+"), or access be "read"';
  return new MMapError(`${error.message}: ${advice}`, error);
}

/** The same error, saying which path was opened; what is thrown and is not the system's stays as it is. */
export function withPath(error: unknown, path: string): unknown {
  // A class of the user's own may throw anything.
  if (typeof error !== "object" || error === null) return error;
  const { code, errno, syscall, message, path: named } = error as Partial<MMapErrorDetails> & Error;
  if (error instanceof RangeError || error instanceof TypeError || typeof errno !== "number" || code === undefined) {
    return error;
  }
  // node:fs puts the path that it names into its messages itself, and gives the negative of the system's number.
  const said = named === undefined ? `${message}, ${show(path)}` : message;
  return new MMapError(said, { code, errno: Math.abs(errno), syscall: syscall ?? "open", path, cause: error });
}

/** A value as a message shows it: short, and never calling code of the value's own. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : Array.isArray(value) ? "an array" : "an object";
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}
