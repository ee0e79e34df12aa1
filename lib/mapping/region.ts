/**
 * Mapped memory in the system's terms, and the one place where it is unmapped.
 *
 * @module
 */

import { List } from "../../ffi/list.ts";
import type { Guard, Platform } from "../../platform/types.ts";

/** A mapping in the system's terms: whole pages, the first of which holds the first byte. */
export interface Region {
  readonly address: number;
  readonly length: number;
  readonly guard: Guard | undefined;
}

/** The region of an empty map: nothing is mapped. */
export const EMPTY_REGION: Region = { address: 0, length: 0, guard: undefined };

/** Unmaps a region. Its guard is released first, because another mapping may get the addresses at once. */
export function unmap(system: Platform, { address, length, guard }: Region): void {
  if (length === 0) return;
  guard?.release();
  // SAFETY: the caller owns the region, and either no view of it was handed out or nothing can be using one any more.
  system.unmap(address, length);
}

export function unmapAll(system: Platform, regions: List<Region>): void {
  regions.each((region) => unmap(system, region));
}

/**
 * Replaces the pages of regions in place: their file and memory are released, and their addresses stay taken.
 *
 * @returns The regions, guarded anew: an old guard may count pages as replaced that no longer are.
 */
export function retireAll(system: Platform, regions: List<Region>): List<Region> {
  const retired = new List<Region>();
  regions.each(({ address, length, guard: old }) => {
    const guard = system.guard?.(address, length);
    old?.release();
    system.retire?.(address, length, guard !== undefined);
    retired.add({ address, length, guard });
  });
  return retired;
}

/** Replaces the pages of a retired region by zeros, which need no guard: nothing but its addresses is taken then. */
export function leaveAddresses(system: Platform, { address, length, guard }: Region): void {
  system.mapZeros(address, length);
  guard?.release();
}

/** Runs `release` where no caller can handle an error: in a finalizer, or after the part of a call that may fail. */
export function ignoreErrors(release: () => void): void {
  try {
    release();
  } catch {
    // What the system kept, memory or a descriptor, stays with the process until that ends; a file stays as it is.
  }
}
