/**
 * One mapped region: its address and length, the ArrayBuffers over it, and when it may be unmapped.
 *
 * This file alone decides that memory is unmapped, and these are its rules:
 *
 * - What the user holds are ArrayBuffers, so memory may go only once each of them is detached (length 0) or garbage.
 * - A buffer found detached that was not detached here went to a new owner with its memory, which then stays for good.
 * - The library's own reads and writes go through a small window, which the user never sees.
 *
 * @module
 */

import { Buffers, Bytes, ceil, define, floor, log2, max, min, needStack, Words } from "../ffi/engine.ts";
import { host } from "../ffi/host.ts";
import { isDetached, lengthOf } from "../platform/bytes.ts";
import { openPlatform } from "../platform/mod.ts";
import type { MapRequest, Platform, Protection, ProtectionRequest } from "../platform/types.ts";
import { closedError, errorFactory, ffiError, orReadOnly, show, truncatedError } from "./errors.ts";
import { anyDetached, type BufferList } from "./mapping/buffers.ts";
import { ignoreErrors, type Region, type RegionList, unmap } from "./mapping/region.ts";
import { type Ending, release, releaseWhenCollected } from "./mapping/retention.ts";
import { copyLine } from "./slab.ts";

/**
 * A descriptor that `node:fs` opened and nobody else has a use for: the mapping that takes it closes it, and spares the
 * two calls of the system that a duplicate would cost.
 */
export interface Offer {
  readonly descriptor: number;
  /** For errors to name. */
  readonly path: string;
  taken: boolean;
}

/** What a mapping is made from. */
export interface MappingRequest extends ProtectionRequest {
  /** 0: to the end of the file. */
  readonly length: number;
  readonly offset: number;
  /** Keep the descriptor, or a duplicate of it, for `size` and `resize`? */
  readonly trackDescriptor: boolean;
  /** Keep the process alive when the file shrinks, where the platform can? */
  readonly guard: boolean;
}

/**
 * The window's size in bytes: large enough that sliding it costs nothing against the bytes that it shows, small enough
 * that the engine, which counts it as garbage-collected memory, does not collect sooner for it.
 */
const WINDOW = 64 * 1024;

/** How much is read at once only to bring it into memory, in bytes. */
const TOUCHED = 1024 * 1024;

/** Of how many pages at once it is asked whether they are in memory: each takes a byte. */
const MOST_PAGES = 2 ** 26;

const NO_BUFFER = new Buffers(0);
const NOTHING = new Bytes(NO_BUFFER);
const NO_WORDS = new Words(NO_BUFFER);

// The engine's own function, taken before any code could replace it.
const { set } = Uint8Array.prototype;

/** No part of a mapping, nor next to one. */
const NOWHERE = -2;

let opened: Platform | undefined;

/** The running platform, opened when something is first mapped. */
export function platform(): Platform {
  try {
    opened ??= openPlatform(errorFactory);
  } catch (error) {
    throw ffiError(error);
  }
  return opened;
}

/** Has the library run over another system than the running one, for tests; gives the one that it had. */
export function usePlatform(other: Platform | undefined): Platform | undefined {
  const before = opened;
  opened = other;
  return before;
}

/** Runs `make`, during which an open descriptor can also be mapped by the path that it was opened with. */
export function knownByPath<T>(descriptor: number, path: string, writable: boolean, make: () => T): T {
  const system = platform();
  return system.withPath === undefined ? make() : system.withPath(descriptor, path, writable, make);
}

/** Reserves what a file needs for a map of `length` bytes, 0 being all to its end. */
export function reserve(descriptor: number, offset: number, length: number): void {
  const system = platform();
  const count = length === 0 ? system.status(descriptor).size - offset : length;
  // Of an empty range, the map itself will say why it can't be.
  if (count > 0) reserver(system, descriptor)(descriptor, offset, count);
}

function reserver(system: Platform, descriptor: number): NonNullable<Platform["allocateBlocks"]> {
  if (descriptor === -1) throw new TypeError("reserve is for maps of a file, and this map has none");
  if (system.allocateBlocks !== undefined) return system.allocateBlocks;
  throw new TypeError("reserve needs posix_fallocate, which this system has not: leave it out");
}

/** How a region is resized: where in the file it is to end, in bytes, and how large that file is. */
interface Resize {
  readonly end: number;
  readonly sizeBefore: number;
  /** May the region be moved, or must it stay beside the new one until its views are gone? */
  readonly inPlace: boolean;
  readonly reserve: Platform["allocateBlocks"];
}

/** What shows a region to the user. */
interface Views {
  readonly given: BufferList | undefined;
  /** What `mapPrivateView` made for them. */
  readonly copies: RegionList | undefined;
}

/** The faults of a region without a guard. */
const NO_FAULTS = new Words(1);

/** Takes a store that nobody reads. */
const FENCE = new Words(1);

