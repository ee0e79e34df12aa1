/**
 * The command-line tool, as a program of its own.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, linkSync, mkdirSync, readFileSync, statfsSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { invalidate } from "../../cli/evict.ts";
import { bar, percent, size } from "../../cli/terminal.ts";
import { MS_INVALIDATE, MS_SYNC, PAGESIZE } from "../../lib/mod.ts";
import type { Platform } from "../../platform/types.ts";
import { withPlatform } from "../helpers/platform.ts";
import { MACHINE, ROOT } from "../helpers/runtimes.ts";
import {
  commandFor,
  type Ended,
  FOLDER,
  newFile,
  newPath,
  runFile,
  unless,
  WINDOWS,
  WINE,
} from "../helpers/support.ts";
import { NEEDS_TSX } from "../helpers/workers.ts";

const test = suite("cli");
const resident = unless(WINDOWS && "residency is not supported there", test);

const MAIN = join(ROOT, "cli", "main.ts");
const PAGES = 64;

const cli = (...args: string[]): Ended => runFile(MAIN, { args });
const newPages = () => newFile(new Uint8Array(PAGES * PAGESIZE).fill(97));

/** What `residency --json` says of paths. */
const sample = (...paths: string[]) => JSON.parse(cli("residency", "--json", ...paths).stdout);

test("--help names each command, and exits with 0", () => {
  const { code, stdout } = cli("--help");
  assert.is(code, 0);
  for (const name of ["residency", "prefault", "evict", "lock", "doctor"]) assert.match(stdout, `\n  ${name}`);
});

test("--version prints the version alone", () => {
  const { code, stdout } = cli("--version");
  assert.is(code, 0);
  assert.is(stdout.trim(), JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")).version);
});

test("a wrong command line is one line that names what is wrong, and the code 2", () => {
  for (const [args, said] of [
    [["residence", "x"], 'no command "residence": it is one of residency, prefault'],
    [["residency"], "residency needs at least one file or folder"],
    [["prefault", "--watch", "x"], /prefault: [^.]*--watch[^.]*; mmap-ffi --help lists the options$/m],
    [["doctor", "x"], 'doctor takes no path: got "x"'],
    [["constructor"], 'no command "constructor"'],
  ] as const) {
    const { code, stderr } = cli(...args);
    assert.is(code, 2, args.join(" "));
    assert.match(stderr, said);
    const lines = stderr.trim().split("\n");
    // Bun prints these under Wine.
    const own = lines.filter((line) => !WINE || !line.startsWith("Internal error: directory mismatch"));
    assert.is(own.length, 1, stderr);
  }
  assert.is(cli().code, 2);
});

resident("residency shows a bar for each file, and totals", () => {
  const path = newPages();
  const { code, stdout } = cli("residency", path);
  assert.is(code, 0);
  const [name, line, , files, pages] = stdout.split("\n");
  assert.is(name, path);
  assert.match(line ?? "", /^\[[Oo ]+\] \d+\/64$/);
  assert.is(line?.length, 80, "as wide as a terminal");
  assert.is(files?.trim(), "Files: 1");
  assert.match(pages ?? "", /Resident Pages: \d+\/64 .*%$/);
});

resident("residency counts the files below a folder, hard links once, and follows no symbolic link", () => {
  const folder = newPath();
  mkdirSync(join(folder, "inner"), { recursive: true });
  writeFileSync(join(folder, "inner", "a"), "a");
  writeFileSync(join(folder, "empty"), "");
  linkSync(join(folder, "inner", "a"), join(folder, "b"));
  symlinkSync(newPages(), join(folder, "link"));
  const { files, pages, list } = sample(folder);
  assert.is(files, 2);
  assert.is(pages, 1);
  assert.equal(
    list.map(({ path, pages }: { path: string; pages: number }) => [path, pages]),
    [
      [join(folder, "b"), 1],
      [join(folder, "empty"), 0],
    ],
  );
});

resident("a file that fails is one line, the others are shown, and the code is 1", () => {
  const path = newPages();
  const { code, stdout, stderr } = cli("residency", join(FOLDER, "missing"), path);
  assert.is(code, 1);
  assert.match(stderr, /ENOENT.*missing/);
  assert.is(stderr.trim().split("\n").length, 1, stderr);
  assert.match(stdout, path);
});

unless(WINDOWS && "it has no /dev/null", resident)("what is neither a file nor a folder is a failure", () => {
  const { code, stderr } = cli("residency", "/dev/null");
  assert.is(code, 1);
  assert.match(stderr, '"/dev/null" is neither a file nor a folder');
});

resident("if no file can be read, there are no totals", () => {
  const { code, stdout } = cli("residency", join(FOLDER, "missing"));
  assert.is(code, 1);
  assert.is(stdout, "");
});

resident("prefault brings all pages in", () => {
  const path = newPages();
  const { code, stdout } = cli("prefault", path);
  assert.is(code, 0);
  assert.is(stdout.trim(), `1 file read, ${size(PAGES * PAGESIZE)}`);
  assert.is(sample(path).resident, PAGES);
});

/** The type of a tmpfs in statfs. */
const TMPFS = 0x01021994;

function withoutEvict(): string | false {
  if (process.platform !== "linux") return "it needs Linux's posix_fadvise";
  if (MACHINE?.emulated) return "QEMU does not pass posix_fadvise's arguments on";
  return statfsSync(FOLDER).type === TMPFS && "the pages of a tmpfs have no other place";
}

unless(withoutEvict(), test)("evict drops all pages, also those that were just written", () => {
  const path = newPages();
  assert.is(sample(path).resident, PAGES);
  const { code, stdout } = cli("evict", path);
  assert.is(code, 0);
  assert.is(stdout.trim(), `1 file evicted, ${size(PAGES * PAGESIZE)}`);
  assert.is(sample(path).resident, 0);
});

unless(WINDOWS && "it has no msync", test)("evict by msync invalidates the pages of a shared map of the file", () => {
  const path = newPages();
  const flushed: unknown[] = [];
  const change = ({ flush }: Platform): Partial<Platform> => ({
    flush(address, length, descriptor, flags) {
      flushed.push([length, flags]);
      flush(address, length, descriptor, flags);
    },
  });
  withPlatform(change, () => invalidate(path));
  assert.equal(flushed, [[PAGES * PAGESIZE, (MS_SYNC as number) | (MS_INVALIDATE as number)]]);
  assert.equal([...readFileSync(path).subarray(-2)], [97, 97]);
});

unless(NEEDS_TSX && "tsx makes the folder", test)("doctor reports that it has no folder for a file", () => {
  const none = join(FOLDER, "none");
  const { code, stdout } = runFile(MAIN, { args: ["doctor"], env: { TMPDIR: none, TEMP: none, TMP: none } });
  assert.is(code, 1);
  assert.match(stdout, "no file can be mapped");
});

/** Starts the tool, and gives what it prints as it comes. */
function start(...args: string[]) {
  const { program, args: all, env } = commandFor(MAIN, { args });
  const child = spawn(program, all, { env, stdio: ["ignore", "pipe", "inherit"] });
  const seen = { text: "" };
  child.stdout.on("data", (chunk) => {
    seen.text += chunk;
  });
  const printed = async (pattern: RegExp) => {
    for (let turn = 0; turn < 2000 && !pattern.test(seen.text); turn++) await setTimeout(10);
    assert.match(seen.text, pattern);
  };
  return { child, printed };
}

const withoutLock =
  (process.platform !== "linux" && "it reads VmLck of /proc") ||
  (MACHINE?.emulated === true && "QEMU had not printed that a file was locked after 20 s");
const locks = unless(withoutLock, resident);

locks("lock keeps a file in memory until it is interrupted", async () => {
  const { child, printed } = start("lock", newPages());
  const ended = once(child, "exit");
  await printed(/1 file locked, 256K\ninterrupt to unlock/);
  const [, locked] = /VmLck:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "latin1")) ?? [];
  assert.is(Number(locked), 256);
  // Not child.kill(): Deno then takes any exit for that of the signal.
  process.kill(child.pid as number, "SIGINT");
  assert.equal(await ended, [0, null]);
});

