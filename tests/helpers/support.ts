/**
 * What the tests share: folders and files to work on, other processes, the garbage collector, errors to expect.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setImmediate, setTimeout } from "node:timers/promises";
import * as assert from "uvu/assert";
import { MMapError } from "../../lib/mod.ts";
import { LOCK_FILES } from "./lock-files.ts";
import { DESCRIPTORS, descriptorsOf, mappingsOf, resources, withoutMappings } from "./resources.ts";
import { currentRuntime, MACHINE, ROOT, type Runtime } from "./runtimes.ts";

export { resources, withoutMappings };

/** Whether this is Windows. A case that is not for it is added by `unless(WINDOWS && "why not there", test)`. */
export const WINDOWS: boolean = process.platform === "win32";

/** Why the errors of a recorded POSIX system have no names here, or false where they have: for `unless`. */
export const NAMES_OTHER_ERRORS: string | false = WINDOWS && "node:util names Windows's errors there";

/** Why a mutex of an owner that never was is not abandoned here, or false where it is: for `unless`. */
export const NEEDS_LOCK_FILE: string | false = LOCK_FILES && "an owner without a lock file counts as alive";

/** Whether the C library is musl. */
export const MUSL: boolean = MACHINE?.system.endsWith("-musl") || existsSync("/lib/ld-musl-x86_64.so.1");

/** Whether QEMU runs this process. */
export const EMULATED: boolean = MACHINE?.emulated === true;

/** Whether this is Wine in the place of Windows: the runner says so. */
export const WINE: boolean = WINDOWS && process.env.MMAP_TEST_WINE !== undefined;

/**
 * How often a test repeats what shows only after many times: a tenth as often on a processor that is emulated, and on macOS,
 * where each map of a file waits for the disk; a fifth as often under Wine, where each map goes through a server process.
 */
export const repetitions = (usual: number): number =>
  EMULATED || process.platform === "darwin" ? usual / 10 : WINE ? usual / 5 : usual;

/** Why no descriptor can be mapped here, only a path; undefined where they can. */
export const withoutDescriptors: string | undefined =
  WINDOWS && process.versions.deno !== undefined
    ? "Deno on Windows does not tell which file a descriptor stands for"
    : undefined;

/** Why no blocks of a file can be reserved here; undefined where they can. */
export const withoutReserve: string | undefined =
  process.platform === "darwin" || process.platform === "openbsd" ? "this system has no posix_fallocate" : undefined;

/** A folder of this process's own, gone when it ends. */
export const FOLDER: string = mkdtempSync(join(tmpdir(), "mmap-ffi-"));
process.on("exit", () => {
  try {
    rmSync(FOLDER, { recursive: true, force: true });
  } catch (error) {
    // Windows deletes no file that is still mapped.
    if (!WINDOWS) throw error;
  }
});

let files = 0;

/** A path that no other file has. */
export function newPath(): string {
  return join(FOLDER, `file-${files++}`);
}

