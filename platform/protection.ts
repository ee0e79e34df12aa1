/**
 * What the options `access`, `prot` and `flags` mean for a POSIX mapping.
 *
 * @module
 */

import type { Constants, Protection, ProtectionRequest } from "./types.ts";

/** The part of a POSIX system's description that decides about flags. */
export interface SystemFlags {
  readonly constants: Constants;
  /** The flags that are refused, because reading or writing such memory may kill the process. */
  readonly refusedFlags: readonly string[];
}

/** The named constants, joined by `|`. Names that the system does not have add nothing. */
export function flags(constants: Constants, names: readonly string[]): number {
  let joined = 0;
  for (let index = 0; index < names.length; index++) joined |= constants[names[index] as string] ?? 0;
  return joined;
}

/** Makes `Platform.protection`'s result. `unit` is the page size. */
export function posixProtection(system: SystemFlags, unit: number, request: ProtectionRequest): Protection {
  const { constants } = system;
  const { descriptor, access, prot, flags: wanted, tagname } = request;
  if (tagname !== undefined) {
    throw new TypeError(
      `tagname is supported on Windows only, where it names the mapping: got ${JSON.stringify(tagname)}`,
    );
  }
  if (access !== "default") {
    if (prot !== undefined) throw new TypeError(`prot ${prot} cannot be given together with access "${access}"`);
    if (wanted !== undefined) throw new TypeError(`flags ${wanted} cannot be given together with access "${access}"`);
  }
  const { PROT_READ, PROT_WRITE, MAP_SHARED, MAP_PRIVATE } = constants as Record<string, number> & {
    PROT_READ: number;
    PROT_WRITE: number;
    MAP_SHARED: number;
    MAP_PRIVATE: number;
  };
  const both = PROT_READ | PROT_WRITE;
  if (access === "read" || access === "copy") {
    const writable = access === "copy";
    return {
      // Even to read: a stray write to a private page stays in this process; to a page without PROT_WRITE it would kill the
      // process.
      prot: both,
      // Without MAP_NORESERVE, a file larger than memory could not be mapped to read it.
      flags: writable ? MAP_PRIVATE : flags(constants, ["MAP_PRIVATE", "MAP_NORESERVE"]),
      readable: true,
      writable,
      unit,
      shared: false,
      common: false,
      name: undefined,
    };
  }
  const chosen = prot ?? both;
  const anonymous = flags(constants, ["MAP_ANONYMOUS"]);
  if (descriptor !== -1 && wanted !== undefined && (wanted & anonymous) !== 0) {
    throw new TypeError(`flags must not have MAP_ANONYMOUS with a file, which it would ignore: got ${wanted}`);
  }
  // Without MAP_ANONYMOUS, with which the kernel would ignore the descriptor. `map` adds it if there is no descriptor.
  const joined = (wanted ?? MAP_SHARED) & ~anonymous;
  const fixed = flags(constants, ["MAP_FIXED", "MAP_FIXED_NOREPLACE", "MAP_EXCL"]);
  if ((joined & fixed) !== 0) {
    throw new RangeError(
      `flags must not have MAP_FIXED or its like, because the system chooses the address: got ${joined}`,
    );
  }
  refuseFlags(system, joined);
  const shared = (joined & MAP_PRIVATE) === 0 || (joined & MAP_SHARED) !== 0;
  return {
    prot: chosen,
    flags: joined,
    readable: (chosen & PROT_READ) !== 0,
    writable: (chosen & PROT_WRITE) !== 0,
    unit,
    shared,
    common: shared,
    name: undefined,
  };
}

function refuseFlags({ constants, refusedFlags }: SystemFlags, wanted: number): void {
  for (let index = 0; index < refusedFlags.length; index++) {
    const name = refusedFlags[index] as string;
    if ((wanted & (constants[name] ?? 0)) !== 0) {
      throw new RangeError(`flags must not have ${name}, because such memory may kill the process: got ${wanted}`);
    }
  }
}
