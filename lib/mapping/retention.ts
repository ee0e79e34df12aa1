/**
 * Memory whose views were handed out, from the end of its map until nothing can be using it.
 *
 * A runtime that writes a view to a socket, or reads a file into one, has taken the view's address. Detaching the buffer
 * does not stop it. If the memory were unmapped, the next mapping could get its address, and the runtime would send or
 * overwrite the bytes of that mapping. So such memory goes through these stages:
 *
 * 1. Kept: mapped as it was, with its contents, while the buffers over it have not been garbage-collected. In Deno, whose
 *    operations hold the memory but not the buffer, collection proves nothing: there it is kept until stage 2.
 * 2. Retired: when more is kept than the limits below allow, the oldest region's pages are replaced in place. That
 *    releases the file and the memory, while the address stays taken.
 * 3. Left: when `mostRetired` more were retired, only the addresses stay taken, for good: adjacent ones are one mapping of
 *    zeros. When an eighth of the address space is taken in this way, a region is unmapped instead.
 *
 * A kept region is unmapped when its buffers have been collected, where that proves something; so is a retired one on
 * Windows.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import { List } from "../../ffi/list.ts";
import { once } from "../../ffi/once.ts";
import {
  Array,
  type ArrayBuffer,
  FinalizationRegistry,
  FinalizationRegistryPrototypeRegister,
  MathMin,
  queueMicrotask,
  WeakMap,
  WeakMapPrototypeSet,
} from "../../ffi/primordials.ts";
import type { Guard, Platform } from "../../platform/types.ts";
import { anyDetached, canDetach, detachAll } from "./buffers.ts";
import { ignoreErrors, leaveAddresses, type Region, retireAll, unmapAll } from "./region.ts";

/** The most regions that are kept, by the main thread and by each worker: those of a terminated worker stay for good. */
export const KEPT_REGIONS = 1024;
const KEPT_REGIONS_IN_WORKER = 64;

/** The most private and anonymous memory that is kept, in bytes. */
const KEPT_MEMORY = 256 * 1024 ** 2;

/** The most bytes of shared file mappings that are kept. They cost address space, and the disk space of deleted files. */
const KEPT_FILE = 16 * 1024 ** 3;

/** The most retired regions. Each has an entry here, and one in the guard's table. */
export const RETIRED_REGIONS = 16_384;

/** The same for a worker: a process may have many of them, but only 65,530 mappings. */
const RETIRED_REGIONS_IN_WORKER = 256;

/** How much of the addresses below a region the left ones may take in all. Systems map from the top down. */
const LEFT_SHARE = 1 / 8;

/** The memory of a map that is closed, resized or dropped. */
export interface Ending {
  readonly system: Platform;
  readonly regions: List<Region>;
  /** The buffers over it that the user was given. */
  readonly buffers: List<ArrayBuffer> | undefined;
  /** Whether the user is known to have transferred one of them to a new owner. */
  readonly transferred: boolean;
  /** Whether a buffer may have another owner even after all known buffers have been collected. */
  readonly untraced: boolean;
  /** Whether its pages are this process's memory, and not a file's. */
  readonly inMemory: boolean;
}

/** One map's memory in these stages. */
class Retained {
  readonly system: Platform;
  readonly inMemory: boolean;
  readonly untraced: boolean;
  readonly bytes: number;
  regions: List<Region>;
  /** Its buffers, until they are registered with the finalizer. */
  unregistered: List<ArrayBuffer> | undefined;
  /** Buffers that Bun did not detach because it was using them. They can be transferred away until they are. */
  attached: List<ArrayBuffer> | undefined;
  /** The queue that it is in. */
  queue: Queue | undefined;
  older: Retained | undefined;
  newer: Retained | undefined;

  constructor({ system, regions, untraced, inMemory }: Pick<Ending, "system" | "regions" | "untraced" | "inMemory">) {
    let bytes = 0;
    regions.each(({ length }) => {
      bytes += length;
    });
    this.system = system;
    this.regions = regions;
    this.inMemory = inMemory;
    this.untraced = untraced;
    this.bytes = bytes;
  }
}

/** A queue with removal from the middle. Its methods call no functions, so that a stack overflow cannot corrupt it. */
class Queue {
  oldest: Retained | undefined;
  newest: Retained | undefined;
  count = 0;
  memory = 0;
  file = 0;

  add(one: Retained): void {
    one.queue = this;
    one.older = this.newest;
    if (this.newest === undefined) this.oldest = one;
    else this.newest.newer = one;
    this.newest = one;
    this.count++;
    if (one.inMemory) this.memory += one.bytes;
    else this.file += one.bytes;
  }

