/**
 * Memory that processes share by a name, and that belongs to no file of the user's.
 *
 * @module
 */

import type { NamedMemory, NamedRequest, Platform } from "../../platform/types.ts";
import { errorFactory, show, withPath } from "../errors.ts";
import { ignoreErrors } from "../mapping/region.ts";
import { checkOpenOptions, type MakeMap, OpenedFile, type OpenRequest, openPath } from "../open.ts";
import { checkObject, SHARED_OPTIONS, type SharedOptions } from "../options.ts";
import { loadBuiltins, platform } from "../platform.ts";
import { boolean } from "../validate.ts";

/** A name that is valid on every system: macOS allows 31 characters, of which the first is a slash. */
const NAME = /^[\w.-]{1,30}$/;

/** @throws {TypeError} The name could lead out of the folder of all names, or is not valid on some system. */
function sharedName(name: unknown): string {
  if (typeof name === "string" && NAME.test(name) && name !== "." && name !== "..") return name;
  throw new TypeError(
    `name must be a string of 1 to 30 letters, digits, ".", "-" and "_", other than "." and "..": got ${show(name)}`,
  );
}

/** Implements `MMap.shared`. */
export function openShared<T>(name: unknown, options: SharedOptions, make: MakeMap<T>): T {
  loadBuiltins();
  const checked = sharedName(name);
  const given = checkObject(options, SHARED_OPTIONS, "MMap.shared()");
  const { exclusive = false } = given;
  boolean("exclusive", exclusive);
  const request = { ...checkOpenOptions(given, { mode: 0o600, access: "write" }), exclusive };
  if (exclusive && !request.create)
    throw new TypeError("exclusive is for memory that this call creates: give create: true");
  const { named } = platform();
  try {
    if (named.kind === "folder") {
      const makeReady: MakeMap<T> = (file, bytes, own) => {
        if (!request.create) requireLength(file.descriptor);
        return make(file, bytes, own);
      };
      return openPath(`${named.folder}${checked}`, request, makeReady, { exclusive, follows: false });
    }
    if (named.kind === "objects") return openObject(named, checked, request, make);
    return openMapping(named, checked, request, make);
  } catch (error) {
    throw withPath(error, checked);
  }
}

type Named<Kind> = NamedMemory & { readonly kind: Kind };
type SharedRequest = OpenRequest & NamedRequest;

interface OpenedObject {
  readonly descriptor: number;
  /** Whether this call has created it. */
  readonly isNew: boolean;
}

function openOrCreate(named: Named<"objects">, name: string, request: SharedRequest): OpenedObject {
  if (request.create) {
    try {
      return { descriptor: named.open(name, { ...request, exclusive: true }), isNew: true };
    } catch (error) {
      if (request.exclusive || (error as { code?: string }).code !== "EEXIST") throw error;
    }
  }
  return { descriptor: named.open(name, request), isNew: false };
}

/** By `shm_open`. Its descriptors are not those of node:fs, so the map duplicates this one. */
function openObject<T>(named: Named<"objects">, name: string, request: SharedRequest, make: MakeMap<T>): T {
  const { create, length, offset, map } = request;
  if (create && length === 0) throw new RangeError(`length must be given for create to make "${name}": got 0`);
  const system = platform();
  const { descriptor, isNew } = openOrCreate(named, name, request);
  try {
    if (create) giveSize(system, descriptor, offset + length);
    else requireLength(descriptor);
    return make(new OpenedFile(-1, name), length, map, descriptor);
  } catch (error) {
    if (isNew) ignoreErrors(() => named.unlink(name));
    throw error;
  } finally {
    system.closeDescriptor(descriptor);
  }
}

/** Only new memory gets a size: macOS allows that once. Another process may give it one at the same moment. */
function giveSize(system: Platform, descriptor: number, size: number): void {
  const isNew = () => system.status(descriptor).size === 0;
  if (!isNew()) return;
  try {
    system.truncate(descriptor, size);
  } catch (error) {
    if (isNew()) throw error;
  }
}

/** The same number on every system. */
const ENOENT = 2;

/** @throws {MMapError} `ENOENT`: another process is just creating the memory, and has not given it a length yet. */
function requireLength(descriptor: number): void {
  const { regular, size } = platform().status(descriptor);
  if (!regular || size > 0) return;
  throw errorFactory.system("open", ENOENT, "ENOENT", "the memory has no length yet, as if it did not exist");
}

/** By `tagname`, on Windows: memory that lasts as long as it is mapped. */
function openMapping<T>(named: Named<"mappings">, name: string, request: SharedRequest, make: MakeMap<T>): T {
  const { length, map } = request;
  if (length === 0) throw new RangeError("length must be given: the size of named memory is not known here: got 0");
  return named.use(name, request, () => make(new OpenedFile(-1, name), length, { ...map, tagname: name }));
}

/** Implements `MMap.unlink`. */
export function unlinkShared(name: unknown): void {
  const { unlinkSync } = loadBuiltins();
  const checked = sharedName(name);
  const { named } = platform();
  try {
    if (named.kind === "folder") unlinkSync(`${named.folder}${checked}`);
    if (named.kind === "objects") named.unlink(checked);
  } catch (error) {
    throw withPath(error, checked);
  }
}