/** The path of a new file with the given content. */
export function newFile(content: string | Uint8Array): string {
  const path = newPath();
  writeFileSync(path, content);
  return path;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Bytes as text, and text as bytes. */
export const text = (bytes: Uint8Array | undefined): string => decoder.decode(bytes);
export const bytes = (string: string): Uint8Array => encoder.encode(string);

/** What `act` throws; fails when it does not throw. */
export function thrown(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  assert.unreachable(`${act} should have thrown`);
  throw new Error("unreachable");
}

/** Fails unless `act` throws an error of this class (an `MMapError` with this code), whose message contains the parts. */
export function refuses(
  kind: typeof TypeError | typeof RangeError | string,
  act: () => unknown,
  ...parts: string[]
): void {
  const error = thrown(act);
  const said = `${error.name}: ${error.message}`;
  if (typeof kind === "string") {
    assert.instance(error, MMapError, `${said} is no MMapError with the code ${kind}`);
    assert.is((error as MMapError).code, kind);
  } else {
    assert.instance(error, kind, `${said} is no ${kind.name}`);
  }
  for (const part of parts) assert.ok(error.message.includes(part), `"${error.message}" does not contain "${part}"`);
}

/** The same of a promise that is broken. */
export async function rejects(
  kind: typeof TypeError | typeof RangeError | string,
  promise: Promise<unknown>,
  ...parts: string[]
): Promise<void> {
  const outcome = await promise.then(
    () => () => {},
    (error: unknown) => () => {
      throw error;
    },
  );
  refuses(kind, outcome, ...parts);
}

/**
 * Adds tests that are not for every system or runtime. Where there is a reason against them, each is printed as skipped with
 * the reason, and is not added: it counts as skipped alone.
 */
export function unless(reason: string | false | undefined, test: AddTest): AddTest {
  return (name, run) => {
    if (reason) console.log(`\nskipped: ${name}: ${reason}`);
    else test(name, run);
  };
}

type AddTest = (name: string, run: () => void | Promise<void>) => void;

/** Collects garbage, and lets finalizers run. */
export async function collectGarbage(): Promise<void> {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  const collect = gc ?? (() => Bun?.gc(true));
  for (let round = 0; round < 10; round++) {
    collect();
    await setImmediate();
    await setTimeout(5);
  }
}

/**
 * Fails unless this process has these numbers of mappings and descriptors of a file. Checks what the system lists: on
 * Windows nothing; systems/windows.test.ts counts all views and handles.
 */
export function holds(path: string, maps: number, descriptors: number): void {
  if (WINDOWS) return;
  if (!withoutMappings) assert.is(mappingsOf(path), maps, `mappings of ${path}`);
  if (DESCRIPTORS !== undefined) assert.is(descriptorsOf(path), descriptors, `descriptors of ${path}`);
}

/** What a child process did. */
export interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** How a child process is run. */
export interface ChildOptions {
  runtime?: Runtime;
  args?: string[];
  env?: Record<string, string>;
  /** In the place of the runtime's flags. */
  flags?: string[];
  stdio?: (number | "ignore" | "pipe" | "inherit")[];
  /** How long it may take, in milliseconds. */
  limit?: number;
}

/** The address of the library, for a child's program to import. */
export const LIBRARY: string = new URL("../../lib/mod.ts", import.meta.url).href;

/** The mutexes of a child process are those of this one. */
const LOCK_FILES_TOO = LOCK_FILES ? `import ${JSON.stringify(new URL("lock-files.ts", import.meta.url).href)};\n` : "";

/** Writes a program whose first line imports all of the library. Returns its path. */
export function newProgram(source: string): string {
  mkdirSync(FOLDER, { recursive: true });
  const path = `${newPath()}.mts`;
  writeFileSync(
    path,
    `import * as library from ${JSON.stringify(LIBRARY)};\n${LOCK_FILES_TOO}const { MMap, MMapError } = library;\n${source}\n`,
  );
  return path;
}

/** The flags of this runtime: what follows its program and the emulator. */
export const ownFlags = (): string[] => currentRuntime().command.slice(1 + (MACHINE?.emulator.length ?? 0));

/** The command line that runs a file, and its environment. */
export function commandFor(file: string, { runtime = currentRuntime(), args = [], env = {}, flags }: ChildOptions) {
  const [program, ...own] = runtime.command as [string, ...string[]];
  // An emulator comes before the runtime's own program, and stays whatever the flags are.
  const emulated = own.splice(0, MACHINE?.emulator.length ?? 0);
  return {
    program,
    args: [...emulated, ...(flags ?? own), file, ...args],
    env: { ...plainEnvironment(), ...runtime.env, MMAP_TEST_RUNTIME: runtime.name, ...env },
  };
}

/** This process's environment, without what would colour a child's output or ask for another way to call C. */
function plainEnvironment(): Record<string, string | undefined> {
  const { FORCE_COLOR: _color, MMAP_FFI: _way, ...rest } = process.env;
  return { ...rest, NO_COLOR: "1", NODE_NO_WARNINGS: "1" };
}

/**
 * The start of a program that runs itself in workers: `startWorker(data)` returns a promise that resolves when the worker ends.
 */
export const WORKERS = `
  import { isMainThread, workerData } from "node:worker_threads";
  import { startWorker as start } from ${JSON.stringify(new URL("workers.ts", import.meta.url).href)};
  const startWorker = (data) => start(new URL(import.meta.url), data);
`;

/** Runs a program in a child process, to its end. */
export function runChild(source: string, options: ChildOptions = {}): Ended {
  return runFile(newProgram(source), options);
}

/** How long a child process may take: far more than it should. */
const CHILD_LIMIT = (EMULATED ? 10 : 2) * 60 * 1000;

export function runFile(file: string, options: ChildOptions = {}): Ended {
  const { program, args, env } = commandFor(file, options);
  const ended = spawnSync(program, args, {
    cwd: ROOT,
    env,
    encoding: "utf8",
    timeout: options.limit ?? CHILD_LIMIT,
    maxBuffer: 2 ** 26,
  });
  return { code: ended.status, signal: ended.signal, stdout: ended.stdout ?? "", stderr: ended.stderr ?? "" };
}

/** Runs a program in a child process and returns what it printed. Fails unless its exit code is 0. */
export function printedBy(source: string, options: ChildOptions = {}): string {
  const { code, signal, stdout, stderr } = runChild(source, options);
  assert.is(signal ?? code, 0, `the child ended with ${signal ?? code}: ${stdout}${stderr}`);
  return stdout.trim();
}
