/**
 * The cost of importing the library: whole processes, of a program that imports it and of an empty one.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { currentRuntime, ROOT } from "../tests/helpers/runtimes.ts";
import type { Data } from "./data.ts";
import { type Bench, here } from "./harness.ts";

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

export default async function (bench: Bench, data: Data): Promise<void> {
  const { name: runtime, command, env } = currentRuntime();
  // Without the flags that the tests need, except Deno's permissions.
  const [program, ...flags] = command.slice(0, command[1] === "run" ? 3 : 1) as [string, ...string[]];
  const write = (name: string, source: string) => {
    const path = data.path(`${name}.mjs`);
    writeFileSync(path, source);
    return path;
  };
  const run = (path: string) =>
    here(() => {
      const { status, stderr } = spawnSync(program, [...flags, path], {
        env: { ...process.env, ...env },
        encoding: "utf8",
      });
      if (status !== 0) throw new Error(`${path} ended with ${status}: ${stderr}`);
    });
  const library = JSON.stringify(built(data));
  const file = JSON.stringify(data.sparse(4096));
  const empty = { name: "an empty program", time: run(write("empty", "")) };
  const imports = write("imports", `import ${library};`);
  const name = "a program that imports the library";
  const [longer] = (await bench.compare(name, run(imports), [empty], { noisy: true })) as [number];
  // Two rows, because a row has one target.
  const [where, target] = runtime.startsWith("node") ? (["in Node", 15] as const) : (["in Bun and Deno", 5] as const);
  bench.tell(`${name}, over an empty one, ${where}`, longer / 1e6, "ms", target);
  const maps = write(
    "maps",
    `import { MMap } from ${library}; const mm = MMap.open(${file}); mm.readByte(); mm.close();`,
  );
  await bench.compare("a program that maps a file", run(maps), [empty]);
}
