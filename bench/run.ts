/**
 * The benchmarks: runs bench/basics.ts in every runtime, one after the other, prints a table, and writes it to
 * bench/results/basics.json.
 *
 *     npm run bench              all of it
 *     npm run bench -- --quick   within a minute, to see that it works; writes nothing
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES, type Runtime } from "../tests/runtimes.ts";

const quick = process.argv.includes("--quick");

type Times = Record<"open4K" | "open1T" | "bytesLoop" | "plainLoop" | "readByte" | "at" | "index", number>;

function run({ name, command, env }: Runtime): Times {
  const [program, ...flags] = command as [string, ...string[]];
  const args = [...flags, join(ROOT, "bench", "basics.ts"), ...(quick ? ["--quick"] : [])];
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...env, NODE_NO_WARNINGS: "1" },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${name} ended with ${signal ?? status}: ${stdout}${stderr}`);
  return JSON.parse(stdout.trim().split("\n").pop() as string) as Times;
}

const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  devDependencies: Record<string, string>;
};
const pinned = JSON.parse(readFileSync(join(ROOT, "tests", "runtimes", "package.json"), "utf8")) as {
  optionalDependencies: Record<string, string>;
};
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()} ${arch()}`;
console.log(`${machine}\nmitata ${devDependencies.mitata}, npm run bench${quick ? " -- --quick" : ""}\n`);

const COLUMNS: [title: string, cell: (times: Times) => string][] = [
  ["open 4 KiB", ({ open4K }) => `${(open4K / 1000).toFixed(1)} µs`],
  ["1 TiB / 4 KiB", ({ open4K, open1T }) => (open1T / open4K).toFixed(2)],
  ["bytes / array", ({ bytesLoop, plainLoop }) => (bytesLoop / plainLoop).toFixed(2)],
  ["bytes[i]", ({ bytesLoop }) => `${bytesLoop.toFixed(2)} ns`],
  ["readByte()", ({ readByte }) => `${readByte.toFixed(1)} ns`],
  ["at(i)", ({ at }) => `${at.toFixed(1)} ns`],
  ["mm[i]", ({ index }) => `${index.toFixed(0)} ns`],
];

const row = (cells: string[]) => cells.map((cell, at) => (at === 0 ? cell.padEnd(12) : cell.padStart(15))).join("");
console.log(row(["runtime", ...COLUMNS.map(([title]) => title)]));
const results: Record<string, Times> = {};
for (const runtime of RUNTIMES) {
  if (runtime.missing !== undefined) {
    console.log(`${runtime.name}: not run: ${runtime.missing}`);
    continue;
  }
  const times = run(runtime);
  results[runtime.name] = times;
  console.log(row([runtime.name, ...COLUMNS.map(([, cell]) => cell(times))]));
}

if (!quick) {
  mkdirSync(join(ROOT, "bench", "results"), { recursive: true });
  const versions = pinned.optionalDependencies;
  const written = { machine, command: "npm run bench", mitata: devDependencies.mitata, versions, nanoseconds: results };
  writeFileSync(join(ROOT, "bench", "results", "basics.json"), `${JSON.stringify(written, null, 2)}\n`);
}
