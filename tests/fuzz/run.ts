/**
 * Runs a fuzzer in one runtime or in all of them.
 *
 *     npm run fuzz -- --steps 1000000                     against CPython, in every runtime
 *     npm run fuzz -- --steps 1000000 --runtime bun       in this one; --runtime bun,deno in these
 *     npm run fuzz -- --seed 42                           what was found with a seed, again
 *     npm run fuzz -- --hostile                           the fuzzer of hostile calls, which needs no Python
 *     npm run fuzz -- --hostile --trace                   with each action on stderr before it is done
 *     npm run fuzz -- --regexp 100000                     the fuzzer of regular expressions, with so many of them
 *     npm run fuzz -- --regexp 100000 --trace             with the seed of each on stderr before it is tried
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ROOT, RUNTIMES, type Runtime } from "../helpers/runtimes.ts";

const { values } = parseArgs({
  options: {
    steps: { type: "string" },
    seed: { type: "string" },
    hostile: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    regexp: { type: "string" },
    runtime: { type: "string" },
  },
});

/** Files in memory, where there are any: flush waits for a disk, which says nothing about the library. */
const MEMORY = "/dev/shm";

/** Runs the fuzzer to its end; says whether it found nothing. */
function fuzz({ name, command, env, broken }: Runtime): boolean {
  if (broken !== undefined) {
    console.log(`${name}: ${broken}`);
    return false;
  }
  const [program, ...flags] = command as [string, ...string[]];
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const args = [
    ...(values.steps === undefined ? [] : ["--steps", values.steps]),
    ...(values.seed === undefined ? [] : ["--seed", values.seed]),
    ...(values.hostile ? ["--hostile"] : []),
    ...(values.trace ? ["--trace"] : []),
    ...(values.regexp === undefined ? [] : ["--regexp", values.regexp]),
  ];
  console.log(`\n=== ${name}\n`);
  const { status, signal } = spawnSync(program, [...flags, main, ...args], {
    cwd: ROOT,
    env: {
      ...process.env,
      ...env,
      MMAP_TEST_RUNTIME: name,
      NODE_NO_WARNINGS: "1",
      ...(existsSync(MEMORY) ? { TMPDIR: MEMORY } : {}),
    },
    stdio: "inherit",
  });
  if (status !== 0) console.log(`${name} ended with ${signal ?? status}`);
  return status === 0;
}

const wanted = values.runtime?.split(",");
const chosen = RUNTIMES.filter(({ name }) => wanted === undefined || wanted.includes(name));
for (const { name, missing } of chosen) if (missing !== undefined) console.log(`${name} is not run: ${missing}`);
const results = chosen.filter(({ missing }) => missing === undefined).map(fuzz);
process.exitCode = results.length > 0 && results.every(Boolean) ? 0 : 1;
