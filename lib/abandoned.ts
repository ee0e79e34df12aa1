/**
 * Gives back what maps that nobody closed had, once they are garbage.
 *
 * @module
 */

import type { Mapping } from "./mapping.ts";

/** A map that was not closed yet, or was told of to the collector. */
export interface Watched {
  readonly mapping: Mapping;
  /** The map, until the collector is told of it. Not for longer: it would never be garbage. */
  map: object | undefined;
  /** Where it stands in `fresh`. */
  place: number;
}

// The held values must not lead to the maps.
const registry = new FinalizationRegistry<Mapping>((mapping) => mapping.abandon());

/**
 * The open maps that were made since the program last let its microtasks run. The collector tells of none before it does, and
 * to have it told of a map takes V8 longer than all else that it does to make one: most maps are closed by then.
 */
const fresh: (Watched | undefined)[] = [];
/** How many there are: V8 takes long to change an array's length, and other code may have replaced `push` and `pop`. */
let count = 0;
let waits = false;

// The engine's own function, taken before any code could replace it.
const { queueMicrotask } = globalThis;

/** Has the mapping abandoned when the map is garbage, unless `unwatch` comes first. */
export function watch(map: object, mapping: Mapping): Watched {
  const watched = { mapping, map, place: count };
  fresh[count++] = watched;
  if (!waits) {
    waits = true;
    queueMicrotask(tellAll);
  }
  return watched;
}

export function unwatch(watched: Watched): void {
  if (watched.map === undefined) {
    registry.unregister(watched);
    return;
  }
  watched.map = undefined;
  const last = removeLast();
  if (last === watched) return;
  fresh[watched.place] = last;
  last.place = watched.place;
}

function removeLast(): Watched {
  const last = fresh[--count] as Watched;
  fresh[count] = undefined;
  return last;
}

function tellAll(): void {
  waits = false;
  while (count > 0) {
    const watched = removeLast();
    registry.register(watched.map as object, watched.mapping, watched);
    watched.map = undefined;
  }
}
