/**
 * Picks the way to call C in the running runtime. This is the one place that asks which runtime it is; only host.ts, which
 * is there before `process` may be looked at, asks for Deno by itself.
 *
 * @module
 */

import { arch, builtins } from "./builtins.ts";
import { bunFfi } from "./bun.ts";
import { denoFfi } from "./deno.ts";
import { koffiFfi } from "./koffi.ts";
import { nodeFfi } from "./node.ts";
import { ArrayPrototypeIncludes } from "./primordials.ts";
import { type Ffi, FfiUnavailable } from "./types.ts";

/** The architectures whose addresses have 64 bits, by their name in `process.arch`. */
const ADDRESSES_OF_64_BITS = ["x64", "arm64", "loong64", "mips64el", "ppc64", "riscv64", "s390x"];

/**
 * Finds the running runtime's way to call C.
 *
 * @throws {FfiUnavailable} There is none; the message says the one thing to do about it.
 */
export function openFfi(): Ffi {
  if (!ArrayPrototypeIncludes(ADDRESSES_OF_64_BITS, arch)) {
    throw new FfiUnavailable(`this process has 32-bit addresses (${arch}): run a 64-bit build of the runtime`);
  }
  const { versions } = builtins().process;
  if (versions.bun !== undefined) return bunFfi();
  if (versions.deno !== undefined) return denoFfi();
  return openNode();
}

/** What to do where a way was refused with a code. */
const ADVICE: Record<string, Record<string, string>> = {
  koffi: {
    MODULE_NOT_FOUND: "nothing to call C with: install koffi (npm install koffi)",
    ERR_DLOPEN_DISABLED: "Node may not load koffi: run it with --allow-addons",
    ERR_ACCESS_DENIED: "Node may not read koffi: run it with --allow-fs-read for its folder",
  },
  "node:ffi": {
    ERR_UNKNOWN_BUILTIN_MODULE: "this Node has no node:ffi: unset MMAP_FFI, or run Node 26.1 or later",
    ERR_ACCESS_DENIED: "Node may not call C: run it with --allow-ffi",
  },
};

/** koffi comes first, for `node:ffi` is experimental and slower; `MMAP_FFI=node` asks for `node:ffi`. */
function openNode(): Ffi {
  const koffi = builtins().process.env.MMAP_FFI === "node" ? undefined : attempt("koffi", koffiFfi);
  if (koffi !== undefined && !(koffi instanceof Refusal)) return koffi;
  const node = attempt("node:ffi", nodeFfi);
  if (!(node instanceof Refusal)) return node;
  // Where koffi is not installed but node:ffi is there, allowing that one is less to do.
  const first = koffi === undefined || (koffi.code === "MODULE_NOT_FOUND" && node.code === "ERR_ACCESS_DENIED");
  const { way, code, cause } = first ? node : koffi;
  const advice = ADVICE[way]?.[code];
  if (advice !== undefined) throw new FfiUnavailable(advice, { cause });
  throw new FfiUnavailable(`${way} does not work here: ${cause}`);
}

/** Why a way to call C was refused. */
class Refusal {
  readonly way: string;
  readonly code: string;
  readonly cause: unknown;

  constructor(way: string, cause: unknown) {
    this.way = way;
    this.code = (cause as { code?: string }).code ?? "";
    this.cause = cause;
  }
}

function attempt(way: string, open: () => Ffi): Ffi | Refusal {
  try {
    return open();
  } catch (error) {
    return new Refusal(way, error);
  }
}