/** A byte on its way to or from memory that no window shows. */
const ONE = new Bytes(1);

/** V8 keeps the contents of arrays of up to so many bytes among its objects, and takes long to move them to where C sees them. */
const FEW = 64;

/**
 * So few bytes pass through these arrays, one for each length, whose contents are moved once. Without a prototype, whose
 * properties other code could put in the place of an array that is not yet made.
 */
const passages: Record<number, Uint8Array<ArrayBuffer>> = Object.create(null);

function passage(length: number): Uint8Array<ArrayBuffer> {
  passages[length] ??= new Bytes(length);
  return passages[length] as Uint8Array<ArrayBuffer>;
}

export class Mapping {
  readonly protection: Protection;
  /** Where in the file the mapping begins, in bytes. */
  readonly offset: number;

  readonly #platform: Platform;
  #region: Region;
  readonly #wantsGuard: boolean;
  /** `#faults[#faultsAt]` counts the pages that were touched when the file no longer had them, and replaced by zeros. */
  #faults: Int32Array = NO_FAULTS;
  #faultsAt = 0;
  /** How many of them the user was told of. */
  #told = 0;
  /** Was there one before `resize` that the user was not told of? */
  #untold = false;
  #length: number;
  /** How often the length was changed, or the mapping closed. */
  #changes = 0;
  /** Ours alone, or -1. */
  #descriptor: number;
  /** Was it opened by `node:fs`, which keeps account of what it opened and so must close it? */
  readonly #taken: boolean;
  /** How far into its page the mapping begins, in bytes. */
  readonly #lead: number;
  readonly #anonymous: boolean;
  readonly #tracked: boolean;
  #closed = false;
  #resizing = false;
  /** Was advice given on a part of it? The system may have made several mappings of it then, which cannot be remapped. */
  #advised = false;

  #windowBuffer = NO_BUFFER;
  #window = NOTHING;
  #words = NO_WORDS;
  #windowStart = 0;
  #windowLength = 0;
  /** Which part of the mapping, in windows from its start, was asked for last and was not in the window. */
  #missed = NOWHERE;

  /** Every buffer that the user was given. Strong references: a collected buffer could not tell that it was transferred. */
  #given: BufferList | undefined;
  /** The buffers of `part`, by their range. Made when it is first asked. */
  #parts: Map<string, ArrayBuffer> | undefined;
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  /** What `mapPrivateView` made for buffers that the user was given. */
  #copies: RegionList | undefined;

  /** Maps a file, or anonymous memory. `offered`: the request's descriptor, where the mapping may keep that itself. */
  constructor(request: MappingRequest, offered?: Offer) {
    const { descriptor, offset } = request;
    const system = platform();
    this.#platform = system;
    this.#anonymous = descriptor === -1;
    this.#tracked = request.trackDescriptor;
    this.#wantsGuard = request.guard;
    this.protection = system.protection(request);
    this.offset = offset;
    this.#lead = offset % system.allocationGranularity;
    this.#length = this.#anonymous ? anonymousLength(request.length) : this.#fileLength(request, offered?.path);
    const offer = request.trackDescriptor && system.hasRealDescriptors ? offered : undefined;
    this.#taken = offer !== undefined;
    this.#descriptor = offer?.descriptor ?? this.#ownDescriptor(descriptor, request.trackDescriptor);
    try {
      this.#region = this.#mapWhole(this.#descriptor === -1 ? descriptor : this.#descriptor);
      this.#watch();
      if (offer !== undefined) offer.taken = true;
    } catch (error) {
      if (offer === undefined) this.#closeDescriptor();
      throw this.protection.shared && this.protection.writable ? orReadOnly(error) : error;
    }
  }

