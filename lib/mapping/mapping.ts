/**
 * The life of one map: it is made, resized, and closed or abandoned. What it is made from is its `Backing`; its present
 * memory is its `Memory`, which `resize` and `close` replace in one assignment. This folder alone unmaps memory, by these
 * rules:
 *
 * - What the user holds are ArrayBuffers, so memory goes only when nothing can be using one of them (retention.ts).
 * - A buffer that is found detached, and that was not detached here, was transferred to a new owner with its memory, which
 *   then stays mapped for good.
 * - The library's own reads and writes use a small window, which the user never sees (window.ts).
 *
 * @module
 */

import { ensureStackSpace, MathMin } from "../../ffi/primordials.ts";
import type { Protection } from "../../platform/types.ts";
import { closedError, truncatedError } from "../errors.ts";
import { blockAllocator } from "../platform.ts";
import { Backing, type MappingRequest, type OpenedDescriptor } from "./backing.ts";
import { anyDetached } from "./buffers.ts";
import { Memory } from "./memory.ts";
import { ignoreErrors } from "./region.ts";
import * as resident from "./residency.ts";
import { clearTail, resizeRegion, Shortened } from "./resize.ts";

export class Mapping {
  readonly #backing: Backing;
  /** Undefined once the map is closed. */
  #memory: Memory | undefined;
  #resizing = false;
  /** Whether a part was given advice: the system may have split the mapping then, and split mappings cannot be remapped. */
  #advised = false;

  /** Maps a file, or anonymous memory. `opened`: the request's descriptor, if the map may keep that itself. */
  constructor(request: MappingRequest, opened?: OpenedDescriptor) {
    const backing = new Backing(request);
    const length = backing.lengthOf(request);
    const region = backing.mapFirst(request, length, opened);
    this.#backing = backing;
    this.#memory = new Memory(backing, region, length);
  }

  /**
   * The map's present memory. Not to be kept while user code may run, which can close the map.
   *
   * @throws {MMapError} `ERR_MMAP_CLOSED`
   * @throws {TypeError} Called re-entrantly while a resize is in progress: by an error's replaced base class, for example.
   */
  get memory(): Memory {
    const memory = this.#memory;
    if (memory === undefined) throw closedError();
    if (this.#resizing) throw new TypeError("the map is being resized: call again when that is done");
    return memory;
  }

  get closed(): boolean {
    return this.#memory === undefined;
  }

  get protection(): Protection {
    return this.#backing.protection;
  }

  /** Where in the file the map begins, in bytes. */
  get offset(): number {
    return this.#backing.offset;
  }

  /** The descriptor that belongs to this map, or -1. */
  get descriptor(): number {
    return this.#backing.publicDescriptor;
  }

  /** The size of the file in bytes; of anonymous memory, its length. */
  size(): number {
    const { length } = this.memory;
    const backing = this.#backing;
    if (backing.anonymous) return length;
    backing.requireTracked("size()");
    return backing.status().size;
  }

  /** The number of pages replaced since the map was made or resized. */
  faults(): number {
    const { faults, platform } = this.memory;
    return faults.report(platform);
  }

  /** Whether writes meant for the file may have gone to replaced pages without the user having been told. */
  #hasUnreportedFaults({ faults }: Memory): boolean {
    return this.protection.shared && this.protection.writable && faults.unreported;
  }

