/**
 * Calls C from Node through koffi.
 *
 * @see https://koffi.dev
 * @module
 */

import { builtins } from "./builtins.ts";
import { loadKoffi } from "./koffi-package.ts";
import { openFirst } from "./open-library.ts";
import { mapArray, mapValues, NumberParseInt } from "./primordials.ts";
import type { CType, Ffi, Functions, Signatures } from "./types.ts";

// uintptr_t and size_t take and return numbers; koffi's pointer types would return opaque objects.
const TYPES: Record<CType, string> = {
  void: "void",
  i32: "int32_t",
  u32: "uint32_t",
  i64: "int64_t",
  usize: "size_t",
  pointer: "uintptr_t",
  bytes: "void *",
};

const RESULTS: Record<CType, string> = { ...TYPES, pointer: "int64_t" };

/** @throws {Error} koffi is not installed, or has no build for this machine. */
export function koffiFfi(): Ffi {
  const koffi = loadKoffi();
  const major = NumberParseInt(builtins().process.versions.node, 10);
  return {
    // Node 20 aborts the process for a longer ArrayBuffer; later versions accepted 2^46 bytes.
    maxViewLength: major < 22 ? 2 ** 32 : 2 ** 40,
    smallCopyLimit: 512,
    operationsKeepBuffers: true,
    open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S> {
      const functions = openFirst(libraries, (file) => {
        const library = koffi.load(file);
        return mapValues(signatures, ({ parameters, result }, name) =>
          library.func(
            name,
            RESULTS[result],
            mapArray(parameters, (type) => TYPES[type]),
          ),
        );
      });
      return functions as Functions<S>;
    },
    view: (address, length) => koffi.view(address, length),
  };
}
