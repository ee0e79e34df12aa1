/**
 * What the library asks of the runtime besides C: which machine this is, and the runtime's own functions.
 *
 * Nothing is loaded for that when the library is imported, so that a program which may never map anything does not wait for
 * it. In Deno a mere look at `process` would start all that stands in for Node there, and take as long as an empty program.
 *
 * @module
 */

/** The part of Deno's API that says which machine this is. */
interface DenoBuild {
  Deno?: { build: { os: string; arch: string } };
}

const build = (globalThis as DenoBuild).Deno?.build;

/** Deno's names of what `process` calls otherwise. */
const NAMES: Partial<Record<string, string>> = { windows: "win32", x86_64: "x64", aarch64: "arm64" };

/** The running system, by its name in `process.platform`. */
export const platform: string = build === undefined ? process.platform : (NAMES[build.os] ?? build.os);

/** The running architecture, by its name in `process.arch`. */
export const arch: string = build === undefined ? process.arch : (NAMES[build.arch] ?? build.arch);

let loaded: ReturnType<typeof load> | undefined;

/**
 * The runtime's own functions, taken when something is first mapped, and all at once: what other code puts in their place
 * after that is never called, and so cannot answer in the middle of a resize.
 */
export function builtins(): ReturnType<typeof load> {
  loaded ??= load();
  return loaded;
}

// Not by import, which loads a module with the library, or gives no more than a promise of it.
function load() {
  const { process } = globalThis;
  const { Buffer } = process.getBuiltinModule("node:buffer");
  const { channel } = process.getBuiltinModule("node:diagnostics_channel");
  const { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, statSync, unlinkSync, writeSync } =
    process.getBuiltinModule("node:fs");
  const { createRequire } = process.getBuiltinModule("node:module");
  const { resolve, win32 } = process.getBuiltinModule("node:path");
  const { setTimeout } = process.getBuiltinModule("node:timers/promises");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  const { getSystemErrorMap } = process.getBuiltinModule("node:util");
  return {
    Buffer,
    channel,
    closeSync,
    fileURLToPath,
    fileFlags: constants,
    fstatSync,
    ftruncateSync,
    getSystemErrorMap,
    isMainThread: () => process.getBuiltinModule("node:worker_threads").isMainThread,
    openSync,
    process,
    readFileSync,
    /** Loads a module or package that not every runtime has. Made when it is called: Deno can't make it of a web address. */
    require: (name: string): unknown => createRequire(ownPlace())(name),
    resolve,
    setTimeout,
    statSync,
    toNamespacedPath: win32.toNamespacedPath,
    unlinkSync,
    writeSync,
  };
}

/**
 * Where packages are looked for from. Bundled into CommonJS, a module has no address, but the bundle's file has a path; and
 * code that is read from no file looks from the working directory.
 */
function ownPlace(): string {
  return import.meta.url ?? (typeof __filename === "string" ? __filename : `${process.cwd()}/`);
}
