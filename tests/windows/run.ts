/**
 * The matrix on Windows, as far as Wine is Windows: runs the suite in the runtimes' Windows builds. Takes what `npm test`
 * takes, and prints the same table.
 *
 * It sets everything up by itself on a Debian machine, as root: the Debian release that has a Wine new enough, in a folder
 * of its own, the runtimes' Windows builds in it, and a copy of the library. What was set up is kept for the next time.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { runMatrix } from "../matrix.ts";
import { ROOT, type Runtime } from "../runtimes.ts";

/** Debian 13 has Wine 10; the Wine 8 of Debian 12 runs neither Node 24 and later, nor Bun or Deno. */
const RELEASE = "trixie";

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mmap-ffi", "windows");
const DEBIAN = join(CACHE, RELEASE);

/** The project's folder within that system, in its words and in those of Windows programs. */
const PROJECT = "/opt/mmap-ffi";
const WINDOWS_PROJECT = `Z:${PROJECT}`;

const WINE = "/usr/lib/wine/wine64";

/** What Windows programs get to see of the environment. */
const ENVIRONMENT = {
  HOME: "/root",
  // The encoding of file names on this side.
  LC_ALL: "C.UTF-8",
  PATH: "/usr/bin:/bin:/usr/lib/wine",
  WINEDEBUG: "-all",
  // No Mono, no browser engine, no entries in menus.
  WINEDLLOVERRIDES: "mscoree,mshtml=;winemenubuilder.exe=d",
  NO_COLOR: "1",
};

/** Enters the system, with a /proc that is gone with the last of the processes: Wine looks there for its own files. */
const ENTER = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';

/** Starts a Windows program: its output goes through a file, since Node cannot write to a pipe under Wine. */
const START = `
  output=$(mktemp)
  timeout --kill-after=10 840 "$@" < /dev/null > "$output" 2>&1
  code=$?
  cat "$output"
  rm "$output"
  exit $code
`;

function inDebian(env: Record<string, string>, command: readonly string[]): string[] {
  const variables = Object.entries({ ...ENVIRONMENT, ...env }).map(([name, value]) => `${name}=${value}`);
  const enter = ["unshare", "--mount", "/bin/sh", "-c", ENTER, DEBIAN];
  return [...enter, "/usr/bin/env", "-i", "-C", PROJECT, ...variables, ...command];
}

function started(env: Record<string, string>, command: readonly string[]): string[] {
  return inDebian(env, ["/bin/sh", "-c", START, "sh", ...command]);
}

function run(command: readonly string[]): void {
  const [program, ...parameters] = command as [string, ...string[]];
  execFileSync(program, parameters, { stdio: ["ignore", "ignore", "inherit"], timeout: 15 * 60 * 1000 });
}

/** Does what `work` says, unless it was done before with the same version of what it needs. */
function once(what: string, version: string, work: () => void): void {
  const stamp = join(CACHE, `${what}.done`);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === version) return;
  rmSync(stamp, { force: true });
  console.log(`setting up ${what}`);
  work();
  writeFileSync(stamp, version);
}

function setUp(): void {
  if (process.getuid?.() !== 0) throw new Error("test:windows enters a system of its own with chroot: run it as root");
  mkdirSync(CACHE, { recursive: true });
  once("Debian", RELEASE, () => {
    if (!existsSync("/usr/sbin/debootstrap")) {
      run(["apt-get", "update"]);
      run(["apt-get", "install", "--yes", "--no-install-recommends", "debootstrap"]);
    }
    rmSync(DEBIAN, { recursive: true, force: true });
    for (const done of ["Wine", "runtimes"]) rmSync(join(CACHE, `${done}.done`), { force: true });
    run(["debootstrap", "--variant=minbase", "--include=wine64", RELEASE, DEBIAN]);
    mkdirSync(join(DEBIAN, PROJECT), { recursive: true });
  });
  once("Wine", RELEASE, () => run(started({}, [WINE, "wineboot", "--init"])));
  const needed = readFileSync(join(ROOT, "tests", "windows", "package.json"));
  once("runtimes", createHash("sha256").update(needed).digest("hex"), () => {
    const folder = join(DEBIAN, PROJECT);
    rmSync(join(folder, "node_modules"), { recursive: true, force: true });
    rmSync(join(folder, "package-lock.json"), { force: true });
    writeFileSync(join(folder, "package.json"), needed);
    const flags = ["--os=win32", "--cpu=x64", "--force", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    run(["npm", "install", "--prefix", folder, ...flags]);
  });
  copyProject();
}

function copyProject(): void {
  for (const part of [
    "lib",
    "ffi",
    "platform",
    "tests",
    "examples",
    "deno.json",
    "tsconfig.json",
    "README.md",
    "CHANGELOG.md",
  ]) {
    const copy = join(DEBIAN, PROJECT, part);
    rmSync(copy, { recursive: true, force: true });
    cpSync(join(ROOT, part), copy, { recursive: true });
  }
}

/** A runtime of the matrix, started from this side. */
function windowsRuntime(name: string, program: string, flags: string[], env: Record<string, string> = {}): Runtime {
  const file = `${WINDOWS_PROJECT}/node_modules/${program}`;
  const [command, ...before] = started({ MMAP_TEST_RUNTIME: name, ...env }, [WINE, file, ...flags]);
  return { name, command: [command as string, ...before], env: {} };
}

function node(major: number, name = `node${major}`, env: Record<string, string> = {}): Runtime {
  const flags = ["--expose-gc", ...(major < 24 ? ["--import", "tsx"] : [])];
  return windowsRuntime(name, `node${major}-win32-x64/bin/node.exe`, flags, env);
}

const RUNTIMES: readonly Runtime[] = [
  ...[20, 22, 24, 26].map((major) => node(major)),
  node(26, "node26-ffi", { MMAP_FFI: "node" }),
  windowsRuntime("bun", "@oven/bun-windows-x64-baseline/bin/bun.exe", []),
  windowsRuntime("deno", "@deno/win32-x64/deno.exe", ["run", "-A", "--v8-flags=--expose-gc"]),
];

setUp();
try {
  await runMatrix(RUNTIMES, process.argv.slice(2), `${WINDOWS_PROJECT}/tests/all.ts`);
} finally {
  // Wine's own processes would stay for a while.
  run(inDebian({}, ["/usr/lib/wine/wineserver", "--kill"]));
}
