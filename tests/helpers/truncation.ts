/**
 * Programs that truncate files under their maps; each runs in a child process.
 *
 * @module
 */

import process from "node:process";
import { CODE } from "../../platform/sigbus/mod.ts";
import { WITHOUT_VIEWS } from "./runtimes.ts";
import { type ChildOptions, type Ended, newPath, printedBy, runChild } from "./support.ts";

/** Why no map is guarded here; false if maps are. */
export const UNGUARDED: string | false =
  process.platform !== "linux"
    ? "the guard is Linux's alone"
    : WITHOUT_VIEWS
      ? "the guard counts faults in a view"
      : !(process.arch in CODE) && `the guard has no machine code for ${process.arch}`;

/**
 * The start of the programs. `file` makes a file of N pages, of which each byte is 97; `cut` makes another process truncate it;
 * `failure` returns the code or the name of what a call throws.
 */
const PRELUDE = `
import { spawnSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import process from "node:process";
const PAGE = library.PAGESIZE;
let files = 0;
function file(pages) {
  const path = process.argv[2] + "-" + process.pid + "-" + files++;
  writeFileSync(path, new Uint8Array(pages * PAGE).fill(97));
  return path;
}
function cut(path, size) {
  const { status } = spawnSync("truncate", ["-s", String(size), path]);
  if (status !== 0) throw new Error("truncate failed");
}
function sum(bytes) {
  let sum = 0;
  for (let index = 0; index < bytes.length; index++) sum += bytes[index];
  return sum;
}
function failure(act) {
  try {
    return act() ?? "done";
  } catch (error) {
    return error.code ?? error.name;
  }
}
const print = (...values) => console.log(JSON.stringify(values));
`;

const program = (source: string): string => PRELUDE + source;

/** The values that each `print` of a program was given; fails unless it ended well. */
export function printed(source: string, options: ChildOptions = {}): unknown[][] {
  const lines = printedBy(program(source), { args: [newPath()], ...options });
  return lines.split("\n").map((line) => JSON.parse(line));
}

/** Runs a program to its end, however that comes. */
export function ended(source: string, options: ChildOptions = {}): Ended {
  return runChild(program(source), { args: [newPath()], ...options });
}

/** The code of errors for pages that the file no longer has. */
export const TRUNCATED = "ERR_MMAP_TRUNCATED";
