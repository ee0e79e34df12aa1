/**
 * `npm run demo`: runs examples/demo.ts in every runtime of the matrix.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES } from "../helpers/runtimes.ts";

for (const { name, command, env, missing, broken } of RUNTIMES) {
  const reason = missing ?? broken;
  console.log(`${name}${reason === undefined ? "" : `: not run: ${reason}`}`);
  if (broken !== undefined) process.exitCode = 1;
  if (reason !== undefined) continue;
  const [program, ...flags] = command as [string, ...string[]];
  const { status, signal } = spawnSync(program, [...flags, join(ROOT, "examples", "demo.ts")], {
    cwd: ROOT,
    env: { ...process.env, ...env, NODE_NO_WARNINGS: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) {
    console.log(`  ended with ${signal ?? status}`);
    process.exitCode = 1;
  }
}
