/**
 * Names of anonymous memory, which tools such as /proc/PID/maps show.
 *
 * @module
 */

import type { Backing } from "./backing.ts";
import type { Memory } from "./memory.ts";

/** @throws {TypeError} The memory is a file's, or this system names no memory. */
export function setName({ anonymous, descriptor }: Backing, { platform, region }: Memory, name: string): void {
  if (platform.setName === undefined)
    throw new TypeError("setName() is not supported on this system (no PR_SET_VMA_ANON_NAME)");
  if (!anonymous) throw new TypeError("setName() names anonymous memory, and this map is of a file");
  if (descriptor !== -1) {
    throw new TypeError(
      'setName() names memory without a descriptor: create the map with access: "copy" or trackfd: false',
    );
  }
  platform.setName(region.address, region.length, name);
}
