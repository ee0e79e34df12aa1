/**
 * The formats of `examples/formats/`, read from large files: how long the first row and all rows take, and how much memory
 * the process has then. A map, `readFileSync` and the library's own way to open a file take turns, each time in a new
 * process. Prints Markdown tables, for docs/formats.md.
 *
 *     npm run bench:formats [ROUNDS]      by default 5
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES, type Runtime } from "../tests/helpers/runtimes.ts";
import { makeFiles, programFile, setUp } from "../tests/runners/formats-setup.ts";

const rounds = Number(process.argv[2] ?? 5);

/** The formats, their files, and the library's own way, if it has one. */
const FORMATS: readonly [format: string, file: string, own?: string][] = [
  ["arrow", "table.arrow", "`FileHandle`"],
  ["safetensors", "model.safetensors"],
  ["numpy", "x.npy"],
  ["maxmind", "countries.mmdb", "`maxmind.open`"],
  ["pmtiles", "tiles.pmtiles", "`FileSource`"],
  ["parquet", "table.parquet", "`asyncBufferFromFile`"],
];

const runtimes = ["bun", "deno", "node24"].map((name) => RUNTIMES.find((one) => one.name === name) as Runtime);

/** What was used since before the file was opened: milliseconds of the processor and on the clock, and MiB. */
interface Step {
  cpu: number;
  elapsed: number;
  resident: number;
  own: number;
}

interface Measured {
  first: Step;
  all: Step;
}

function measure({ command, env }: Runtime, args: string[]): Measured {
  const [program, ...flags] = command as [string, ...string[]];
  const { status, stdout, stderr } = spawnSync(program, [...flags, programFile("measure.ts"), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env, NODE_NO_WARNINGS: "1" },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}

function median(numbers: number[]): number {
  return numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)] as number;
}

/** The shortest times, because other programs on the machine only make them longer; and the medians of the memory. */
const typical = (steps: Step[]): Step => ({
  cpu: Math.min(...steps.map(({ cpu }) => cpu)),
  elapsed: Math.min(...steps.map(({ elapsed }) => elapsed)),
  resident: median(steps.map(({ resident }) => resident)),
  own: median(steps.map(({ own }) => own)),
});

/** What each way takes in a runtime, which take turns. */
function measureWays(runtime: Runtime, format: string, path: string, ways: string[]): Record<string, Measured> {
  const measured: Record<string, Measured[]> = Object.fromEntries(ways.map((way) => [way, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const way = ways[(round + turn) % ways.length] as string;
      measured[way]?.push(measure(runtime, [format, way, path]));
    }
  }
  const steps = Object.entries(measured).map(([way, list]) => {
    return [way, { first: typical(list.map(({ first }) => first)), all: typical(list.map(({ all }) => all)) }];
  });
  return Object.fromEntries(steps);
}

const whole = (number: number) => `${Math.max(0, Math.round(number))}`;
const row = (cells: string[]) => `| ${cells.join(" | ")} |`;

/** The tables: their titles, and their cells. */
const TABLES: readonly [title: string, cell: (measured: Measured) => string][] = [
  ["The first row: CPU time, MiB", ({ first }) => `${whole(first.cpu)} ms, ${whole(first.resident)}`],
  ["All rows: CPU time, MiB", ({ all }) => `${whole(all.cpu)} ms, ${whole(all.resident)} (${whole(all.own)})`],
  [
    "The first row and all rows: elapsed time",
    ({ first, all }) => `${whole(first.elapsed)} ms, ${whole(all.elapsed)} ms`,
  ],
];
const rows: string[][] = TABLES.map(() => []);

const files = mkdtempSync(join(tmpdir(), "mmap-ffi-formats-"));
try {
  setUp();
  makeFiles(files, "large");
  for (const [format, file, own] of FORMATS) {
    const path = join(files, file);
    const ways = ["map", "readFileSync", ...(own === undefined ? [] : ["library"])];
    const byRuntime = runtimes.map((runtime) => measureWays(runtime, format, path, ways));
    const size = Math.round(statSync(path).size / 2 ** 20);
    for (const way of ways) {
      const name = way === "map" ? "**a map**" : way === "library" ? (own as string) : `\`${way}\``;
      const start = [way === "map" ? `${format}, ${size}` : "", name];
      const measured = byRuntime.map((ways) => ways[way] as Measured);
      for (const [index, [, cell]] of TABLES.entries()) rows[index]?.push(row([...start, ...measured.map(cell)]));
    }
    console.log(`${format}: measured`);
  }
} finally {
  rmSync(files, { recursive: true, force: true });
}
const head = [row(["format, MiB", "read by", "Bun", "Deno", "Node 24"]), row(Array(5).fill("---"))];
for (const [index, [title]] of TABLES.entries()) {
  console.log(`\n${title}\n\n${[...head, ...(rows[index] ?? [])].join("\n")}`);
}
