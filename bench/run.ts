/**
 * The benchmarks: runs each topic in every runtime, one after the other, and prints a table of each topic: a row for what is
 * compared, a column for each runtime. A run of everything is written to bench/results/.
 *
 *     npm run bench                                        everything
 *     npm run bench -- --only find,lines --runtime bun     some topics, some runtimes; writes nothing
 *     npm run bench -- --quick                             small sizes, within a minute, to see that it works; writes nothing
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, cpus, release, tmpdir, totalmem, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES, type Runtime } from "../tests/runtimes.ts";
import type { Figure, Growth, Missing } from "./harness.ts";
import { pythonVersion } from "./python.ts";
import { barChart, type Group, type Line, lineChart } from "./svg.ts";

const TOPICS = ["find", "lines", "regex", "read", "open", "views", "gc", "import"];

export type Outcome = { topic: string } & (Figure | Missing);

const parameters = process.argv.slice(2);
const quick = parameters.includes("--quick");
const only = chosen("--only", TOPICS);
const names = chosen(
  "--runtime",
  RUNTIMES.map(({ name }) => name),
);

function chosen(option: string, known: readonly string[]): string[] {
  const at = parameters.indexOf(option);
  if (at === -1) return [...known];
  const wanted = (parameters[at + 1] ?? "").split(",");
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new RangeError(`${option} must be some of ${known.join(", ")}: got "${unknown}"`);
  return wanted;
}

/** Deno colours its output wherever FORCE_COLOR is set, whatever to. */
const { FORCE_COLOR: _colour, ...uncoloured } = process.env;

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
    // What was measured before is kept.
    console.error(`${name}, ${topics}: ended with ${signal ?? status}: ${stderr}`);
    process.exitCode = 1;
  }
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Outcome);
}

/** Three digits that mean something. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function cell(outcome: Outcome | undefined): string {
  if (outcome === undefined) return "";
  if ("missing" in outcome) return "–";
  // Small sizes show that a benchmark works, and not whether its target is met.
  const mark = quick || outcome.target === undefined ? "" : outcome.value <= outcome.target ? " ✓" : " ✗";
  return `${digits(outcome.value)}${mark}`;
}

/** What a row is about; the same in every runtime. */
function rowOf({ name, peer }: Outcome): string {
  return peer === undefined ? name : `${name} / ${peer}`;
}

function printTable(topic: string, results: ReadonlyMap<string, Outcome[]>): void {
  const columns = [...results.keys()];
  const all = [...results].flatMap(([runtime, outcomes]) => outcomes.map((outcome) => ({ runtime, outcome })));
  const own = all.filter(({ outcome }) => outcome.topic === topic);
  const rows = [...new Set(own.map(({ outcome }) => rowOf(outcome)))];
  const width = Math.max(...rows.map((row) => row.length)) + 2;
  const line = (cells: string[]) =>
    cells.map((text, at) => (at === 0 ? text.padEnd(width) : text.padStart(12))).join("");
  console.log(`\n${line([topic, "at most", ...columns])}`);
  for (const row of rows) {
    const found = own.filter(({ outcome }) => rowOf(outcome) === row);
    const figure = found.map(({ outcome }) => outcome).find((outcome) => "unit" in outcome);
    const target = figure === undefined ? "" : `${figure.target ?? ""} ${figure.unit}`;
    console.log(
      line([row, target, ...columns.map((name) => cell(found.find((one) => one.runtime === name)?.outcome))]),
    );
  }
  for (const reason of new Set(own.flatMap(({ runtime, outcome }) => reasonOf(runtime, outcome)))) console.log(reason);
}

function reasonOf(runtime: string, outcome: Outcome): string[] {
  return "missing" in outcome ? [`– ${runtime}: ${rowOf(outcome)}: ${outcome.missing}`] : [];
}

