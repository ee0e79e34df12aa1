/**
 * Picks the running system's platform. Only this file asks which system it is.
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
  /** What a mapping's offset must be a multiple of, in bytes, if that is not the page size. */
  granularity?: number;
  /** The page size in bytes on architectures other than x64, if all kernels have the same. */
  pageSize?: number;
}

const SYSTEMS: Partial<Record<string, System>> = {
  linux: { constants: linuxConstants, open: linuxPlatform },
  darwin: { constants: darwinConstants, open: darwinPlatform, pageSize: 16_384 },
  freebsd: { constants: freebsdConstants, open: freebsdPlatform },
  openbsd: { constants: openbsdConstants, open: openbsdPlatform },
  win32: { constants: windowsConstants, open: windowsPlatform, granularity: windowsGranularity, pageSize: 4096 },
};

/** The running system's constants; none if the system is unknown. */
export const constants: Constants = SYSTEMS[platform]?.constants ?? {};

/**
 * Opens the running system's platform.
 *
 * @throws {PlatformUnavailable} The system is unknown.
 * @throws {FfiUnavailable} C cannot be called.
 */
export function openPlatform(errors: ErrorFactory, name: string = platform): Platform {
  const system = SYSTEMS[name];
  if (system === undefined) {
    const known = ObjectKeys(SYSTEMS).join(", ");
    throw new PlatformUnavailable(`mmap-ffi does not support the system "${name}": run it on ${known}`);
  }
  return system.open(openFfi(), errors);
}

/**
 * The system's page size in bytes, known when the module is imported. On x64 it is 4 KiB on every system. On other
 * architectures kernels are built for one of several sizes, so the kernel is asked. NaN if that fails: then nothing can be
 * mapped.
 */
export const pageSize: number = arch === "x64" ? 4096 : (SYSTEMS[platform]?.pageSize ?? queryPageSize());

/** What a mapping's offset must be a multiple of, in bytes: the page size on all systems but Windows. */
export const allocationGranularity: number = SYSTEMS[platform]?.granularity ?? pageSize;

function queryPageSize(): number {
  try {
    return openPlatform({ system: (syscall, _errno, code) => new Error(`${syscall}: ${code}`) }).pageSize;
  } catch {
    return Number.NaN;
  }
}
