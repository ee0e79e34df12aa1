/**
 * Runs the suite in runtimes, a few at once, prints a table with a row for each, and sets the process's exit code. A runtime
 * that cannot be started is a failure. One that has no package for this machine is printed as not run, with that reason.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { MACHINE, ROOT, type Runtime } from "../helpers/runtimes.ts";

/** How long one runtime may take: far more than it should. */
const TIME_LIMIT = (MACHINE?.emulated ? 60 : 30) * 60 * 1000;

/** The suite's file, as the runtimes that run on this system find it. */
const SUITE = join(ROOT, "tests", "all.ts");

/** Without FORCE_COLOR: if it is set, even to 0, Deno colours its output. */
const { FORCE_COLOR: _colour, ...uncoloured } = process.env;

interface Outcome {
  runtime: Runtime;
  passed: number;
  failed: number;
  skipped: string[];
  seconds: number;
  /** What went wrong outside the tests. */
  trouble?: string;
  output: string;
}

function runSuite(runtime: Runtime, suite: string, words: string[]): Promise<Outcome> {
  if (runtime.broken !== undefined) {
    const { broken } = runtime;
    return Promise.resolve({ runtime, passed: 0, failed: 1, skipped: [], seconds: 0, output: broken, trouble: broken });
  }
  const [program, ...flags] = runtime.command as [string, ...string[]];
  const began = Date.now();
  return new Promise((resolve) => {
    const child = spawn(program, [...flags, suite, ...words], {
      cwd: ROOT,
      env: { ...uncoloured, ...runtime.env, MMAP_TEST_RUNTIME: runtime.name, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const collect = (data: Buffer) => {
      output += data;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = setTimeout(() => child.kill("SIGKILL"), TIME_LIMIT);
    const finish = (trouble: string | undefined) => {
      clearTimeout(timer);
      // A test that is skipped while it runs has passed for uvu.
      const late = [...output.matchAll(/^skipped late: /gm)].length;
      const total = Number(/^ {2}Total: +(\d+)$/m.exec(output)?.[1] ?? 0) - late;
      const passed = Number(/^ {2}Passed: +(\d+)$/m.exec(output)?.[1] ?? 0) - late;
      const skipped = [...output.matchAll(/^skipped(?: late)?: (.*)$/gm)].map((match) => match[1] as string);
      const said = total === 0 ? (trouble ?? "ran no test") : total === passed ? trouble : undefined;
      const failed = total - passed + (said === undefined ? 0 : 1);
      const seconds = (Date.now() - began) / 1000;
      resolve({ runtime, passed, failed, skipped, seconds, output, ...(said === undefined ? {} : { trouble: said }) });
    };
    child.on("error", (error) => finish(String(error)));
    child.on("close", (code, signal) => finish(code === 0 ? undefined : `ended with ${signal ?? code}`));
  });
}

/** Starts jobs in their order, and runs `atOnce` of them at a time. */
async function inTurn<T>(jobs: (() => Promise<T>)[], atOnce: number): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < jobs.length) {
      const index = next++;
      results[index] = await (jobs[index] as () => Promise<T>)();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

function row(cells: (string | number)[]): string {
  const widths = [12, 8, 8, 8, 9];
  return cells
    .map((cell, index) => (index === 0 ? String(cell).padEnd(12) : String(cell).padStart(widths[index] ?? 0)))
    .join("");
}

/**
 * Runs the suite.
 *
 * @param runtimes The runtimes to choose from.
 * @param parameters The command line: `--only` with names of runtimes, then words of which the names of the test files
 * contain one.
 * @param suite The suite's file, as the runtimes find it.
 */
export async function runMatrix(
  runtimes: readonly Runtime[],
  parameters: readonly string[],
  suite = SUITE,
): Promise<void> {
  const words = [...parameters];
  const only = words[0] === "--only" ? (words.splice(0, 2)[1] ?? "").split(",") : undefined;
  for (const name of only ?? []) {
    if (!runtimes.some((runtime) => runtime.name === name)) throw new Error(`no runtime is named ${name}`);
  }
  const chosen = runtimes.filter(({ name }) => only === undefined || only.includes(name));
  const present = chosen.filter(({ missing }) => missing === undefined);

  const outcomes = await inTurn(
    present.map((runtime) => async () => {
      const outcome = await runSuite(runtime, suite, words);
      console.log(`\n=== ${runtime.name}\n\n${outcome.output.trimEnd()}`);
      return outcome;
    }),
    Math.min(2, availableParallelism()),
  );

  console.log(`\n${row(["runtime", "passed", "failed", "skipped", "seconds"])}`);
  for (const { runtime, passed, failed, skipped, seconds, trouble } of outcomes) {
    console.log(
      row([runtime.name, passed, failed, skipped.length, seconds.toFixed(1)]) + (trouble ? `  ${trouble}` : ""),
    );
  }
  for (const { name, missing } of chosen) {
    if (missing !== undefined) console.log(`${row([name, "-", "-", "-", "-"])}  not run: ${missing}`);
  }
  const sum = (count: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const [passed, failed] = [sum((one) => one.passed), sum((one) => one.failed)];
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}
