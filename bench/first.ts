/**
 * The first map of a process: whole processes, of programs that import the library, map a small file and read a byte, and of
 * the same in other ways.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { currentRuntime, ROOT } from "../tests/helpers/runtimes.ts";
import { type Data, KiB } from "./data.ts";
import { type Bench, here, median } from "./harness.ts";
import { pythonProgram } from "./python.ts";

/** The library as it is published: one file, built once per run. It lies in the project, so that it finds koffi. */
function built(data: Data): string {
  const done = data.path("library-built");
  if (!existsSync(done)) {
    const tsup = join(ROOT, "node_modules", "tsup", "dist", "cli-default.js");
    const { status, stderr } = spawnSync("node", [tsup, "--no-dts"], { cwd: ROOT, encoding: "utf8" });
    if (status !== 0) throw new Error(`the library was not built: ${stderr}`);
    writeFileSync(done, "");
  }
  return pathToFileURL(join(ROOT, "dist", "mod.js")).href;
}

/** Runs a program as a process. Returns what it printed. */
function run(program: string, args: readonly string[], env = {}): string {
  const { status, stdout, stderr } = spawnSync(program, args, { env: { ...process.env, ...env }, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

/** The names of the runtimes in the rows, and how much longer than an empty program importing and mapping may take, in ms. */
const LIMITS = [
  { prefix: "node", name: "Node", imports: 15, maps: 20 },
  { prefix: "bun", name: "Bun", imports: 5, maps: 12 },
  { prefix: "deno", name: "Deno", imports: 5, maps: 25 },
];

export default async function (bench: Bench, data: Data): Promise<void> {
  const { name: runtime, command, env } = currentRuntime();
  const limits = LIMITS.find(({ prefix }) => runtime.startsWith(prefix));
  if (limits === undefined) throw new RangeError(`no limits of ${runtime}`);
  // Without the flags that the tests need, except Deno's permissions.
  const [program, ...flags] = command.slice(0, command[1] === "run" ? 3 : 1) as [string, ...string[]];
  const ran = (name: string, source: string) => {
    const path = data.path(`${name}.mjs`);
    writeFileSync(path, source);
    return run(program, [...flags, path], env);
  };
  const whole = (name: string, source: string) => here(() => void ran(name, source));
  const library = JSON.stringify(built(data));
  const file = JSON.stringify(data.sparse(4 * KiB));
  const map = `const mm = MMap.open(${file}); mm.readByte(); mm.close();`;
  const empty = { name: "an empty program", time: whole("empty", "") };
  const imports = whole("imports", `import ${library};`);
  const maps = whole("maps", `import { MMap } from ${library}; ${map}`);
  const reads = whole("reads", `import { readFileSync } from "node:fs"; readFileSync(${file})[0];`);
  const mapInPython = `import mmap; file = open(${file}, "rb"); mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[0]`;
  const python = pythonProgram();

  const importing = "a program that imports the library";
  const [imported] = (await bench.compare(importing, imports, [empty], { noisy: true })) as [number];
  bench.tell(`${importing}, over an empty one, in ${limits.name}`, imported / 1e6, "ms", limits.imports);

  const mapping = "a program that maps a file and reads a byte";
  const peers = [empty, { name: "the same by fs.readFileSync", time: reads }];
  if (limits.prefix === "bun")
    peers.push({ name: "the same by Bun.mmap", time: whole("bun", `Bun.mmap(${file})[0];`) });
  if (python !== undefined) {
    peers.push({ name: "the same in CPython", time: here(() => void run(python, ["-c", mapInPython])) });
  }
  const [mapped] = (await bench.compare(mapping, maps, peers, { noisy: true })) as [number];
  bench.tell(`${mapping}, over an empty one, in ${limits.name}`, mapped / 1e6, "ms", limits.maps);
  if (python === undefined) bench.miss(mapping, "the same in CPython", "there is no python3 here");

  // The median of 20 around it: at a single one, an engine may just have finished compiling something.
  const hundred = `import { MMap } from ${library}; const times = [];
    for (let maps = 0; maps < 110; maps++) { const began = performance.now(); ${map} times.push(performance.now() - began); }
    console.log(1000 * times.slice(90).sort((one, other) => one - other)[10]);`;
  const times = Array.from({ length: bench.quick ? 1 : 15 }, () => Number(ran("hundred", hundred)));
  bench.tell("the hundredth map of a process", median(times), "µs", 25);
}
