/**
 * What Linux's /proc says about the process and its limits. A runtime's permissions may not include it.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import {
  Number,
  NumberParseInt,
  RegExpPrototypeExec,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
} from "../ffi/primordials.ts";

const read = (path: string): string => builtins().readFileSync(path, "latin1");

/** How many mappings the system allows a process; `Infinity` if that may not be read, so that the system alone decides. */
export function mappingLimit(): number | undefined {
  try {
    return Number(read("/proc/sys/vm/max_map_count"));
  } catch (error) {
    // No descriptor is free to read it with. Try again at the next map.
    return (error as { code?: string }).code === "EMFILE" ? undefined : Infinity;
  }
}

/** The permissions of the mapping at an address, as /proc/self/maps has them ("rw-p"); undefined if it cannot be read. */
export function permissionsAt(address: number): string | undefined {
  try {
    const maps = read("/proc/self/maps");
    for (let at = 0; at < maps.length; at = StringPrototypeIndexOf(maps, "\n", at) + 1) {
      const line = RegExpPrototypeExec(/^([0-9a-f]+)-([0-9a-f]+) (....)/, StringPrototypeSlice(maps, at, at + 64));
      if (line === null) return undefined;
      const start = NumberParseInt(line[1] as string, 16);
      const end = NumberParseInt(line[2] as string, 16);
      if (start <= address && address < end) return line[3];
    }
  } catch {
    // The runtime's permissions do not include /proc.
  }
  return undefined;
}

/** How many mappings the process has: fewer than this module has made if the kernel has joined neighbours. */
export function countMappings(): number | undefined {
  try {
    const maps = read("/proc/self/maps");
    let count = 0;
    for (let index = 0; index < maps.length; index++) if (maps[index] === "\n") count++;
    return count;
  } catch {
    return undefined;
  }
}

/** The default size of huge pages, in bytes. */
export function defaultHugePageSize(): number {
  const meminfo = read("/proc/meminfo");
  const kibibytes = RegExpPrototypeExec(/^Hugepagesize:\s+(\d+) kB$/m, meminfo)?.[1];
  return kibibytes === undefined ? 2 ** 21 : Number(kibibytes) * 1024;
}
