/**
 * Makes the region for another length of a map, and gives the file its size. If that fails, nothing has changed.
 *
 * @module
 */

import { MathMin, Uint8Array } from "../../ffi/primordials.ts";
import type { Platform } from "../../platform/types.ts";
import type { Backing } from "./backing.ts";
import type { Memory } from "./memory.ts";
import { ignoreErrors, type Region, unmap } from "./region.ts";

/** A resize of a map, in terms of its file. */
export interface Resize {
  /** The map's new length, in bytes. */
  readonly length: number;
  /** Where in the file it ends. */
  readonly end: number;
  readonly sizeBefore: number;
  /** Whether the region may be moved: otherwise it stays beside the new one, because views of it may be in use. */
  readonly inPlace: boolean;
  /** Allocates the file's disk blocks, if that was asked for. */
  readonly allocate: Platform["allocateBlocks"];
}

/** A region that could not be remapped to its new length, and is guarded anew or shorter. */
export class Shortened {
  readonly region: Region;
  readonly cause: unknown;

  constructor(region: Region, cause: unknown) {
    this.region = region;
    this.cause = cause;
  }
}

/**
 * The region for the new length.
 *
 * @throws {Shortened} The old region's place has changed although the system refused.
 */
export function resizeRegion(backing: Backing, memory: Memory, resize: Resize): Region {
  const { length, end, sizeBefore, inPlace, allocate } = resize;
  const shrinks = end < sizeBefore;
  // A file grows before its mapping does. In its place, a mapping shrinks after its file: the system may refuse to truncate
  // that, and what the mapping's end had would not come back.
  const truncatesFirst = end > sizeBefore || (shrinks && inPlace);
  if (shrinks) allocate?.(backing.descriptor, backing.offset, length);
  if (truncatesFirst) backing.truncate(end);
  let next: Region;
  try {
    if (!shrinks) allocate?.(backing.descriptor, backing.offset, length);
    next = inPlace ? remap(backing, memory.region, length) : copyToNewRegion(backing, memory, length);
  } catch (error) {
    if (truncatesFirst) ignoreErrors(() => backing.truncate(sizeBefore));
    throw error;
  }
  try {
    if (shrinks && !truncatesFirst) backing.truncate(end);
  } catch (error) {
    unmap(backing.platform, next);
    throw error;
  }
  return next;
}

/** Maps a region of another length beside the old one. */
function copyToNewRegion(backing: Backing, memory: Memory, length: number): Region {
  const next = backing.mapRegion(length);
  // Replaced pages have nothing to keep.
  if (backing.isUnbacked) {
    const count = backing.pageOffset + MathMin(length, memory.faults.intact());
    backing.platform.move(next.address, memory.region.address, count);
  }
  return next;
}

/** Gives a region another length, in its own place or elsewhere. */
function remap(backing: Backing, region: Region, length: number): Region {
  const { platform } = backing;
  const request = backing.request(length);
  region.guard?.release();
  let { address } = region;
  let remapped = region.length;
  try {
    address = platform.remap(address, region.length, request);
    remapped = request.length;
    return backing.guarded(address, remapped);
  } catch (error) {
    throw new Shortened(backing.guarded(address, remapped), error);
  }
}

/**
 * Zeroes the rest of the last page. The kernel does that for file-backed pages, but not for private or anonymous ones, whose
 * old bytes would reappear when the map grows.
 */
export function clearTail(backing: Backing, { region, length, platform }: Memory, oldRegion: Region): void {
  const from = backing.pageOffset + length;
  // Pages that the old region did not have are new, and zero.
  const to = MathMin(oldRegion.length, region.length);
  if (backing.isUnbacked && from < to) platform.store(region.address + from, new Uint8Array(to - from), to - from);
}
