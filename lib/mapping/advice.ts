/**
 * Advice on how memory will be used, where it changes more than speed.
 *
 * @module
 */

import { MADV_DONTNEED, MADV_DONTNEED_LOCKED, MADV_REMOVE } from "../constants.ts";
import type { Backing } from "./backing.ts";
import type { Memory } from "./memory.ts";

/** @throws {RangeError} The range does not begin where a page does, or the advice would do harm outside of it. */
export function advise(backing: Backing, memory: Memory, option: number, start: number, length: number): void {
  memory.checkRange(start, start + length);
  const { pageSize } = memory.platform;
  const address = memory.start + start;
  const lead = address % pageSize;
  // The first byte of a map with an odd offset lies within a page, all of which belongs to this mapping.
  if (lead !== 0 && start !== 0) {
    throw new RangeError(
      `start must be at a multiple of PAGESIZE (${pageSize}) in the file: got ${start}, at ${memory.offset + start}`,
    );
  }
  if (option === MADV_REMOVE) checkRemoval(backing, memory, start, length);
  if (backing.hasHugePages && releasesPages(option)) {
    throw new RangeError(
      "option must not release huge pages: another map could take the last one, and reading this one would kill the process",
    );
  }
  memory.platform.advise(address - lead, length + lead, option, length < memory.length);
}

/** MADV_REMOVE zeroes whole pages of the file, so a part of a page that is not the map's must not be among them. */
function checkRemoval(backing: Backing, memory: Memory, start: number, length: number): void {
  if (backing.anonymous) return;
  const { pageSize } = memory.platform;
  const from = memory.offset + start;
  const to = from + length;
  const isAtEnd = () => backing.descriptor !== -1 && to >= backing.status().size;
  if (from % pageSize === 0 && (to % pageSize === 0 || isAtEnd())) return;
  throw new RangeError(
    `start and length must cover whole pages of ${pageSize} bytes in the file for MADV_REMOVE: got ${start} and ${length}, ` +
      `which are ${from} to ${to}`,
  );
}

/** Whether advice releases the contents of pages. */
function releasesPages(option: number): boolean {
  return option === MADV_REMOVE || option === MADV_DONTNEED || option === MADV_DONTNEED_LOCKED;
}
