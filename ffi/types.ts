/**
 * How the rest of the library calls C. Each runtime has one file in this folder that implements `Ffi`. None of them knows
 * what the functions do.
 *
 * @module
 */

/**
 * The C types that a signature may name.
 *
 * - `i32`, `u32`: a 32-bit integer, a JavaScript number.
 * - `i64`, `usize`: a 64-bit integer, a JavaScript number within ±2^53.
 * - `pointer`: an address, a JavaScript number (user space ends below 2^53). A result is read as a signed integer, so
 *   that C's `(void *) -1` arrives as -1.
 * - `bytes`: a non-empty `Uint8Array`, passed as the address of its first byte. Parameters only.
 * - `void`: no result. Results only.
 */
export type CType = "void" | "i32" | "u32" | "i64" | "usize" | "pointer" | "bytes";

/** One C function: the types of its parameters and of its result. */
export interface Signature {
  readonly parameters: readonly CType[];
  readonly result: CType;
}

/** C functions by name. */
export type Signatures = Readonly<Record<string, Signature>>;

/** The JavaScript type of a parameter of C type `T`. */
export type Argument<T extends CType> = T extends "bytes" ? Uint8Array : number;

/** The JavaScript type of a result of C type `T`. */
export type Result<T extends CType> = T extends "void" ? undefined : number;

type Arguments<P extends readonly CType[]> = { [Index in keyof P]: Argument<P[Index]> };

/** The callable functions that a table of signatures describes. */
export type Functions<S extends Signatures> = {
  readonly [Name in keyof S]: (...parameters: Arguments<S[Name]["parameters"]>) => Result<S[Name]["result"]>;
};

/** The same functions, called in another thread. */
export type LaterFunctions<S extends Signatures> = {
  readonly [Name in keyof S]: (...parameters: Arguments<S[Name]["parameters"]>) => Promise<Result<S[Name]["result"]>>;
};

/** What every runtime offers. */
export interface Ffi {
  /** The length in bytes of the largest `ArrayBuffer` that `view` can make. */
  readonly maxViewLength: number;

  /** The largest copy, in bytes, that is faster from a view than through memcpy. */
  readonly smallCopyLimit: number;

  /**
   * Whether the runtime's own operations (a write to a socket, say) hold the ArrayBuffer that they work on until they end.
   * Deno's hold its memory alone.
   */
  readonly operationsKeepBuffers: boolean;

  /**
   * Opens the first of the named libraries that exists and looks up every function of the table.
   *
   * @throws {FfiUnavailable} None of the libraries opens, or one of the functions is missing.
   */
  open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S>;

  /**
   * Like `open`, for functions whose calls run in another thread and return promises. Their arguments are numbers, their
   * results of at most 32 bits, and errno is lost. Undefined if the runtime cannot do that, or has few such threads.
   */
  readonly openLater:
    | (<const S extends Signatures>(libraries: readonly string[], signatures: S) => LaterFunctions<S>)
    | undefined;

  /**
   * Reads the 32-bit integer at an address. Only if the runtime forbids ArrayBuffers over memory that C owns, as Electron does:
   * then `view` throws. Undefined in all others.
   */
  readonly readInt32: ((address: number) => number) | undefined;

  /** Returns an `ArrayBuffer` over memory that C owns, without a copy. The garbage collector never frees that memory. */
  view(address: number, length: number): ArrayBuffer;
}

/** Thrown if C cannot be called. The message says why, and what to do about it. */
export class FfiUnavailable extends Error {
  override readonly name = "FfiUnavailable";
}

/** An error with a code, like those that Node throws. */
export class CodedError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
