/**
 * Gives back what maps that nobody closed had, once they are garbage.
 *
 * @module
 */

import { apply } from "../ffi/engine.ts";
import type { Mapping } from "./mapping.ts";

/** A map that was not closed yet. */
export interface Watched {
  readonly mapping: Mapping;
  /** The map, until the collector is told of it. Not for longer: it would never be garbage. */
  map: object | undefined;
  /** The one that was made before it and the one that was made after it, of those that the collector was not told of. */
  older: Watched | undefined;
  newer: Watched | undefined;
}

// The held values must not lead to the maps.
const registry = new FinalizationRegistry<Mapping>((mapping) => mapping.abandon());

/**
 * The newest open map of those that were made since the program last let its microtasks run. The collector tells of none
 * before it does, and to have it told of a map takes V8 longer than all else that it does to make one: most maps are closed
 * by then.
 */
let newest: Watched | undefined;
let waits = false;

// The engine's own functions, taken before any code could replace them.
const { queueMicrotask } = globalThis;
const { register, unregister } = FinalizationRegistry.prototype;

/** Has the mapping abandoned when the map is garbage, unless `unwatch` comes first. */
export function watch(map: object, mapping: Mapping): Watched {
  const watched: Watched = { mapping, map, older: newest, newer: undefined };
  if (newest !== undefined) newest.newer = watched;
  newest = watched;
  if (!waits) {
    queueMicrotask(tellAll);
    waits = true;
  }
  return watched;
}

export function unwatch(watched: Watched): void {
  if (watched.map === undefined) {
    apply(unregister, registry, [watched]);
    return;
  }
  // No call from here on: a stack that runs over in the middle would leave a list that is torn.
  const { older, newer } = watched;
  if (older !== undefined) older.newer = newer;
  if (newer === undefined) newest = older;
  else newer.older = older;
  // Whoever keeps a closed map keeps no others.
  watched.older = undefined;
  watched.newer = undefined;
  watched.map = undefined;
}

function tellAll(): void {
  waits = false;
  for (let watched = newest; watched !== undefined; watched = newest) {
    newest = watched.older;
    if (newest !== undefined) newest.newer = undefined;
    apply(register, registry, [watched.map as object, watched.mapping, watched]);
    watched.map = undefined;
    watched.older = undefined;
  }
}
