/**
 * What users say about the map that they want: the option types, and the checks of their values.
 *
 * @module
 */

import { builtins } from "../ffi/builtins.ts";
import { MAP_PRIVATE, MAP_SHARED, PROT_WRITE } from "./constants.ts";
import { classNameOf, show } from "./errors.ts";
import type { MappingRequest } from "./mapping/backing.ts";
import { type OptionNames, optionNames, rejectUnknown } from "./option-names.ts";
import { boolean, integer, MAX_INTEGER, oneOf } from "./validate.ts";

/** What may be done with a map, and where its writes go. */
export type Access = "default" | "read" | "write" | "copy";

/** How to create a map. */
export interface MMapOptions {
  /**
   * "read": writes throw. "write": shared, writes reach the file. "copy": private, writes never reach the file. "default":
   * what `flags` and `prot` say; without them, the same as "write". If `access` is omitted, the constructor uses "default".
   * `MMap.open` uses "default" if `flags` or `prot` are given, else "write" with `create` and "read" without it.
   */
  access?: Access | undefined;
  /** `MAP_*` constants (POSIX). By default `MAP_SHARED`. Not together with `access`. */
  flags?: number | undefined;
  /** `PROT_*` constants (POSIX). By default `PROT_READ | PROT_WRITE`. Not together with `access`. */
  prot?: number | undefined;
  /** Where the map starts in the file, in bytes: any non-negative integer. By default 0. */
  offset?: number | undefined;
  /** The name of the mapping object. Windows only. */
  tagname?: string | undefined;
  /** false keeps no descriptor of the file: `size()` and `resize()` then throw. By default true. */
  trackfd?: boolean | undefined;
  /**
   * false leaves the map unguarded: accessing a page that its file no longer has then kills the process (POSIX). By
   * default true: see `guarded`.
   */
  guard?: boolean | undefined;
}

/** How to open a path. */
export interface OpenOptions extends MMapOptions {
  /** The number of bytes to map. By default, and for 0, up to the end of the file. */
  length?: number | undefined;
  /** Create the file if it does not exist, and extend it to `offset + length` if it is shorter. By default false. */
  create?: boolean | undefined;
  /** The permissions of a new file, less the process's umask. By default 0o666. */
  mode?: number | undefined;
  /**
   * true allocates the file's disk blocks for the whole map, so that a full disk is an error here and not a lost page at a
   * later write. By default false. Only for files that are opened for writing. Not supported on macOS and OpenBSD.
   */
  reserve?: boolean | undefined;
}

/** How to open named memory. */
export interface SharedOptions extends Omit<OpenOptions, "tagname"> {
  /** With `create`: fail with `EEXIST` if there is memory of that name. By default false. */
  exclusive?: boolean | undefined;
}

/** How to resize. */
export interface ResizeOptions {
  /** true allocates the file's disk blocks, like `reserve` of `MMap.open`. By default false. */
  reserve?: boolean | undefined;
}

/** How to close. */
export interface CloseOptions {
  /**
   * true releases the file and the memory at once, even if views of it were handed out: for programs that delete or unmount
   * the file now. By default false.
   */
  release?: boolean | undefined;
}

/** How `flush` writes changes. */
export interface FlushOptions {
  /**
   * `MS_SYNC` waits until the bytes are on disk, `MS_ASYNC` does not wait, and `MS_INVALIDATE` may be added to each: see
   * msync(2). By default `MS_SYNC`. Not on Windows.
   */
  flags?: number | undefined;
}

/** How `prefault` brings pages into memory. */
export interface PrefaultOptions {
  /** true prepares the pages for writing. By default false. Linux only. */
  write?: boolean | undefined;
}

