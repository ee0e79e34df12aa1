/**
 * Runs the examples of formats with the libraries that people use, in every runtime, on small files that are made for it, and
 * compares what they print. Also what the libraries make of a map that is closed.
 *
 *     npm run test:formats                      everything
 *     npm run test:formats -- --only bun,deno   these runtimes
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT, type Runtime } from "../helpers/runtimes.ts";
import { Checks } from "./checks.ts";
import { exampleFile, makeFiles, presentRuntimes, programFile, setUp } from "./formats-setup.ts";

/** An example, its arguments, of which the first is a file, and what it prints. */
type Case = readonly [name: string, args: readonly [file: string, ...string[]], printed: readonly string[]];

const CASES: readonly Case[] = [
  [
    "arrow",
    ["table.arrow"],
    ["1000 rows of id, price, name", "item 2 0.5", "sum of the prices: 124875", "views of the map: true"],
  ],
  [
    "safetensors",
    ["model.safetensors"],
    [
      "embedding: F32 [4,64] 0 0.125 0.25 0.375 0.5",
      "ids: I64 [2] -1 1099511627776",
      "half: F16 [5] 1 -2.5 65504 5.960464477539063e-8 Infinity",
      "brain: BF16 [4] 1 -2.5 3.140625 Infinity",
      "mask: BOOL [3] 1 0 1",
    ],
  ],
  [
    "maxmind",
    ["countries.mmdb", "1.2.3.4", "255.0.0.1"],
    [
      "Test-Country: 15 nodes",
      '1.2.3.4/4: {"country":{"geoname_id":0,"iso_code":"AA","names":{"en":"Country of network 00000000"}}}',
      '255.0.0.1/4: {"country":{"geoname_id":15,"iso_code":"PA","names":{"en":"Country of network 00000015"}}}',
    ],
  ],
  ["pmtiles", ["tiles.pmtiles", "3", "5", "2"], ["85 tiles of type Unknown, zoom 0 to 3", "tile 3/5/2"]],
  ["parquet", ["table.parquet"], ["1000 rows in 4 row groups", "item 2 0.5", "item 3 0.75"]],
  ["numpy", ["x.npy"], ["array: f8 [3,8], a view: 0 0.5 1 1.5"]],
  // At 35 bytes into the archive, eight-byte numbers are not aligned; bytes always are.
  ["numpy", ["stored.npz"], ["x.npy: f8 [3,8], a copy: 0 0.5 1 1.5", "y.npy: i1 [3], a view: -1 0 1"]],
  ["numpy", ["deflated.npz"], ["x.npy: f8 [3,8], a copy: 0 0.5 1 1.5", "y.npy: i1 [3], a copy: -1 0 1"]],
];

/** Node 20 cannot detach arrays: a library that has a view finds the old memory, which stays mapped as long as it does. */
const afterClose = (detaches: boolean): string[] => [
  `arrow: 0.5 item 2; unchanged; closed: ${detaches ? "throws TypeError" : "0.5 item 2"}`,
  "arrow: keeps none",
  `maxmind: AA; unchanged; closed: ${detaches ? "throws RangeError" : "AA"}`,
  "maxmind: keeps none",
  "pmtiles: tile 1/1/0; unchanged; closed: throws ERR_MMAP_CLOSED",
  "parquet: 0.5; unchanged; closed: throws ERR_MMAP_CLOSED",
];

/** The longest that an example may be, in lines, without those that print its usage. */
const LONGEST = 60;

/** What an example does without arguments. */
const USAGE = /^if \(\S+ === undefined\) \{\n {2}console\.error\("usage: .*"\);\n {2}process\.exit\(1\);\n\}\n/m;

const checks = new Checks();
const files = mkdtempSync(join(tmpdir(), "mmap-ffi-formats-"));

/** Runs a program, which must print these lines and nothing else. */
function check({ name, command, env }: Runtime, file: string, args: readonly string[], lines: readonly string[]) {
  const printed = lines.map((line) => line.replace(/[[\](){}.*+?^$|\\]/g, "\\$&")).join("\n");
  return checks.run({
    name: `${name}: ${[file.split("/").at(-1), ...args].join(" ")}`,
    command: [...command, file, ...args.slice(0, 1).map((arg) => join(files, arg)), ...args.slice(1)] as [string],
    cwd: ROOT,
    env: { ...env, NODE_NO_WARNINGS: "1", NO_COLOR: "1" },
    expected: new RegExp(`^${printed}\n$`),
  });
}

/** Runs an example without arguments, which must print its usage in one line and exit with 1. */
function checkUsage({ name, command, env }: Runtime, example: string): void {
  const [program, ...flags] = command as [string, ...string[]];
  const options = { cwd: ROOT, env: { ...process.env, ...env, NODE_NO_WARNINGS: "1", NO_COLOR: "1" } };
  const { status, stdout, stderr } = spawnSync(program, [...flags, exampleFile(`${example}.ts`)], {
    ...options,
    encoding: "utf8",
  });
  const isRight = status === 1 && stdout === "" && new RegExp(`^usage: ${example}\\.ts FILE.*\n$`).test(stderr);
  checks.count(`${name}: ${example}.ts without arguments`, isRight, `ended with ${status}:\n${stdout}${stderr}`);
}

try {
  const folder = setUp();
  makeFiles(files, "small");
  const examples = readdirSync(join(ROOT, "examples", "formats")).filter((name) => name.endsWith(".ts"));
  for (const name of examples) {
    const lines = readFileSync(join(ROOT, "examples", "formats", name), "utf8")
      .replace(USAGE, "")
      .trimEnd()
      .split("\n").length;
    checks.count(`${name} is shorter than ${LONGEST} lines`, lines < LONGEST, `it has ${lines}`);
    const cases = CASES.filter(([tested]) => `${tested}.ts` === name);
    checks.count(`${name} is tested`, cases.length > 0, "no case runs it");
  }
  const tsc = join(ROOT, "node_modules", ".bin", "tsc");
  const project = ["--project", join(folder, "tests", "formats")];
  await checks.run({ name: "types", command: [tsc, ...project], cwd: ROOT, expected: /^$/ });

  const at = process.argv.indexOf("--only");
  const only = at === -1 ? undefined : process.argv[at + 1]?.split(",");
  for (const runtime of presentRuntimes().filter(({ name }) => only?.includes(name) ?? true)) {
    for (const example of new Set(CASES.map(([name]) => name))) checkUsage(runtime, example);
    for (const [name, args, printed] of CASES) await check(runtime, exampleFile(`${name}.ts`), args, printed);
    await check(runtime, programFile("after-close.ts"), ["."], afterClose(runtime.name !== "node20"));
  }
} finally {
  rmSync(files, { recursive: true, force: true });
}
checks.end();
