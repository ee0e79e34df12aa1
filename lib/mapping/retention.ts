/**
 * Memory whose views were handed out, from the end of its map until nothing can be using it.
 *
 * A runtime that writes a view to a socket, or reads a file into one, has taken the view's address. Detaching the buffer
 * does not stop it. If the memory were unmapped, the next mapping could get its address, and the runtime would send or
 * overwrite that one's bytes. So such memory goes through these stages:
 *
 * 1. Kept: mapped as it was, with its contents, while the buffers over it have not been garbage-collected. In Deno, whose
 *    operations hold the memory but not the buffer, collection proves nothing: there it is kept until stage 2.
 * 2. Retired: when more is kept than the limits below allow, the oldest region's pages are replaced in place. That
 *    releases the file and the memory, while the address stays taken.
 * 3. Unmapped: when its buffers have been collected, or when `RETIRED_REGIONS` or `RETIRED_BYTES` more were retired.
 *
 * @module
 */

import { builtins } from "../../ffi/builtins.ts";
import type { List } from "../../ffi/list.ts";
import {
  type ArrayBuffer,
  FinalizationRegistry,
  FinalizationRegistryPrototypeRegister,
  queueMicrotask,
  WeakMap,
  WeakMapPrototypeSet,
} from "../../ffi/primordials.ts";
import type { Platform } from "../../platform/types.ts";
import { anyDetached, canDetach, detachAll } from "./buffers.ts";
import { ignoreErrors, type Region, retireAll, unmapAll } from "./region.ts";

/** The most regions that are kept, by the main thread and by each worker: those of a terminated worker stay for good. */
export const KEPT_REGIONS = 1024;
export const KEPT_REGIONS_IN_WORKER = 64;

/** The most private and anonymous memory that is kept, in bytes. */
export const KEPT_MEMORY = 256 * 1024 ** 2;

/** The most bytes of shared file mappings that are kept. They cost address space, and the disk space of deleted files. */
export const KEPT_FILE = 16 * 1024 ** 3;

/** The most retired regions, which cost address space alone: adjacent ones are one mapping to the system. */
export const RETIRED_REGIONS = 16_384;

/** The most bytes of retired regions: an eighth of the 128 TiB that a process can address on the usual systems. */
export const RETIRED_BYTES = 16 * 1024 ** 4;

/** The memory of a map that ends, and what is known of it. */
export interface Ending {
  readonly system: Platform;
  readonly regions: List<Region>;
  /** The buffers over it that the user was given. */
  readonly buffers: List<ArrayBuffer> | undefined;
  /** Whether the user is known to have transferred one of them to a new owner. */
  readonly transferred: boolean;
  /** Whether its pages are this process's memory, and not a file's. */
  readonly inMemory: boolean;
}

/** One map's memory in these stages. */
class Retained {
  readonly system: Platform;
  readonly inMemory: boolean;
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

  constructor({ system, regions, inMemory }: Ending) {
    let bytes = 0;
    regions.each(({ length }) => {
      bytes += length;
    });
    this.system = system;
    this.regions = regions;
    this.inMemory = inMemory;
    this.bytes = bytes;
  }
}

/** A queue that forgets members from its middle too. Its methods call nothing, so that a full stack cannot tear it. */
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

/** How many regions this thread keeps; undefined before it keeps one. */
let mostKept: number | undefined;

/** How many members of `kept` have buffers that are still to be detached. */
let attachedCount = 0;

/** What the buffers over one map's memory keep alive together. */
const owners = new WeakMap<ArrayBuffer, object>();

const collected = new FinalizationRegistry<Retained>((one) => {
  one.queue?.remove(one);
  ignoreErrors(() => unmapAll(one.system, one.regions));
});

/** The same of maps that nobody closed, whose buffers the user could still use. */
const dropped = new FinalizationRegistry<Retained>((one) => {
  if (one.system.operationsKeepBuffers) ignoreErrors(() => unmapAll(one.system, one.regions));
  else keep(one);
});

let registers = false;

/**
 * Detaches the buffers of memory whose map has ended, and unmaps it once nothing can be using it: at once if the user was
 * given none. `retireNow` skips stage 1.
 * Memory stays mapped for good if the user transferred a buffer over it to a new owner.
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
  if (!canDetach) registerBuffers(collected, buffers, one);
  else if (attached !== undefined) {
    one.attached = attached;
    attachedCount++;
  }
  if (canDetach && system.operationsKeepBuffers && !retireNow) one.unregistered = buffers;
  if (retireNow) retire(one);
  else keep(one);
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

/** Stage 1, and stage 2 of those that are too many now. */
function keep(one: Retained): void {
  mostKept ??= prepareThread();
  if (attachedCount > 0) detachAgain();
  kept.add(one);
  if (one.unregistered !== undefined && !registers) {
    // Registering takes V8 longer than the rest of closing a map, and no finalizer runs before the next microtask. Most of
    // what a loop closes is retired by then.
    queueMicrotask(registerAll);
    registers = true;
  }
  while (kept.oldest !== undefined && isTooMuch(one, kept.oldest)) retireOldest(kept.oldest);
}

/** Returns how many regions this thread may keep. A worker that ends retires them: nobody would be left to release them. */
function prepareThread(): number {
  const { isMainThread, process } = builtins();
  if (isMainThread()) return KEPT_REGIONS;
  process.on("exit", retireKept);
  return KEPT_REGIONS_IN_WORKER;
}

/** Whether `oldest` must go for what is kept. What is newest is not retired for its file. */
function isTooMuch(newest: Retained, oldest: Retained): boolean {
  if (kept.count > (mostKept as number) || kept.memory > KEPT_MEMORY) return true;
  return kept.file > KEPT_FILE && oldest !== newest;
}

/** Retires all that is kept: a system may refuse to truncate a file that is still mapped. */
export function retireKept(): void {
  while (kept.oldest !== undefined) retireOldest(kept.oldest);
}

function retireOldest(one: Retained): void {
  kept.remove(one);
  retire(one);
}

function registerAll(): void {
  registers = false;
  for (let one = kept.newest; one !== undefined && one.unregistered !== undefined; one = one.older) {
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
}

/** Stage 2, and stage 3 of those that are too many now. */
function retire(one: Retained): void {
  const { system, attached } = one;
  one.unregistered = undefined;
  ignoreErrors(() => {
    one.regions = retireAll(system, one.regions);
  });
  if (attached !== undefined) {
    // A buffer that can still be transferred away keeps its address for good.
    one.attached = undefined;
    attachedCount--;
    return;
  }
  retired.add(one);
  for (let oldest = retired.oldest; oldest !== undefined; oldest = retired.oldest) {
    if (retired.count <= RETIRED_REGIONS && retired.memory + retired.file <= RETIRED_BYTES) break;
    retired.remove(oldest);
    const { regions } = oldest;
    // Where buffers cannot be detached, only their collection proves that nothing reads the address.
    if (canDetach) ignoreErrors(() => unmapAll(system, regions));
  }
}
