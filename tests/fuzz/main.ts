/**
 * A fuzzer in the runtime that runs this file; `run.ts` starts it.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { FOLDER } from "../support.ts";
import { differential } from "./differential.ts";
import { Peer, pythonMissing } from "./peer.ts";

const { values } = parseArgs({
  options: { steps: { type: "string" }, seed: { type: "string" }, hostile: { type: "boolean", default: false } },
});
const steps = Number(values.steps ?? 10_000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));

console.log(`seed ${seed}`);
const missing = pythonMissing();
if (missing !== undefined) throw new Error(missing);
const peer = new Peer(`${FOLDER}/theirs`);
const began = Date.now();
const report = await differential(peer, FOLDER, { steps, seed });
await peer.close();
console.log(report.failure ?? `${report.steps} steps agreed in ${((Date.now() - began) / 1000).toFixed(1)} s`);
process.exitCode = report.failure === undefined ? 0 : 1;
