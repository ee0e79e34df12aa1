/**
 * Other machines on this one: installs what an emulated machine needs, and runs the matrix with its runtimes.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
// Only its type: the module itself reads the environment, which is set below.
import type { Machine } from "../helpers/runtimes.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Where Debian keeps the keys that its releases are signed with. */
const DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The folder that a machine's programs are kept in from one run to the next. */
export function cacheFolder(name: string): string {
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "mmap-ffi", name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs a program to its end, and says so. */
export function run(program: string, args: string[], cwd: string = ROOT): string {
  console.log(`$ ${[program, ...args].join(" ").slice(0, 200)}`);
  return execFileSync(program, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 28,
  });
}

/** Installs Debian's packages, each given with a file that it has, as far as they are missing. Needs root then. */
export function installDebian(packages: Record<string, string>): void {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(`this machine must be x64 Linux with Debian's packages: it is ${process.platform}-${process.arch}`);
  }
  const missing = Object.keys(packages).filter((name) => !existsSync(packages[name] as string));
  if (missing.length === 0) return;
  run("apt-get", ["update", "-q"]);
  // What an earlier run left half-way when it was killed.
  run("dpkg", ["--configure", "-a"]);
  run("apt-get", ["install", "-qy", "--no-install-recommends", ...missing]);
}

/**
 * Unpacks a package of another release of Debian into a folder, from the mirror that this machine's own packages come from.
 * Nothing is installed, and apt's own lists stay as they are.
 */
export function unpackDebian(folder: string, release: string, name: string): void {
  const done = join(folder, "unpacked.txt");
  if (existsSync(done) && readFileSync(done, "utf8") === `${name}/${release}`) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "lists", "partial"), { recursive: true });
  const sources = join(folder, "sources.list");
  writeFileSync(sources, `deb [signed-by=${DEBIAN_KEYS}] ${debianMirror()} ${release} main\n`);
  const options = [
    `Dir::Etc::SourceList=${sources}`,
    "Dir::Etc::SourceParts=-",
    `Dir::State::Lists=${join(folder, "lists")}`,
    `Dir::Cache=${folder}`,
    // apt's own user need not see the folder.
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  run("apt-get", [...options, "update", "-q"]);
  run("apt-get", [...options, "download", "-q", name], folder);
  const [file] = readdirSync(folder).filter((entry) => entry.endsWith(".deb")) as [string];
  run("dpkg-deb", ["--extract", join(folder, file), folder]);
  rmSync(join(folder, file));
  rmSync(join(folder, "lists"), { recursive: true });
  writeFileSync(done, `${name}/${release}`);
}

/**
 * Unpacks a package and all that it depends on, of another release of Debian and for another architecture, into a folder that
 * QEMU then takes for the root of that machine.
 */
export function unpackMachine(folder: string, release: string, architecture: string, name: string): void {
  const done = join(folder, "unpacked.txt");
  const wanted = `${name}/${release}/${architecture}`;
  if (existsSync(done) && readFileSync(done, "utf8") === wanted) return;
  rmSync(folder, { recursive: true, force: true });
  const apt = join(folder, "apt");
  mkdirSync(join(apt, "lists", "partial"), { recursive: true });
  mkdirSync(join(apt, "archives", "partial"), { recursive: true });
  for (const part of ["lib", "lib64"]) {
    mkdirSync(join(folder, "usr", part), { recursive: true });
    symlinkSync(`usr/${part}`, join(folder, part));
  }
  writeFileSync(join(apt, "status"), "");
  writeFileSync(join(apt, "sources.list"), `deb [signed-by=${DEBIAN_KEYS}] ${debianMirror()} ${release} main\n`);
  const options = [
    `Dir::State=${apt}`,
    `Dir::State::Lists=${join(apt, "lists")}`,
    `Dir::State::status=${join(apt, "status")}`,
    `Dir::Cache=${apt}`,
    `Dir::Etc::SourceList=${join(apt, "sources.list")}`,
    "Dir::Etc::SourceParts=-",
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    "APT::Sandbox::User=root",
    "Debug::NoLocking=1",
  ].flatMap((option) => ["-o", option]);
  run("apt-get", [...options, "update", "-qq"]);
  run("apt-get", [...options, "install", "-qq", "--download-only", "--no-install-recommends", name]);
  const archives = join(apt, "archives");
  for (const file of readdirSync(archives).filter((entry) => entry.endsWith(".deb"))) {
    // tar follows the links to usr/lib.
    execFileSync("sh", [
      "-c",
      'dpkg-deb --fsys-tarfile "$0" | tar --extract --keep-directory-symlink --directory "$1"',
      join(archives, file),
      folder,
    ]);
  }
  rmSync(apt, { recursive: true });
  writeFileSync(done, wanted);
}

/** The mirror of Debian that this machine has its packages from. */
function debianMirror(): string {
  const asks = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian"];
  const mirror = () => run("apt-get", asks).split("\n")[0];
  const known = mirror();
  if (known) return known;
  // apt knows what a mirror has once it has its lists.
  run("apt-get", ["update", "-q"]);
  const found = mirror();
  if (!found) throw new Error("this machine has no mirror of Debian among apt's sources");
  return found;
}

/** Installs npm's packages, as far as they are not there yet; `anyMachine`: also those that are for other machines. */
export function installPackages(folder: string, dependencies: Record<string, string>, anyMachine = true): void {
  const wanted = `${JSON.stringify({ private: true, dependencies }, undefined, 2)}\n`;
  const done = join(folder, "installed.json");
  if (existsSync(done) && readFileSync(done, "utf8") === wanted) return;
  writeFileSync(join(folder, "package.json"), wanted);
  const flags = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
  run("npm", ["install", ...(anyMachine ? ["--force"] : []), ...flags], folder);
  writeFileSync(done, wanted);
}

/** The versions that the matrix pins, by the names that it gives the packages. */
export function pinned(): Record<string, string> {
  const file = join(ROOT, "tests", "runtimes", "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { optionalDependencies: Record<string, string> })
    .optionalDependencies;
}

/** The version of a package that is installed here. */
export function installedVersion(name: string): string {
  const file = join(ROOT, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** Runs the matrix on a machine, with these of its runtimes unless the command line names others. */
export async function runMatrix(machine: Machine, runtimes: string[]): Promise<void> {
  process.env.MMAP_TEST_MACHINE = JSON.stringify(machine);
  // koffi finds its part for the other machine by this.
  process.env.NODE_PATH = [join(machine.folder, "node_modules"), process.env.NODE_PATH].filter(Boolean).join(delimiter);
  // Emulated programs can start this machine's programs, so tsx uses this machine's esbuild.
  const tsx = createRequire(import.meta.url).resolve("tsx/package.json");
  const esbuild = createRequire(tsx).resolve("esbuild/package.json");
  process.env.ESBUILD_BINARY_PATH = createRequire(esbuild).resolve("@esbuild/linux-x64/bin/esbuild");
  if (!process.argv.includes("--only")) process.argv.splice(2, 0, "--only", runtimes.join(","));
  await import("./run.ts");
}
