/**
 * The memory of one map, from one resize to the next: a region, and everything that refers to its addresses. Resizing and
 * closing a map replace its `Memory` as a whole.
 *
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import { List } from "../../ffi/list.ts";
import { ArrayBuffer, Int32Array, MathFloor, MathMax, MathMin, type Uint8Array } from "../../ffi/primordials.ts";
import type { Platform, Protection } from "../../platform/types.ts";
import { noViewsError } from "../errors.ts";
import type { Backing } from "./backing.ts";
import { Faults } from "./faults.ts";
import { type Region, unmap } from "./region.ts";
import { release, releaseWhenCollected } from "./retention.ts";
import { Views } from "./views.ts";
import { Window } from "./window.ts";

/** The length from which on a search is prepared, in bytes: the first preparation takes as long as a search of about as much. */
const LONG = 256 * 1024;

/** How much of a map the view for words shows, in bytes: making one takes longer than all that is done with a word. */
const WORDS = 64 * 1024;

const NO_BUFFER = new ArrayBuffer(0);
const NO_WORD = new Int32Array(NO_BUFFER);

export class Memory {
  readonly platform: Platform;
  readonly protection: Protection;
  /** Where in the file the map begins, in bytes. */
  readonly offset: number;
  readonly region: Region;
  /** The address of the map's first byte. */
  readonly start: number;
  readonly faults: Faults;
  readonly window: Window;
  /** Made when the user asks for the first view: most maps that are opened and closed have none. */
  #views: Views | undefined;
  /** The map's length in bytes; 0 once the memory is released, so that no range of it is valid any more. */
  #length: number;
  #released = false;
  /** The view for words, and where in the map it begins. */
  #words = NO_BUFFER;
  #wordsAt = 0;
  /** The word that was last asked for, and where it is. */
  #word = NO_WORD;
  #wordAt = -1;

  constructor(backing: Backing, region: Region, length: number, unreportedFaults = false) {
    this.platform = backing.platform;
    this.protection = backing.protection;
    this.offset = backing.offset;
    this.region = region;
    this.start = region.address + backing.pageOffset;
    this.#length = length;
    this.faults = new Faults(region, backing.pageOffset, length, unreportedFaults);
    this.window = new Window(this);
  }

  get views(): Views {
    this.#views ??= new Views(this);
    return this.#views;
  }

  get length(): number {
    return this.#length;
  }

  get released(): boolean {
    return this.#released;
  }

