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

import { ensureStackSpace } from "../../ffi/primordials.ts";
import type { Protection, Remapping } from "../../platform/types.ts";
import { closedError, isMakingError, truncatedError } from "../errors.ts";
import { blockAllocator } from "../platform.ts";
import { interrupt } from "../sync/background.ts";
import { makeOwner, type Owner } from "../sync/owner.ts";
import { advise } from "./advice.ts";
import { Backing, type MappingRequest, type OpenedDescriptor } from "./backing.ts";
import { anyDetached } from "./buffers.ts";
import { flush, flushAsync } from "./flush.ts";
import { Memory } from "./memory.ts";
import { setName } from "./name.ts";
import { ignoreErrors, type Region, unmap } from "./region.ts";
import * as resident from "./residency.ts";
import {
  canRemap,
  clearTail,
  copyToNewRegion,
  mapPresent,
  type Resize,
  releaseReplaced,
  truncateMapped,
  withLongerFile,
} from "./resize.ts";
import { limits } from "./retention.ts";

/** A mapping on its way to reserved addresses. */
interface Move {
  readonly to: Region;
  /** The map's memory when it has arrived. */
  readonly memory: Memory;
}

export class Mapping {
  readonly #backing: Backing;
  /** Undefined once the map is closed. */
  #memory: Memory | undefined;
  #resizing = false;
  /** The move that is under way, if any: during one call into C, or since execution was terminated in that call. */
  #move: Move | undefined;
  /** Whether a part was given advice: the system may have split the mapping then, and split mappings cannot be remapped. */
  #advised = false;
  /** Made for the first mutex. */
  #owner: Owner | undefined;

  /** Maps a file, or anonymous memory. `opened`: the request's descriptor, if the map may keep that itself. */
  constructor(request: MappingRequest, opened?: OpenedDescriptor) {
    const backing = new Backing(request);
    const region = backing.mapFirst(request, opened);
    this.#backing = backing;
    this.#memory = new Memory(backing, region, backing.initialLength);
  }

  /**
   * The map's present memory. Not to be kept while user code may run, which can close the map.
   *
   * @throws {MMapError} `ERR_MMAP_CLOSED`
   * @throws {TypeError} Called re-entrantly while a resize is in progress: by an error's replaced base class, for example.
   */
  get memory(): Memory {
    const memory = this.#memory;
    return memory === undefined || this.#resizing ? this.#settledMemory() : memory;
  }

