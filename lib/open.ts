/**
 * Opening by path: opens the file, creates, extends and reserves it if asked to, and undoes that if it cannot be mapped.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { show, withPath } from "./errors.ts";
import { REMOVED, withSize } from "./extend.ts";
import type { OpenedDescriptor } from "./mapping/backing.ts";
import {
  type Access,
  checkObject,
  checkOptions,
  type MMapOptions,
  modeAdvice,
  OPEN_OPTIONS,
  type OpenOptions,
  pathOf,
  reachesFile,
} from "./options.ts";
import { allocateFileBlocks, loadBuiltins, platform, withOpenedPath } from "./platform.ts";
import { boolean, integer, MAX_INTEGER } from "./validate.ts";

/**
 * A file that this module has opened, for one map to adopt: that spares the map a duplicate of the descriptor. `open`
 * passes it to the constructor of `MMap`, which ignores anything else, so no other code decides which descriptor a map closes.
 */
export class OpenedFile implements OpenedDescriptor {
  readonly #genuine = true;
  readonly descriptor: number;
  readonly path: string;
  adopted = false;

  constructor(descriptor: number, path: string) {
    this.descriptor = descriptor;
    this.path = path;
  }

  /** The file for a subclass, which cannot adopt it. */
  withoutDescriptor(): OpenedFile {
    return new OpenedFile(-1, this.path);
  }

  /** The value, if it is an `OpenedFile`; else `undefined`. */
  static from(value: unknown): OpenedFile | undefined {
    return typeof value === "object" && value !== null && #genuine in value ? value : undefined;
  }
}

/** Makes a map of an opened file; or, if that has no descriptor to adopt, of `descriptor`. */
export type MakeMap<T> = (file: OpenedFile, length: number, options: MMapOptions, descriptor?: number) => T;

/** What `MMap.open` does; `make` is called once the file is open and large enough. */
export function openAndMap<T>(path: unknown, options: OpenOptions, make: MakeMap<T>): T {
  loadBuiltins();
  const name = pathOf(path);
  const request = checkOpenOptions(checkObject(options, OPEN_OPTIONS, "MMap.open()"));
  try {
    return openPath(name, request, make);
  } catch (error) {
    throw withPath(orURL(error, name), name);
  }
}

/** Opens and maps a path; again, if another opener removes the file meanwhile. */
export function openPath<T>(path: string, request: OpenRequest, make: MakeMap<T>, mode: OpenMode = ORDINARY): T {
  for (;;) {
    const map = openOnce(path, request, make, mode);
    if (map !== REMOVED) return map;
  }
}

function openOnce<T>(path: string, request: OpenRequest, make: MakeMap<T>, openMode: OpenMode): T | typeof REMOVED {
  const { writable, create, reserve, offset, length, map } = request;
  const { descriptor, newPath } = openFile(path, request, openMode);
  const file = new OpenedFile(descriptor, path);
  const use = () =>
    withOpenedPath(descriptor, path, writable, () => {
      if (reserve) allocateFileBlocks(descriptor, offset, length);
      return make(file, length, map);
    });
  try {
    return create ? withSize(descriptor, offset + length, newPath, use) : use();
  } finally {
    if (!file.adopted) builtins().closeSync(descriptor);
  }
}

/** What is not an option of `MMap.open`. */
interface OpenMode {
  /** Whether `create` fails with `EEXIST` if the file exists. */
  readonly exclusive: boolean;
  /** Whether a symbolic link is followed. */
  readonly follows: boolean;
}

const ORDINARY: OpenMode = { exclusive: false, follows: true };

/** How to open a file, from checked options. */
export interface OpenRequest {
  /** Whether the file is to be opened for writing. */
  readonly writable: boolean;
  readonly create: boolean;
  readonly mode: number;
  readonly reserve: boolean;
  readonly offset: number;
  /** 0: to the end of the file. */
  readonly length: number;
  /** The options of the map itself. */
  readonly map: MMapOptions;
}

/** The caller has checked the options' names. `defaults`: of `mode`, and of `access` if that does not depend on `create`. */
export function checkOpenOptions(
  options: OpenOptions,
  defaults: { readonly mode: number; readonly access?: Access } = { mode: 0o666 },
): OpenRequest {
  // Listed one by one instead of `...rest`, so that inherited options are included.
  const {
    length: wanted,
    create = false,
    mode = defaults.mode,
    reserve = false,
    access: asked,
    flags,
    prot,
    offset: start,
    tagname,
    trackfd,
    guard,
  } = options;
  const length = wanted === undefined ? 0 : integer("length", wanted, 0, MAX_INTEGER);
  const plain = asked === undefined && flags === undefined && prot === undefined;
  const access = plain ? (defaults.access ?? (create ? "write" : "read")) : asked;
  const map = { access, flags, prot, offset: start, tagname, trackfd, guard };
  const checked = checkOptions(map, length, -1);
  boolean("create", create);
  boolean("reserve", reserve);
  integer("mode", mode, 0, 0o7777, modeAdvice(mode));
  const writable = create || reachesFile(checked);
  if (reserve && !writable) {
    throw new TypeError("reserve needs a file that is opened for writing: give create or access");
  }
  return { writable, create, mode, reserve, offset: checked.offset, length, map };
}

/** An open file. */
interface Opened {
  readonly descriptor: number;
  /** The absolute path of the file, if this call has created it. The working directory may be another one later. */
  readonly newPath: string | undefined;
}

function openFile(path: string, request: OpenRequest, { exclusive, follows }: OpenMode): Opened {
  const { writable, create, length, mode } = request;
  // Never by C: the runtime's own open refuses paths that its query for permissions calls granted (Deno, /proc/self/mem).
  const { fileFlags, openSync } = builtins();
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fileFlags;
  // Without O_NONBLOCK, opening a FIFO waits for a writer.
  const flags = (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | (follows ? 0 : O_NOFOLLOW);
  try {
    if (!exclusive) return { descriptor: openSync(path, flags), newPath: undefined };
  } catch (error) {
    // Another process holds a lease on the file (fcntl F_SETLEASE), and returns it if this one waits.
    if (codeOf(error) === "EAGAIN") return { descriptor: openSync(path, writable ? "r+" : "r"), newPath: undefined };
    if (!create || codeOf(error) !== "ENOENT") throw error;
  }
  if (length === 0) throw new RangeError(`length must be given for create to make the new file ${show(path)}: got 0`);
  // Throws if there is no FFI, before a file is created that could not be mapped.
  platform();
  const place = builtins().resolve(path);
  try {
    return { descriptor: openSync(path, flags | O_CREAT | O_EXCL, mode), newPath: place };
  } catch (error) {
    if (codeOf(error) !== "EEXIST" || exclusive) throw error;
  }
  // Another opener has just created the file, or the path is a symbolic link whose target is missing.
  return { descriptor: openSync(path, flags | O_CREAT, mode), newPath: undefined };
}

/** Adds to the error of a path that is the text of a URL what to pass instead. */
function orURL(error: unknown, path: string): unknown {
  if (!path.startsWith("file:") || codeOf(error) !== "ENOENT") return error;
  return new TypeError(`path must be a string or a file URL: got ${show(path)}; pass new URL(path)`, { cause: error });
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}
