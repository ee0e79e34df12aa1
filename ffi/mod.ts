/**
 * Picks the way to call C in the running runtime. This is the one place that asks which runtime it is; only builtins.ts asks
 * for Deno, because it must not read `process` there, and for Bun, where it takes what `node:util` has from elsewhere.
 *
 * @module
 */

import { builtins } from "./builtins.ts";
import { bunFfi } from "./bun.ts";
import { denoFfi } from "./deno.ts";
import { koffiFfi } from "./koffi.ts";
import { nodeFfi } from "./node.ts";
import { CodedError, type Ffi, FfiUnavailable } from "./types.ts";

/**
 * Finds the running runtime's way to call C.
 *
 * @throws {FfiUnavailable} No FFI is available. The message says how to enable one.
 */
export function openFfi(): Ffi {
  const { versions } = builtins().process;
  if (versions.bun !== undefined) return bunFfi();
  if (versions.deno !== undefined) return denoFfi();
  return openNode();
}

/** What to do if an FFI fails with an error code. */
const ADVICE: Record<string, Record<string, string>> = {
  koffi: {
    ERR_DLOPEN_DISABLED: "Node may not load koffi: run it with --allow-addons",
    ERR_ACCESS_DENIED: "Node may not read koffi: run it with --allow-fs-read for its folder",
  },
  "node:ffi": {
    ERR_UNKNOWN_BUILTIN_MODULE: "this Node has no node:ffi: unset MMAP_FFI, or run Node 26.1 or later",
    ERR_ACCESS_DENIED: "Node may not call C: run it with --allow-ffi",
  },
};

/** koffi comes first, because `node:ffi` is experimental and slower. `MMAP_FFI=node` asks for `node:ffi`. */
function openNode(): Ffi {
  const koffi = builtins().process.env.MMAP_FFI === "node" ? undefined : attempt("koffi", koffiFfi);
  if (koffi !== undefined && !(koffi instanceof Failure)) return koffi;
  const node = attempt("node:ffi", nodeFfi);
  if (!(node instanceof Failure)) return node;
  // If koffi is not installed but node:ffi exists, allowing node:ffi is the simpler fix.
  const first = koffi === undefined || (koffi.code === "MODULE_NOT_FOUND" && node.code === "ERR_ACCESS_DENIED");
  const { name, code, cause } = first ? node : koffi;
  const advice = ADVICE[name]?.[code];
  if (advice !== undefined) throw new FfiUnavailable(advice, { cause });
  // An error of this folder says what to do by itself.
  if (cause instanceof CodedError) throw new FfiUnavailable(cause.message);
  throw new FfiUnavailable(`${name} does not work here: ${cause}`);
}

/** Why an FFI cannot be used. */
class Failure {
  readonly name: string;
  readonly code: string;
  readonly cause: unknown;

  constructor(name: string, cause: unknown) {
    this.name = name;
    this.code = (cause as { code?: string }).code ?? "";
    this.cause = cause;
  }
}

function attempt(name: string, open: () => Ffi): Ffi | Failure {
  try {
    return open();
  } catch (error) {
    return new Failure(name, error);
  }
}
