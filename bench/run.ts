/**
 * The benchmarks: runs each topic in every runtime, one after the other, and prints a table per topic, with a row per
 * comparison and a column per runtime. A run of everything is written to bench/results/.
 *
 *     npm run bench                                        everything
 *     npm run bench -- --only find,lines --runtime bun     some topics, some runtimes; writes nothing
 *     npm run bench -- --quick                             small sizes, within a minute, to see that it works; writes nothing
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, release, tmpdir, totalmem, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT, RUNTIMES, type Runtime } from "../tests/helpers/runtimes.ts";
import { installedVersion, pinned } from "../tests/runners/machine.ts";
import { pythonVersion } from "./python.ts";
import { withFigures, withSummary } from "./readme.ts";
import { type Outcome, tableOf, textOf, write } from "./report.ts";

const TOPICS = ["find", "lines", "text", "regex", "read", "open", "views", "prefault", "sharing", "gc", "first"];

const parameters = process.argv.slice(2);
const { values } = parseArgs({
  args: parameters,
  options: { quick: { type: "boolean", default: false }, only: { type: "string" }, runtime: { type: "string" } },
});
const measured = commit();
const { quick } = values;
const only = chosen("only", TOPICS);
const names = chosen(
  "runtime",
  RUNTIMES.map(({ name }) => name),
);

function chosen(option: "only" | "runtime", known: readonly string[]): string[] {
  const wanted = values[option]?.split(",") ?? [...known];
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new RangeError(`--${option} must be some of ${known.join(", ")}: got "${unknown}"`);
  return wanted;
}

/** The environment without FORCE_COLOR, with which Deno colours its output, whatever its value. */
const { FORCE_COLOR: _colour, ...uncoloured } = process.env;

/** What is measured: the commit, with a plus if files were changed since. */
function commit(): string {
  const git = (...args: string[]) => spawnSync("git", args, { cwd: ROOT, encoding: "utf8" }).stdout.trim();
  return git("rev-parse", "--short=7", "HEAD") + (git("status", "--porcelain") === "" ? "" : "+");
}

/** Runs topics in one process of a runtime. */
function run({ name, command, env }: Runtime, topics: readonly string[], folder: string): Outcome[] {
  const [program, ...flags] = command as [string, ...string[]];
  const args = [...flags, join(ROOT, "bench", "topic.ts"), folder, topics.join(), ...(quick ? ["--quick"] : [])];
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    cwd: ROOT,
    env: { ...uncoloured, ...env, MMAP_TEST_RUNTIME: name, NODE_NO_WARNINGS: "1", NO_COLOR: "1" },
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) {
    // Keeps what was measured before.
    console.error(`${name}, ${topics}: ended with ${signal ?? status}: ${stderr}`);
    process.exitCode = 1;
  }
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => ({ ...JSON.parse(line), commit: measured }) as Outcome);
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${memory} GiB, ${type()} ${release()} ${arch()}`;
}

/** The versions of what ran, without the packages of runtimes for other machines. */
function versions(): Record<string, string> {
  const here = `-linux-${arch()}`;
  const runtimes = Object.entries(pinned())
    .filter(([name]) => !name.includes("-linux-") || name.endsWith(here))
    .map(([name, version]) => [name.replace(here, ""), version.replace(/^npm:.*@/, "")]);
  return { ...Object.fromEntries(runtimes), koffi: installedVersion("koffi"), python: pythonVersion() ?? "none" };
}

function runAll(folder: string): Map<string, Outcome[]> {
  const results = new Map<string, Outcome[]>();
  for (const runtime of RUNTIMES.filter(({ name }) => names.includes(name))) {
    if (runtime.broken !== undefined) throw new Error(`${runtime.name}: ${runtime.broken}`);
    if (runtime.missing !== undefined) {
      console.log(`${runtime.name}: not run: ${runtime.missing}`);
      continue;
    }
    const outcomes: Outcome[] = [];
    // A process per topic, so that none meets another's garbage. A quick run does not need that.
    for (const topics of quick ? [only] : only.map((topic) => [topic])) {
      const began = Date.now();
      const own = run(runtime, topics, folder);
      outcomes.push(...own);
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      console.log(`${runtime.name}: ${topics.join(", ")}: ${own.length} figures, ${seconds} s`);
    }
    results.set(runtime.name, outcomes);
  }
  return results;
}

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

// The running topic gets the signal too; when it ends, that is an error here, and the folder is removed.
process.on("SIGINT", () => {});
const folder = mkdtempSync(join(tmpdir(), "mmap-ffi-bench-"));
console.log(`${machine()}\nnpm run bench${parameters.length > 0 ? ` -- ${parameters.join(" ")}` : ""}`);
try {
  const results = runAll(folder);
  for (const topic of only) console.log(`\n${textOf(tableOf(topic, results, !quick))}`);
  const everything = only.length === TOPICS.length && names.length === RUNTIMES.length;
  // A quick run writes the files to check that it can, and deletes them.
  const head = { machine: machine(), command: "npm run bench", versions: versions() };
  if (everything) write(quick ? folder : join(ROOT, "bench", "results"), head, TOPICS, results);
  if (everything && !quick) {
    rewrite(join(ROOT, "README.md"), (text) => withSummary(text, results));
    rewrite(join(ROOT, "bench", "README.md"), (text) => withFigures(text, results));
  }
} finally {
  rmSync(folder, { recursive: true });
}