resident("residency --watch shows it again and again", async () => {
  const { child, printed } = start("residency", "--watch", "--json", newPages());
  const ended = once(child, "exit");
  await printed(/^(\{.*\}\n){2}/);
  child.kill("SIGTERM");
  await ended;
});

resident("--watch ends, and without an error, when nobody reads its output any more", async () => {
  const { program, args, env } = commandFor(MAIN, { args: ["residency", "--watch", newPages()] });
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  child.stdout.once("data", () => child.stdout.destroy());
  assert.equal(await once(child, "close"), [0, null], said);
  assert.is(said, "");
});

const ROOT_USER = process.getuid?.() === 0;
const withoutLimit =
  withoutLock || (ROOT_USER && !existsSync("/usr/bin/setpriv") && "root has no limit without setpriv");

unless(withoutLimit, resident)("a file that may not be locked is named, with the limit", () => {
  const { program, args, env } = commandFor(MAIN, { args: ["lock", newPages()] });
  const limited = ROOT_USER ? ["setpriv", "--bounding-set=-ipc_lock"] : [];
  const shell = ["-c", 'ulimit -l 64 && exec "$@"', "sh", ...limited, program, ...args];
  const { status, stderr } = spawnSync("sh", shell, { env, encoding: "utf8" });
  assert.is(status, 1, stderr);
  assert.match(stderr, /cannot lock ".+": .*\(ENOMEM\); what a process may lock has a limit \(ulimit -l\)$/m);
});

test("doctor says what runs here", () => {
  const { code, stdout, stderr } = cli("doctor", "--json");
  const said = JSON.parse(stdout);
  const { bun, deno, node } = process.versions;
  assert.match(said.runtime, String(bun ?? deno ?? node));
  assert.match(said.system, `${process.platform} ${process.arch}`);
  assert.match(said.mapping, /^works/);
  assert.is(said["mmap-ffi"], JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")).version);
  assert.is(code, said.findings.length > 0 ? 1 : 0, stdout + stderr);
  assert.match(cli("doctor").stdout, /^mmap-ffi: +\d/);
});

test("size() takes the largest binary unit, and percent() of nothing is all", () => {
  assert.equal([0, 1023, 1024, 1536, 20_480, 2 ** 30, 2 ** 60].map(size), [
    "0B",
    "1023B",
    "1K",
    "1.5K",
    "20K",
    "1G",
    "1024P",
  ]);
  assert.equal([percent(1, 3), percent(0, 5), percent(0, 0)], ["33.3%", "0%", "100%"]);
});

test("bar() has a character for each part of a file", () => {
  assert.is(bar([Uint8Array.of(1, 1, 0, 1), Uint8Array.of(0, 0)], 3), "[Oo ]");
  assert.is(bar([Uint8Array.of(1)], 4), "[O   ]");
  assert.is(bar([], 2), "[  ]");
});

test.run();
