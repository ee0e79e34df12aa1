/**
 * Prints the lines of a file, however large, that a regular expression matches, with their numbers.
 *
 *     node examples/grep.ts 'mmap[a-z]*' package.json
 *
 * @module
 */

import process from "node:process";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const [pattern = "mmap", path = "package.json"] = process.argv.slice(2);
const decoder = new TextDecoder();
const NEWLINE = "\n";

using mm = MMap.open(path);

let line = 1;
let counted = 0;
let printedUpTo = 0;
for (const match of mm.matchAll(new RegExp(pattern, "m"))) {
  if (match.index < printedUpTo) continue;
  const start = mm.rfind(NEWLINE, 0, match.index) + 1;
  const newline = mm.find(NEWLINE, match.index);
  printedUpTo = newline === -1 ? mm.length : newline + 1;
  // Count the lines since the last match only.
  for (let at = mm.find(NEWLINE, counted, start); at !== -1; at = mm.find(NEWLINE, counted, start)) {
    line++;
    counted = at + 1;
  }
  console.log(`${line}: ${decoder.decode(mm.slice(start, printedUpTo)).trimEnd()}`);
}