  #settledMemory(): Memory {
    if (this.#resizing && isMakingError())
      throw new TypeError("the map is being resized: call again when that is done");
    this.#settle();
    if (this.#memory === undefined) throw closedError();
    return this.#memory;
  }

  /** Ends a resize in which execution was terminated (by a timeout of `node:vm`): no other user code runs during one. */
  #settle(): void {
    this.#resizing = false;
    const move = this.#move;
    if (move === undefined) return;
    const backing = this.#backing;
    const { to, memory } = move;
    const reserved = backing.platform.remapping?.isReserved(to.address);
    const old = this.#memory as Memory;
    this.#move = undefined;
    if (reserved === true) {
      ignoreErrors(() => unmap(backing.platform, to));
      return;
    }
    // Without an answer, neither address may be used again.
    this.#memory = reserved === false ? memory : undefined;
    this.#endMoved(old);
    if (reserved === undefined) ignoreErrors(() => backing.close());
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

  flush(start: number, length: number, flags: number | undefined): void {
    flush(this.#backing, this.memory, start, length, flags);
  }

  flushAsync(start: number, length: number): Promise<void> {
    return flushAsync(this.#backing, this.memory, () => this.#openMemory(), start, length);
  }

  /** The map's present memory, or undefined once it is closed. */
  #openMemory(): Memory | undefined {
    return this.closed ? undefined : this.memory;
  }

  /** @throws {RangeError} `start` is not where a page begins. */
  advise(option: number, start: number, length: number): void {
    const { memory } = this;
    advise(this.#backing, memory, option, start, length);
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

  /** The same without blocking for long. The map may be closed or resized meanwhile. */
  prefaultAsync(start: number, length: number): Promise<void> {
    return resident.prefaultAsync(this.#backing, () => this.#openMemory(), start, start + length);
  }

  /**
   * This map as an owner of mutexes.
   *
   * @throws {TypeError} The map has no descriptor, or the system does not support it.
   */
  owner(): Owner {
    const { anonymous, descriptor, protection } = this.#backing;
    this.#owner ??= makeOwner(this.memory.platform, descriptor, anonymous ? protection.name : undefined);
    return this.#owner;
  }

  /** @throws {TypeError} The map holds a mutex, which `call` would leave locked. */
  requireReleased(call: string): void {
    if (this.#memory === undefined || this.#owner === undefined || this.#owner.held === 0) return;
    throw new TypeError(`${call} needs mutexes to be released, and the map holds ${this.#owner.held}`);
  }

  #endOwner(): void {
    const owner = this.#owner;
    this.#owner = undefined;
    if (owner !== undefined) ignoreErrors(() => owner.close());
  }

  setName(name: string): void {
    setName(this.#backing, this.memory, name);
  }

  /** Changes the length of the map, and the size of its file to the map's end. Detaches every view. */
  resize(length: number, reserve: boolean): void {
    this.#replace("resize()", (memory) => this.#resize(memory, length, reserve));
  }

  /** Maps the file as it is now: `length` bytes of it, or for 0 all. Detaches every view, and never changes the file. */
  remap(length: number): void {
    this.#replace("remap()", (memory) => this.#remap(memory, length));
  }

  /** Runs `act`, which replaces the map's memory. */
  #replace(call: string, act: (memory: Memory) => void): void {
    // First, because it may run user code, which must not run during a resize.
    if (this.memory.views.buffers !== undefined) limits();
    const { memory } = this;
    this.requireReleased(call);
    // An error in the middle would leave views of memory that is unmapped.
    ensureStackSpace();
    this.#resizing = true;
    try {
      act(memory);
    } finally {
      this.#resizing = false;
      // Waits that are pending see that the map has other memory.
      if (this.#memory !== memory) ignoreErrors(interrupt);
    }
  }

  /** Memory that is to replace the map's memory. */
  #successor(old: Memory, region: Region, length: number): Memory {
    return new Memory(this.#backing, region, length, this.#hasUnreportedFaults(old));
  }

  #remap(old: Memory, wanted: number): void {
    const backing = this.#backing;
    const length = backing.presentLength(wanted);
    const next = mapPresent(backing, old, length);
    this.#memory = this.#successor(old, next, length);
    this.#advised = false;
    releaseReplaced(backing, old, next);
  }

  #resize(old: Memory, length: number, reserve: boolean): void {
    const backing = this.#backing;
    const { platform } = backing;
    backing.requireTracked("resize()");
    const allocate = reserve ? blockAllocator(platform, backing.descriptor) : undefined;
    const end = backing.offset + length;
    const sizeBefore = backing.descriptor === -1 ? end : backing.status().size;
    if (end < sizeBefore && !platform.canTruncateMappedFiles) {
      this.#truncateUnmapped(old, length, end);
      return;
    }
    const resize = { length, end, sizeBefore, allocate };
    // Views of the old region may be in use; and with advice on a part, or replaced pages, it may be several mappings.
    const inPlace = old.length > 0 && old.views.buffers === undefined && !this.#advised && !old.faults.any;
    const shorter = backing.regionLength(length) <= old.region.length;
    if (inPlace && shorter && platform.trim !== undefined) this.#shrinkInPlace(old, resize);
    else if (inPlace && !shorter && canRemap(backing)) this.#growInPlace(old, resize);
    else this.#resizeBeside(old, resize);
    this.#advised = false;
  }

  /** The file is truncated before its mapping is: the system may refuse, and what the mapping's end had would not come back. */
  #shrinkInPlace(old: Memory, resize: Resize): void {
    withLongerFile(this.#backing, resize, () => {
      if (resize.end < resize.sizeBefore) this.#backing.truncate(resize.end);
    });
    this.#trim(old, resize.length);
  }

  /** Shortens the region to what a length needs. */
  #trim(old: Memory, length: number): void {
    const backing = this.#backing;
    const { address, length: oldLength } = old.region;
    const newLength = backing.regionLength(length);
    const region = backing.guarded(address, newLength);
    const memory = this.#successor(old, region, length);
    this.#memory = memory;
    clearTail(backing, memory, old);
    this.#endMoved(old);
    ignoreErrors(() => backing.platform.trim?.(address, oldLength, newLength));
  }

  /** The file is truncated, if that is necessary, after its mapping has grown, which the system may refuse. */
  #growInPlace(old: Memory, resize: Resize): void {
    const { length: oldLength } = old;
    withLongerFile(this.#backing, resize, () => this.#extend(old, resize.length) || this.#moveTo(old, resize.length));
    if (resize.end >= resize.sizeBefore) return;
    try {
      this.#backing.truncate(resize.end);
    } catch (error) {
      this.#trim(this.#memory as Memory, oldLength);
      throw error;
    }
  }

  #extend(old: Memory, length: number): boolean {
    const backing = this.#backing;
    const { address, length: oldLength } = old.region;
    const newLength = backing.regionLength(length);
    if (!backing.platform.remapping?.extend(address, oldLength, newLength)) return false;
    let region: Region;
    try {
      // Not before the addresses are this map's: the guard would take the faults of another thread's map there.
      region = backing.guarded(address, newLength);
    } catch (error) {
      ignoreErrors(() => backing.platform.trim?.(address, newLength, oldLength));
      throw error;
    }
    this.#memory = this.#successor(old, region, length);
    this.#endMoved(old);
    return true;
  }

