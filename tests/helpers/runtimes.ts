/**
 * The runtimes of the matrix: where npm put them, and how each runs a TypeScript file.
 *
 * @module
 */

import { existsSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The folder of the project. */
export const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** One runtime of the matrix. */
export interface Runtime {
  readonly name: string;
  /** The runtime's program, and what it needs before the file. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Why it can't be run on this machine, where it can't. */
  readonly missing?: string;
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

function runtime(name: string, found: string | undefined, flags: string[], env: Record<string, string> = {}): Runtime {
  if (found !== undefined) return { name, command: [...(MACHINE?.emulator ?? []), found, ...flags], env };
  const missing = `no package of it is installed for ${SYSTEM}`;
  return { name, command: [], env, missing };
}

function node(major: number): string | undefined {
  const name = `node${major}-${SYSTEM}`;
  return program(inPackage(name, "bin/node"), inPackage(name, "bin/node.exe"));
}

/** Node 20 and 22 take TypeScript through tsx; later ones by themselves. */
function flagsOf(major: number): string[] {
  return ["--expose-gc", ...(major < 24 ? ["--import", "tsx"] : [])];
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
  ...[20, 22, 24, 26].map((major) => runtime(`node${major}`, node(major), flagsOf(major))),
  runtime("node26-ffi", node(26), flagsOf(26), { MMAP_FFI: "node" }),
  runtime("bun", bun(), []),
  runtime("deno", deno(), ["run", "-A", "--v8-flags=--expose-gc"]),
];

/** The runtime that this file runs in. */
export function currentRuntime(): Runtime {
  const name = process.env.MMAP_TEST_RUNTIME ?? guess();
  return RUNTIMES.find((one) => one.name === name) ?? { name, command: [process.execPath], env: {} };
}

function guess(): string {
  const { bun: bunVersion, deno: denoVersion, node: nodeVersion } = process.versions;
  if (bunVersion !== undefined) return "bun";
  if (denoVersion !== undefined) return "deno";
  return `node${Number.parseInt(nodeVersion, 10)}${process.env.MMAP_FFI === "node" ? "-ffi" : ""}`;
}
