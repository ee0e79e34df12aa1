/**
 * Calls C through `bun:ffi`.
 *
 * @see https://bun.com/docs/runtime/ffi
 * @module
 */

import { builtins } from "./builtins.ts";
import { openFirst } from "./open-library.ts";
import { mapArray, mapValues } from "./primordials.ts";
import type { CType, Ffi, Functions, Signatures } from "./types.ts";

/** The part of `bun:ffi` that is used here. */
interface BunFfi {
  dlopen(
    library: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: Record<string, (...parameters: never[]) => unknown> };
  toArrayBuffer(address: number, byteOffset: number, byteLength: number): ReturnType<Ffi["view"]>;
}

const PARAMETERS: Record<CType, string> = {
  void: "void",
  i32: "i32",
  u32: "u32",
  i64: "i64",
  usize: "u64",
  pointer: "u64",
  bytes: "ptr",
};

// The "fast" integers arrive as numbers if these are exact; the plain ones would always arrive as BigInt.
const RESULTS: Record<CType, string> = { ...PARAMETERS, i64: "i64_fast", usize: "u64_fast", pointer: "i64_fast" };

/** JavaScriptCore makes ArrayBuffers of at most 4 GiB. */
const MAX_VIEW_LENGTH = 2 ** 32;

export function bunFfi(): Ffi {
  // Not by import, which a bundler for another runtime would not resolve.
  const bun = builtins().getBuiltinModule("bun:ffi" as string) as unknown as BunFfi;
  // Captured, because it is called with addresses: one that is replaced later could close the map first.
  const { toArrayBuffer } = bun;
  return {
    maxViewLength: MAX_VIEW_LENGTH,
    // A call into C is faster than creating an array over part of a view.
    smallCopyLimit: 0,
    operationsKeepBuffers: true,
    readInt32: undefined,
    open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S> {
      const symbols = mapValues(signatures, ({ parameters, result }) => ({
        args: mapArray(parameters, (type) => PARAMETERS[type]),
        returns: RESULTS[result],
      }));
      return openFirst(libraries, (library) => bun.dlopen(library, symbols).symbols) as Functions<S>;
    },
    openLater: undefined,
    view: (address, length) => toArrayBuffer(address, 0, length),
  };
}