  remove(one: Retained): void {
    const { older, newer } = one;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    one.older = undefined;
    one.newer = undefined;
    one.queue = undefined;
    this.count--;
    if (one.inMemory) this.memory -= one.bytes;
    else this.file -= one.bytes;
  }
}

const kept = new Queue();
const retired = new Queue();

/** How many bytes of addresses are in stage 3. */
let left = 0;

/** How many members of `kept` have buffers that are still to be detached. */
let attachedCount = 0;

/** One object for all buffers over a map's memory: it is collected after the last of them. */
const owners = new WeakMap<ArrayBuffer, object>();

const collected = new FinalizationRegistry<Retained>((one) => {
  one.queue?.remove(one);
  ignoreErrors(() => unmapAll(one.system, one.regions));
});

/** The same for maps that were not closed, whose buffers the user could still use. */
const dropped = new FinalizationRegistry<Retained>((one) => {
  if (collectionTells(one)) ignoreErrors(() => unmapAll(one.system, one.regions));
  else keep(one);
});

/**
 * How many of the maps that were closed since the last microtask are registered with the finalizer. A loop may close more
 * before any finalizer can run, and holding all their buffers until then would cost more than the rest of closing them. Those
 * that are not registered stay mapped until they are retired.
 */
const MOST_UNREGISTERED = 128;

/** The newest of them, as a ring buffer. Filled, so that no assignment reaches a setter of `Array.prototype`. */
const unregistered = new Array<Retained | undefined>(MOST_UNREGISTERED).fill(undefined);
let nextUnregistered = 0;

/**
 * Detaches the buffers of memory whose map has ended, and unmaps it once nothing can be using it: at once if the user was
 * given none. `retireNow` skips stage 1. Memory stays mapped for good if the user transferred a buffer over it to a new owner.
 */
export function release(ending: Ending, retireNow: boolean): void {
  const { system, regions, buffers } = ending;
  if (buffers === undefined) {
    unmapAll(system, regions);
    return;
  }
  const transferred = ending.transferred || anyDetached(buffers);
  const attached = detachAll(buffers);
  if (transferred) return;
  const one = new Retained(ending);
  if (!canDetach && !ending.untraced) registerBuffers(collected, buffers, one);
  else if (attached !== undefined) {
    one.attached = attached;
    attachedCount++;
  }
  if (canDetach && collectionTells(ending) && !retireNow) one.unregistered = buffers;
  if (!retireNow) {
    keep(one);
    return;
  }
  const runs = new Runs();
  runs.add(one);
  runs.retire();
}

/** Whether nothing can be using the memory once its buffers have been collected. */
function collectionTells({ system, untraced }: Pick<Ending, "system" | "untraced">): boolean {
  return system.operationsKeepBuffers && !untraced;
}

/** Leaves the memory of a map that nobody closed to the views that the user may still have. */
export function releaseWhenCollected(ending: Ending): void {
  const { system, regions, buffers } = ending;
  if (ending.transferred || anyDetached(buffers)) return;
  if (buffers === undefined) ignoreErrors(() => unmapAll(system, regions));
  else registerBuffers(dropped, buffers, new Retained(ending));
}

/** Has the registry call its callback when all the buffers have been collected. */
function registerBuffers(registry: FinalizationRegistry<Retained>, buffers: List<ArrayBuffer>, one: Retained): void {
  const owner = {};
  buffers.each((buffer) => {
    WeakMapPrototypeSet(owners, buffer, owner);
  });
  FinalizationRegistryPrototypeRegister(registry, owner, one);
}

/** Stage 1 of a region; then stage 2 of the oldest ones if too much is kept. */
function keep(one: Retained): void {
  const { mostKept } = limits();
  if (attachedCount > 0) detachAgain();
  kept.add(one);
  if (one.unregistered !== undefined) registerLater(one);
  // Many at once, because adjacent regions are replaced in one system call.
  if (kept.count > mostKept) retireOldest(mostKept / 4);
  while (kept.oldest !== undefined && isTooMuch(one, kept.oldest)) retireOldest(1);
}

/**
 * How many regions this thread may keep, and how many it may retire. A worker that ends retires what it keeps, because no
 * finalizer would run later. The first call runs user code, if a program listens to the "newListener" of `process`.
 */
export const limits = once(() => {
  const { isMainThread, process } = builtins();
  if (isMainThread()) return { mostKept: KEPT_REGIONS, mostRetired: RETIRED_REGIONS };
  process.on("exit", retireKept);
  return { mostKept: KEPT_REGIONS_IN_WORKER, mostRetired: RETIRED_REGIONS_IN_WORKER };
});

/** Whether too much is kept, so that `oldest` must be retired. The newest region is not retired because of a large file. */
function isTooMuch(newest: Retained, oldest: Retained): boolean {
  return kept.memory > KEPT_MEMORY || (kept.file > KEPT_FILE && oldest !== newest);
}

