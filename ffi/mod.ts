/**
 * Picks the way to call C in the running runtime. This is the one place that asks which runtime it is.
 *
 * @module
 */

import process from "node:process";
import { bunFfi } from "./bun.ts";
import { denoFfi } from "./deno.ts";
import { koffiFfi } from "./koffi.ts";
import { nodeFfi } from "./node.ts";
import { type Ffi, FfiUnavailable } from "./types.ts";

/** The architectures whose addresses have 64 bits, by their name in `process.arch`. */
const ADDRESSES_OF_64_BITS = ["x64", "arm64", "loong64", "mips64el", "ppc64", "riscv64", "s390x"];

/**
 * Finds the running runtime's way to call C.
 *
 * @throws {FfiUnavailable} There is none; the message says the one thing to do about it.
 */
export function openFfi(): Ffi {
  const { arch, versions } = process;
  if (!ADDRESSES_OF_64_BITS.includes(arch)) {
    throw new FfiUnavailable(`this process has 32-bit addresses (${arch}): run a 64-bit build of the runtime`);
  }
  if (versions.bun !== undefined) return bunFfi();
  if (versions.deno !== undefined) return denoFfi();
  return openNode();
}

/** koffi comes first, for `node:ffi` is experimental and slower; `MMAP_FFI=node` asks for `node:ffi`. */
function openNode(): Ffi {
  const refused: string[] = [];
  for (const open of process.env.MMAP_FFI === "node" ? [nodeFfi] : [koffiFfi, nodeFfi]) {
    try {
      return open();
    } catch (error) {
      refused.push((error as { code?: string }).code ?? String(error));
    }
  }
  throw new FfiUnavailable(`${adviceForNode(refused)} (${refused.join(", ")})`);
}

function adviceForNode(refused: string[]): string {
  if (refused.includes("ERR_DLOPEN_DISABLED")) return "Node may not load koffi: run it with --allow-addons";
  if (refused.includes("ERR_ACCESS_DENIED")) return "Node may not call C here: run it with --allow-ffi";
  if (process.env.MMAP_FFI === "node") return "this Node has no node:ffi: unset MMAP_FFI, or run Node 26.1 or later";
  return "nothing to call C with: install koffi (npm install koffi)";
}
