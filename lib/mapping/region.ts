/**
 * Mapped memory in the system's terms, and the one place where it is unmapped.
 *
 * @module
 */

import type { Guard, Platform } from "../../platform/types.ts";

/** A mapping in the system's terms: whole pages, the first of which holds the first byte. */
export interface Region {
  readonly address: number;
  readonly length: number;
  readonly guard: Guard | undefined;
}

/** A linked list of regions. Not an array: a replaced Array.prototype.push would decide what is unmapped. */
export interface RegionList {
  readonly region: Region;
  readonly next: RegionList | undefined;
}

/** Unmaps a region. Its guard is released first, because another mapping may get the addresses at once. */
export function unmap(system: Platform, { address, length, guard }: Region): void {
  guard?.release();
  system.unmap(address, length);
}

export function unmapAll(system: Platform, regions: RegionList): void {
  for (let one: RegionList | undefined = regions; one !== undefined; one = one.next) unmap(system, one.region);
}

/**
 * Replaces the pages of regions in place: their file and memory are released, and their addresses stay taken.
 *
 * @returns The regions, guarded anew: an old guard may count pages as replaced that no longer are.
 */
export function retireAll(system: Platform, { region, next }: RegionList): RegionList {
  const { address, length } = region;
  const guard = system.guard?.(address, length);
  region.guard?.release();
  system.retire?.(address, length, guard !== undefined);
  return { region: { address, length, guard }, next: next && retireAll(system, next) };
}

/** Runs `release` where no caller can handle an error: in a finalizer, and after the part of a call that may fail. */
export function ignoreErrors(release: () => void): void {
  try {
    release();
  } catch {
    // The system kept the memory or the descriptor: it stays with the process until the process ends.
  }
}
