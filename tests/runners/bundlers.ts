/**
 * Bundles the README's program with each bundler, moves the output to another folder with what `docs/bundlers.md` says must
 * travel, deletes the folder that it was built in, and runs it. Also runs what @vercel/nft traces.
 *
 *     npm run test:bundlers [WORD]   those whose name contains WORD
 *
 * @module
 */

import { copyFileSync, cpSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES } from "../helpers/runtimes.ts";
import { BUILDS, type Build, PARCEL } from "./builds.ts";
import { Checks } from "./checks.ts";
import { cacheFolder, installPackages } from "./machine.ts";
import { installPacked, packLibrary } from "./packed.ts";

if (`${process.platform}-${process.arch}` !== "linux-x64") {
  throw new Error(`test:bundlers installs programs for Linux x64, and this is ${process.platform}-${process.arch}`);
}

/** The bundlers: their names among npm's packages, and the versions. */
const PACKAGES = {
  "@rollup/plugin-node-resolve": "16.0.3",
  "@rspack/core": "2.3.3",
  "@vercel/nft": "1.11.5",
  esbuild: "0.28.2",
  parcel: "2.16.4",
  postject: "1.0.0-alpha.6",
  rollup: "4.68.8",
  tsup: "9.0.0",
  typescript: "6.0.3",
  vite: "8.3.8",
  webpack: "5.113.0",
};

const KOFFI = "@koromix/koffi-linux-x64";

/** What the README's program prints. */
const WORKS = /^6 memory$/m;

const cache = cacheFolder("bundlers");
installPackages(cache, PACKAGES, false);

/** Below the bundlers, where their plugins are found. Deleted once everything is built. */
const built = mkdtempSync(join(cache, "built-"));
const moved = mkdtempSync(join(tmpdir(), "mmap-ffi-moved-"));

const checks = new Checks();

/** The runtimes' programs, copied to where no koffi is beside them. */
const programs: Record<string, string> = {};
for (const { name, command } of RUNTIMES) {
  const program = command[0];
  if (program === undefined || name === "node26-ffi") continue;
  const copy = join(moved, "runtimes", name, "bin", name);
  mkdirSync(dirname(copy), { recursive: true });
  try {
    linkSync(program, copy);
  } catch {
    copyFileSync(program, copy);
  }
  programs[name] = copy;
}
programs.node = programs.node24 as string;

/** Packs the library and installs it where the bundles are built. */
function install(): void {
  const program = /```ts\n(import { MMap }[^]*?)```/.exec(readFileSync(join(ROOT, "README.md"), "utf8"))?.[1];
  if (program === undefined) throw new Error("the README has no program");
  writeFileSync(join(built, "program.js"), program);
  const manifest = { name: "user", private: true, type: "module", ...PARCEL };
  writeFileSync(join(built, "package.json"), JSON.stringify(manifest));
  installPacked(built, packLibrary(built));
}

/** A bundler's own program runs in Node 24, unless it is one for this machine. */
function resolve([name, ...args]: readonly [string, ...string[]]): [string, ...string[]] {
  const program = programs[name];
  if (program !== undefined) return [program, ...args];
  const file = join(cache, "node_modules", ".bin", name);
  return name === "esbuild" ? [file, ...args] : [programs.node24 as string, file, ...args];
}

async function bundle({ name, files = {}, commands, warns }: Build): Promise<boolean> {
  for (const [file, content] of Object.entries(files)) writeFileSync(join(built, file), content);
  for (const command of commands) {
    const step = { name: `${name}: ${command[0]}`, command: resolve(command), cwd: built, expected: /^/ };
    if (!(await checks.run(warns ? step : { ...step, unwanted: /warn/i }))) return false;
  }
  return true;
}

/** Copies koffi's package to beside what was moved. */
function addKoffi(folder: string): void {
  cpSync(join(built, "node_modules", KOFFI), join(folder, "node_modules", KOFFI), { recursive: true });
}

/** What is run after it was moved. */
type Moved = Pick<Build, "name" | "file" | "runtimes">;

/** Runs what was moved, in a folder without anything else. */
async function runMoved({ name, file, runtimes }: Moved, folder: string): Promise<void> {
  for (const runtime of runtimes) {
    const cwd = mkdtempSync(join(moved, "run-"));
    const command = [...(runtime === "" ? [] : [programs[runtime] as string]), join(folder, file)];
    await checks.run({
      name: `${name} runs: ${runtime || "alone"}`,
      command: command as [string],
      cwd,
      expected: WORKS,
    });
  }
}

/** Traces the program as Next.js and Vercel do, and copies the files that were found. */
async function trace(folder: string): Promise<boolean> {
  const script = `
    import { nodeFileTrace } from "@vercel/nft";
    import { cpSync } from "node:fs";
    const { fileList } = await nodeFileTrace(["program.js"]);
    for (const file of fileList) cpSync(file, ${JSON.stringify(folder)} + "/" + file);
    console.log("copied", fileList.size);`;
  writeFileSync(join(built, "trace.mjs"), script);
  const command = [programs.node24 as string, "trace.mjs"] as const;
  return await checks.run({ name: "@vercel/nft", command, cwd: built, expected: /^copied \d+$/m });
}

try {
  install();
  const word = process.argv[2] ?? "";
  const done: [Moved, string][] = [];
  for (const [index, build] of BUILDS.entries()) {
    if (!build.name.includes(word) || !(await bundle(build))) continue;
    const folder = join(moved, `${index}`);
    cpSync(join(built, build.output), folder, { recursive: true });
    // The build's own package.json does not travel.
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    if (build.koffi) addKoffi(folder);
    done.push([build, folder]);
  }
  const traced = { name: "@vercel/nft", file: "program.js", runtimes: ["node24"] };
  if (traced.name.includes(word) && (await trace(join(moved, "traced")))) done.push([traced, join(moved, "traced")]);
  rmSync(built, { recursive: true });
  for (const [build, folder] of done) await runMoved(build, folder);
} finally {
  rmSync(built, { recursive: true, force: true });
  rmSync(moved, { recursive: true, force: true });
}
checks.end();
