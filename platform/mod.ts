/**
 * Picks the running system's platform. This is the one place that asks which system it is.
 *
 * @module
 */

import { arch, platform } from "../ffi/builtins.ts";
import { openFfi } from "../ffi/mod.ts";
import { Number, ObjectKeys } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { constants as darwinConstants, darwinPlatform } from "./darwin.ts";
import { constants as freebsdConstants, freebsdPlatform } from "./freebsd.ts";
import { constants as linuxConstants, linuxPlatform } from "./linux.ts";
import { constants as openbsdConstants, openbsdPlatform } from "./openbsd.ts";
import { type Constants, type ErrorFactory, type Platform, PlatformUnavailable } from "./types.ts";
import { constants as windowsConstants, granularity as windowsGranularity, windowsPlatform } from "./windows/mod.ts";

interface System {
  constants: Constants;
  open(ffi: Ffi, errors: ErrorFactory): Platform;
  /** What a mapping's offset must be a multiple of, in bytes, where that is not a page. */
  granularity?: number;
  /** The page size in bytes off x64, where all its kernels have the same. */
  pageSize?: number;
}

const SYSTEMS: Partial<Record<string, System>> = {
  linux: { constants: linuxConstants, open: linuxPlatform },
  darwin: { constants: darwinConstants, open: darwinPlatform, pageSize: 16_384 },
  freebsd: { constants: freebsdConstants, open: freebsdPlatform },
  openbsd: { constants: openbsdConstants, open: openbsdPlatform },
  win32: { constants: windowsConstants, open: windowsPlatform, granularity: windowsGranularity, pageSize: 4096 },
};

/** The running system's constants; none where the system is unknown. */
export const constants: Constants = SYSTEMS[platform]?.constants ?? {};

/**
 * Opens the running system's platform.
 *
 * @throws {PlatformUnavailable} The system is unknown.
 * @throws {FfiUnavailable} There is no way to call C.
 */
export function openPlatform(errors: ErrorFactory, name: string = platform): Platform {
  const system = SYSTEMS[name];
  if (system === undefined) {
    const known = ObjectKeys(SYSTEMS).join(", ");
    throw new PlatformUnavailable(`the system "${name}" is unknown to mmap-ffi: run it on ${known}`);
  }
  return system.open(openFfi(), errors);
}

/**
 * The system's page size in bytes, known when the module is imported. x64 has pages of 4 KiB on every system; elsewhere most
 * kernels are built for one size of several, and must be asked. NaN where they can't be: nothing can be mapped there.
 */
export const pageSize: number = arch === "x64" ? 4096 : (SYSTEMS[platform]?.pageSize ?? askForPageSize());

/** What a mapping's offset must be a multiple of, in bytes: a page, on all systems but Windows. */
export const allocationGranularity: number = SYSTEMS[platform]?.granularity ?? pageSize;

function askForPageSize(): number {
  try {
    return openPlatform({ system: (syscall, _errno, code) => new Error(`${syscall}: ${code}`) }).pageSize;
  } catch {
    return Number.NaN;
  }
}
