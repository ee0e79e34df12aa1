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
import { groupsOf, runtimeOf } from "./suites.ts";

export type Outcome = "killed" | "timeout" | "survived";

/** How long the unchanged tests of a group took, in milliseconds. */
const times = new Map<string, number>();

/** How much longer the tests of a mutant may take. */
const PATIENCE = 5;
const LEAST_TIME = 5000;

const KEPT = /^(lib|ffi|platform|tests|bench|examples|docs|README\.md|CHANGELOG\.md|.*\.json)$/;

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
    for (const words of groupsOf(file)) {
      const key = `${runtimeOf(file)} ${words}`;
      if (times.has(key)) continue;
      const began = Date.now();
      const outcome = await this.#run(file, words, 10 * 60 * 1000);
      if (outcome !== "survived") throw new Error(`the tests ${words} fail without a change (${outcome})`);
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
      for (const words of groupsOf(file)) {
        const limit = LEAST_TIME + PATIENCE * (times.get(`${runtimeOf(file)} ${words}`) as number);
        const outcome = await this.#run(file, words, limit);
        if (outcome !== "survived") return outcome;
      }
      return "survived";
    } finally {
      writeFileSync(path, unchanged);
    }
  }

  #run(file: string, words: readonly string[], limit: number): Promise<Outcome> {
    const { command, env } = RUNTIMES.find(({ name }) => name === runtimeOf(file)) as (typeof RUNTIMES)[number];
    const [program, ...flags] = command as [string, ...string[]];
    // Not in the project: a program there would find its node_modules.
    const temporary = `${this.#folder}-tmp`;
    rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    // A mutant that takes all memory is to be the first that the system ends.
    const script = 'echo 1000 > /proc/self/oom_score_adj; exec "$@"';
    const child = spawn("sh", ["-c", script, "sh", program, ...flags, "tests/all.ts", ...words], {
      cwd: this.#folder,
      env: {
        ...process.env,
        ...env,
        TMPDIR: temporary,
        MMAP_TEST_RUNTIME: runtimeOf(file),
        MMAP_TEST_BAIL: "1",
        MMAP_TEST_NO_MOUNTS: "1",
      },
      stdio: "ignore",
      detached: true,
    });
    return new Promise((resolve) => {
      let late = false;
      // The child's own children too.
      const end = () => {
        try {
          process.kill(-(child.pid as number), "SIGKILL");
        } catch {
          // All of them have ended.
        }
      };
      const timer = setTimeout(() => {
        late = true;
        end();
      }, limit);
      child.on("exit", (code) => {
        clearTimeout(timer);
        end();
        resolve(late ? "timeout" : code === 0 ? "survived" : "killed");
      });
    });
  }
}
