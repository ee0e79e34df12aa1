/**
 * Picks the running system's platform. This is the one place that asks which system it is.
 *
 * @module
 */

import process from "node:process";
import { openFfi } from "../ffi/mod.ts";
import { constants as linuxConstants, linuxPlatform } from "./linux.ts";
import { type Constants, type Failures, type Platform, PlatformUnavailable } from "./types.ts";

const SYSTEMS: Partial<Record<string, { constants: Constants; open: typeof linuxPlatform }>> = {
  linux: { constants: linuxConstants, open: linuxPlatform },
};

/** The running system's constants; none where the system is unknown. */
export const constants: Constants = SYSTEMS[process.platform]?.constants ?? {};

/**
 * Opens the running system's platform.
 *
 * @throws {PlatformUnavailable} The system is unknown.
 * @throws {FfiUnavailable} There is no way to call C.
 */
export function openPlatform(failures: Failures): Platform {
  const system = SYSTEMS[process.platform];
  if (system === undefined) {
    const known = Object.keys(SYSTEMS).join(", ");
    throw new PlatformUnavailable(`the system "${process.platform}" is unknown to mmap-ffi: run it on ${known}`);
  }
  return system.open(openFfi(), failures);
}

/**
 * The system's page size in bytes, known when the module is imported. x64 has pages of 4 KiB on every system; elsewhere a
 * kernel is built for one size of several, and must be asked. NaN where it can't be: nothing can be mapped there.
 */
export const pageSize: number = process.arch === "x64" ? 4096 : askForPageSize();

/** What a mapping's offset must be a multiple of, in bytes: a page, on every system that is known here. */
export const allocationGranularity: number = pageSize;

function askForPageSize(): number {
  try {
    return openPlatform({ system: (syscall, _errno, code) => new Error(`${syscall}: ${code}`) }).pageSize;
  } catch {
    return Number.NaN;
  }
}
