/**
 * Prints the lines that are appended to a log, as `tail -F` does: while it grows, after it was truncated in place, and after
 * it was renamed and another file has got its name.
 *
 *     follow.ts FILE [MILLISECONDS]      looks every so many milliseconds; by default 200
 *
 * @module
 */

import { statSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const [path = "", interval = "200"] = process.argv.slice(2);
if (path === "") {
  console.error("usage: follow.ts FILE [MILLISECONDS]");
  process.exit(2);
}

/** Which file has the name now; undefined if none has. */
const fileNumber = () => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;

let number = fileNumber();
let log = MMap.open(path);
/** Up to where the log was printed, in bytes. */
let printed = 0;

/** Prints the whole lines that the mapped file has more than before. */
function printNew(): void {
  if (log.size() !== log.length) log.remap();
  if (log.length < printed) printed = 0;
  const end = log.rfind("\n", printed) + 1;
  for (const line of log.textLines(printed, end)) console.log(line);
  printed = Math.max(printed, end);
}

for (;;) {
  const current = fileNumber();
  // The end of the old file comes before the new one.
  printNew();
  if (current !== undefined && current !== number) {
    log.close();
    log = MMap.open(path);
    number = current;
    printed = 0;
    continue;
  }
  await setTimeout(Number(interval));
}