  /** Writes the changed pages of a range to the file. The range is rounded out to pages. */
  flush(start: number, length: number): void {
    const { memory, protection } = this;
    const { address, span } = memory.pages(start, length);
    // A descriptor that nothing was written for may be open for reading only, and then the system flushes nothing.
    memory.platform.flush(address, span, protection.shared ? this.#backing.descriptor : -1);
    if (protection.writable) memory.faults.throwIfTruncated(start + length);
  }

  /** Like `flush`, without blocking. The map may be closed meanwhile. */
  async flushAsync(start: number, length: number): Promise<void> {
    const { memory } = this;
    const { platform, anonymous, descriptor: file } = this.#backing;
    if (file === -1) {
      if (!anonymous) this.#backing.requireTracked("flushAsync()");
      return;
    }
    const { address, span } = memory.pages(start, length);
    // A duplicate, because the map's own descriptor is closed with it.
    const descriptor = platform.duplicate(file);
    try {
      await platform.flushAsync(address, span, descriptor);
    } finally {
      platform.closeDescriptor(descriptor);
    }
    // close() has already reported lost pages; after a resize, close() will.
    if (!this.closed && this.protection.writable) this.memory.faults.throwIfTruncated(start + length);
  }

  /** @throws {RangeError} `start` is not where a page begins. */
  advise(advice: number, start: number, length: number): void {
    const { memory } = this;
    memory.checkRange(start, start + length);
    const { pageSize } = memory.platform;
    const address = memory.start + start;
    const lead = address % pageSize;
    // The first byte of a map with an odd offset lies within a page, all of which belongs to this mapping.
    if (lead !== 0 && start !== 0) {
      throw new RangeError(
        `start must be at a multiple of PAGESIZE (${pageSize}) in the file: got ${start}, at ${this.offset + start}`,
      );
    }
    memory.platform.advise(address - lead, length + lead, advice);
    this.#advised ||= start !== 0 || length < memory.length;
  }

  lock(start: number, length: number): void {
    const { memory } = this;
    // Set first, because a refused lock may have split the mapping too; and a resize then does not take locks along.
    this.#advised = true;
    resident.lock(this.#backing, memory, start, length);
  }

  unlock(start: number, length: number): void {
    const { memory } = this;
    this.#advised = true;
    resident.unlock(memory, start, length);
  }

  residency(start: number, length: number): ReturnType<typeof resident.residency> {
    return resident.residency(this.memory, start, length);
  }

  prefault(start: number, length: number, write: boolean): void {
    resident.prefault(this.#backing, this.memory, start, length, write);
  }

  /** Changes the length of the map, and the size of its file to the map's end. Detaches every view. */
  resize(length: number, reserve: boolean): void {
    const { memory } = this;
    // An error in the middle would leave views of memory that is unmapped.
    ensureStackSpace();
    this.#resizing = true;
    try {
      this.#resize(memory, length, reserve);
    } finally {
      this.#resizing = false;
    }
  }

  #resize(old: Memory, length: number, reserve: boolean): void {
    const backing = this.#backing;
    const { platform } = backing;
    backing.requireTracked("resize()");
    const allocate = reserve ? blockAllocator(platform, backing.descriptor) : undefined;
    const end = backing.offset + length;
    const sizeBefore = backing.descriptor === -1 ? end : backing.status().size;
    const { name } = backing.protection;
    if (name !== undefined) platform.releaseName?.(old.region.address, name);
    if (end < sizeBefore && !platform.canTruncateMappedFiles) {
      this.#truncateUnmapped(old, length, end);
      return;
    }
    const { buffers } = old.views;
    // Views of the old region may be in use; and with advice on a part, or replaced pages, it may be several mappings.
    const inPlace = old.length > 0 && buffers === undefined && !this.#advised && !old.faults.any;
    const unreported = this.#hasUnreportedFaults(old);
    const wasLength = old.length;
    try {
      const region = resizeRegion(backing, old, { length, end, sizeBefore, inPlace, allocate });
      this.#memory = new Memory(backing, region, length, unreported);
    } catch (error) {
      if (!(error instanceof Shortened)) throw error;
      const { region, cause } = error;
      old.forget();
      this.#memory = new Memory(backing, region, MathMin(wasLength, region.length - backing.pageOffset));
      throw cause;
    }
    this.#advised = false;
    // Anonymous memory that grows has its zeros already.
    if (length < wasLength || !backing.anonymous) clearTail(backing, this.#memory, old.region);
    if (inPlace) old.forget();
    else this.#releaseOld(old, this.#memory.region.length);
  }

  /** Releases the memory from before a resize. Only the first `backed` bytes of its region are still backed by the file. */
  #releaseOld(old: Memory, backed: number): void {
    const { region, platform, views } = old;
    // If the user has seen these pages, they stay mapped: an access to those that the file no longer has would be fatal.
    if (views.buffers !== undefined && backed < region.length) {
      platform.mapZeros(region.address + backed, region.length - backed);
    }
    old.release(this.#backing.isInMemory);
  }

  /** On systems that refuse to truncate a mapped file (Windows): unmaps, truncates, maps again. */
  #truncateUnmapped(old: Memory, length: number, end: number): void {
    const backing = this.#backing;
    const { buffers } = old.views;
    const wasLength = old.length;
    // Memory that the user has seen is replaced in place. If that is not possible, the system refuses to truncate its file.
    const free = buffers === undefined || (!anyDetached(buffers) && backing.platform.retire !== undefined);
    if (free) old.release(backing.isInMemory, true);
    let now = wasLength;
    try {
      backing.truncate(end);
      now = length;
    } finally {
      if (free) this.#mapAgain(now);
    }
  }

  /** Maps again after the region was unmapped. If that fails, the map is closed. */
  #mapAgain(length: number): void {
    const backing = this.#backing;
    try {
      this.#memory = new Memory(backing, backing.mapRegion(length), length);
    } catch (error) {
      this.#memory = undefined;
      backing.close();
      throw error;
    }
  }

  /** Detaches every view and releases the memory; `releaseNow` also if views were handed out. A second call does nothing. */
  close(releaseNow: boolean): void {
    if (this.#memory === undefined) return;
    const { memory } = this;
    this.#memory = undefined;
    const lost = this.#hasUnreportedFaults(memory);
    try {
      memory.release(this.#backing.isInMemory, releaseNow);
    } finally {
      this.#backing.close();
    }
    if (lost) throw truncatedError("writes may be lost, and the map is closed");
  }

  /** What `close` does for a map that was garbage-collected: its views may still be in use, so they are not detached. */
  abandon(): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    this.#memory = undefined;
    ignoreErrors(() => this.#backing.close());
    memory.releaseWhenCollected(this.#backing.isInMemory);
  }
}
