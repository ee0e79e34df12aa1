/**
 * What the library uses of the runtime besides C: which machine this is, and the runtime's own modules.
 *
 * Importing the library loads none of them, so that a program that never maps anything does not wait for them. In Deno, just
 * reading `process` starts the compatibility layer for Node, which takes as long as running an empty program.
 *
 * @module
 */

import { once } from "./once.ts";
import { TextDecoder as BunTextDecoder, TextEncoder as BunTextEncoder, NumberParseInt } from "./primordials.ts";
import { FfiUnavailable } from "./types.ts";

/** The part of Deno's API that tells which machine this is. */
interface DenoBuild {
  Deno?: { build: { os: string; arch: string } };
}

const build = (globalThis as DenoBuild).Deno?.build;

/** What `process` calls the systems and architectures that Deno names differently. */
const NAMES: Partial<Record<string, string>> = { windows: "win32", x86_64: "x64", aarch64: "arm64" };

/** The running system, named as in `process.platform`. */
export const platform: string = build === undefined ? process.platform : (NAMES[build.os] ?? build.os);

/** The running architecture, named as in `process.arch`. */
export const arch: string = build === undefined ? process.arch : (NAMES[build.arch] ?? build.arch);

let loaded: ReturnType<typeof load> | undefined;

/**
 * Functions of the runtime's modules, captured together when something is first mapped: a function that is replaced later is
 * never called, and so cannot run in the middle of a resize.
 *
 * @throws {FfiUnavailable} This Node has no way to load them without an import.
 */
export function builtins(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

// Not by import: a static one would load the modules with the library, a dynamic one returns a promise.
function load() {
  const { process } = globalThis;
  const { getBuiltinModule, hrtime } = process;
  if (typeof getBuiltinModule !== "function") {
    throw new FfiUnavailable(`Node ${process.versions.node} is too old: run Node 20.16 or later, or 22.3 or later`);
  }
  const { Buffer, constants: limits, isAscii, isUtf8, transcode } = getBuiltinModule("node:buffer");
  const { channel } = getBuiltinModule("node:diagnostics_channel");
  const {
    closeSync,
    constants,
    fstatSync,
    ftruncateSync,
    lstatSync,
    mkdirSync,
    openSync,
    readFileSync,
    readSync,
    statSync,
    unlinkSync,
    writeSync,
  } = getBuiltinModule("node:fs");
  // Windows does not have all of them. A copy, because engines look up properties of `constants` slowly.
  const { O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY, O_RDWR } = constants;
  const { setImmediate, setTimeout } = getBuiltinModule("node:timers/promises");
  // Environments that replace the globals (jsdom) have no TextDecoder or TextEncoder among them.
  const { getSystemErrorMap, TextDecoder, TextEncoder } = utilitiesOfBun() ?? getBuiltinModule("node:util");
  // These four are loaded on first use, because most programs need none of them. All others are loaded now: Bun's modules call
  // built-ins while they load, and later these may have been replaced.
  const path = once(() => {
    const { resolve, win32 } = getBuiltinModule("node:path");
    return { resolve, toNamespacedPath: win32.toNamespacedPath };
  });
  const createRequire = once(() => getBuiltinModule("node:module").createRequire);
  const homedir = once(() => getBuiltinModule("node:os").homedir);
  const fileURLToPath = once(() => getBuiltinModule("node:url").fileURLToPath);
  return {
    Buffer,
    channel,
    closeSync,
    get createRequire() {
      return createRequire();
    },
    decode: TextDecoder.prototype.decode,
    get fileURLToPath() {
      return fileURLToPath();
    },
    /** Flags of `open`; 0 if the system does not have one. */
    fileFlags: { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR },
    fstatSync,
    ftruncateSync,
    getBuiltinModule: getBuiltinModule as (name: string) => object | undefined,
    getSystemErrorMap,
    get homedir() {
      return homedir();
    },
    isAscii,
    isMainThread: once(() => getBuiltinModule("node:worker_threads").isMainThread),
    isUtf8,
    lstatSync,
    maxStringLength: limits.MAX_STRING_LENGTH,
    mkdirSync,
    /** A monotonic clock, in milliseconds. */
    now(): number {
      const time = hrtime();
      return time[0] * 1000 + time[1] / 1e6;
    },
    openSync,
    process,
    readFileSync,
    ReadableStream: once(() => getBuiltinModule("node:stream/web").ReadableStream),
    readSync,
    get resolve() {
      return path().resolve;
    },
    setImmediate,
    setTimeout,
    statSync,
    TextDecoder,
    TextEncoder,
    get toNamespacedPath() {
      return path().toNamespacedPath;
    },
    /** Undefined where it decodes UTF-8 no faster than TextDecoder does: only before Node 24 is it faster. */
    transcode: NumberParseInt(process.versions.node, 10) < 24 ? transcode : undefined,
    unlinkSync,
    writeSync,
  };
}

type Utilities = Pick<typeof import("node:util"), "getSystemErrorMap" | "TextDecoder" | "TextEncoder">;

/** The part of Bun's `process` that is used here, and that no declarations have. */
interface BunProcess {
  binding(name: "uv"): { getErrorMap: Utilities["getSystemErrorMap"] };
}

/** What is used of `node:util`, where Bun itself has it. Loading the module would take a tenth of the time of a first map. */
function utilitiesOfBun(): Utilities | undefined {
  const { process } = globalThis;
  if (process.versions.bun === undefined) return undefined;
  try {
    const { getErrorMap } = (process as unknown as BunProcess).binding("uv");
    const getSystemErrorMap = once(getErrorMap);
    return { getSystemErrorMap, TextDecoder: BunTextDecoder as Utilities["TextDecoder"], TextEncoder: BunTextEncoder };
  } catch {
    // A Bun without this table, which is internal to it.
    return undefined;
  }
}

/** Where the library is, or the bundle that contains it: a URL; a path in CommonJS; `undefined` if it is in no file. */
export function libraryLocation(): string | undefined {
  return import.meta.url ?? (typeof __filename === "string" ? __filename : undefined);
}
