/**
 * Calls C from Node's own `node:ffi` (26.1 and later). Needs `--allow-ffi` under Node's permission model.
 *
 * @see https://nodejs.org/api/ffi.html
 * @module
 */

import { type Call, withNumberArguments } from "./bigint-calls.ts";
import { builtins } from "./builtins.ts";
import { openFirst } from "./open-library.ts";
import { BigInt, mapArray, mapValues } from "./primordials.ts";
import { CodedError, type CType, type Ffi, type Functions, type Signatures } from "./types.ts";

/** The part of `node:ffi` that is used here. */
interface NodeFfi {
  dlopen(
    library: string,
    definitions: Record<string, { arguments: string[]; return: string }>,
  ): { functions: Record<string, Call> };
  toArrayBuffer(address: bigint, length: number, copy: boolean): ReturnType<Ffi["view"]>;
}

const TYPES: Record<CType, string> = {
  void: "void",
  i32: "i32",
  u32: "u32",
  i64: "i64",
  usize: "u64",
  pointer: "u64",
  bytes: "buffer",
};

const RESULTS: Record<CType, string> = { ...TYPES, pointer: "i64" };

/** V8 accepted 2^46 bytes here; this library promises 1 TiB. */
const MAX_VIEW_LENGTH = 2 ** 40;

/** @throws {Error} This Node has no `node:ffi` (`ERR_UNKNOWN_BUILTIN_MODULE`), or may not use it (`ERR_ACCESS_DENIED`). */
export function nodeFfi(): Ffi {
  const { process } = builtins();
  const { permission } = process as { permission?: { has(scope: string): boolean } };
  // node:ffi itself would throw at the first call only.
  if (permission?.has("ffi") === false) throw new CodedError("ERR_ACCESS_DENIED", "FFI is restricted");
  // Not by import, which a bundler or a loader could resolve to something else.
  const node = process.getBuiltinModule("node:ffi" as string) as NodeFfi | undefined;
  if (node === undefined) throw new CodedError("ERR_UNKNOWN_BUILTIN_MODULE", "there is no node:ffi");
  // Captured, because it is called with addresses: one that is replaced later could close the map first.
  const { toArrayBuffer } = node;
  return {
    maxViewLength: MAX_VIEW_LENGTH,
    smallCopyLimit: 512,
    operationsKeepBuffers: true,
    readInt32: undefined,
    open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S> {
      const definitions = mapValues(signatures, ({ parameters, result }) => ({
        arguments: mapArray(parameters, (type) => TYPES[type]),
        return: RESULTS[result],
      }));
      const { functions } = openFirst(libraries, (library) => node.dlopen(library, definitions));
      return withNumberArguments(functions, signatures) as Functions<S>;
    },
    openLater: undefined,
    view: (address, length) => toArrayBuffer(BigInt(address), length, false),
  };
}
