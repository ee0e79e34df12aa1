/**
 * Runs topics in this runtime, and prints each figure as a line of JSON.
 *
 *     topic.ts FOLDER TOPIC,… [--quick]
 *
 * @module
 */

import process from "node:process";
import { Data } from "./data.ts";
import { Bench, type Effort } from "./harness.ts";
import { endPython } from "./python.ts";

const [folder = "", topics = "", ...flags] = process.argv.slice(2);
const quick = flags.includes("--quick");
const effort: Effort = quick ? { rounds: 1, sample: 5e5, warmUp: 0 } : { rounds: 5, sample: 3e7, warmUp: 3e8 };

for (const topic of topics.split(",")) {
  const { default: run } = await import(new URL(`./${topic}.ts`, import.meta.url).href);
  const bench = new Bench(quick, effort, (figure) => console.log(JSON.stringify({ topic, ...figure })));
  await run(bench, new Data(folder));
}
endPython();
