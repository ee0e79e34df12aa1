/**
 * What a map is made from: a file or anonymous memory, how it is protected, and the descriptor by which it is mapped.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { MathCeil, MathMax } from "../../ffi/primordials.ts";
import {
  type FileStatus,
  isUnbacked,
  type MapRequest,
  type Platform,
  type Protection,
  type ProtectionRequest,
} from "../../platform/types.ts";
import { orReadOnly, show } from "../errors.ts";
import { platform } from "../platform.ts";
import { EMPTY_REGION, ignoreErrors, type Region, unmap } from "./region.ts";

/** What a map is made from. */
export interface MappingRequest extends ProtectionRequest {
  /** 0: to the end of the file. */
  readonly length: number;
  readonly offset: number;
  /** The path of a file that `MMap.open` has opened: for error messages, and because only `open` maps empty files. */
  readonly path: string | undefined;
  /** Whether to keep a descriptor, for `size` and `resize`. */
  readonly trackDescriptor: boolean;
  /** Whether to keep the process alive when the file is truncated, if the platform can. */
  readonly guard: boolean;
}

/**
 * A descriptor that `node:fs` opened and that nothing else uses: the map that adopts it closes it. That saves the two
 * system calls of a duplicate.
 */
export interface OpenedDescriptor {
  readonly descriptor: number;
  adopted: boolean;
}

export class Backing {
  readonly platform: Platform;
  readonly protection: Protection;
  /** Where in the file the map begins, in bytes. */
  readonly offset: number;
  /** Where in its page the map begins, in bytes. */
  readonly pageOffset: number;
  /** How many bytes the request maps. */
  readonly initialLength: number;
  /** The system maps in multiples of this many bytes: a page, or a huge one. */
  readonly #unit: number;
  readonly anonymous: boolean;
  readonly #tracked: boolean;
  readonly #wantsGuard: boolean;
  /** Whether `node:fs` opened the descriptor: it keeps a record of those, and so must close it. */
  #openedByNodeFs = false;
  /** Used by this map only, or -1. */
  #descriptor = -1;

  constructor(request: MappingRequest) {
    const system = platform();
    const { descriptor, length, offset } = request;
    this.platform = system;
    this.protection = system.protection(request);
    this.offset = offset;
    this.anonymous = descriptor === -1;
    this.#tracked = request.trackDescriptor;
    this.#wantsGuard = request.guard;
    const status = this.anonymous ? undefined : system.status(descriptor);
    const hugePageSize = status?.hugePageSize;
    this.#unit = hugePageSize ?? this.protection.unit;
    this.pageOffset = offset % (hugePageSize ?? system.allocationGranularity);
    this.initialLength = status === undefined ? anonymousLength(length) : this.#fileLength(request, status);
  }

  /** The descriptor that stays with the map, or -1. */
  get descriptor(): number {
    return this.#descriptor;
  }

  /** The same for `mm.fd`: -1 too if the system's numbers mean nothing outside the library. */
  get publicDescriptor(): number {
    return this.platform.hasRealDescriptors ? this.#descriptor : -1;
  }

  /** Whether the map is made of huge pages, of which the system has a pool. */
  get hasHugePages(): boolean {
    return this.#unit > this.platform.pageSize;
  }

  /** Whether unmapping a region loses data. */
  get isUnbacked(): boolean {
    return isUnbacked(this.protection, this.#descriptor);
  }

  /** Whether the pages are this process's memory, and not a file's. */
  get isInMemory(): boolean {
    const { shared, writable } = this.protection;
    return this.anonymous || (writable && !shared);
  }

  /** Takes or makes the descriptor that stays with the map, and maps the request. */
  mapFirst(request: MappingRequest, opened: OpenedDescriptor | undefined): Region {
    const { platform: system, protection, initialLength: length } = this;
    const adopted = this.#tracked && system.hasRealDescriptors ? opened : undefined;
    this.#openedByNodeFs = adopted !== undefined;
    this.#descriptor = adopted?.descriptor ?? this.#ownDescriptor(request.descriptor, length);
    try {
      const region = this.#mapExtending(this.#descriptor === -1 ? request.descriptor : this.#descriptor, length);
      if (adopted !== undefined) adopted.adopted = true;
      return region;
    } catch (error) {
      if (adopted === undefined) this.close();
      throw protection.shared && protection.writable ? orReadOnly(error) : error;
    }
  }

  /** Maps the requested range, extending the file first on systems where mapping past its end does so (Windows). */
  #mapExtending(descriptor: number, length: number): Region {
    const { platform: system } = this;
    const end = this.offset + length;
    if (length === 0) return EMPTY_REGION;
    if (descriptor === -1 || !system.mappingExtendsFile || !this.protection.shared)
      return this.mapRegion(length, descriptor);
    const { size } = system.status(descriptor);
    if (end > size) system.truncate(descriptor, end);
    try {
      return this.mapRegion(length, descriptor);
    } catch (error) {
      if (end > size) this.undoExtension(descriptor, size, end);
      throw error;
    }
  }

  /** Truncates a file to the size that it had, unless another process has extended it since, whose bytes would be lost. */
  undoExtension(descriptor: number, sizeBefore: number, sizeAfter: number): void {
    const { platform: system } = this;
    ignoreErrors(() => {
      if (system.status(descriptor).size === sizeAfter) system.truncate(descriptor, sizeBefore);
    });
  }

  /** Maps `length` bytes, with a guard. */
  mapRegion(length: number, descriptor: number = this.#descriptor): Region {
    const request = this.#request(length, descriptor);
    const { platform: system } = this;
    const address = system.map(request);
    try {
      return this.guarded(address, request.length, descriptor);
    } catch (error) {
      system.unmap(address, request.length);
      throw error;
    }
  }