/** Retires all that is kept: a system may refuse to truncate a file that is still mapped. */
export function retireKept(): void {
  retireOldest(kept.count);
}

/** Has the buffers registered by the next microtask: registering takes V8 longer than the rest of closing a map. */
function registerLater(one: Retained): void {
  // The microtask is queued with the first of them; and once more each time that the ring is full, which does no harm.
  if (nextUnregistered === 0) queueMicrotask(registerAll);
  const before = unregistered[nextUnregistered];
  if (before !== undefined) before.unregistered = undefined;
  unregistered[nextUnregistered] = one;
  nextUnregistered = (nextUnregistered + 1) % MOST_UNREGISTERED;
}

function registerAll(): void {
  nextUnregistered = 0;
  for (let index = 0; index < MOST_UNREGISTERED; index++) {
    const one = unregistered[index];
    unregistered[index] = undefined;
    if (one?.unregistered === undefined) continue;
    registerBuffers(collected, one.unregistered, one);
    one.unregistered = undefined;
  }
}

/** Detaches the buffers that Bun was using when their map was closed. */
function detachAgain(): void {
  for (let one = kept.oldest; one !== undefined; ) {
    const { newer } = one;
    if (one.attached !== undefined) detachLater(one, one.attached);
    one = newer;
  }
}

function detachLater(one: Retained, attached: List<ArrayBuffer>): void {
  // One that is detached by now was transferred away: its new owner has the memory for good.
  const transferred = anyDetached(attached);
  one.attached = detachAll(attached);
  if (transferred || one.attached === undefined) attachedCount--;
  if (!transferred) return;
  one.attached = undefined;
  one.queue?.remove(one);
  // Its finalizer finds nothing to unmap: it knows nothing of the new owner.
  one.regions = new List();
}

/** Stage 2 of the oldest regions. */
function retireOldest(count: number): void {
  const runs = new Runs();
  for (let done = 0; done < count && kept.oldest !== undefined; done++) {
    const one = kept.oldest;
    kept.remove(one);
    runs.add(one);
  }
  runs.retire();
}

/** Regions that are adjacent, and so can be replaced in one system call. */
class Runs {
  #system: Platform | undefined;
  #address = 0;
  #length = 0;
  #guards = new List<Guard>();

  add(one: Retained): void {
    const { system, regions } = one;
    one.unregistered = undefined;
    if (one.attached !== undefined) attachedCount--;
    one.attached = undefined;
    if (!system.canLeaveAddresses) {
      ignoreErrors(() => {
        one.regions = retireAll(system, regions);
      });
      addRetired(one);
      return;
    }
    // The finalizer finds nothing to unmap: the addresses stay taken.
    one.regions = new List();
    regions.each((region) => this.#addRegion(system, region));
  }

  #addRegion(system: Platform, { address, length, guard }: Region): void {
    const isBelow = address + length === this.#address;
    const isAbove = address === this.#address + this.#length;
    if (system !== this.#system || !(isBelow || isAbove)) {
      this.retire();
      this.#system = system;
      this.#address = address;
    }
    if (isBelow) this.#address = address;
    this.#length += length;
    if (guard !== undefined) this.#guards.add(guard);
  }

  retire(): void {
    const { platform: system, address, length, guards } = this.#take();
    if (system === undefined) return;
    ignoreErrors(() => {
      const guard = system.guard?.(address, length);
      system.retire?.(address, length, guard !== undefined);
      guards.each((old) => old.release());
      const regions = new List<Region>();
      regions.add({ address, length, guard });
      addRetired(new Retained({ system, regions, untraced: true, inMemory: false }));
    });
  }

  #take() {
    const taken = { platform: this.#system, address: this.#address, length: this.#length, guards: this.#guards };
    this.#system = undefined;
    this.#length = 0;
    this.#guards = new List();
    return taken;
  }
}

/** Adds to the retired regions; then stage 3 of the oldest one if there are too many. */
function addRetired(one: Retained): void {
  retired.add(one);
  const { oldest } = retired;
  if (retired.count <= limits().mostRetired || oldest === undefined) return;
  retired.remove(oldest);
  leave(oldest);
}

/** Stage 3. */
function leave(one: Retained): void {
  const { system, regions, bytes } = one;
  let lowest = Infinity;
  regions.each(({ address }) => {
    lowest = MathMin(lowest, address);
  });
  one.regions = new List();
  if (system.canLeaveAddresses && left + bytes <= lowest * LEFT_SHARE) {
    left += bytes;
    ignoreErrors(() => regions.each((region) => leaveAddresses(system, region)));
  } else if (canDetach) ignoreErrors(() => unmapAll(system, regions));
  // Where buffers cannot be detached, they may still be read: their memory stays mapped.
}
