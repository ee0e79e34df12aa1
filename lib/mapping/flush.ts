/**
 * Bringing changes to the disk.
 *
 * @module
 */

import type { Backing } from "./backing.ts";
import type { Memory } from "./memory.ts";

/** Writes the changed pages of a range to the file. The range is rounded out to pages. `flags`: `MS_*`. */
export function flush(
  backing: Backing,
  memory: Memory,
  start: number,
  length: number,
  flags: number | undefined,
): void {
  const { descriptor, protection } = backing;
  const { address, span } = memory.pages(start, length);
  // A descriptor that nothing was written for may be open for reading only, and then the system flushes nothing.
  memory.platform.flush(address, span, protection.shared ? descriptor : -1, flags);
  if (protection.writable) memory.faults.throwIfTruncated(start + length);
}

/**
 * Like `flush`, without blocking. The map may be closed or resized meanwhile.
 *
 * @param memoryOf Returns the map's memory after the flush; undefined if the map is closed then.
 */
export async function flushAsync(
  backing: Backing,
  memory: Memory,
  memoryOf: () => Memory | undefined,
  start: number,
  length: number,
): Promise<void> {
  const { platform, protection } = backing;
  if (backing.descriptor === -1) {
    if (!backing.anonymous) backing.requireTracked("flushAsync()");
    return;
  }
  // aio_fsync needs a descriptor that is open for writing on macOS, and in older versions of glibc.
  if (!protection.writable) {
    flush(backing, memory, start, length, undefined);
    return;
  }
  const { address, span } = memory.pages(start, length);
  // A duplicate, because the map's own descriptor is closed with it.
  const descriptor = platform.duplicate(backing.descriptor);
  try {
    await platform.flushAsync(address, span, descriptor);
  } finally {
    platform.closeDescriptor(descriptor);
  }
  // close() has already reported lost pages; after a resize, close() will.
  memoryOf()?.faults.throwIfTruncated(start + length);
}