  /**
   * MMap has already validated the range and reported errors in terms of its arguments. It is checked again right before it
   * becomes an address, because user code may have run in between.
   *
   * @throws {RangeError} The range is not within the map.
   */
  checkRange(start: number, end: number): void {
    if (!(start >= 0 && start <= end && end <= this.#length)) {
      throw new RangeError(`the map has no bytes from ${start} to ${end}: its length is ${this.#length}`);
    }
  }

  /** The pages that contain a range: the address of the first, and the number of bytes from there to the range's end. */
  pages(start: number, length: number): { address: number; span: number } {
    this.checkRange(start, start + length);
    const address = this.start + start;
    const lead = address % this.platform.pageSize;
    return { address: address - lead, span: lead + length };
  }

  /**
   * The 32-bit word at an index, for `Atomics`. Only the library has this view. Not to be used once the map has other
   * memory.
   */
  word(index: number): Int32Array<ArrayBuffer> {
    if (index === this.#wordAt) return this.#word;
    this.checkRange(index, index + 4);
    if (!this.platform.canView) throw noViewsError();
    // Words are at multiples of 4 in the file.
    const first = (4 - (this.offset % 4)) % 4;
    const at = first + MathFloor((index - first) / WORDS) * WORDS;
    if (at !== this.#wordsAt || this.#words === NO_BUFFER) {
      this.#words = this.platform.view(this.start + at, MathMin(WORDS, this.#length - at));
      this.#wordsAt = at;
    }
    this.#word = new Int32Array(this.#words, index - at, 1);
    this.#wordAt = index;
    return this.#word;
  }

  /** A copy of the bytes from `start` to `end`. */
  read(start: number, end: number): Uint8Array<ArrayBuffer> {
    return this.window.read(start, end);
  }

  /** Fills `target` with the bytes from `start` on. */
  load(start: number, target: Uint8Array): void {
    const length = lengthOf(target);
    // The array may be longer than requested, or the map shorter by now; memcpy would read past the end.
    this.checkRange(start, start + length);
    this.platform.load(this.start + start, target, length);
    this.faults.throwIfTruncated(start + length, target[length - 1]);
  }

  /** Copies within the map; the ranges may overlap. */
  move(destination: number, source: number, count: number): void {
    this.checkRange(source, source + count);
    this.checkRange(destination, destination + count);
    const end = MathMax(destination, source) + count;
    this.faults.throwIfTruncated(end);
    this.platform.move(this.start + destination, this.start + source, count);
    this.faults.throwIfTruncated(end);
  }

  /** The index of the first byte equal to `byte` from `start` to `end`, or -1. */
  findByte(start: number, end: number, byte: number): number {
    if (start >= end) return -1;
    this.checkRange(start, end);
    const index = plus(start, this.platform.findByte(this.start + start, end - start, byte));
    this.faults.throwIfTruncated(index === -1 ? end : index + 1, index === -1 ? 0 : byte);
    return index;
  }

  /** The index of the first occurrence of `needle`, of at least one byte, that lies between `start` and `end`, or -1. */
  findBytes(start: number, end: number, needle: Uint8Array): number {
    const needed = lengthOf(needle);
    if (end - start < needed) return -1;
    if (end - start > LONG) this.platform.prepareSearch();
    this.checkRange(start, end);
    const index = plus(start, this.platform.findBytes(this.start + start, end - start, needle));
    this.faults.throwIfTruncated(index === -1 ? end : index + needed, index === -1 ? 0 : needle[needed - 1]);
    return index;
  }

  /** The index of the last one, or -1. */
  findLastBytes(start: number, end: number, needle: Uint8Array): number {
    if (end - start < lengthOf(needle)) return -1;
    if (end - start > LONG) this.platform.prepareSearch();
    this.checkRange(start, end);
    const index = plus(start, this.platform.findLastBytes(this.start + start, end - start, needle));
    this.faults.throwIfTruncated(end);
    return index;
  }

  /**
   * Lists where the occurrences of `needle` between `start` and `end` begin: indices from `start`, in order, those that overlap
   * too. Returns how many there are, or -1 if `findBytes` must find them.
   */
  listBytes(start: number, end: number, needle: Uint8Array, found: Int32Array): number {
    if (end - start < lengthOf(needle)) return 0;
    this.checkRange(start, end);
    const count = this.platform.listBytes(this.start + start, end - start, needle, found);
    this.faults.throwIfTruncated(end);
    return count;
  }

  /**
   * Ends this memory: nothing in the library refers to the region any more, and it is unmapped once nothing else can.
   *
   * @param inMemory Whether the pages are this process's memory, and not a file's.
   * @param retireNow Whether to release the file and the memory at once, if views were handed out.
   */
  release(inMemory: boolean, retireNow = false): void {
    // A second call would unmap what has the addresses by then.
    if (this.#released) return;
    if (this.#views !== undefined) {
      release(this.#end(this.#views, inMemory), retireNow);
      return;
    }
    this.forget();
    unmap(this.platform, this.region);
  }

  /** The same for a map that was not closed: its views may still be in use, so they are not detached. */
  releaseWhenCollected(inMemory: boolean): void {
    releaseWhenCollected(this.#end(this.views, inMemory));
  }

  /** Ends this memory without unmapping: the system has moved its pages elsewhere, or unmapped them. */
  forget(): void {
    this.#length = 0;
    this.#released = true;
    this.#words = NO_BUFFER;
    this.#word = NO_WORD;
    this.#wordAt = -1;
    this.window.clear();
  }

  #end({ buffers, privateCopies, transferred, untraced }: Views, inMemory: boolean) {
    this.forget();
    const regions = privateCopies ?? new List<Region>();
    regions.add(this.region);
    return { system: this.platform, regions, buffers, transferred, untraced, inMemory };
  }
}

/** An index within a range that begins at `start`, or -1. */
function plus(start: number, index: number): number {
  return index === -1 ? -1 : start + index;
}