  #moveTo(old: Memory, length: number): void {
    const backing = this.#backing;
    const remapping = backing.platform.remapping as Remapping;
    const newLength = backing.regionLength(length);
    const address = remapping.reserve(newLength);
    const to = backing.guarded(address, newLength);
    const memory = this.#successor(old, to, length);
    this.#move = { to, memory };
    try {
      remapping.move(old.region.address, old.region.length, address, newLength);
    } catch (error) {
      this.#move = undefined;
      ignoreErrors(() => unmap(backing.platform, to));
      throw error;
    }
    // No call from the move to here: execution can be terminated at one.
    this.#memory = memory;
    this.#move = undefined;
    this.#endMoved(old);
  }

  /** Ends memory whose pages are now another's. */
  #endMoved(old: Memory): void {
    old.forget();
    old.region.guard?.release();
  }

  #resizeBeside(old: Memory, resize: Resize): void {
    const backing = this.#backing;
    const next = copyToNewRegion(backing, old, resize);
    const memory = this.#successor(old, next, resize.length);
    clearTail(backing, memory, old);
    this.#memory = memory;
    releaseReplaced(backing, old, next);
  }

  /** On systems that refuse to truncate a mapped file (Windows): unmaps, truncates, maps again. */
  #truncateUnmapped(old: Memory, length: number, end: number): void {
    const backing = this.#backing;
    const { buffers, transferred } = old.views;
    const wasLength = old.length;
    const { name } = backing.protection;
    // Memory that the user has seen is replaced in place. If that is not possible, the system refuses to truncate its file.
    const mayReplace = !transferred && !anyDetached(buffers) && backing.platform.retire !== undefined;
    const free = buffers === undefined || mayReplace;
    if (free) {
      if (name !== undefined) backing.platform.releaseName?.(old.region.address, name);
      old.release(backing.isInMemory, true);
    }
    let now = wasLength;
    try {
      truncateMapped(backing, end);
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
      this.#endOwner();
      ignoreErrors(() => backing.close());
      throw error;
    }
  }

  /** Detaches every view and releases the memory; `releaseNow` also if views were handed out. A second call does nothing. */
  close(releaseNow: boolean): void {
    if (this.#memory === undefined) return;
    const { memory } = this;
    this.#memory = undefined;
    ignoreErrors(interrupt);
    this.#endOwner();
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
    this.#settle();
    const memory = this.#memory;
    if (memory === undefined) return;
    this.#memory = undefined;
    this.#endOwner();
    ignoreErrors(() => this.#backing.close());
    memory.releaseWhenCollected(this.#backing.isInMemory);
  }
}
