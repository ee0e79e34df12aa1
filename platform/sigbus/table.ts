/**
 * The table of guarded regions, which the SIGBUS handler reads: ordinary memory that all threads of the process share.
 *
 * Its head is 64 bytes long: the page size, 64 bits; the number of slots that were ever in use, 32 bits; the number of slots,
 * 32 bits; one more than a descriptor that the threads share, or 0, 32 bits. A slot is 40 bytes long: its state, 32 bits; the number of replaced pages, 32 bits; and four addresses of 64 bits:
 * the start of its region, the end, the lowest page that was replaced, and the page from which all were replaced.
 *
 * A slot's state is four times the number of its uses, plus FREE, TAKEN or LIVE.
 *
 * SAFETY: the handler may read a slot at any time, in any thread. It trusts only a live slot whose state is the same before
 * and after it has read the addresses. So the state becomes LIVE when all else is written, and each use has another number.
 *
 * @module
 */

import { List } from "../../ffi/list.ts";
import {
  AtomicsAdd,
  AtomicsCompareExchange,
  AtomicsLoad,
  AtomicsStore,
  BigUint64Array,
  Int32Array,
  MathCeil,
  MathFloor,
  Number,
} from "../../ffi/primordials.ts";
import type { Ffi } from "../../ffi/types.ts";
import type { Guard } from "../types.ts";

/** A few more than the mappings that a process may have by default (vm.max_map_count). */
const SLOTS = 65_536;

// In 32-bit words.
const HEAD = 16;
const SLOT = 10;
const PAGE_SIZE = 0;
const USED = 2;
const AVAILABLE = 3;
const DESCRIPTOR = 4;
const STATE = 0;
const FAULTS = 1;
const START = 2;
const END = 4;
const LOWEST = 6;
const TAIL = 8;

// The two low bits of a state, and what each use adds.
const FREE = 0;
const TAKEN = 1;
const LIVE = 2;
const USE = 4;

/**
 * After a full scan found no free slot, this many claims are skipped before the next scan: a scan costs more than an mmap.
 */
const CLAIMS_BEFORE_RESCAN = 1000;

export class Table {
  readonly address: number;
  readonly #slots: number;
  readonly #words: Int32Array;
  readonly #addresses: BigUint64Array;
  /** Where to look for a free slot: first among those that this thread has released, then one after the other. */
  readonly #released = new List<number>();
  #next = 0;
  /** How many claims are still skipped. */
  #claimsUntilRescan = 0;

  /** The length in bytes of a table, in whole pages. */
  static size(pageSize: number): number {
    return MathCeil((4 * (HEAD + SLOT * SLOTS)) / pageSize) * pageSize;
  }

  /** A view of the table at `address`. With `pageSize`, makes a new table of zeros; without, the table exists. */
  constructor(ffi: Ffi, address: number, pageSize?: number) {
    this.address = address;
    if (pageSize !== undefined) {
      const head = new Int32Array(ffi.view(address, 4 * HEAD));
      head[PAGE_SIZE] = pageSize;
      head[AVAILABLE] = SLOTS;
    }
    this.#slots = new Int32Array(ffi.view(address, 4 * HEAD))[AVAILABLE] as number;
    const memory = ffi.view(address, 4 * (HEAD + SLOT * this.#slots));
    this.#words = new Int32Array(memory);
    this.#addresses = new BigUint64Array(memory);
  }

  /** Adds a region. Returns `undefined` if every slot is in use. */
  claim(address: number, length: number): Guard | undefined {
    const slot = this.#take();
    if (slot === -1) return undefined;
    const words = this.#words;
    const at = HEAD + SLOT * slot;
    words[at + FAULTS] = 0;
    this.#setAddress(at + START, address);
    this.#setAddress(at + END, address + length);
    this.#setAddress(at + LOWEST, address + length);
    this.#setAddress(at + TAIL, address + length);
    const guard = new Slot(this, slot, AtomicsLoad(words, at + STATE) - TAKEN);
    // Last, so that an error before leaves no region that nobody ends.
    AtomicsAdd(words, at + STATE, LIVE - TAKEN);
    return guard;
  }

  get words(): Int32Array {
    return this.#words;
  }

  /** The descriptor that the threads share; -1 if none has stored one. */
  get descriptor(): number {
    return AtomicsLoad(this.#words, DESCRIPTOR) - 1;
  }

  /** Shares a descriptor if none is shared. Returns the one that is shared from then on. */
  share(descriptor: number): number {
    const before = AtomicsCompareExchange(this.#words, DESCRIPTOR, 0, descriptor + 1);
    return before === 0 ? descriptor : before - 1;
  }

  /** The lowest page that was replaced in a slot's region; the region's end if none was. */
  lowest(slot: number): number {
    return Number(AtomicsLoad(this.#addresses, (HEAD + SLOT * slot + LOWEST) / 2));
  }

  /** Releases a slot. `state` is the one that it had before it was taken. */
  release(slot: number, state: number): void {
    AtomicsStore(this.#words, HEAD + SLOT * slot + STATE, state + USE);
    this.#released.add(slot);
  }

  /** Takes a free slot for this thread alone. Returns -1 if there is none. */
  #take(): number {
    for (let slot = this.#released.take(); slot !== undefined; slot = this.#released.take()) {
      if (this.#takeSlot(slot)) return slot;
    }
    if (this.#claimsUntilRescan > 0) {
      this.#claimsUntilRescan--;
      return -1;
    }
    for (let tried = 0; tried < this.#slots; tried++) {
      const slot = this.#next;
      this.#next = (slot + 1) % this.#slots;
      if (this.#takeSlot(slot)) return slot;
    }
    this.#claimsUntilRescan = CLAIMS_BEFORE_RESCAN;
    return -1;
  }

  #takeSlot(slot: number): boolean {
    const words = this.#words;
    const at = HEAD + SLOT * slot + STATE;
    const state = AtomicsLoad(words, at);
    if ((state & 3) !== FREE || AtomicsCompareExchange(words, at, state, state + TAKEN) !== state) return false;
    // The handler reads the slots up to here.
    for (let used = AtomicsLoad(words, USED); used <= slot; used = AtomicsLoad(words, USED)) {
      AtomicsCompareExchange(words, USED, used, slot + 1);
    }
    return true;
  }

  #setAddress(at: number, address: number): void {
    this.#words[at] = address % 2 ** 32;
    this.#words[at + 1] = MathFloor(address / 2 ** 32);
  }
}

/** A slot that is in use. */
class Slot implements Guard {
  readonly isQueried = false;
  readonly #table: Table;
  readonly #slot: number;
  readonly #state: number;
  readonly faults: Int32Array;
  readonly index: number;

  constructor(table: Table, slot: number, state: number) {
    this.#table = table;
    this.#slot = slot;
    this.#state = state;
    this.faults = table.words;
    this.index = HEAD + SLOT * slot + FAULTS;
  }

  lowest(): number {
    return this.#table.lowest(this.#slot);
  }

  release(): void {
    this.#table.release(this.#slot, this.#state);
  }
}
