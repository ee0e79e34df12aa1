/**
 * Runs a stress program in one runtime or in all of them, one after the other.
 *
 *     npm run stress -- cycles                            a million maps, opened, used and closed
 *     npm run stress -- maps                              100,000 maps open at once
 *     npm run stress -- share                             64 workers and 16 processes share a file for a minute
 *     npm run stress -- interrupted                       limits, full disks, and what can't be mapped
 *     npm run stress -- durability                        a writer that is killed a thousand times
 *     npm run stress -- viewed                            a million maps, opened, viewed and closed in one loop
 *     npm run stress -- in-flight                         every operation of the runtime on a view whose map ends
 *     npm run stress -- serve                             10,000 requests to a server that answers from maps
 *     npm run stress -- tokens                            a million tokens, between every pair of runtimes
 *     npm run stress -- mutex                             a thousand owners of a mutex, killed
 *     npm run stress -- atomics                           Atomics on maps, in every compiler of the engine
 *     npm run stress -- share --runtime bun,deno 4 2 1    in these runtimes, with these sizes
 *
 * What the sizes are stands at the beginning of each program beside this file.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ROOT, RUNTIMES, type Runtime } from "../helpers/runtimes.ts";
import { commandFor } from "../helpers/support.ts";

const { values, positionals } = parseArgs({ options: { runtime: { type: "string" } }, allowPositionals: true });
const [name = "", ...sizes] = positionals;
const PROGRAMS = [
  "cycles",
  "maps",
  "share",
  "interrupted",
  "durability",
  "viewed",
  "in-flight",
  "serve",
  "tokens",
  "mutex",
  "atomics",
];
if (!PROGRAMS.includes(name)) throw new Error(`which? One of ${PROGRAMS.join(", ")}`);
const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));

/** Runs the program to its end; says whether it found nothing. */
function stress(runtime: Runtime): boolean {
  if (runtime.broken !== undefined) {
    console.log(`${runtime.name}: ${runtime.broken}`);
    return false;
  }
  const began = Date.now();
  console.log(`\n=== ${name}, ${runtime.name}\n`);
  const { program, args, env } = commandFor(file, { runtime, args: sizes });
  const { status, signal } = spawnSync(program, args, { cwd: ROOT, env, stdio: "inherit" });
  console.log(`${runtime.name} ended with ${signal ?? status} after ${((Date.now() - began) / 1000).toFixed(0)} s`);
  return status === 0;
}

const wanted = values.runtime?.split(",");
const chosen = RUNTIMES.filter((one) => wanted === undefined || wanted.includes(one.name));
for (const { name, missing } of chosen) if (missing !== undefined) console.log(`${name} is not run: ${missing}`);
const results = chosen.filter(({ missing }) => missing === undefined).map(stress);
process.exitCode = results.length > 0 && results.every(Boolean) ? 0 : 1;
