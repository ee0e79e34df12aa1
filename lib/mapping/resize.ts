/**
 * Makes the region for another length of a map, and sets the file's size. If that fails, nothing has changed.
 *
 * @module
 */

import { MathMax, MathMin, Uint8Array } from "../../ffi/primordials.ts";
import type { Platform } from "../../platform/types.ts";
import type { Backing } from "./backing.ts";
import type { Memory } from "./memory.ts";
import { EMPTY_REGION, ignoreErrors, type Region, unmap } from "./region.ts";
import { retireKept } from "./retention.ts";

/** A resize of a map, in terms of its file. */
export interface Resize {
  /** The map's new length, in bytes. */
  readonly length: number;
  /** Where in the file it ends. */
  readonly end: number;
  readonly sizeBefore: number;
  /** Allocates the file's disk blocks, if that was asked for. */
  readonly allocate: Platform["allocateBlocks"];
}

/** Whether the pages can be moved. Shared memory without a file does not grow with its mapping, nor do huge pages. */
export function canRemap({ platform, descriptor, protection, hasHugePages }: Backing): boolean {
  return platform.remapping !== undefined && !hasHugePages && (descriptor !== -1 || !protection.shared);
}

/** Makes the file at least as long as the resized map needs, and runs `map`; if that fails, the file is as it was. */
export function withLongerFile<T>(backing: Backing, { length, end, sizeBefore, allocate }: Resize, map: () => T): T {
  const grows = end > sizeBefore;
  if (grows) backing.truncate(end);
  try {
    allocate?.(backing.descriptor, backing.offset, length);
    return map();
  } catch (error) {
    if (grows) backing.undoExtension(backing.descriptor, sizeBefore, end);
    throw error;
  }
}

/** Maps a region of another length beside the old one. */
export function copyToNewRegion(backing: Backing, memory: Memory, resize: Resize): Region {
  const { length, end, sizeBefore } = resize;
  const next = withLongerFile(backing, resize, () => {
    backing.releaseName(memory.region, length);
    return backing.mapRegion(length);
  });
  return filled(backing, next, () => {
    carryOver(backing, memory, next, length);
    if (end < sizeBefore) backing.truncate(end);
  });
}

/** Maps `length` bytes of the file as it is, beside the old region. Private changes are carried over. */
export function mapPresent(backing: Backing, memory: Memory, length: number): Region {
  if (length === 0) return EMPTY_REGION;
  backing.releaseName(memory.region, length);
  const next = backing.mapRegion(length);
  return filled(backing, next, () => carryOver(backing, memory, next, length));
}

/** Copies what only the old region has. Replaced pages have nothing to keep. */
function carryOver(backing: Backing, { region, faults }: Memory, next: Region, length: number): void {
  const kept = MathMin(length, faults.intact());
  // SAFETY: both regions have at least as many bytes, and the old one is unmapped by our caller only.
  if (backing.isUnbacked && kept > 0) {
    backing.platform.move(next.address, region.address, backing.pageOffset + kept);
  }
}

/** The region, once `fill` has run. If that fails, the region is unmapped. */
function filled(backing: Backing, region: Region, fill: () => void): Region {
  try {
    fill();
  } catch (error) {
    unmap(backing.platform, region);
    throw error;
  }
  return region;
}

/**
 * Zeroes the rest of the last page. The kernel does that for file-backed pages, but not for private or anonymous ones, whose
 * old bytes would reappear when the map grows.
 */
export function clearTail(backing: Backing, { region, length, platform }: Memory, old: Memory): void {
  // Anonymous memory that grows has its zeros already, and its page may be a huge one.
  if (!backing.isUnbacked || (backing.anonymous && length >= old.length)) return;
  const from = backing.pageOffset + length;
  // Pages that the old region did not have are new, and zero.
  const to = MathMin(old.region.length, region.length);
  // SAFETY: the range lies within the new region.
  if (from < to) platform.store(region.address + from, new Uint8Array(to - from), to - from);
}

/** Releases memory that another region has replaced. Does not throw: if the system refuses, memory stays mapped. */
export function releaseReplaced(backing: Backing, old: Memory, next: Region): void {
  const { region, platform, views } = old;
  let retires = false;
  if (views.buffers !== undefined && next.length < region.length) {
    // If the user has seen the old pages, they stay mapped. An access to those that the file no longer has would be fatal.
    try {
      const left = MathMax(next.length, backing.presentRegionLength());
      if (left < region.length) platform.mapZeros(region.address + left, region.length - left);
    } catch {
      // Replacing a part splits the mapping, of which the process may have too many. Replacing all of it does not.
      retires = true;
    }
  }
  ignoreErrors(() => old.release(backing.isInMemory, retires));
}

/** Truncates the file, even if memory from before an earlier resize still maps it and the system rejects that (Windows). */
export function truncateMapped(backing: Backing, size: number): void {
  try {
    backing.truncate(size);
  } catch {
    retireKept();
    backing.truncate(size);
  }
}
