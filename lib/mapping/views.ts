/**
 * The ArrayBuffers over one map's memory that the user was given.
 *
 * @module
 */

import { isDetached } from "../../ffi/array-buffer.ts";
import { List } from "../../ffi/list.ts";
import {
  type ArrayBuffer,
  Map,
  MapPrototypeGet,
  MapPrototypeSet,
  MathCeil,
  MathFloor,
  MathLog2,
  MathMax,
  MathMin,
  Uint8Array,
} from "../../ffi/primordials.ts";
import { noViewsError } from "../errors.ts";
import { ChunkBuffers } from "./chunk-buffers.ts";
import type { Memory } from "./memory.ts";
import type { Region } from "./region.ts";

/** The shortest buffer that `part` makes is twice this long, in bytes. */
const SMALLEST_CELL = 64 * 1024;

export class Views {
  readonly #memory: Memory;
  /**
   * Every buffer that the user was given, except for `chunks`. Strong references: a collected buffer could not tell that it
   * was transferred.
   */
  #buffers: List<ArrayBuffer> | undefined;
  #chunks: ChunkBuffers | undefined;
  /** Whether a buffer that is no longer listed was transferred to a new owner. */
  #transferred = false;
  /** What `mapPrivateView` made for them. */
  privateCopies: List<Region> | undefined;
  /** The buffers of `part`, by their range. */
  #parts: Map<string, ArrayBuffer> | undefined;
  #whole: Uint8Array<ArrayBuffer> | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * The buffers that the user may still have; undefined if there are none, and nothing in the runtime can be using the
   * memory.
   */
  get buffers(): List<ArrayBuffer> | undefined {
    if (this.#chunks === undefined) return this.#buffers;
    const all = new List<ArrayBuffer>();
    this.#buffers?.each((buffer) => all.add(buffer));
    this.#chunks.addTo(all);
    const mayBeInUse = this.transferred || this.untraced || !this.#memory.platform.operationsKeepBuffers;
    return all.isEmpty && !mayBeInUse ? undefined : all;
  }

  /** Whether the user has transferred one that is no longer listed to a new owner, who has the memory for good. */
  get transferred(): boolean {
    return this.#transferred || this.#chunks?.transferred === true;
  }

  /** Whether there can be a new owner of memory, of whom neither the listed buffers nor their collection tell. */
  get untraced(): boolean {
    return this.#chunks?.untraced === true;
  }

  /** The whole map, without a copy; the same object each time. */
  whole(): Uint8Array<ArrayBuffer> {
    const { length, platform } = this.#memory;
    const { maxViewLength } = platform;
    // Nothing is mapped. The buffer of an empty array counts as detached, and cannot be written through.
    if (length === 0) {
      this.#whole ??= new Uint8Array(0);
      return this.#whole;
    }
    if (length > maxViewLength) {
      throw new RangeError(
        `bytes and buffer reach at most ${maxViewLength} bytes in this runtime, and the map has ${length}: ` +
          "use view() for a part of it",
      );
    }
    if (this.#whole === undefined || this.#forgetIfTransferred(this.#whole.buffer)) {
      this.#whole = new Uint8Array(this.#create(0, length));
    }
    return this.#whole;
  }

  /**
   * A buffer that holds `length` bytes from `start` on, and where in it they begin. Its first byte lies at a multiple of
   * 8 bytes in the file, and so in memory, wherever `start` does.
   *
   * Buffers are shared between parts: each power of two has a grid of buffers twice that long, so that every part fits
   * into one. Buffers are held until the map is closed, and the grid keeps them few however many parts are asked for.
   */
  part(start: number, length: number): { buffer: ArrayBuffer; byteOffset: number } {
    const memory = this.#memory;
    memory.checkRange(start, start + length);
    const { maxViewLength } = memory.platform;
    if (length > maxViewLength) {
      throw new RangeError(`length must be at most ${maxViewLength} bytes in this runtime: got ${length}`);
    }
    const lead = (8 - (memory.offset % 8)) % 8;
    const cell = 2 ** MathCeil(MathLog2(MathMax(SMALLEST_CELL, length, memory.length / 4096)));
    let first = start < lead ? start : lead + MathFloor((start - lead) / cell) * cell;
    let span = MathMin(2 * cell, memory.length - first, maxViewLength);
    if (start + length > first + span) {
      first = start;
      span = length;
    }
    const key = `${first}+${span}`;
    this.#parts ??= new Map();
    let buffer = MapPrototypeGet(this.#parts, key);
    if (buffer === undefined || this.#forgetIfTransferred(buffer)) {
      buffer = this.#create(first, span);
      MapPrototypeSet(this.#parts, key, buffer);
    }
    return { buffer, byteOffset: start - first };
  }

  /**
   * Whether the user has transferred a buffer to a new owner. It is no longer listed then, because a program may transfer one
   * after the other.
   */
  #forgetIfTransferred(buffer: ArrayBuffer): boolean {
    if (!isDetached(buffer)) return false;
    this.#transferred = true;
    const attached = new List<ArrayBuffer>();
    this.#buffers?.each((one) => {
      if (!isDetached(one)) attached.add(one);
    });
    this.#buffers = attached;
    return true;
  }

  /** A buffer for `chunks`, which is collected when the user drops it. */
  chunk(start: number, length: number): ArrayBuffer {
    this.#chunks ??= new ChunkBuffers();
    const buffer = this.#show(start, length);
    this.#chunks.add(buffer);
    return buffer;
  }

  #create(start: number, length: number): ArrayBuffer {
    const buffer = this.#show(start, length);
    this.#buffers ??= new List();
    this.#buffers.add(buffer);
    return buffer;
  }

  #show(start: number, length: number): ArrayBuffer {
    this.#memory.checkRange(start, start + length);
    if (!this.#memory.platform.canView) throw noViewsError();
    return this.#memory.platform.view(this.#userAddress(start, length), length);
  }

  /** Where the user may see `length` bytes from `start` on: a stray write there does no harm. */
  #userAddress(start: number, length: number): number {
    const { platform, region, protection } = this.#memory;
    const address = this.#memory.start + start;
    if (protection.writable || platform.mapPrivateView === undefined) return address;
    const place = address - region.address;
    const lead = place % platform.allocationGranularity;
    const copy = platform.mapPrivateView(region.address, place - lead, lead + length);
    this.privateCopies ??= new List();
    this.privateCopies.add({ address: copy, length: lead + length, guard: undefined });
    return copy + lead;
  }
}
