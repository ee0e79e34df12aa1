/**
 * Calls C through `Deno.dlopen`. Needs `--allow-ffi`.
 *
 * @see https://docs.deno.com/runtime/fundamentals/ffi/
 * @module
 */

import { type Call, withNumberArguments } from "./bigint-calls.ts";
import { openFirst } from "./open-library.ts";
import { BigInt, mapArray, mapValues } from "./primordials.ts";
import { type CType, type Ffi, FfiUnavailable, type Functions, type LaterFunctions, type Signatures } from "./types.ts";

/** The part of Deno's API that is used here. */
interface DenoFfi {
  dlopen(
    library: string,
    symbols: Record<string, { parameters: string[]; result: string; nonblocking: boolean }>,
  ): { symbols: Record<string, Call> };
  UnsafePointer: { create(address: bigint): object | null };
  UnsafePointerView: { getArrayBuffer(pointer: object, byteLength: number): ReturnType<Ffi["view"]> };
}

const TYPES: Record<CType, string> = {
  void: "void",
  i32: "i32",
  u32: "u32",
  i64: "i64",
  usize: "usize",
  pointer: "usize",
  bytes: "buffer",
};

const RESULTS: Record<CType, string> = { ...TYPES, pointer: "isize" };

/** V8 accepted 2^46 bytes here; this library promises 1 TiB. */
const MAX_VIEW_LENGTH = 2 ** 40;

export function denoFfi(): Ffi {
  const deno = (globalThis as unknown as { Deno: DenoFfi }).Deno;
  // Captured, because they are called with addresses: one that is replaced later could close the map first.
  const { create } = deno.UnsafePointer;
  const { getArrayBuffer } = deno.UnsafePointerView;

  function open(libraries: readonly string[], signatures: Signatures, nonblocking: boolean): unknown {
    const symbols = mapValues(signatures, ({ parameters, result }) => ({
      parameters: mapArray(parameters, (type) => TYPES[type]),
      result: RESULTS[result],
      nonblocking,
    }));
    const functions = openFirst(libraries, (library) => {
      try {
        return deno.dlopen(library, symbols).symbols;
      } catch (error) {
        // Deno's message names the library, but the user has to allow FFI as such.
        if ((error as Error).name !== "NotCapable") throw error;
        throw new FfiUnavailable("Deno may not call C: run it with --allow-ffi");
      }
    });
    return withNumberArguments(functions, signatures);
  }

  return {
    maxViewLength: MAX_VIEW_LENGTH,
    smallCopyLimit: 512,
    operationsKeepBuffers: false,
    readInt32: undefined,
    open: <const S extends Signatures>(libraries: readonly string[], signatures: S) =>
      open(libraries, signatures, false) as Functions<S>,
    openLater: <const S extends Signatures>(libraries: readonly string[], signatures: S) =>
      open(libraries, signatures, true) as LaterFunctions<S>,
    view: (address, length) => getArrayBuffer(create(BigInt(address)) as object, length),
  };
}
