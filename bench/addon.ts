/**
 * `@riaskov/mmap-io`, the add-on for Node that still builds, on Node 20. Installing compiles it, which not every
 * machine can do, so it is not a dependency of the project: it is installed into a separate folder on first use.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";

const PACKAGE = "@riaskov/mmap-io";
const VERSION = "1.4.3";

export interface MmapIo {
  map(size: number, protection: number, privacy: number, fd: number): Uint8Array;
  readonly PROT_READ: number;
  readonly MAP_SHARED: number;
}

const FOLDER = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mmap-ffi", "bench");

/** The add-on, or the reason why there is none. A quick run installs nothing. */
export function mmapIo(quick: boolean): MmapIo | { missing: string } {
  const { node, bun, deno } = process.versions;
  if (bun !== undefined || deno !== undefined || !node.startsWith("20.")) {
    return { missing: "the add-on can be built for Node 20 alone" };
  }
  const require = createRequire(join(FOLDER, "package.json"));
  try {
    return require(PACKAGE);
  } catch {
    if (quick) return { missing: "the add-on is not installed, and a quick run installs nothing" };
  }
  mkdirSync(FOLDER, { recursive: true });
  // npm runs in, and builds for, the first Node in PATH.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
  const args = ["install", "--prefix", FOLDER, `${PACKAGE}@${VERSION}`];
  const { status, stderr } = spawnSync("npm", args, { env, encoding: "utf8", timeout: 180_000 });
  try {
    return require(PACKAGE);
  } catch (error) {
    const said = status === 0 ? String(error) : stderr.trim().split("\n").at(-1);
    return { missing: `the add-on could not be installed: ${said}` };
  }
}
