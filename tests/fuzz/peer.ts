/**
 * The Python process that runs the same steps as the library.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Outcome, Sequence } from "./steps.ts";

/** Why there is no Python here to compare with, or undefined. */
export function pythonMissing(): string | undefined {
  const { status, error } = spawnSync("python3", ["-c", "import mmap"], { stdio: "ignore" });
  return status === 0 ? undefined : `python3 does not run: ${error?.message ?? `it ended with ${status}`}`;
}

export class Peer {
  readonly #child: ChildProcess;
  readonly #waiting: { resolve(outcomes: Outcome[]): void; reject(error: Error): void }[] = [];
  #received: string[] = [];

  /** Starts Python, whose file has the given path. */
  constructor(path: string) {
    const program = fileURLToPath(new URL("peer.py", import.meta.url));
    this.#child = spawn("python3", [program, path], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#receive(text));
    this.#child.on("close", (code, signal) => {
      for (const { reject } of this.#waiting) reject(new Error(`Python ended with ${signal ?? code}`));
    });
  }

  /** Runs a sequence; many may be under way. */
  run({ content, steps }: Sequence): Promise<Outcome[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const plain = steps.map(({ op, args }) => [op, args]);
      this.#child.stdin?.write(`${JSON.stringify({ content, steps: plain })}\n`);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.on("close", () => resolve());
      this.#child.stdin?.end();
    });
  }

  #receive(text: string): void {
    const parts = text.split("\n");
    this.#received.push(parts[0] as string);
    for (const part of parts.slice(1)) {
      this.#waiting.shift()?.resolve(JSON.parse(this.#received.join("")));
      this.#received = [part];
    }
  }
}
