/**
 * `MMapError`, and the functions that make errors. A message names the argument, the value it had and what was expected.
 *
 * @module
 */

import { FfiUnavailable } from "../ffi/types.ts";
import { type ErrorFactory, PlatformUnavailable } from "../platform/types.ts";
import { brand } from "./brand.ts";

/** The properties of an `MMapError` besides its message. */
export interface MMapErrorDetails {
  /** The name of a system error ("ENOMEM"), or `ERR_MMAP_CLOSED`, `ERR_MMAP_TRUNCATED` or `ERR_MMAP_FFI`. */
  code: string;
  /** The number of the system error. */
  errno?: number;
  /** The system call that failed. */
  syscall?: string;
  /** The path that was opened. */
  path?: string;
  /** The underlying error. */
  cause?: unknown;
}

/**
 * What the library throws where neither `TypeError` nor `RangeError` fits: the map is closed, a system call failed, or no
 * FFI is available.
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
  /** The name of the class. */
  override readonly name = "MMapError";
  /** The name of a system error ("ENOMEM"), or `ERR_MMAP_CLOSED`, `ERR_MMAP_TRUNCATED` or `ERR_MMAP_FFI`. */
  readonly code: string;
  // Only declared: fields would exist as `undefined` in each error, and be printed with it.
  /** The number of the system error, if a system call failed. */
  declare readonly errno?: number;
  /** The system call that failed ("mmap"), if one did. */
  declare readonly syscall?: string;
  /** The path that was opened, if it is known. */
  declare readonly path?: string;

  /** Creates an error from its message and details. */
  constructor(message: string, details: MMapErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.path !== undefined) this.path = details.path;
  }
}

brand(MMapError, "MMapError");

/** The error for a closed map, or for what ends with its memory. */
export function closedError(message = "the map is closed"): MMapError {
  return new MMapError(message, { code: "ERR_MMAP_CLOSED" });
}

/** The error for pages that the file no longer has. `gone` describes the lost range. */
export function truncatedError(gone: string): MMapError {
  return new MMapError(
    `the file shrank under the map, or its disk is full or fails: ${gone}; remap() or resize() the map, or make a new one`,
    {
      code: "ERR_MMAP_TRUNCATED",
    },
  );
}

/** The `MMapError` for what `openPlatform` throws if no FFI is available. Any other error is returned unchanged. */
export function ffiError(error: unknown): unknown {
  if (!(error instanceof FfiUnavailable || error instanceof PlatformUnavailable)) return error;
  return new MMapError(error.message, { code: "ERR_MMAP_FFI", cause: error.cause });
}

/** The error of what needs an ArrayBuffer over mapped memory, in a runtime that forbids these. */
export function noViewsError(): MMapError {
  return new MMapError(
    "this runtime forbids ArrayBuffers over mapped memory (as Electron does), which bytes, buffer, view() and mutex() need: " +
      "use read(), slice(), text() or chunks(), which copy here, and write()",
    { code: "ERR_MMAP_FFI" },
  );
}

let making = false;

/** Whether the platform's error is being made: the only time in a resize at which user code can run, in a replaced class. */
export function isMakingError(): boolean {
  return making;
}

/** The errors that the platform throws. */
export const errorFactory: ErrorFactory = {
  system(syscall, errno, code, meaning) {
    making = true;
    try {
      return new MMapError(`${syscall}: ${meaning} (${code})`, { code, errno, syscall });
    } finally {
      making = false;
    }
  },
};

/** Adds to the error of a writable map what to do if its descriptor is open for reading only. */
export function orReadOnly(error: unknown): unknown {
  if (!(error instanceof MMapError) || error.code !== "EACCES") return error;
  const advice = 'the descriptor must be open for reading and writing ("r+"), or access be "read"';
  return new MMapError(`${error.message}: ${advice}`, error);
}

/** Adds the opened path to a system error. Anything else that was thrown is returned unchanged. */
export function withPath(error: unknown, path: string): unknown {
  // The constructor of a subclass may throw anything.
  if (typeof error !== "object" || error === null) return error;
  const { code, errno, syscall, message, path: named } = error as Partial<MMapErrorDetails> & Error;
  if (error instanceof RangeError || error instanceof TypeError || typeof errno !== "number" || code === undefined) {
    return error;
  }
  // The messages of node:fs include the path already, and its `errno` is the negative of the system's.
  const said = named === undefined ? `${message}, ${show(path)}` : message;
  return new MMapError(said, { code, errno: Math.abs(errno), syscall: syscall ?? "open", path, cause: error });
}

/** The name of an object's class, or `undefined` if it has none or a plain one. Runs no getter of the object. */
export function classNameOf(object: object, end: object = Object.prototype): string | undefined {
  try {
    for (let prototype = Object.getPrototypeOf(object); prototype !== end && prototype !== null; ) {
      const { value } = Object.getOwnPropertyDescriptor(prototype, "constructor") ?? {};
      const name = typeof value === "function" ? Object.getOwnPropertyDescriptor(value, "name")?.value : undefined;
      // "Object" is a plain object of another realm.
      if (typeof name === "string" && name !== "") return name === "Object" ? undefined : name;
      prototype = Object.getPrototypeOf(prototype);
    }
  } catch {
    // A Proxy whose handler throws.
  }
  return undefined;
}

function withArticle(noun: string): string {
  return `${/^(?:[aeio]|MMap$)/i.test(noun) ? "an" : "a"} ${noun}`;
}

/** A value as messages show it, an object by its class. Short, and runs no getter of the value. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? "an array" : withArticle(classNameOf(value) ?? "object");
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}
