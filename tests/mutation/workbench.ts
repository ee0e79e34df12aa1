/**
 * A copy of the project in which one file at a time is changed, and the tests that belong to it are run.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES } from "../helpers/runtimes.ts";
import type { Mutant } from "./mutants.ts";
import { groupsOf, runtimesOf } from "./suites.ts";

/** A mutant is stopped if its tests take too long, or too much memory. */
export type Outcome = "killed" | "stopped" | "survived";

/** How long the unchanged tests of a group took, in milliseconds. */
const times = new Map<string, number>();

/** The most memory that the tests of a mutant may use, in bytes: one that loops may take all that the machine has. */
const MOST_MEMORY = 2 ** 31;

/** The process groups that run, to be ended with this process. */
const running = new Set<number>();

function endGroup(leader: number): void {
  running.delete(leader);
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // All of its processes have ended.
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));
process.on("exit", () => running.forEach(endGroup));

/** The first child of a process; the process itself while it has none. */
function childOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ")[0] || pid);
  } catch {
    return pid;
  }
}

/** How much memory a process uses, in bytes; 0 once it has ended. */
function memoryOf(pid: number): number {
  try {
    return 4096 * Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]);
  } catch {
    return 0;
  }
}

/** How much longer the tests of a mutant may take. */
const PATIENCE = 5;
const LEAST_TIME = 5000;

const KEPT = /^(lib|ffi|platform|tests|bench|examples|docs|README\.md|CHANGELOG\.md|.*\.json)$/;

/** The runs of a file's tests: each group of words in each runtime. */
function runsOf(file: string): { runtime: string; words: readonly string[]; key: string }[] {
  return runtimesOf(file).flatMap((runtime) =>
    groupsOf(file).map((words) => ({ runtime, words, key: `${runtime} ${words}` })),
  );
}

export class Workbench {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(ROOT).filter((name) => KEPT.test(name))) {
      cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  }

  /** Runs the tests of a file as it is; throws unless they pass. */
  async prepare(file: string): Promise<void> {
    for (const { runtime, words, key } of runsOf(file)) {
      if (times.has(key)) continue;
      const began = Date.now();
      const outcome = await this.#run(runtime, words, 10 * 60 * 1000);
      if (outcome !== "survived") throw new Error(`${runtime} fails ${words} without a change (${outcome})`);
      times.set(key, Date.now() - began);
    }
  }

  /** Runs the tests of a mutant until a group of them fails. */
  async try(mutant: Mutant): Promise<Outcome> {
    const { file } = mutant;
    const path = join(this.#folder, file);
    const unchanged = readFileSync(path);
    writeFileSync(path, mutant.source);
    try {
      for (const { runtime, words, key } of runsOf(file)) {
        const limit = LEAST_TIME + PATIENCE * (times.get(key) as number);
        const outcome = await this.#run(runtime, words, limit);
        if (outcome !== "survived") return outcome;
      }
      return "survived";
    } finally {
      writeFileSync(path, unchanged);
    }
  }

  #run(runtime: string, words: readonly string[], limit: number): Promise<Outcome> {
    const { command, env } = RUNTIMES.find(({ name }) => name === runtime) as (typeof RUNTIMES)[number];
    const [program, ...flags] = command as [string, ...string[]];
    // Not in the project: a program there would find its node_modules.
    const temporary = `${this.#folder}-tmp`;
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    // timeout ends what is left if this process is killed.
    const last = ["-s", "KILL", String(Math.ceil(limit / 1000) + 10)];
    const child = spawn("timeout", [...last, program, ...flags, "tests/all.ts", ...words], {
      cwd: this.#folder,
      env: {
        ...process.env,
        ...env,
        TMPDIR: temporary,
        MMAP_TEST_RUNTIME: runtime,
        MMAP_TEST_BAIL: "1",
        MMAP_TEST_NO_MOUNTS: "1",
      },
      stdio: "ignore",
      detached: true,
    });
    const leader = child.pid as number;
    running.add(leader);
    return new Promise((resolve) => {
      const began = Date.now();
      let stopped = false;
      const watch = setInterval(() => {
        const worker = childOf(leader);
        if (Date.now() - began < limit && memoryOf(worker) < MOST_MEMORY) return;
        stopped = true;
        endGroup(leader);
      }, 200);
      child.on("exit", (code) => {
        clearInterval(watch);
        endGroup(leader);
        resolve(stopped ? "stopped" : code === 0 ? "survived" : "killed");
      });
    });
  }
}
