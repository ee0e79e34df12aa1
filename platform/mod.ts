/**
 * Picks the running system's platform. Only this file asks which system it is.
 *
 * @module
 */

import { arch, platform } from "../ffi/builtins.ts";
import { openFfi } from "../ffi/mod.ts";
import { ArrayPrototypeIncludes, Number, ObjectKeys } from "../ffi/primordials.ts";
import type { Ffi } from "../ffi/types.ts";
import { architectures as androidArchitectures, constants as androidConstants, androidPlatform } from "./android.ts";
import { constants as darwinConstants, darwinPlatform } from "./darwin.ts";
import { constants as freebsdConstants, freebsdPlatform } from "./freebsd.ts";
import { constants as linuxConstants, linuxPlatform } from "./linux.ts";
import { architectures as linuxArchitectures } from "./linux-headers.ts";
import { constants as openbsdConstants, openbsdPlatform } from "./openbsd.ts";
import { type Constants, type ErrorFactory, type Platform, PlatformUnavailable } from "./types.ts";
import { constants as windowsConstants, granularity as windowsGranularity, windowsPlatform } from "./windows/mod.ts";

interface System {
  constants: Constants;
  /** The architectures whose numbers are known, by their names in `process.arch`. */
  architectures: readonly string[];
  open(ffi: Ffi, errors: ErrorFactory): Platform;
  /** What a mapping's offset must be a multiple of, in bytes, if that is not the page size. */
  granularity?: number;
  /** The page size in bytes on architectures other than x64, if all kernels have the same. */
  pageSize?: number;
}

const X64_AND_ARM64 = ["x64", "arm64"];

const SYSTEMS: Partial<Record<string, System>> = {
  linux: { constants: linuxConstants, architectures: linuxArchitectures, open: linuxPlatform },
  android: { constants: androidConstants, architectures: androidArchitectures, open: androidPlatform },
  darwin: { constants: darwinConstants, architectures: X64_AND_ARM64, open: darwinPlatform, pageSize: 16_384 },
  freebsd: { constants: freebsdConstants, architectures: X64_AND_ARM64, open: freebsdPlatform },
  openbsd: { constants: openbsdConstants, architectures: X64_AND_ARM64, open: openbsdPlatform },
  win32: {
    constants: windowsConstants,
    architectures: X64_AND_ARM64,
    open: windowsPlatform,
    granularity: windowsGranularity,
    pageSize: 4096,
  },
};

/** The architectures with 32-bit addresses, by their names in `process.arch`. */
const ADDRESSES_OF_32_BITS = ["arm", "ia32", "mips", "mipsel", "ppc", "s390", "x32"];

/** The running system, if the numbers of its headers are known for the architecture. */
const running = isKnown(SYSTEMS[platform]) ? SYSTEMS[platform] : undefined;

function isKnown(system: System | undefined): boolean {
  return system !== undefined && ArrayPrototypeIncludes(system.architectures, arch);
}

/** The running system's constants; none if the system or the architecture is unknown. */
export const constants: Constants = running?.constants ?? {};

/**
 * Opens the running system's platform.
 *
 * @throws {PlatformUnavailable} The system or the architecture is unknown.
 * @throws {FfiUnavailable} C cannot be called.
 */
export function openPlatform(errors: ErrorFactory, name: string = platform): Platform {
  const system = SYSTEMS[name];
  if (system === undefined) {
    const known = ObjectKeys(SYSTEMS).join(", ");
    throw new PlatformUnavailable(`mmap-ffi does not support the system "${name}": run it on ${known}`);
  }
  if (ArrayPrototypeIncludes(ADDRESSES_OF_32_BITS, arch)) {
    throw new PlatformUnavailable(`this process has 32-bit addresses (${arch}): run a 64-bit build of the runtime`);
  }
  if (!isKnown(system)) {
    const known = system.architectures.join(", ");
    throw new PlatformUnavailable(
      `mmap-ffi does not support the architecture "${arch}" of ${name}, whose constants it does not know: run it on ${known}`,
    );
  }
  return system.open(openFfi(), errors);
}

/**
 * The system's page size in bytes, known when the module is imported. On x64 it is 4 KiB on every system. On other
 * architectures kernels are built for one of several sizes, so the kernel is asked. NaN if that fails: then nothing can be
 * mapped.
 */
export const pageSize: number = arch === "x64" ? 4096 : (running?.pageSize ?? queryPageSize());

/** What a mapping's offset must be a multiple of, in bytes: the page size on all systems but Windows. */
export const allocationGranularity: number = running?.granularity ?? pageSize;

function queryPageSize(): number {
  try {
    return openPlatform({ system: (syscall, _errno, code) => new Error(`${syscall}: ${code}`) }).pageSize;
  } catch {
    return Number.NaN;
  }
}
