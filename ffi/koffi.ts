/**
 * Calls C from Node through koffi.
 *
 * @see https://koffi.dev
 * @module
 */

import { builtins } from "./builtins.ts";
import { type Koffi, type KoffiFunction, loadKoffi } from "./koffi-package.ts";
import { openFirst } from "./open-library.ts";
import { define, mapArray, mapValues, NumberParseInt, Promise, ReflectApply } from "./primordials.ts";
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
  const { isMainThread, process } = builtins();
  // Captured, because they are called with addresses: one that is replaced later could close the map first.
  const { decode, view } = koffi;
  const major = NumberParseInt(process.versions.node, 10);

  function functionsOf(libraries: readonly string[], signatures: Signatures): Record<string, KoffiFunction> {
    return openFirst(libraries, (file) => {
      const library = koffi.load(file);
      return mapValues(signatures, ({ parameters, result }, name) =>
        library.func(
          name,
          RESULTS[result],
          mapArray(parameters, (type) => TYPES[type]),
        ),
      );
    });
  }

  return {
    // Node 20 aborts the process for a longer ArrayBuffer; later versions accepted 2^46 bytes.
    maxViewLength: major < 22 ? 2 ** 32 : 2 ** 40,
    smallCopyLimit: 512,
    operationsKeepBuffers: true,
    readInt32: canView(koffi) ? undefined : (address) => decode(address, "int32_t") as number,
    open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S> {
      return functionsOf(libraries, signatures) as unknown as Functions<S>;
    },
    get openLater(): Ffi["openLater"] {
      // libuv has four threads, which the process's workers share with each other and with node:fs.
      if (!isMainThread()) return undefined;
      return (libraries, signatures) => mapValues(functionsOf(libraries, signatures), later) as never;
    },
    view,
  };
}

/** Whether the runtime allows ArrayBuffers over memory that C owns. Electron does not. The byte that is tried is never freed. */
function canView(koffi: Koffi): boolean {
  const byte = koffi.alloc("uint8_t", 1);
  try {
    koffi.view(byte, 1);
    return true;
  } catch {
    return false;
  }
}

/** A function that is called in another thread, with a promise in place of koffi's callback. */
function later(call: KoffiFunction): (...values: unknown[]) => Promise<unknown> {
  return (...values) =>
    new Promise((resolve, reject) => {
      define(values, values.length, (error: unknown, result: unknown) => {
        if (error) reject(error);
        else resolve(result);
      });
      ReflectApply(call.async, call, values);
    });
}
