/**
 * The matrix on Windows, as far as Wine is Windows: runs the suite in the runtimes' Windows builds. Takes what `npm test`
 * takes, and prints the same table.
 *
 * It sets everything up by itself on a Debian machine, as root: Wine of a newer Debian in a separate folder, the runtimes'
 * Windows builds in it, and a copy of the library. What was set up is kept for the next run; what is incomplete is set up
 * again. One run at a time: a run ends the processes that an earlier one left.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT, type Runtime } from "../helpers/runtimes.ts";
import { cacheFolder } from "./machine.ts";
import { runMatrix } from "./matrix.ts";

/** Debian 13 has Wine 10; the Wine 8 of Debian 12 runs neither Node 24 and later, nor Bun or Deno. */
const RELEASE = "trixie";

/** Wine and what its programs without windows load of Linux. Nothing else of that Debian is needed, not even itself. */
const PACKAGES = [
  ...["wine64", "libwine", "libz-mingw-w64"],
  ...["libc6", "libc-bin", "libgcc-s1", "libunwind8", "liblzma5"],
  // Without these, Wine complains of fonts where the tests read what was printed.
  ...["libfreetype6", "libpng16-16t64", "zlib1g", "libbz2-1.0", "libbrotli1"],
  ...["libfontconfig1", "fontconfig-config", "libexpat1"],
  "busybox-static",
];

const CACHE = cacheFolder("windows");
const SYSTEM = join(CACHE, RELEASE);

/** The project's folder within that system, in its words and in those of Windows programs. */
const PROJECT = "/opt/mmap-ffi";
const WINDOWS_PROJECT = `Z:${PROJECT}`;

const WINE = "/usr/lib/wine/wine64";
const WINE_SERVER = "/usr/lib/wine/wineserver";

/** What Windows programs get to see of the environment. */
const ENVIRONMENT = {
  HOME: "/root",
  // The encoding of file names on this side.
  LC_ALL: "C.UTF-8",
  PATH: "/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/wine",
  WINEDEBUG: "-all",
  // No Mono, no browser engine, no entries in menus, and no debugger that starts where a program crashes.
  WINEDLLOVERRIDES: "mscoree,mshtml=;winemenubuilder.exe,winedbg.exe=d",
  NO_COLOR: "1",
  MMAP_TEST_WINE: "1",
};

/** Enters the system, with a /proc and a /dev that are gone with the last of the processes: Wine looks there for its own files. */
const ENTER = `
  mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
    exec chroot "$0" /bin/sh -c 'cd "$0" && exec "$@"' ${PROJECT} "$@"
`;

/** Starts a Windows program: its output goes through a file, since Node cannot write to a pipe under Wine. */
const START = `
  output=$(mktemp)
  timeout --kill-after=10 1500 "$@" < /dev/null > "$output" 2>&1
  code=$?
  cat "$output"
  rm "$output"
  exit $code
`;

function inSystem(env: Record<string, string>, command: readonly string[]): string[] {
  const variables = Object.entries({ ...ENVIRONMENT, ...env }).map(([name, value]) => `${name}=${value}`);
  return ["env", "-i", ...variables, "unshare", "--mount", "/bin/sh", "-c", ENTER, SYSTEM, ...command];
}

function started(env: Record<string, string>, command: readonly string[]): string[] {
  return ["/bin/sh", "-c", START, "sh", ...inSystem(env, command)];
}

function run(command: readonly string[], cwd = CACHE): string {
  const [program, ...parameters] = command as [string, ...string[]];
  return execFileSync(program, parameters, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 15 * 60 * 1000,
  });
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
  endWine();
  once("Wine", `${RELEASE}: ${PACKAGES}`, () => {
    rmSync(join(CACHE, "runtimes.done"), { force: true });
    rmSync(SYSTEM, { recursive: true, force: true });
    const packages = download();
    unpack(packages);
    configure(packages);
    rmSync(packages, { recursive: true });
  });
  const needed = readFileSync(join(ROOT, "tests", "runners", "windows.json"));
  once("runtimes", createHash("sha256").update(needed).digest("hex"), () => {
    const folder = join(SYSTEM, PROJECT);
    rmSync(join(folder, "node_modules"), { recursive: true, force: true });
    rmSync(join(folder, "package-lock.json"), { force: true });
    writeFileSync(join(folder, "package.json"), needed);
    const flags = ["--os=win32", "--cpu=x64", "--force", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    run(["npm", "install", "--prefix", folder, ...flags]);
  });
  copyProject();
}

/** Downloads the packages by an apt with separate state. Returns their folder. This machine's apt knows a mirror. */
function download(): string {
  const folder = join(CACHE, "apt");
  rmSync(folder, { recursive: true, force: true });
  const packages = join(folder, "packages");
  mkdirSync(packages, { recursive: true });
  const keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(join(folder, "sources.list"), `deb [signed-by=${keys}] ${mirror()} ${RELEASE} main\n`);
  writeFileSync(join(folder, "status"), "");
  const options = {
    "Dir::State": folder,
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": folder,
    "Dir::Etc::sourcelist": join(folder, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "APT::Sandbox::User": "root",
  };
  const apt = ["apt-get", "-qq", ...Object.entries(options).map(([name, value]) => `--option=${name}=${value}`)];
  run([...apt, "update"]);
  run([...apt, "download", ...PACKAGES], packages);
  return packages;
}

/** Where this machine gets Debian from. */
function mirror(): string {
  const [, codename] = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync("/etc/os-release", "utf8")) ?? [];
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const lines = run(["apt-get", "indextargets", "--format", format, "Created-By: Packages"]).split("\n");
  const found = lines.find((line) => line.endsWith(`/debian/ ${codename} main`));
  if (found === undefined)
    throw new Error(`test:windows needs Debian's own packages, and apt knows none of ${codename}`);
  return found.split(" ")[0] as string;
}

function unpack(packages: string): void {
  for (const folder of ["dev", "proc", "root", "tmp", "usr/bin", "usr/lib64", PROJECT]) {
    mkdirSync(join(SYSTEM, folder), { recursive: true });
  }
  for (const folder of ["bin", "lib", "lib64"]) symlinkSync(`usr/${folder}`, join(SYSTEM, folder));
  for (const file of readdirSync(packages)) run(["dpkg-deb", "--extract", join(packages, file), SYSTEM]);
  symlinkSync("busybox", join(SYSTEM, "usr", "bin", "sh"));
}

/** Has the package of Wine's libraries do what it does where it is installed, and makes Wine's folder. */
function configure(packages: string): void {
  const libwine = readdirSync(packages).find((file) => file.startsWith("libwine_")) as string;
  run(["dpkg-deb", "--control", join(packages, libwine), join(SYSTEM, "tmp")]);
  run(inSystem({}, ["/bin/sh", "/tmp/postinst", "configure"]));
  run(started({}, [WINE, "wineboot", "--init"]));
}

/** Ends every Windows program, also those that a run left when it was killed; Wine's own would stay for a while. */
function endWine(): void {
  const end = `${WINE_SERVER} --kill; ${WINE_SERVER} --wait`;
  if (existsSync(join(SYSTEM, "root", ".wine"))) run(inSystem({}, ["/bin/sh", "-c", end]));
}

function copyProject(): void {
  for (const part of [
    "lib",
    "ffi",
    "platform",
    "cli",
    "tests",
    "examples",
    "bench",
    "docs",
    "deno.json",
    "tsconfig.json",
    "README.md",
    "CHANGELOG.md",
  ]) {
    const copy = join(SYSTEM, PROJECT, part);
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
  endWine();
}
