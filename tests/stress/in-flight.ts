/**
 * Ends a map in every way while every operation works on a view of it, and prints what came of each. This is every
 * combination; tests/safety/in-flight has those that `npm test` runs.
 *
 *     in-flight [part of the operations' names] [endings: close,release,drop,grow,shrink,beside] [garbage: forced,natural]
 *
 * @module
 */

import process from "node:process";
import { ENDINGS, type Garbage } from "../safety/in-flight/harness.ts";
import { OPERATIONS } from "../safety/in-flight/operations.ts";
import { isSafe, runCases } from "../safety/in-flight/run.ts";

const [word = "", endings = Object.keys(ENDINGS).join(), garbage = "forced,natural"] = process.argv.slice(2);

let unsafe = 0;
let count = 0;
for (const operation of OPERATIONS) {
  const { name, missing } = operation;
  if (!name.includes(word)) continue;
  if (missing) {
    console.log(`${name} is not run: ${missing}`);
    continue;
  }
  const cases = endings
    .split(",")
    .flatMap((ending) => garbage.split(",").map((kind) => ({ operation: name, ending, garbage: kind as Garbage })));
  for (const result of runCases(cases)) {
    const safe = isSafe(result, operation);
    count++;
    if (!safe) unsafe++;
    const mark = safe ? "" : `  UNSAFE ${result.stderr}`;
    console.log(`${name.padEnd(44)}${result.ending.padEnd(8)}${result.garbage.padEnd(8)}${result.outcome}${mark}`);
  }
}
console.log(unsafe === 0 ? `${count} cases, and none saw other memory` : `${unsafe} of ${count} cases are unsafe`);
process.exit(unsafe === 0 ? 0 : 1);
