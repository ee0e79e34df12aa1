/**
 * What the examples of formats need: the libraries, which are no dependencies of this project, copies of the programs beside
 * them, and files for the programs to read.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES, type Runtime } from "../helpers/runtimes.ts";
import { cacheFolder, run } from "./machine.ts";

const EXAMPLES = "examples/formats";
const PROGRAMS = "tests/formats";

/** How the programs import the library. */
const LIBRARY = '"../../lib/mod.ts"';

/** The folder of the libraries, and of the programs in its `examples/formats` and `tests/formats`. */
const folder = cacheFolder("formats");

/** A program of `examples/formats` or `tests/formats`, where it finds the libraries. */
export const exampleFile = (name: string): string => join(folder, EXAMPLES, name);
export const programFile = (name: string): string => join(folder, PROGRAMS, name);

/** Installs the libraries with the versions of the lock file, unless they are there. */
function installLibraries(): void {
  const lock = readFileSync(join(ROOT, EXAMPLES, "package-lock.json"), "utf8");
  const installed = join(folder, "installed.json");
  if (existsSync(installed) && readFileSync(installed, "utf8") === lock) return;
  for (const name of ["package.json", "package-lock.json"]) {
    copyFileSync(join(ROOT, EXAMPLES, name), join(folder, name));
  }
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder);
  writeFileSync(installed, lock);
}

/** Copies the programs to the libraries; they import the library by its path. */
function copyPrograms(): void {
  for (const part of [EXAMPLES, PROGRAMS]) {
    rmSync(join(folder, part), { recursive: true, force: true });
    mkdirSync(join(folder, part), { recursive: true });
    for (const name of readdirSync(join(ROOT, part)).filter((name) => /\.ts$|^tsconfig/.test(name))) {
      const source = readFileSync(join(ROOT, part, name), "utf8");
      const path = JSON.stringify(join(ROOT, "lib", "mod.ts"));
      writeFileSync(join(folder, part, name), source.replace(LIBRARY, path));
    }
  }
}

/** Installs the libraries and copies the programs. */
export function setUp(): string {
  if (process.platform === "win32") throw new Error("this installs and runs the libraries on Linux and macOS only");
  installLibraries();
  copyPrograms();
  return folder;
}

/** The runtimes that can be run here. */
export function presentRuntimes(): Runtime[] {
  for (const { name, missing } of RUNTIMES) if (missing !== undefined) console.log(`skipped: ${name}: ${missing}`);
  for (const { name, broken } of RUNTIMES) if (broken !== undefined) throw new Error(`${name}: ${broken}`);
  return RUNTIMES.filter(({ missing }) => missing === undefined);
}

/** Makes the files, small or large, in a folder. */
export function makeFiles(target: string, size: "small" | "large"): void {
  const node = presentRuntimes().find(({ name }) => name === "node24") as Runtime;
  const [program, ...flags] = node.command as [string, ...string[]];
  execFileSync(program, [...flags, programFile("make.ts"), target, size], { cwd: ROOT, stdio: "inherit" });
}
