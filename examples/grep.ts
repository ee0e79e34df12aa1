/**
 * Prints the lines of a file, however large, that a regular expression matches, with their numbers.
 *
 *     node examples/grep.ts 'mmap[a-z]*' package.json
 *
 * @module
 */

import process from "node:process";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const [pattern, path] = process.argv.slice(2);
if (pattern === undefined || path === undefined) {
  console.error("usage: grep.ts PATTERN FILE");
  process.exit(2);
}
const decoder = new TextDecoder();
const NEWLINE = 10;

using mm = MMap.open(path);

/** How many newlines a part of the file has. A loop over its bytes: a call of `find` for each takes many times as long. */
function newlines(start: number, end: number): number {
  let count = 0;
  for (const chunk of mm.chunks(2 ** 20, start, end)) {
    for (let index = 0; index < chunk.length; index++) if (chunk[index] === NEWLINE) count++;
  }
  return count;
}

let line = 1;
let counted = 0;
let printedUpTo = 0;
for (const match of mm.matchAll(new RegExp(pattern, "m"))) {
  if (match.index < printedUpTo) continue;
  const start = mm.rfind("\n", 0, match.index) + 1;
  const newline = mm.find("\n", match.index);
  printedUpTo = newline === -1 ? mm.length : newline + 1;
  // Count the lines since the last match only.
  line += newlines(counted, start);
  counted = start;
  console.log(`${line}: ${decoder.decode(mm.slice(start, printedUpTo)).trimEnd()}`);
}