/** What is used of an `AbortSignal`, which the types of the language alone do not have. */
export interface WaitSignal {
  /** Whether it was aborted. */
  readonly aborted: boolean;
  /** Why it was aborted. */
  readonly reason: unknown;
  /** Calls the listener when it is aborted. */
  addEventListener(type: "abort", listener: () => void): void;
  /** Calls the listener no longer. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** How `waitAsync` waits. */
export interface WaitOptions {
  /** How long at most, in milliseconds. By default without end. */
  timeout?: number | undefined;
  /** Ends the wait when it is aborted: the promise rejects with its reason. */
  signal?: WaitSignal | undefined;
}

/** The class `URL`, if the program's types have it: the types of the language alone do not. */
export type FileURL = typeof globalThis extends { URL: { prototype: infer T } } ? T : never;

const ACCESSES: readonly Access[] = ["default", "read", "write", "copy"];

/** The names of `MMapOptions`. */
const OF_MAPS = ["access", "flags", "prot", "offset", "tagname", "trackfd", "guard"] as const;

export const MAP_OPTIONS: OptionNames = optionNames(...OF_MAPS);
export const OPEN_OPTIONS: OptionNames = optionNames(...OF_MAPS, "length", "create", "mode", "reserve");
export const SHARED_OPTIONS: OptionNames = optionNames(
  ...OF_MAPS.filter((name) => name !== "tagname"),
  "length",
  "create",
  "mode",
  "reserve",
  "exclusive",
);
export const RESIZE_OPTIONS: OptionNames = optionNames("reserve");
export const FLUSH_OPTIONS: OptionNames = optionNames("flags");
export const WAIT_OPTIONS: OptionNames = optionNames("timeout", "signal");
export const PREFAULT_OPTIONS: OptionNames = optionNames("write");

/** @throws {TypeError} `options` is not an object, or has an option that `call` does not have. */
export function checkObject<T extends object>(options: T, names: OptionNames, call: string): T {
  if (typeof options !== "object" || options === null) {
    const isAccess = names.access === true && ACCESSES.includes(options as Access);
    const advice = isAccess ? `; did you mean { access: ${show(options)} }?` : "";
    throw new TypeError(`options must be an object: got ${show(options)}${advice}`);
  }
  rejectUnknown(options, names, call);
  return options;
}

/** What to map, from options. The caller has checked `length`, `descriptor`, and the names of the options. */
export function checkOptions(options: MMapOptions, length: number, descriptor: number, path?: string): MappingRequest {
  const { access = "default", prot, flags, offset = 0, tagname, trackfd = true, guard = true } = options;
  oneOf("access", access, ACCESSES);
  if (prot !== undefined) integer("prot", prot, 0, 2 ** 31 - 1);
  if (flags !== undefined) integer("flags", flags, -(2 ** 31), 2 ** 32 - 1, modeAdvice(flags));
  integer("offset", offset, 0, MAX_INTEGER - length);
  if (tagname !== undefined && typeof tagname !== "string") {
    throw new TypeError(`tagname must be a string: got ${show(tagname)}`);
  }
  boolean("trackfd", trackfd);
  boolean("guard", guard);
  return { descriptor, length, access, prot, flags, offset, path, tagname, trackDescriptor: trackfd, guard };
}

/** What to do instead of a mode of node:fs ("r+"), which is also what numpy.memmap calls a mode. */
export function modeAdvice(mode: unknown): string {
  if (typeof mode !== "string" || !/^(?:[rwax]|wx|ax|c)\+?$/.test(mode)) return "";
  return `; did you mean access: ${mode === "r" ? '"read"' : mode === "c" ? '"copy"' : '"write"'}?`;
}

/** The signal of a call, of any realm; undefined without one. */
export function signalOf(signal: unknown): WaitSignal | undefined {
  if (signal === undefined) return undefined;
  const { aborted, addEventListener } = (signal ?? {}) as Partial<WaitSignal>;
  if (typeof aborted === "boolean" && typeof addEventListener === "function") return signal as WaitSignal;
  throw new TypeError(`signal must be an AbortSignal: got ${show(signal)}`);
}

/** The path that a user's string or file URL names. */
export function pathOf(path: unknown): string {
  if (typeof path === "string") return path;
  const href = hrefOf(path);
  if (href === undefined) {
    throw new TypeError(`path must be a string or a file URL: got ${show(path)}${instead(PATH_ADVICE, path)}`);
  }
  if (!href.startsWith("file:")) throw new TypeError(`path must be a string or a file URL: got ${show(href)}`);
  return builtins().fileURLToPath(href);
}

/** The address of a URL. By its properties and not by its class, because jsdom, happy-dom and others have their own. */
function hrefOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { href, protocol } = value as { href?: unknown; protocol?: unknown };
  return typeof href === "string" && typeof protocol === "string" ? href : undefined;
}

/** The descriptor that a user's argument names; -1 for anonymous memory. */
export function descriptorOf(fd: unknown): number {
  if (typeof fd === "number") return integer("fd", fd, -1, 2 ** 31 - 1);
  const advice = typeof fd === "string" ? OPEN_A_PATH : instead(FD_ADVICE, fd);
  throw new TypeError(`fd must be an integer, the descriptor of an open file: got ${show(fd)}${advice}`);
}

const OPEN_A_PATH = "; MMap.open(path) maps a file by its path";
const PASS_ITS_FD = "; pass its fd";

/** What to do with an object that stands for a file, by the name of its class. */
const FD_ADVICE: Readonly<Record<string, string>> = {
  __proto__: null as never,
  Blob: OPEN_A_PATH,
  File: OPEN_A_PATH,
  Buffer: OPEN_A_PATH,
  FsFile: OPEN_A_PATH,
  URL: OPEN_A_PATH,
  FileHandle: PASS_ITS_FD,
  ReadStream: PASS_ITS_FD,
  WriteStream: PASS_ITS_FD,
};

const MAP_ITS_FD = "; new MMap(file.fd, 0) maps an open file";
const PASS_ITS_PATH = "; pass the path that it was made from";

const PATH_ADVICE: Readonly<Record<string, string>> = {
  __proto__: null as never,
  Blob: PASS_ITS_PATH,
  File: PASS_ITS_PATH,
  FsFile: PASS_ITS_PATH,
  Buffer: "; decode it with toString()",
  Uint8Array: "; decode it with TextDecoder",
  FileHandle: MAP_ITS_FD,
  ReadStream: MAP_ITS_FD,
  WriteStream: MAP_ITS_FD,
};

function instead(table: Readonly<Record<string, string>>, value: unknown): string {
  if (typeof value === "number") return "; new MMap(fd, length) maps an open file by its descriptor";
  return typeof value === "object" && value !== null ? (table[classNameOf(value) ?? ""] ?? "") : "";
}

/** Whether writes to such a map reach the file, which must be open for writing then. */
export function reachesFile({ access, flags, prot }: Pick<MappingRequest, "access" | "flags" | "prot">): boolean {
  if (access !== "default") return access === "write";
  const shared = flags === undefined || (flags & ((MAP_SHARED ?? 0) | (MAP_PRIVATE ?? 0))) !== MAP_PRIVATE;
  return shared && (prot === undefined || (prot & (PROT_WRITE ?? 0)) !== 0);
}
