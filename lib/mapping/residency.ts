/**
 * Pages in physical memory: locking them there, bringing them in, and asking which are.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { ArrayBuffer, MathCeil, MathMax, MathMin, Uint8Array } from "../../ffi/primordials.ts";
import { truncatedError } from "../errors.ts";
import type { Backing } from "./backing.ts";
import type { Memory } from "./memory.ts";

/** How much is read at once by `readPages`, in bytes. */
const BLOCK = 1024 * 1024;

/** How much `prefaultAsync` brings in at once. Once it is in the page cache, faulting it in takes less than a millisecond. */
const PART = 8 * 1024 * 1024;

/** The most pages that residency() may query at once (one byte each). */
const MOST_PAGES = 2 ** 26;

export function lock(backing: Backing, memory: Memory, start: number, length: number): void {
  const { platform } = memory;
  const { address, span } = memory.pages(start, length);
  const isPart = length < memory.length;
  const ofFile = !backing.anonymous || backing.descriptor !== -1;
  platform.lock(address, span, ofFile, isPart);
  if (!ofFile) return;
  try {
    prefault(backing, memory, start, length, false);
  } catch (error) {
    // Without `isPart`, with which the limit of mappings could throw another error in the place of this one.
    platform.unlock(address, span);
    throw error;
  }
}

export function unlock(memory: Memory, start: number, length: number): void {
  const { address, span } = memory.pages(start, length);
  memory.platform.unlock(address, span, length < memory.length);
}

/** One byte per page, 1 if it is in memory; and how many are. */
export function residency(
  memory: Memory,
  start: number,
  length: number,
): { pages: Uint8Array<ArrayBuffer>; resident: number } {
  const { platform } = memory;
  if (platform.residency === undefined) {
    throw new TypeError("residency() is not supported on this system (no mincore)");
  }
  const { address, span } = memory.pages(start, length);
  const count = length === 0 ? 0 : MathCeil(span / platform.pageSize);
  if (count > MOST_PAGES) {
    throw new RangeError(
      `start and length must span at most ${MOST_PAGES} pages at once: got ${start} and ${length}, ${count} pages`,
    );
  }
  const pages = new Uint8Array(count);
  if (count > 0) platform.residency(address, span, pages);
  let resident = 0;
  for (let index = 0; index < count; index++) {
    // Only the lowest bit is defined.
    pages[index] = (pages[index] as number) & 1;
    resident += pages[index] as number;
  }
  return { pages, resident };
}

/** Brings pages into memory: for reading, or as writing to each would. */
export function prefault(backing: Backing, memory: Memory, start: number, length: number, write: boolean): void {
  if (!populate(backing, memory, start, length, write)) {
    if (write) throw new TypeError("write: true is not supported on this system (no MADV_POPULATE_WRITE): got true");
    readPages(memory, start, length);
  }
  memory.faults.throwIfTruncated(start + length);
}

/**
 * The same, a part at a time: the system reads a part of the file into the page cache without blocking, and then its pages
 * come without waiting for the disk.
 *
 * @param memoryOf The map's present memory; undefined once the map is closed.
 */
export async function prefaultAsync(
  backing: Backing,
  memoryOf: () => Memory | undefined,
  start: number,
  end: number,
): Promise<void> {
  const { platform } = backing;
  const { setTimeout } = builtins();
  const left = (from: number) => MathMin(PART, MathMin(end, memoryOf()?.length ?? 0) - from);
  const isCached = backing.anonymous || backing.descriptor === -1 || platform.readAhead === undefined;
  // A duplicate, because the map's own descriptor is closed with it.
  const descriptor = isCached ? -1 : platform.duplicate(backing.descriptor);
  try {
    for (let from = start; left(from) > 0; from += PART) {
      if (isCached) await setTimeout(0);
      else await platform.readAhead?.(descriptor, backing.offset + from, left(from));
      const memory = memoryOf();
      // The map may have been closed or resized meanwhile.
      const length = left(from);
      if (memory !== undefined && length > 0) prefault(backing, memory, from, length, false);
    }
  } finally {
    if (descriptor !== -1) platform.closeDescriptor(descriptor);
  }
}

function populate(backing: Backing, memory: Memory, start: number, length: number, write: boolean): boolean {
  const { address, span } = memory.pages(start, length);
  try {
    return memory.platform.populate(address, span, write);
  } catch (error) {
    if ((error as { code?: string }).code === "EFAULT") throwIfMissing(backing, memory, start + length);
    throw error;
  }
}

/** Throws if bytes below `end` lie past the last page of the file, if its size is known. */
function throwIfMissing(backing: Backing, { platform, offset }: Memory, end: number): void {
  if (backing.descriptor === -1) return;
  const { pageSize } = platform;
  const { size } = backing.status();
  const left = MathMax(0, MathCeil(size / pageSize) * pageSize - offset);
  if (end > left) throw truncatedError(`the bytes from index ${left} on are gone`);
}

/** Faults the pages in by reading them. */
function readPages(memory: Memory, start: number, length: number): void {
  // Views by the constructor: subarray() consults Symbol.species, and code that it calls could unmap what is read.
  const block = new ArrayBuffer(MathMin(length, BLOCK));
  for (let done = 0; done < length; done += BLOCK) {
    memory.load(start + done, new Uint8Array(block, 0, MathMin(BLOCK, length - done)));
  }
}
