/**
 * The suite on arm64 Linux, under QEMU: installs what that needs, and runs the matrix with the arm64 builds of the runtimes.
 *
 *     npm run test:arm64                        everything
 *     npm run test:arm64 -- --only bun,deno     these runtimes
 *     npm run test:arm64 -- search safety       the files whose names contain one of the words
 *
 * It needs x64 Linux with Debian's package manager. QEMU and the arm64 C library are installed by it (as root, where they are
 * missing); the runtimes go to a cache folder.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
// Only its type: the module itself reads the environment that is set below.
import type { Machine } from "./runtimes.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Debian's packages, each with a file that it installs. */
const DEBIAN: Record<string, string> = {
  "qemu-user-static": "/usr/bin/qemu-aarch64-static",
  "libc6-arm64-cross": "/usr/aarch64-linux-gnu/lib/libc.so.6",
  "libstdc++6-arm64-cross": "/usr/aarch64-linux-gnu/lib/libstdc++.so.6",
  "libgcc-s1-arm64-cross": "/usr/aarch64-linux-gnu/lib/libgcc_s.so.1",
  "libatomic1-arm64-cross": "/usr/aarch64-linux-gnu/lib/libatomic.so.1",
};

const EMULATOR = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"];

const FOLDER = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "mmap-ffi", "arm64");

/** npm has no arm64 build of the version that the matrix pins. */
const DENO = "2.9.5";

/** The matrix without the Node versions in between: under QEMU each takes its time, and the engines of the two ends differ most. */
const RUNTIMES = ["node20", "node26", "node26-ffi", "bun", "deno"];

function run(program: string, args: string[], cwd = ROOT): void {
  console.log(`$ ${[program, ...args].join(" ")}`);
  execFileSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
}

function installDebian(): void {
  const missing = Object.keys(DEBIAN).filter((name) => !existsSync(DEBIAN[name] as string));
  if (missing.length === 0) return;
  run("apt-get", ["update", "-q"]);
  run("apt-get", ["install", "-qy", "--no-install-recommends", ...missing]);
}

/** npm's packages with their versions: those that the matrix pins, as arm64 has them. */
function packages(): Record<string, string> {
  const { optionalDependencies: pinned } = JSON.parse(
    readFileSync(join(ROOT, "tests", "runtimes", "package.json"), "utf8"),
  ) as { optionalDependencies: Record<string, string> };
  const koffi = JSON.parse(readFileSync(join(ROOT, "node_modules", "koffi", "package.json"), "utf8")) as {
    version: string;
  };
  const nodes = Object.entries(pinned).filter(([name]) => /^node(20|26)-linux-arm64$/.test(name));
  return {
    ...Object.fromEntries(nodes),
    "@oven/bun-linux-aarch64": pinned.bun as string,
    "@deno/linux-arm64-glibc": DENO,
    "@koromix/koffi-linux-arm64": koffi.version,
  };
}

function installRuntimes(): void {
  const wanted = `${JSON.stringify({ private: true, dependencies: packages() }, undefined, 2)}\n`;
  const done = join(FOLDER, "installed.json");
  if (existsSync(done) && readFileSync(done, "utf8") === wanted) return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "package.json"), wanted);
  const flags = ["--os=linux", "--cpu=arm64", "--libc=glibc", "--force", "--ignore-scripts", "--no-package-lock"];
  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...flags], FOLDER);
  writeFileSync(done, wanted);
}

if (process.platform !== "linux" || process.arch !== "x64") {
  throw new Error(
    `QEMU runs arm64 programs on x64 Linux, and this is ${process.platform}-${process.arch}: npm test is for it`,
  );
}
installDebian();
installRuntimes();

const machine: Machine = { system: "linux-arm64", folder: FOLDER, emulator: EMULATOR };
process.env.MMAP_TEST_MACHINE = JSON.stringify(machine);
// koffi asks for its arm64 part by this package's name, and tsx runs the machine's own esbuild.
process.env.NODE_PATH = [join(FOLDER, "node_modules"), process.env.NODE_PATH].filter(Boolean).join(delimiter);
process.env.ESBUILD_BINARY_PATH = createRequire(createRequire(import.meta.url).resolve("tsx")).resolve(
  "@esbuild/linux-x64/bin/esbuild",
);
if (!process.argv.includes("--only")) process.argv.splice(2, 0, "--only", RUNTIMES.join(","));

// It reads the machine from the environment.
await import("./run.ts");
