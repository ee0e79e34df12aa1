/**
 * Releases maps that were garbage-collected without being closed.
 *
 * @module
 */

import { FinalizationRegistry, queueMicrotask, ReflectApply } from "../ffi/primordials.ts";
import type { Mapping } from "./mapping/mapping.ts";

/** A map that has not been closed yet. */
export interface Registration {
  readonly mapping: Mapping;
  /** The map, until it is registered with the FinalizationRegistry: then a reference would keep it from being collected. */
  map: object | undefined;
  /** The neighbours in the list of maps that are not registered yet: the one made before this one, and the one after. */
  older: Registration | undefined;
  newer: Registration | undefined;
}

// The held values must not refer to the maps.
const registry = new FinalizationRegistry<Mapping>((mapping) => mapping.abandon());

/**
 * The newest of the open maps that were created since the last microtask checkpoint. Registering with a
 * FinalizationRegistry costs V8 more than the rest of creating a map, and finalizers cannot run before that checkpoint, so
 * registration is deferred; most maps are closed by then.
 */
let newest: Registration | undefined;
let scheduled = false;

// Captured at import time, before other code can replace them.
const { register, unregister } = FinalizationRegistry.prototype;

/** Has the mapping abandoned when the map is garbage-collected, unless `cancel` is called first. */
export function registerLater(map: object, mapping: Mapping): Registration {
  const registration: Registration = { mapping, map, older: newest, newer: undefined };
  if (newest !== undefined) newest.newer = registration;
  newest = registration;
  if (!scheduled) {
    queueMicrotask(registerAll);
    scheduled = true;
  }
  return registration;
}

/** Undoes `registerLater`. */
export function cancel(registration: Registration): void {
  if (registration.map === undefined) {
    ReflectApply(unregister, registry, [registration]);
    return;
  }
  // No function calls below: a stack overflow here would corrupt the list.
  const { older, newer } = registration;
  if (older !== undefined) older.newer = newer;
  if (newer === undefined) newest = older;
  else newer.older = older;
  // A closed map that the program keeps must not keep its neighbours alive.
  registration.older = undefined;
  registration.newer = undefined;
  registration.map = undefined;
}

function registerAll(): void {
  scheduled = false;
  for (let registration = newest; registration !== undefined; registration = newest) {
    newest = registration.older;
    if (newest !== undefined) newest.newer = undefined;
    ReflectApply(register, registry, [registration.map as object, registration.mapping, registration]);
    registration.map = undefined;
    registration.older = undefined;
  }
}
