/**
 * Other programs that search files: ripgrep and GNU grep, each started for each search, as `rg -o`.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { here, type Peer } from "./harness.ts";

const PROGRAMS: [name: string, command: string, flags: readonly string[]][] = [
  // Without line numbers, colours and the files that a folder's .gitignore names.
  ["ripgrep", "rg", ["--only-matching", "--no-config", "--no-filename", "--text", "--no-unicode", "--regexp"]],
  ["GNU grep", "grep", ["--only-matching", "--no-filename", "--text", "--perl-regexp"]],
];

/** How many matches a program prints, each on its line. */
function count(command: string, parameters: readonly string[]): number {
  const { stdout, stderr, status, error } = spawnSync(command, parameters, {
    env: { ...process.env, LC_ALL: "C" },
    maxBuffer: 2 ** 30,
  });
  if (error !== undefined) throw error;
  if (status === null || status > 1) throw new Error(`${command}: ${stderr}`);
  let lines = 0;
  for (let at = stdout.indexOf(10); at !== -1; at = stdout.indexOf(10, at + 1)) lines++;
  return lines;
}

/** The programs that count an expression's matches in a file, and those that are not installed. */
export function greps(pattern: string, path: string, target: number): { peers: Peer[]; missing: string[] } {
  const peers: Peer[] = [];
  const missing: string[] = [];
  for (const [name, command, flags] of PROGRAMS) {
    if (spawnSync(command, ["--version"]).error !== undefined) missing.push(name);
    else peers.push({ name: `${name} -o`, target, time: here(() => count(command, [...flags, pattern, path])) });
  }
  return { peers, missing };
}
