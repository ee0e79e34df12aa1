/**
 * The Python process that runs the same steps as the library.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Outcome, Sequence } from "./steps.ts";

/** Why there is no Python here to compare with, or undefined. */
export function pythonMissing(): string | undefined {
  const { status, error } = spawnSync("python3", ["-c", "import mmap"], { stdio: "ignore" });
  return status === 0 ? undefined : `python3 does not run: ${error?.message ?? `it ended with ${status}`}`;
}

interface Waiting {
  resolve(outcomes: Outcome[]): void;
  reject(error: Error): void;
}

export class Peer {
  readonly #path: string;
  /** The sequences that the process has not answered yet. */
  #waiting: Waiting[] = [];
  #child: ChildProcess | undefined;

  /** Python's file has the given path. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Runs a sequence; many may be under way. Where Python ends over one, all of them fail; the next starts it anew. */
  run({ content, steps }: Sequence): Promise<Outcome[]> {
    return new Promise((resolve, reject) => {
      this.#child ??= this.#start();
      this.#waiting.push({ resolve, reject });
      const plain = steps.map(({ op, args }) => [op, args]);
      this.#child.stdin?.write(`${JSON.stringify({ content, steps: plain })}\n`);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child === undefined) return resolve();
      this.#child.on("close", () => resolve());
      this.#child.stdin?.end();
    });
  }

  #start(): ChildProcess {
    const program = fileURLToPath(new URL("peer.py", import.meta.url));
    // Unbuffered, Python loses the rest of what a pipe takes only in part, because of a signal for example.
    const env = { ...process.env, PYTHONUNBUFFERED: "" };
    const child = spawn("python3", [program, this.#path], { env, stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    const answer = lines((line) => this.#waiting.shift()?.resolve(JSON.parse(line)));
    child.stdout?.setEncoding("utf8").on("data", answer);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-1000);
    });
    // What is written to a process that has ended is rejected below.
    child.stdin?.on("error", () => {});
    child.on("close", (code, signal) => {
      const waiting = this.#waiting;
      this.#child = undefined;
      this.#waiting = [];
      const last = said.trim().split("\n").at(-1);
      for (const { reject } of waiting) reject(new Error(`Python ended with ${signal ?? code}. ${last}`));
    });
    return child;
  }
}

/** Takes text in parts and gives its lines. */
function lines(give: (line: string) => void): (text: string) => void {
  let received: string[] = [];
  return (text) => {
    const parts = text.split("\n");
    received.push(parts[0] as string);
    for (const part of parts.slice(1)) {
      give(received.join(""));
      received = [part];
    }
  };
}