  /** Maps what the user asked for, behind the end of the file too where the system has that. */
  #mapWhole(descriptor: number): Region {
    const end = this.offset + this.#length;
    if (descriptor === -1 || !this.#platform.mappingExtendsFile || !this.protection.shared) {
      return this.#map(descriptor, this.#length);
    }
    const { size } = this.#platform.status(descriptor);
    if (end > size) this.#platform.truncate(descriptor, end);
    try {
      return this.#map(descriptor, this.#length);
    } catch (error) {
      if (end > size) this.#platform.truncate(descriptor, size);
      throw error;
    }
  }

  /** The length in bytes. */
  get length(): number {
    this.check();
    return this.#length;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Another number each time that the length was changed, or the mapping closed. */
  get changes(): number {
    return this.#changes;
  }

  /** The descriptor that belongs to this mapping, or -1; also where the system's numbers for it mean nothing to others. */
  get descriptor(): number {
    return this.#platform.hasRealDescriptors ? this.#descriptor : -1;
  }

  /**
   * @throws {MMapError} `ERR_MMAP_CLOSED`
   * @throws {TypeError} Code that runs in the middle of a resize asks for it: a class that an error is made of, say.
   */
  check(): void {
    if (this.#closed) throw closedError();
    if (this.#resizing) throw new TypeError("the map is being resized: call again when that is done");
  }

  // --- What a shrunk file leaves behind ------------------------------------------------------------------------------

  /** Does a touch of a page that the file no longer has find zeros, and not kill the process? */
  get guarded(): boolean {
    this.check();
    return this.#region.guard !== undefined;
  }

  /** How many pages were replaced since the mapping was made or resized. Who asks was told. */
  get faults(): number {
    this.check();
    this.#told = this.#faults[this.#faultsAt] as number;
    // The step that replaces all that follow counts those again that were replaced before.
    return min(this.#told >>> 0, this.#region.length / this.#platform.pageSize);
  }

  /**
   * Refuses what was done with bytes up to `end`, if some of them are zeros that are not the file's. Called when it is
   * done, for to touch them is what makes them known.
   *
   * @throws {MMapError} `ERR_MMAP_TRUNCATED`
   */
  #checkIntact(end: number): void {
    if (this.#faults[this.#faultsAt] !== 0) this.#refuseReplaced(end);
  }

  #refuseReplaced(end: number): void {
    const intact = this.#intact();
    if (end <= intact) return;
    this.#told = this.#faults[this.#faultsAt] as number;
    throw truncatedError(`the bytes from index ${intact} on may be gone`);
  }

  /** How many bytes lie before the first page that was replaced. */
  #intact(): number {
    const { guard } = this.#region;
    if (guard === undefined) return this.#length;
    return min(this.#length, max(0, guard.lowest() - this.#address(0)));
  }

  /** May bytes that were meant for the file have gone to pages that are no longer its own, unknown to the user? */
  get #mayHaveLost(): boolean {
    if (!this.protection.shared || !this.protection.writable) return false;
    return this.#untold || this.#faults[this.#faultsAt] !== this.#told;
  }

  /** Counts the faults of the current region, from none. */
  #watch(): void {
    const { guard } = this.#region;
    this.#faults = guard?.faults ?? NO_FAULTS;
    this.#faultsAt = guard?.index ?? 0;
    this.#told = 0;
  }

  // --- Bytes ---------------------------------------------------------------------------------------------------------
  // The caller has checked that the range lies within the mapping, and has told the user what was wrong with it. What comes
  // here has passed code that others may have replaced: before an address is made of it, it is looked at once more.

  /** @throws {RangeError} The range is not within the mapping. */
  #checkRange(start: number, end: number): void {
    this.check();
    if (!(start >= 0 && start <= end && end <= this.#length)) {
      throw new RangeError(`the map has no bytes from ${start} to ${end}: its length is ${this.#length}`);
    }
  }

  /** The byte at an index. */
  byte(index: number): number {
    const at = index - this.#windowStart;
    const near = at >= 0 && at < this.#windowLength;
    const value = (near ? this.#window[at] : this.#distantByte(index)) as number;
    // An engine may take a load out of a loop that stores nothing, and the count of faults must be read after the byte.
    FENCE[0] = value;
    if (this.#faults[this.#faultsAt] !== 0) this.#refuseReplaced(index + 1);
    return value;
  }

  #distantByte(index: number): number {
    this.#checkRange(index, index + 1);
    if (this.#showsInWindow(index, 1)) return this.#window[index - this.#windowStart] as number;
    this.#platform.load(this.#address(index), ONE, 1);
    return ONE[0] as number;
  }

  setByte(index: number, value: number): void {
    if (this.#showsInWindow(index, 1)) {
      this.#window[index - this.#windowStart] = value;
    } else {
      this.#checkRange(index, index + 1);
      ONE[0] = value;
      this.#platform.store(this.#address(index), ONE, 1);
    }
    this.#checkIntact(index + 1);
  }

  /** A copy of the bytes from `start` to `end`. */
  read(start: number, end: number): Uint8Array<ArrayBuffer> {
    this.#checkRange(start, end);
    const length = end - start;
    if (length === 0) return new Bytes(0);
    const short = length <= this.#platform.smallCopyLimit;
    if (short && this.#showsInWindow(start, length)) {
      const copy = new Bytes(this.#seen(start, end));
      this.#checkIntact(end);
      return copy;
    }
    const few = short && length <= FEW;
    const read = few ? passage(length) : new Bytes(length);
    this.#platform.load(this.#address(start), read, length);
    this.#checkIntact(end);
    return few ? new Bytes(read) : read;
  }

  /**
   * Copies the line that begins at `start`, for `copiedLine`, and gives its length in bytes; -1 where it is long, or does not
   * end in the window.
   */
  copyLine(start: number): number {
    if (start >= this.#length || !this.#showsInWindow(start, 1)) return -1;
    const length = copyLine(this.#words, this.#windowLength >>> 2, start - this.#windowStart);
    if (length !== -1) this.#checkIntact(start + length);
    return length;
  }

  /** The bytes from `start` to `end`, which the window shows. Not by a method, which would ask the class what to make. */
  #seen(start: number, end: number): Uint8Array<ArrayBuffer> {
    return new Bytes(this.#windowBuffer, start - this.#windowStart, end - start);
  }

  /** Fills `target` with the bytes from `start` on. */
  load(start: number, target: Uint8Array): void {
    const length = lengthOf(target);
    // Code that replaced what made the array may have made a longer one, or the map shorter: C would read on behind its end.
    this.#checkRange(start, start + length);
    this.#platform.load(this.#address(start), target, length);
    this.#checkIntact(start + length);
  }

  /** `length`: the source's own, as `lengthOf` counts it. */
  write(start: number, source: Uint8Array, length: number): void {
    this.#checkRange(start, start + length);
    // Before as well: where it is known already, nothing is written.
    this.#checkIntact(start + length);
    if (length > 0) {
      if (length > WINDOW || !this.#showsInWindow(start, length)) {
        this.#platform.store(this.#address(start), source, length);
      } else this.#window.set(source, start - this.#windowStart);
    }
    this.#checkIntact(start + length);
  }

  /** Copies within the mapping; the ranges may overlap. */
  move(destination: number, source: number, count: number): void {
    this.#checkRange(source, source + count);
    this.#checkRange(destination, destination + count);
    const end = max(destination, source) + count;
    this.#checkIntact(end);
    this.#platform.move(this.#address(destination), this.#address(source), count);
    this.#checkIntact(end);
  }

  /**
   * Are `count` bytes from `index` on, of at most `WINDOW`, in the window? It slides to a part of the mapping when that is
   * asked for again, or the one behind it: a view costs more than a call that copies, and pays where reads are close.
   */
  #showsInWindow(index: number, count: number): boolean {
    const at = index - this.#windowStart;
    if (at >= 0 && at + count <= this.#windowLength) return true;
    const part = floor(index / WINDOW);
    const close = part === this.#missed || part === this.#missed + 1;
    this.#missed = part;
    if (close) this.#slide(index, count);
    else this.check();
    return close;
  }

  /** Slides the window over at least `count` bytes from `index` on. */
  #slide(index: number, count: number): void {
    this.check();
    const aligned = index - (index % WINDOW);
    const start = index + count <= aligned + WINDOW ? aligned : index;
    const length = min(WINDOW, this.#length - start);
    // All made before any is kept: what shows one part must not be taken for what shows another.
    const buffer = this.#platform.view(this.#address(start), length);
    const window = new Bytes(buffer);
    const words = new Words(buffer, 0, length >>> 2);
    // Its own: what replaced the prototype's would be given the window, and could keep it. Faster than by `apply`.
    define(window, "set", set);
    this.#windowBuffer = buffer;
    this.#window = window;
    this.#words = words;
    this.#windowStart = start;
    this.#windowLength = length;
  }

  /** The index of the first byte equal to `byte` from `start` to `end`, or -1. */
  findByte(start: number, end: number, byte: number): number {
    if (start >= end) return -1;
    this.#checkRange(start, end);
    const index = plus(start, this.#platform.findByte(this.#address(start), end - start, byte));
    this.#checkIntact(index === -1 ? end : index + 1);
    return index;
  }

  /** The index of the first occurrence of `needle`, of at least one byte, that lies between `start` and `end`, or -1. */
  findBytes(start: number, end: number, needle: Uint8Array): number {
    const needed = lengthOf(needle);
    if (end - start < needed) return -1;
    this.#checkRange(start, end);
    const index = plus(start, this.#platform.findBytes(this.#address(start), end - start, needle));
    this.#checkIntact(index === -1 ? end : index + needed);
    return index;
  }

  /** The index of the last one, or -1. */
  findLastBytes(start: number, end: number, needle: Uint8Array): number {
    if (end - start < lengthOf(needle)) return -1;
    this.#checkRange(start, end);
    const index = plus(start, this.#platform.findLastBytes(this.#address(start), end - start, needle));
    this.#checkIntact(end);
    return index;
  }

  // --- Views ---------------------------------------------------------------------------------------------------------

  /** The whole mapping, without a copy; the same object each time. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.check();
    const { maxViewLength } = this.#platform;
    if (this.#length > maxViewLength) {
      throw new RangeError(
        `bytes and buffer reach at most ${maxViewLength} bytes in this runtime, and the map has ${this.#length}: ` +
          "use view() for a part of it",
      );
    }
    // A buffer that was transferred away belongs to somebody else: make another.
    if (this.#bytes === undefined || isDetached(this.#bytes.buffer)) {
      this.#bytes = new Bytes(this.#give(0, this.#length));
    }
    return this.#bytes;
  }

  /**
   * A buffer that holds `length` bytes from `start` on, and where in it they begin. Its first byte lies at a multiple of
   * 8 bytes in the file, and so in memory, wherever `start` does.
   *
   * Buffers are shared between parts: each power of two has a grid of buffers twice that long, so that every part fits
   * into one. The user's buffers are held until the map is closed, and the grid keeps them few however many parts are
   * asked for.
   */
  part(start: number, length: number): { buffer: ArrayBuffer; byteOffset: number } {
    this.#checkRange(start, start + length);
    const { maxViewLength } = this.#platform;
    if (length > maxViewLength) {
      throw new RangeError(`length must be at most ${maxViewLength} bytes in this runtime: got ${length}`);
    }
    const lead = (8 - (this.offset % 8)) % 8;
    const cell = 2 ** ceil(log2(max(WINDOW, length, this.#length / 4096)));
    let first = start < lead ? start : lead + floor((start - lead) / cell) * cell;
    let span = min(2 * cell, this.#length - first, maxViewLength);
    if (start + length > first + span) {
      first = start;
      span = length;
    }
    const key = `${first}+${span}`;
    this.#parts ??= new Map();
    let buffer = this.#parts.get(key);
    if (buffer === undefined || isDetached(buffer)) {
      buffer = this.#give(first, span);
      this.#parts.set(key, buffer);
    }
    return { buffer, byteOffset: start - first };
  }

  #give(start: number, length: number): ArrayBuffer {
    // What keeps the parts may have been replaced by code that closed the map.
    this.#checkRange(start, start + length);
    const buffer = this.#platform.view(this.#visibleAddress(start, length), length);
    this.#given = { buffer, next: this.#given };
    return buffer;
  }

  /** Where the user may see `length` bytes from `start` on: a stray write there does no harm. */
  #visibleAddress(start: number, length: number): number {
    const address = this.#address(start);
    if (this.protection.writable || this.#platform.mapPrivateView === undefined) return address;
    const place = address - this.#region.address;
    const lead = place % this.#platform.allocationGranularity;
    const copy = this.#platform.mapPrivateView(this.#region.address, place - lead, lead + length);
    this.#copies = { region: { address: copy, length: lead + length, guard: undefined }, next: this.#copies };
    return copy + lead;
  }

  // --- The file ------------------------------------------------------------------------------------------------------

  /** The size of the file in bytes; of anonymous memory, its length. */
  size(): number {
    this.check();
    if (this.#anonymous) return this.#length;
    if (this.#descriptor !== -1) return this.#platform.status(this.#descriptor).size;
    throw untracked("size()");
  }

  /** Writes changed pages of `length` bytes from `start` on, rounded out to pages. */
  flush(start: number, length: number): void {
    const { address, span } = this.#pages(start, length);
    // A descriptor that nothing was written for may be one for reading, through which the system flushes nothing.
    this.#platform.flush(address, span, this.protection.shared ? this.#descriptor : -1);
    if (this.protection.writable) this.#checkIntact(start + length);
  }

  /** The same while the program goes on, and it may close the map. */
  async flushAsync(start: number, length: number): Promise<void> {
    if (this.#descriptor === -1) {
      if (this.#anonymous) return;
      throw untracked("flushAsync()");
    }
    const { address, span } = this.#pages(start, length);
    const system = this.#platform;
    // Not the map's own, which is closed with it.
    const descriptor = system.duplicate(this.#descriptor);
    try {
      await system.flushAsync(address, span, descriptor);
    } finally {
      system.closeDescriptor(descriptor);
    }
    // `close` has told of pages that were lost, and after `resize` it will.
    if (!this.#closed && this.protection.writable) this.#checkIntact(start + length);
  }

  /** @throws {RangeError} `start` is not where a page begins. */
  advise(advice: number, start: number, length: number): void {
    this.#checkRange(start, start + length);
    const address = this.#address(start);
    const { pageSize } = this.#platform;
    const lead = address % pageSize;
    // The first byte of a map with an odd offset lies within a page, all of which belongs to this mapping.
    if (lead !== 0 && start !== 0) {
      throw new RangeError(
        `start must be at a multiple of PAGESIZE (${pageSize}) in the file: got ${start}, at ${this.offset + start}`,
      );
    }
    this.#platform.advise(address - lead, length + lead, advice);
    this.#advised ||= start !== 0 || length < this.#length;
  }

  // --- Pages in memory -----------------------------------------------------------------------------------------------

  lock(start: number, length: number): void {
    const { address, span } = this.#pages(start, length);
    const ofFile = !this.#anonymous || this.#descriptor !== -1;
    this.#platform.lock(address, span, ofFile);
    // What is locked may be a mapping of its own now; and so no `resize` takes a part of the locks along.
    this.#advised = true;
    if (!ofFile) return;
    try {
      this.prefault(start, length, false);
    } catch (error) {
      this.#platform.unlock(address, span);
      throw error;
    }
  }

  unlock(start: number, length: number): void {
    const { address, span } = this.#pages(start, length);
    this.#platform.unlock(address, span);
    // Pages that the map's flags had locked may be a mapping of their own now.
    this.#advised = true;
  }

  /** One byte a page, 1 where it is in memory; and how many are. */
  residency(start: number, length: number): { pages: Uint8Array<ArrayBuffer>; resident: number } {
    if (this.#platform.residency === undefined) {
      throw new TypeError("residency() needs mincore, and this system has none");
    }
    const { address, span } = this.#pages(start, length);
    const count = length === 0 ? 0 : ceil(span / this.#platform.pageSize);
    if (count > MOST_PAGES) {
      throw new RangeError(
        `start and length must span at most ${MOST_PAGES} pages at once: got ${start} and ${length}, ${count} pages`,
      );
    }
    const pages = new Bytes(count);
    if (count > 0) this.#platform.residency(address, span, pages);
    let resident = 0;
    for (let index = 0; index < count; index++) {
      // The other bits are the system's own.
      pages[index] = (pages[index] as number) & 1;
      resident += pages[index] as number;
    }
    return { pages, resident };
  }

  /** Brings pages into memory: for reading, or as a write of each would. */
  prefault(start: number, length: number, write: boolean): void {
    if (!this.#populate(start, length, write)) {
      if (write) throw new TypeError("write: true needs MADV_POPULATE_WRITE, which this system lacks: got true");
      this.#touch(start, length);
    }
    this.#checkIntact(start + length);
  }

  #populate(start: number, length: number, write: boolean): boolean {
    const { address, span } = this.#pages(start, length);
    try {
      return this.#platform.populate(address, span, write);
    } catch (error) {
      if ((error as { code?: string }).code === "EFAULT") this.#refuseMissing(start + length);
      throw error;
    }
  }

  /** Refuses bytes up to `end` that lie behind the last page of the file, where its size is known. */
  #refuseMissing(end: number): void {
    if (this.#descriptor === -1) return;
    const { pageSize } = this.#platform;
    const { size } = this.#platform.status(this.#descriptor);
    const left = max(0, ceil(size / pageSize) * pageSize - this.offset);
    if (end > left) throw truncatedError(`the bytes from index ${left} on are gone`);
  }

  /** Reads the bytes, for what that brings into memory. */
  #touch(start: number, length: number): void {
    // Not by subarray, which asks the class what to make: code that answers could unmap what is read.
    const block = new Buffers(min(length, TOUCHED));
    for (let done = 0; done < length; done += TOUCHED) {
      this.load(start + done, new Bytes(block, 0, min(TOUCHED, length - done)));
    }
  }

  /** The pages that a range lies on: where the first begins, and how many bytes from there to the range's end. */
  #pages(start: number, length: number): { address: number; span: number } {
    this.#checkRange(start, start + length);
    const address = this.#address(start);
    const lead = address % this.#platform.pageSize;
    return { address: address - lead, span: lead + length };
  }

  /**
   * Changes the length of the mapping, and the size of its file to the mapping's end. Detaches every view. `reserves`: has
   * the file's blocks reserved.
   */
  resize(length: number, reserves: boolean): void {
    this.check();
    // An error in the middle of it would leave what shows memory that is gone.
    needStack();
    this.#resizing = true;
    try {
      this.#resizeTo(length, reserves);
    } finally {
      this.#resizing = false;
    }
  }

  #resizeTo(length: number, reserves: boolean): void {
    const descriptor = this.#descriptor;
    const reserve = reserves ? reserver(this.#platform, descriptor) : undefined;
    if (!this.#tracked && (!this.#anonymous || this.protection.shared)) {
      throw untracked("resize()");
    }
    const end = this.offset + length;
    const sizeBefore = descriptor === -1 ? end : this.#platform.status(descriptor).size;
    const old = this.#region;
    if (this.protection.name !== undefined) this.#platform.releaseName?.(old.address, this.protection.name);
    if (end < sizeBefore && !this.#platform.canTruncateMappedFiles) {
      this.#shrinkUnmapped(length, end);
      return;
    }
    // Views of the old region may be in use; and one with advice on a part, or with replaced pages, may be several mappings.
    const inPlace = this.#given === undefined && !this.#advised && this.#faults[this.#faultsAt] === 0;
    const untold = this.#mayHaveLost;
    const grows = length >= this.#length;
    const next = this.#resizeRegion(length, { end, sizeBefore, inPlace, reserve });
    this.#untold = untold;
    this.#region = next;
    this.#length = length;
    this.#changes++;
    this.#advised = false;
    const views = this.#takeViews();
    this.#watch();
    // Anonymous memory that grows has its zeros already.
    if (!grows || !this.#anonymous) this.#clearTail(old);
    if (!inPlace) this.#release(old, next.length, views, false);
  }

  /** Makes the region that a resize wants, and a file of its size. What is refused leaves both as they were. */
  #resizeRegion(length: number, { end, sizeBefore, inPlace, reserve }: Resize): Region {
    const truncate = (size: number) => this.#platform.truncate(this.#descriptor, size);
    const old = this.#region;
    const shrinks = end < sizeBefore;
    // A file grows before its mapping does. In its place, a mapping shrinks after its file: the system may refuse to cut that,
    // and what the mapping's end had would not come back.
    const first = end > sizeBefore || (shrinks && inPlace);
    if (shrinks) reserve?.(this.#descriptor, this.offset, length);
    if (first) truncate(end);
    let next: Region;
    try {
      if (!shrinks) reserve?.(this.#descriptor, this.offset, length);
      next = inPlace ? this.#remapInPlace(old, length) : this.#mapBeside(length);
    } catch (error) {
      if (first) ignoreErrors(() => truncate(sizeBefore));
      throw error;
    }
    try {
      if (shrinks && !first) truncate(end);
    } catch (error) {
      unmap(this.#platform, next);
      throw error;
    }
    return next;
  }

  /** Where no mapped file gets shorter: gives the region back first, and maps the file anew. */
  #shrinkUnmapped(length: number, end: number): void {
    // Memory that the user has seen is replaced in place. If that is not possible, the system refuses to truncate its file.
    const free = this.#given === undefined || (!anyDetached(this.#given) && this.#platform.retire !== undefined);
    if (free) release(this.#ending(this.#region, this.#takeViews()), true);
    try {
      this.#platform.truncate(this.#descriptor, end);
      this.#length = length;
      this.#changes++;
    } finally {
      if (free) this.#mapAgain();
    }
  }

  /** Maps a region in the place of one that is gone. Where the system refuses that, nothing is left but a closed map. */
  #mapAgain(): void {
    try {
      this.#region = this.#map(this.#descriptor, this.#length);
      this.#watch();
    } catch (error) {
      this.#closed = true;
      this.#changes++;
      this.#closeDescriptor();
      throw error;
    }
  }

  /**
   * Are the pages the only place that has what they hold? Private changes are in them alone, and so is memory without a
   * descriptor, which no other process can have.
   */
  get #onlyHere(): boolean {
    return this.protection.writable && (!this.protection.shared || this.#descriptor === -1);
  }

  /**
   * Zeros behind the end, in the last page: the system puts them there when a file shrinks, but not into pages that are the
   * only place, which would show old bytes when the map grows again. Pages that the old region had not are new.
   */
  #clearTail(old: Region): void {
    const from = this.#lead + this.#length;
    const to = min(old.length, this.#region.length);
    if (this.#onlyHere && from < to) this.#platform.store(this.#region.address + from, new Bytes(to - from), to - from);
  }

  /** Makes the region anew with another length, beside the old one. */
  #mapBeside(length: number): Region {
    const next = this.#map(this.#descriptor, length);
    // Pages that were replaced have nothing to keep.
    if (this.#onlyHere) {
      this.#platform.move(next.address, this.#region.address, this.#lead + min(length, this.#intact()));
    }
    return next;
  }

  /** Makes the region anew with another length, in its own place or elsewhere. */
  #remapInPlace(region: Region, length: number): Region {
    const request = this.#request(this.#descriptor, length);
    region.guard?.release();
    let { address } = region;
    try {
      address = this.#platform.remap(address, region.length, request);
      // At once: an error from here on must not leave an address that is gone.
      this.#region = { address, length: request.length, guard: undefined };
      return this.#guarded(this.#descriptor, address, request.length);
    } catch (error) {
      this.#region = this.#guarded(this.#descriptor, this.#region.address, this.#region.length);
      this.#length = min(this.#length, this.#region.length - this.#lead);
      this.#watch();
      throw error;
    }
  }

  // --- The end -------------------------------------------------------------------------------------------------------

  /** Detaches every view and releases the memory, which `retires` does at once. A second call does nothing. */
  close(retires: boolean): void {
    if (this.#closed) return;
    this.check();
    this.#closed = true;
    this.#changes++;
    const lost = this.#mayHaveLost;
    const views = this.#takeViews();
    try {
      this.#release(this.#region, this.#region.length, views, retires);
    } finally {
      this.#closeDescriptor();
    }
    if (lost) throw truncatedError("writes may be lost, and the map is closed");
  }

  /** What `close` does for a map that is garbage: its views may still be in use, so they are not detached. */
  abandon(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#changes++;
    const ending = this.#ending(this.#region, this.#takeViews());
    ignoreErrors(() => this.#closeDescriptor());
    releaseWhenCollected(ending);
  }

  #ending(region: Region, { given, copies }: Views): Ending {
    const { shared, writable } = this.protection;
    const inMemory = this.#anonymous || (writable && !shared);
    return { system: this.#platform, regions: { region, next: copies }, buffers: given, inMemory };
  }

  /** Releases a region. Only its first `backed` bytes are still backed by the file. */
  #release(region: Region, backed: number, views: Views, retires: boolean): void {
    // If the user has seen these pages, they stay mapped: an access to those that the file no longer has would be fatal.
    if (views.given !== undefined && backed < region.length) {
      this.#platform.mapZeros(region.address + backed, region.length - backed);
    }
    release(this.#ending(region, views), retires);
  }

  /** Takes what shows the region, which is on its way out: from here on nothing in this mapping does. */
  #takeViews(): Views {
    const views = { given: this.#given, copies: this.#copies };
    this.#given = undefined;
    this.#copies = undefined;
    this.#parts = undefined;
    this.#bytes = undefined;
    this.#windowBuffer = NO_BUFFER;
    this.#window = NOTHING;
    this.#words = NO_WORDS;
    this.#windowLength = 0;
    this.#missed = NOWHERE;
    return views;
  }

  // --- In the system's terms -----------------------------------------------------------------------------------------

  #address(index: number): number {
    return this.#region.address + this.#lead + index;
  }

  #request(descriptor: number, length: number): MapRequest {
    const { protection, offset } = this;
    const whole = ceil((this.#lead + length) / protection.unit) * protection.unit;
    return { descriptor, length: whole, offset: offset - this.#lead, protection };
  }

  #map(descriptor: number, length: number): Region {
    const request = this.#request(descriptor, length);
    const address = this.#platform.map(request);
    try {
      return this.#guarded(descriptor, address, request.length);
    } catch (error) {
      this.#platform.unmap(address, request.length);
      throw error;
    }
  }

  /** The region at an address, guarded if it shows a file's pages (those of an anonymous map may be one's, by its `fd`). */
  #guarded(descriptor: number, address: number, length: number): Region {
    const wanted = this.#wantsGuard && descriptor !== -1;
    return { address, length, guard: wanted ? this.#platform.guard?.(address, length) : undefined };
  }

  /** How many bytes of the file a request maps. */
  #fileLength({ descriptor, length, offset }: MappingRequest, path: string | undefined): number {
    const { regular, size } = this.#platform.status(descriptor);
    const file = path === undefined ? "the file" : `the file ${show(path)}`;
    if (!regular) return length === 0 ? this.#refuseEndless(descriptor, file) : length;
    if (length === 0) {
      if (size === 0) {
        throw new RangeError(
          `${file} is empty, and there is nothing to map: to make it longer, open it with create: true and a length`,
        );
      }
      if (offset >= size) throw new RangeError(`offset must be less than the size of ${file}, ${size}: got ${offset}`);
      return size - offset;
    }
    if (this.#platform.mappingExtendsFile && this.protection.shared) return length;
    if (offset > size) throw new RangeError(`offset must be at most the size of ${file}, ${size}: got ${offset}`);
    if (length > size - offset) {
      throw new RangeError(
        `length must be at most ${size - offset}, what ${file} has from offset ${offset}: got ${length}`,
      );
    }
    return length;
  }

  /** Length 0 of what has no size: the system says why it can't be mapped, or a length is what is missing. */
  #refuseEndless(descriptor: number, file: string): never {
    unmap(this.#platform, this.#map(descriptor, 1));
    throw new RangeError(`length must be given, for ${file} is not a regular one: got 0`);
  }

  /** The descriptor that stays with the mapping, or -1. */
  #ownDescriptor(descriptor: number, track: boolean): number {
    if (!track) return -1;
    if (!this.#anonymous) return this.#platform.duplicate(descriptor);
    if (!this.protection.shared) return -1;
    const file = this.#platform.anonymousFile(this.protection);
    if (file === -1) return -1;
    try {
      this.#platform.truncate(file, this.offset + this.#length);
    } catch (error) {
      this.#platform.closeDescriptor(file);
      throw error;
    }
    return file;
  }

  #closeDescriptor(): void {
    const descriptor = this.#descriptor;
    // Forgotten first: a descriptor is closed once, whatever close says, for its number may be somebody else's already.
    this.#descriptor = -1;
    if (descriptor === -1) return;
    if (this.#taken) host().closeSync(descriptor);
    else this.#platform.closeDescriptor(descriptor);
  }
}

function untracked(call: string): TypeError {
  return new TypeError(`${call} needs the file's descriptor, and the map was made with trackfd: false`);
}

function anonymousLength(length: number): number {
  if (length === 0) throw new RangeError("length must be positive for an anonymous map: got 0");
  return length;
}

/** An index within a range that begins at `start`, or -1. */
function plus(start: number, index: number): number {
  return index === -1 ? -1 : start + index;
}
