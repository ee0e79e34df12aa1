/**
 * The pages of one region that the guard has replaced by zeros because the file no longer had them.
 *
 * @module
 */

import { Int32Array, MathFloor, MathMax, MathMin } from "../../ffi/primordials.ts";
import type { Platform } from "../../platform/types.ts";
import { truncatedError } from "../errors.ts";
import type { Region } from "./region.ts";

/** The counter of a region without a guard. */
const NO_FAULTS = new Int32Array(1);

/** If the guard is queried: how many single bytes of a block may be accessed after one query. */
const BYTES_PER_QUERY = 256;
const BLOCK = 4096;

export class Faults {
  /** `counts[index]` is the number of pages replaced so far. Public for the fast path of reading one byte. */
  readonly counts: Int32Array;
  readonly index: number;
  readonly #region: Region;
  /** Where in the region the map's first byte lies, and how many bytes the map has. */
  readonly #pageOffset: number;
  readonly #length: number;
  /** How many faults have been reported to the user. */
  #reported = 0;
  /** The block of the last query for a single byte, and how many more bytes of it need no query. */
  #block = -1;
  /** Whether a page was found to be lost. If the file has grown again since, those after it are there. */
  #lossIsKnown = false;
  #bytesLeft = 0;
  /** Whether there were faults before the last resize that have not been reported to the user. */
  readonly #unreportedBefore: boolean;

  constructor(region: Region, pageOffset: number, length: number, unreportedBefore: boolean) {
    const { guard } = region;
    this.counts = guard?.faults ?? NO_FAULTS;
    this.index = guard?.index ?? 0;
    this.#region = region;
    this.#pageOffset = pageOffset;
    this.#length = length;
    this.#unreportedBefore = unreportedBefore;
  }

  get any(): boolean {
    if (this.#region.guard?.isQueried) return this.intact() < this.#length;
    return this.counts[this.index] !== 0;
  }

  /** Whether there are faults that no error and no read of `mm.faults` has told the user of. */
  get unreported(): boolean {
    return this.#unreportedBefore || this.counts[this.index] !== this.#reported;
  }

  /** The number of replaced pages. The user has been told of them then. */
  report({ pageSize }: Platform): number {
    this.#reported = this.counts[this.index] as number;
    const { address, length, guard } = this.#region;
    if (guard?.isQueried) return (address + length - guard.lowest()) / pageSize;
    // The step that replaces all the pages that follow counts those again that were replaced before.
    return MathMin(this.#reported >>> 0, length / pageSize);
  }

  /** How many bytes of the map precede the first replaced page. */
  intact(): number {
    const { guard, address } = this.#region;
    if (guard === undefined) return this.#length;
    return MathMin(this.#length, MathMax(0, guard.lowest() - address - this.#pageOffset));
  }

  /**
   * Throws if any page below `end` has been replaced by zeros. Call it after the access: only the access itself can fault.
   *
   * @param last The last byte that was read, if it is known: with a guard that is queried, another value than 0 shows that
   * its page was there, and so were those before it.
   * @throws {MMapError} `ERR_MMAP_TRUNCATED`
   */
  throwIfTruncated(end: number, last = 0): void {
    if (this.counts[this.index] !== 0) this.#throwIfLost(end, last);
  }

  /** The same after one byte was read, or written (`last` 0), if it is known that there may be faults. */
  throwIfByteLost(end: number, last: number): void {
    if (last === 0 && this.#region.guard?.isQueried) {
      const block = MathFloor(end / BLOCK);
      if (block === this.#block && this.#bytesLeft-- > 0) return;
      this.#block = block;
      this.#bytesLeft = BYTES_PER_QUERY - 1;
    }
    this.#throwIfLost(end, last);
  }

  #throwIfLost(end: number, last: number): void {
    if (last !== 0 && !this.#lossIsKnown && this.#region.guard?.isQueried) return;
    const intact = this.intact();
    if (end <= intact) return;
    this.#lossIsKnown = true;
    this.#reported = this.counts[this.index] as number;
    throw truncatedError(`the bytes from index ${intact} on may be gone`);
  }
}
