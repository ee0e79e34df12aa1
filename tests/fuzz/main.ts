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
import { fuzzRegExps } from "./regexp.ts";

const { values } = parseArgs({
  options: {
    steps: { type: "string" },
    seed: { type: "string" },
    hostile: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    regexp: { type: "string" },
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
const tracing = values.trace ? { trace } : {};

function regularExpressions(cases: number): string | undefined {
  const { refused, matched, contradictions, failure } = fuzzRegExps({ cases, seed, ...tracing });
  console.log(`${matched} of ${cases} cases had a match; ${refused} expressions are not valid here`);
  for (const one of contradictions) console.log(`the engine contradicts itself: ${one}`);
  return failure;
}

console.log(`seed ${seed}`);
const began = Date.now();
let failure: string | undefined;
if (values.regexp !== undefined) failure = regularExpressions(Number(values.regexp));
else if (values.hostile) failure = await hostile(FOLDER, { steps, seed, ...tracing });
else failure = await againstPython();
const seconds = ((Date.now() - began) / 1000).toFixed(1);
const done = values.regexp === undefined ? `${steps} steps` : `${values.regexp} expressions`;
console.log(failure ?? `${done} in ${seconds} s: nothing found`);
process.exitCode = failure === undefined ? 0 : 1;
