/**
 * The runtimes of the matrix: where npm put them, and how each runs a TypeScript file.
 *
 * @module
 */

import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The folder of the project. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** One runtime of the matrix. */
export interface Runtime {
  readonly name: string;
  /** The runtime's program, and what it needs before the file. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Why it can't be run on this machine: there is no package of it for this machine. */
  readonly missing?: string;
  /** Why it can't be run although there is a package of it. Whatever wants to run it has failed. */
  readonly broken?: string;
}

/** A machine that is emulated: the tests run the runtimes of its kind. */
export interface Machine {
  /** The kind of machine, as npm's packages name it. */
  readonly system: string;
  /** The folder in whose `node_modules` the runtimes' packages are. */
  readonly folder: string;
  /** The command that runs a program of that machine. */
  readonly emulator: readonly string[];
  /** Whether QEMU stands for its processor: it takes many times as long, and answers some system calls itself. */
  readonly emulated?: boolean;
  /** Whether its Node strips no types, whatever its version: Debian's does not. */
  readonly keepsTypes?: boolean;
}

const { MMAP_TEST_MACHINE } = process.env;

/** The emulated machine, or undefined for the real one. Child processes inherit it. */
export const MACHINE = MMAP_TEST_MACHINE === undefined ? undefined : (JSON.parse(MMAP_TEST_MACHINE) as Machine);

const SYSTEM = MACHINE?.system ?? `${process.platform}-${process.arch}`;

const require = createRequire(MACHINE === undefined ? import.meta.url : join(MACHINE.folder, "package.json"));

/** The folder of an installed package, or undefined. */
function packageFolder(name: string): string | undefined {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}

/** The first of the files that is a program, and not the script that npm's packages have in its place until they install. */
function program(...files: (string | undefined)[]): string | undefined {
  return files.find((file) => file !== undefined && existsSync(file) && statSync(file).size > 1_000_000);
}

function inPackage(name: string, file: string): string | undefined {
  const folder = packageFolder(name);
  return folder && join(folder, file);
}

/** One runtime: `found` is its program, and `known` says whether there is a package of it for this machine. */
function runtime(
  name: string,
  found: string | undefined,
  known: boolean,
  flags: string[],
  env: Record<string, string> = {},
): Runtime {
  if (found !== undefined) return { name, command: [...(MACHINE?.emulator ?? []), found, ...flags], env };
  if (!known) return { name, command: [], env, missing: `there is no package of it for ${SYSTEM}` };
  return { name, command: [], env, broken: `its program for ${SYSTEM} is not installed` };
}

/** The packages that the matrix pins: of Node, one for each system. */
const PINNED: Record<string, string> = JSON.parse(
  readFileSync(join(ROOT, "tests", "runtimes", "package.json"), "utf8"),
).optionalDependencies;

/** The versions of Node that the machine has by itself: `MMAP_TEST_NODE` is `20=/path/to/node,22=/path/to/another`. */
const OWN_NODES = new Map<string, string>(
  (process.env.MMAP_TEST_NODE ?? "").split(",").map((entry) => {
    const [major = "", path = ""] = entry.split(/=(.*)/);
    return [major, path];
  }),
);

function node(major: number, name = `node${major}`, env: Record<string, string> = {}): Runtime {
  const own = OWN_NODES.get(String(major));
  const pinned = `node${major}-${SYSTEM}`;
  const found = own ?? program(inPackage(pinned, "bin/node"), inPackage(pinned, "bin/node.exe"));
  return runtime(name, found, pinned in PINNED, flagsOf(major), env);
}

/** Whether this process is the Node that forbids views. */
export const WITHOUT_VIEWS: boolean = process.env.MMAP_TEST_RUNTIME === "node24-copies";

/** The systems that npm has Bun and Deno for. */
const BUN_SYSTEMS = /^(linux|darwin|win32)-(x64|arm64)(-musl)?$/;
const DENO_SYSTEMS = /^(linux|darwin|win32)-(x64|arm64)$/;

const DENO_FLAGS = ["run", "-A", "--v8-flags=--expose-gc"];

/** Node 20 and 22 take TypeScript through tsx; later ones by themselves, unless they keep types. */
function flagsOf(major: number): string[] {
  return ["--expose-gc", ...(major < 24 || MACHINE?.keepsTypes ? ["--import", "tsx"] : [])];
}

function bun(): string | undefined {
  const system = `bun-${SYSTEM.replace("arm64", "aarch64").replace("win32", "windows")}`;
  return program(
    inPackage("bun", "bin/bun.exe"),
    inPackage(`@oven/${system}`, "bin/bun"),
    inPackage(`@oven/${system}-baseline`, "bin/bun"),
    inPackage(`@oven/${system}-baseline`, "bin/bun.exe"),
  );
}

function deno(): string | undefined {
  return program(
    inPackage("deno", "deno"),
    inPackage(`@deno/${SYSTEM}-glibc`, "deno"),
    inPackage(`@deno/${SYSTEM}`, "deno"),
    inPackage(`@deno/${SYSTEM}`, "deno.exe"),
  );
}

/** The matrix. */
export const RUNTIMES: readonly Runtime[] = [
  ...[20, 22, 24, 26].map((major) => node(major)),
  node(26, "node26-ffi", { MMAP_FFI: "node" }),
  runtime("bun", bun(), BUN_SYSTEMS.test(SYSTEM), []),
  runtime("deno", deno(), DENO_SYSTEMS.test(SYSTEM), DENO_FLAGS),
];

/** A Node that forbids ArrayBuffers over memory that C owns, as Electron does. The suite runs in it too. */
export const NODE_WITHOUT_VIEWS: Runtime = withoutViews(node(24));

function withoutViews({ command, ...rest }: Runtime): Runtime {
  const flags = ["--import", pathToFileURL(join(ROOT, "tests", "helpers", "without-views.ts")).href];
  return { ...rest, name: "node24-copies", command: command.length > 0 ? [...command, ...flags] : [] };
}

/** The runtime that this file runs in; this process's own program where the pinned one is not installed. */
export function currentRuntime(): Runtime {
  const name = process.env.MMAP_TEST_RUNTIME ?? guess();
  const known = [...RUNTIMES, NODE_WITHOUT_VIEWS].find((one) => one.name === name);
  if (known !== undefined && known.command.length > 0) return known;
  const { bun: bunVersion, deno: denoVersion, node: nodeVersion } = process.versions;
  const ofNode = bunVersion === undefined ? flagsOf(Number.parseInt(nodeVersion, 10)) : [];
  const flags = denoVersion === undefined ? ofNode : DENO_FLAGS;
  return { name, command: [process.execPath, ...flags], env: known?.env ?? {} };
}

function guess(): string {
  const { bun: bunVersion, deno: denoVersion, node: nodeVersion } = process.versions;
  if (bunVersion !== undefined) return "bun";
  if (denoVersion !== undefined) return "deno";
  return `node${Number.parseInt(nodeVersion, 10)}${process.env.MMAP_FFI === "node" ? "-ffi" : ""}`;
}
