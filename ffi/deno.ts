/**
 * Calls C through `Deno.dlopen`. Needs `--allow-ffi`.
 *
 * @see https://docs.deno.com/runtime/fundamentals/ffi/
 * @module
 */

import { openFirst } from "./open.ts";
import { type CType, type Ffi, FfiUnavailable, type Functions, type Signatures } from "./types.ts";

/** The part of Deno's API that is used here. */
interface DenoFfi {
  dlopen(
    library: string,
    symbols: Record<string, { parameters: string[]; result: string }>,
  ): { symbols: Record<string, (...parameters: unknown[]) => unknown> };
  UnsafePointer: { create(address: bigint): object | null };
  UnsafePointerView: { getArrayBuffer(pointer: object, byteLength: number, byteOffset?: number): ArrayBuffer };
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

/** V8 was measured to take 2^46 bytes here; one TiB is as much as this library promises. */
const MAX_VIEW_LENGTH = 2 ** 40;

export function denoFfi(): Ffi {
  const deno = (globalThis as unknown as { Deno: DenoFfi }).Deno;
  return {
    name: "deno",
    maxViewLength: MAX_VIEW_LENGTH,
    open<const S extends Signatures>(libraries: readonly string[], signatures: S): Functions<S> {
      const symbols = Object.fromEntries(
        Object.entries(signatures).map(([name, { parameters, result }]) => [
          name,
          { parameters: parameters.map((type) => TYPES[type]), result: RESULTS[result] },
        ]),
      );
      const functions = openFirst(libraries, (library) => {
        try {
          return deno.dlopen(library, symbols).symbols;
        } catch (error) {
          // Deno's own words name a library, which is not what the user has to allow.
          if ((error as Error).name !== "NotCapable") throw error;
          throw new FfiUnavailable("Deno may not call C here: run it with --allow-ffi");
        }
      });
      // 64-bit results arrive as BigInt.
      const called = Object.entries(signatures).map(([name, { parameters, result }]) => {
        const call = functions[name] as (...values: unknown[]) => unknown;
        return [name, RESULTS[result] in WIDE ? asNumber(call, parameters.length) : call];
      });
      return Object.fromEntries(called) as Functions<S>;
    },
    view(address, length) {
      const pointer = deno.UnsafePointer.create(BigInt(address)) as object;
      return deno.UnsafePointerView.getArrayBuffer(pointer, length);
    },
  };
}

const WIDE: Record<string, true> = { i64: true, usize: true, isize: true };

type Call = (...values: unknown[]) => unknown;

/** Turns a BigInt result into a number. One wrapper a count of parameters: a rest parameter would cost an array a call. */
function asNumber(call: Call, count: number): Call {
  switch (count) {
    case 0:
      return () => Number(call());
    case 1:
      return (a) => Number(call(a));
    case 2:
      return (a, b) => Number(call(a, b));
    case 3:
      return (a, b, c) => Number(call(a, b, c));
    case 4:
      return (a, b, c, d) => Number(call(a, b, c, d));
    default:
      return (...values) => Number(call(...values));
  }
}
