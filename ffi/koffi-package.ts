/**
 * Finds koffi, of which only the native part is needed: one small package for each machine has it.
 *
 * koffi's own JavaScript adds deprecated functions to it, takes longer to load than the native part, and comes in a package
 * with an install script, which some package managers refuse to run. It is used if nothing else is installed.
 *
 * @module
 */

import { arch, builtins, libraryLocation, platform } from "./builtins.ts";
import { ArrayPrototypeIncludes, define, StringPrototypeStartsWith } from "./primordials.ts";
import { CodedError, type Ffi } from "./types.ts";

/** A C function. `async` calls it in one of libuv's threads, and takes a callback as the last argument. */
export interface KoffiFunction {
  (...values: never[]): unknown;
  async(...values: never[]): void;
}

/** The part of koffi that is used here. */
export interface Koffi {
  readonly version: string;
  load(library: string): { func(name: string, result: string, parameters: string[]): KoffiFunction };
  /** Takes an address, or what `alloc` returns. */
  readonly view: (address: unknown, length: number) => ReturnType<Ffi["view"]>;
  readonly alloc: (type: string, length: number) => unknown;
  readonly decode: (address: number, type: string) => unknown;
}

/** The package with koffi's native part for this machine. */
const KOFFI_PACKAGE: string = `@koromix/koffi-${platform}-${arch}`;

/**
 * Loads the first koffi that works.
 *
 * @throws {CodedError} None works. The message names one that was found but is broken or too old, and lists the folders.
 * @throws {Error} The first one that was found does not load.
 */
export function loadKoffi(): Koffi {
  const folders: string[] = [];
  let failure: unknown;
  for (let place = 0; place < 4; place++) {
    const folder = searchedFolder(place);
    if (folder === undefined || ArrayPrototypeIncludes(folders, folder)) continue;
    define(folders, folders.length, folder);
    for (let which = 0; which < 2; which++) {
      try {
        const koffi = loadFrom(folder, which === 0 ? KOFFI_PACKAGE : "koffi");
        if (koffi !== undefined) return koffi;
      } catch (error) {
        failure ??= error;
      }
    }
  }
  if (failure !== undefined && !(failure instanceof CodedError)) throw failure;
  const { code, message } = failure ?? new CodedError("MODULE_NOT_FOUND", "no FFI found to call C with");
  throw new CodedError(code, `${message}: npm install ${KOFFI_PACKAGE} (searched from ${folders.join(", ")})`);
}

/**
 * A folder from which packages are resolved, as Node does: in its `node_modules`, and in those of the folders above it. The
 * first is that of the library, or of the bundle that contains it. Bundlers may replace that location by a path on the machine
 * that they run on, so the folders of the program and the runtime (a single executable is both) and the working directory
 * follow.
 */
function searchedFolder(place: number): string | undefined {
  const { fileURLToPath, process, resolve } = builtins();
  let file: string | undefined;
  if (place === 0) {
    file = libraryLocation();
    if (file !== undefined && StringPrototypeStartsWith(file, "file:")) file = fileURLToPath(file);
  } else if (place === 1) file = process.argv[1];
  else if (place === 2) file = process.execPath;
  else file = "program";
  return file === undefined ? undefined : resolve(file, "..");
}

/** Returns `undefined` if the package is not installed. */
function loadFrom(folder: string, name: string): Koffi | undefined {
  const require = builtins().createRequire(builtins().resolve(folder, "program"));
  let path: string;
  try {
    path = require.resolve(name);
  } catch (error) {
    if ((error as { code?: string }).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
  let koffi: Partial<Koffi>;
  try {
    koffi = require(path) as Partial<Koffi>;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    // The package is installed, but its native part is missing.
    if (code !== "MODULE_NOT_FOUND") throw error;
    throw new CodedError("ERR_KOFFI_BROKEN", `${path} does not load: ${message.split("\n", 1)[0]}`);
  }
  const { load, version, view } = koffi;
  if (typeof load === "function" && typeof view === "function" && StringPrototypeStartsWith(`${version}`, "3.")) {
    return koffi as Koffi;
  }
  throw new CodedError("ERR_KOFFI_VERSION", `koffi 3 is needed, and ${path} is koffi ${version}`);
}