  /** The length of the region of a map of `length` bytes: whole pages. */
  regionLength(length: number): number {
    return MathCeil((this.pageOffset + length) / this.#unit) * this.#unit;
  }

  /** How long the region may be so that the file has all of its pages now; without a file, any length. */
  presentRegionLength(): number {
    return this.#descriptor === -1 ? Infinity : this.regionLength(MathMax(0, this.status().size - this.offset));
  }

  #request(length: number, descriptor: number, protection: Protection = this.protection): MapRequest {
    return { descriptor, length: this.regionLength(length), offset: this.offset - this.pageOffset, protection };
  }

  /**
   * Makes sure that the system has what a map of `length` bytes needs, and releases the mapping's name (Windows) for it. A name
   * cannot be got back if mapping fails after it was released.
   */
  releaseName({ address }: Region, length: number): void {
    const { platform: system, protection } = this;
    const { name } = protection;
    if (name === undefined || system.releaseName === undefined) return;
    const request = this.#request(length, this.#descriptor, { ...protection, name: undefined });
    system.unmap(system.map(request), request.length);
    system.releaseName(address, name);
  }

  /**
   * A region, guarded if it shows the pages of a file. Other processes can truncate an anonymous map through its `fd`. No page
   * can be put in the place of a huge one.
   */
  guarded(address: number, length: number, descriptor: number = this.#descriptor): Region {
    if (!this.#wantsGuard || descriptor === -1 || this.hasHugePages) return { address, length, guard: undefined };
    const { protection } = this;
    const file = { descriptor: this.#descriptor, offset: this.offset - this.pageOffset, protection };
    return { address, length, guard: this.platform.guard?.(address, length, file) };
  }

  #fileLength({ descriptor, length, offset, path }: MappingRequest, { regular, size }: FileStatus): number {
    if (!regular) return length === 0 ? this.#refuseUnsized(descriptor, path) : length;
    if (length === 0) {
      if (size === 0 && offset === 0) return this.#emptyLength(descriptor, path);
      if (offset < size) return size - offset;
      throw new RangeError(`offset must be less than the size of ${theFile(path)}, ${size}: got ${offset}`);
    }
    if (this.platform.mappingExtendsFile && this.protection.shared) return length;
    if (offset > size) {
      throw new RangeError(`offset must be at most the size of ${theFile(path)}, ${size}: got ${offset}`);
    }
    if (length > size - offset) {
      throw new RangeError(
        `length must be at most ${size - offset}, what ${theFile(path)} has from offset ${offset}: got ${length}`,
      );
    }
    return length;
  }

  /** The length of a map of `wanted` bytes of the file as it is now; for 0, up to its end. */
  presentLength(wanted: number): number {
    if (this.anonymous)
      throw new TypeError("remap() needs a file, and the map is anonymous: resize() changes its length");
    this.requireTracked("remap()");
    const { regular, size } = this.status();
    const left = size - this.offset;
    if (!regular) return wanted === 0 ? this.#refuseUnsized(this.#descriptor, undefined) : wanted;
    if (left >= wanted) return wanted === 0 ? left : wanted;
    throw new RangeError(
      `length must be at most ${MathMax(0, left)}, what the file has from offset ${this.offset} now: got ${wanted}`,
    );
  }

  /** @throws {MMapError} The file has no size, like those of /proc, and cannot be mapped. */
  #emptyLength(descriptor: number, path: string | undefined): number {
    if (path === undefined) {
      throw new RangeError(
        "the file is empty, and there is nothing to map: MMap.open() makes an empty map of its path",
      );
    }
    // Windows would extend the file.
    if (!this.platform.mappingExtendsFile) unmap(this.platform, this.mapRegion(1, descriptor));
    return 0;
  }

  /** Length 0 of a file without a size: the system's error says why it cannot be mapped, or the length is missing. */
  #refuseUnsized(descriptor: number, path: string | undefined): never {
    unmap(this.platform, this.mapRegion(1, descriptor));
    throw new RangeError(`length must be given, because ${theFile(path)} is not a regular one: got 0`);
  }

  /** A duplicate of the user's descriptor, or one of the memory of a shared anonymous map; -1 if the map keeps none. */
  #ownDescriptor(descriptor: number, length: number): number {
    const { platform: system, protection } = this;
    if (!this.#tracked) return -1;
    if (!this.anonymous) return system.duplicate(descriptor);
    if (!protection.shared) return -1;
    const file = system.anonymousFile(protection);
    if (file === -1) return -1;
    try {
      system.truncate(file, this.offset + length);
    } catch (error) {
      system.closeDescriptor(file);
      throw error;
    }
    return file;
  }

  /** @throws {TypeError} The map was made without a descriptor, and `call` needs one. */
  requireTracked(call: string): void {
    if (this.#tracked || (this.anonymous && !this.protection.shared)) return;
    throw new TypeError(`${call} needs the file's descriptor, and the map was made with trackfd: false`);
  }

  status(): FileStatus {
    return this.platform.status(this.#descriptor);
  }

  truncate(size: number): void {
    this.platform.truncate(this.#descriptor, size);
  }

  /** Closes the descriptor, once. */
  close(): void {
    const descriptor = this.#descriptor;
    // Forgotten first: whatever close returns, the number may belong to another file by then.
    this.#descriptor = -1;
    if (descriptor === -1) return;
    if (this.#openedByNodeFs) builtins().closeSync(descriptor);
    else this.platform.closeDescriptor(descriptor);
  }
}

function anonymousLength(length: number): number {
  if (length === 0) throw new RangeError("length must be positive for an anonymous map: got 0");
  return length;
}

/** What errors call the file. */
function theFile(path: string | undefined): string {
  return path === undefined ? "the file" : `the file ${show(path)}`;
}
