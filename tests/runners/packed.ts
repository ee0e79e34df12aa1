/**
 * The library as npm gets it, for the runners that test what is published.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../helpers/runtimes.ts";

export interface Packed {
  /** The path of the archive. */
  readonly tarball: string;
  /** The paths of the files in it. */
  readonly files: readonly string[];
}

/** Runs npm, and returns what it prints. */
export function npm(args: readonly string[], cwd: string): string {
  return execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

/** Builds and packs the library into a folder. */
export function packLibrary(folder: string): Packed {
  npm(["run", "build"], ROOT);
  // Without the scripts, whose output would stand before the JSON.
  const [packed] = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], ROOT)) as {
    filename: string;
    files: { path: string }[];
  }[];
  if (packed === undefined) throw new Error("npm packed nothing");
  return { tarball: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** Installs the packed library into a folder that has a package.json. */
export function installPacked(folder: string, { tarball }: Packed): void {
  npm(["install", "--no-audit", "--no-fund", tarball], folder);
}
