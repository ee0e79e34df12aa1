/**
 * A fuzzer in the runtime that runs this file; `run.ts` starts it.
 *
 * @module
 */

import { writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { FOLDER } from "../helpers/support.ts";
import { differential } from "./differential.ts";
import { hostile } from "./hostile.ts";
import { Peer, pythonMissing } from "./peer.ts";

const { values } = parseArgs({
  options: {
    steps: { type: "string" },
    seed: { type: "string" },
    hostile: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
  },
});
const steps = Number(values.steps ?? 10_000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));

async function againstPython(): Promise<string | undefined> {
  const missing = pythonMissing();
  if (missing !== undefined) return missing;
  const peer = new Peer(join(FOLDER, "theirs"));
  const { failure } = await differential(peer, FOLDER, { steps, seed });
  await peer.close();
  return failure;
}

/** Written at once: a crash leaves no time for it. */
const trace = (action: string) => writeSync(2, `${action}\n`);

console.log(`seed ${seed}`);
const began = Date.now();
const failure = await (values.hostile
  ? hostile(FOLDER, { steps, seed, ...(values.trace ? { trace } : {}) })
  : againstPython());
const seconds = ((Date.now() - began) / 1000).toFixed(1);
console.log(failure ?? `${steps} steps in ${seconds} s: nothing found`);
process.exitCode = failure === undefined ? 0 : 1;