function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${memory} GiB, ${type()} ${release()} ${arch()}`;
}

function versions(): Record<string, string> {
  const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, "tests", "runtimes", "package.json"), "utf8"));
  const { version } = JSON.parse(readFileSync(join(ROOT, "node_modules", "koffi", "package.json"), "utf8"));
  return { ...optionalDependencies, koffi: version, python: pythonVersion() ?? "none" };
}

/** What was measured of a topic, row by row. */
function groupsOf(topic: string, results: ReadonlyMap<string, Outcome[]>): Group[] {
  const groups = new Map<string, { name: string; unit: string; target?: number; bars: Group["bars"][number][] }>();
  for (const [runtime, outcomes] of results) {
    for (const outcome of outcomes) {
      if (outcome.topic !== topic || "missing" in outcome) continue;
      const name = rowOf(outcome);
      const { unit, target } = outcome;
      const group = groups.get(name) ?? { name, unit, ...(target === undefined ? {} : { target }), bars: [] };
      group.bars.push({ runtime, value: outcome.value });
      groups.set(name, group);
    }
  }
  return [...groups.values()];
}

/** How long one of ours takes, by what its cost may depend on; CPython's beside. */
function growthOf(what: Growth["with"], results: ReadonlyMap<string, Outcome[]>): Line[] {
  const lines: Line[] = [];
  for (const [name, outcomes] of results) {
    const all = outcomes.flatMap((outcome) =>
      "growth" in outcome && outcome.growth?.with === what ? [{ ...outcome, at: outcome.growth.to }] : [],
    );
    const [first] = all;
    const own = all.filter(({ peer }) => peer === first?.peer);
    lines.push({ name, points: own.map(({ at, ours = 0 }) => ({ at, value: ours / 1000 })) });
    const python = all.filter(({ peer }) => peer === "CPython");
    if (lines.length > 1 || python.length === 0) continue;
    lines.unshift({ name: "CPython", points: python.map(({ at, theirs = 0 }) => ({ at, value: theirs / 1000 })) });
  }
  return lines;
}

function write(into: string, results: ReadonlyMap<string, Outcome[]>): void {
  mkdirSync(into, { recursive: true });
  const head = { machine: machine(), command: "npm run bench", versions: versions() };
  const written = JSON.stringify({ ...head, results: Object.fromEntries(results) }, null, 2);
  writeFileSync(join(into, "results.json"), `${written}\n`);
  for (const topic of TOPICS) {
    writeFileSync(join(into, `${topic}.svg`), barChart(groupsOf(topic, results), [...results.keys()]));
  }
  const what = "open, read a byte, close: µs";
  writeFileSync(join(into, "size.svg"), lineChart(`${what}, by the file's bytes`, growthOf("bytes", results)));
  writeFileSync(join(into, "maps.svg"), lineChart(`${what}, by the maps that are open`, growthOf("maps", results)));
}

function runAll(folder: string): Map<string, Outcome[]> {
  const results = new Map<string, Outcome[]>();
  for (const runtime of RUNTIMES.filter(({ name }) => names.includes(name))) {
    if (runtime.missing !== undefined) {
      console.log(`${runtime.name}: not run: ${runtime.missing}`);
      continue;
    }
    const outcomes: Outcome[] = [];
    // A process for each topic, so that none meets another's garbage; a quick run has no use for that.
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

// The running topic gets the signal too, and that it ends is an error here: so the folder is removed.
process.on("SIGINT", () => {});
const folder = mkdtempSync(join(tmpdir(), "mmap-ffi-bench-"));
console.log(`${machine()}\nnpm run bench${parameters.length > 0 ? ` -- ${parameters.join(" ")}` : ""}`);
try {
  const results = runAll(folder);
  for (const topic of only) printTable(topic, results);
  const everything = only.length === TOPICS.length && names.length === RUNTIMES.length;
  // A quick run shows that the files can be written, and throws them away.
  if (everything) write(quick ? folder : join(ROOT, "bench", "results"), results);
} finally {
  rmSync(folder, { recursive: true });
}
