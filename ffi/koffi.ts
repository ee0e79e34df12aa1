/**
 * Calls C from Node through the koffi package.
 *
 * @see https://koffi.dev
 * @module
 */

import { builtins } from "./builtins.ts";
import { openFirst } from "./open-library.ts";
import { mapArray, mapValues, NumberParseInt } from "./primordials.ts";
import { CodedError, type CType, type Ffi, type Functions, type Signatures } from "./types.ts";

/** The part of koffi that is used here. */
interface Koffi {
  load(library: string): { func(name: string, result: string, parameters: string[]): (...values: never[]) => unknown };
  readonly view: Ffi["view"];
}

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
  const koffi = load();
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

function load(): Koffi {
  const { process, require } = builtins();
  try {
    return require("koffi") as Koffi;
  } catch (error) {
    const { permission } = process as { permission?: { has(scope: string): boolean } };
    // If koffi does not find its native part, its error does not say that add-ons are restricted.
    const denied = (error as { code?: string }).code !== "MODULE_NOT_FOUND" && permission?.has("addon") === false;
    throw denied ? new CodedError("ERR_DLOPEN_DISABLED", "add-ons are restricted") : error;
  }
}
