/**
 * CPython as a peer: a second process, which runs Python's expressions in its turn, and reports how long each took by
 * its own clock.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Peer, Timed } from "./harness.ts";

type Answer = Awaited<ReturnType<Timed>>;

let child: ChildProcess | undefined;
let answered: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
let received = "";

function start(): ChildProcess {
  const program = fileURLToPath(new URL("python.py", import.meta.url));
  const started = spawn("python3", [program], { stdio: ["pipe", "pipe", "inherit"] });
  started.stdout?.setEncoding("utf8").on("data", (text: string) => {
    received += text;
    if (!received.endsWith("\n")) return;
    const { nanoseconds, value } = JSON.parse(received);
    received = "";
    answered?.resolve({ nanoseconds, value });
  });
  started.on("close", (code, signal) => answered?.reject(new Error(`Python ended with ${signal ?? code}`)));
  return started;
}

function ask(question: object): Promise<Answer> {
  child ??= start();
  const answer = new Promise<Answer>((resolve, reject) => {
    answered = { resolve, reject };
  });
  child.stdin?.write(`${JSON.stringify(question)}\n`);
  return answer;
}

/** Ends the Python process. */
export function endPython(): void {
  child?.stdin?.end();
  child = undefined;
}

/** The version of the machine's Python, or undefined if there is none. */
export function pythonVersion(): string | undefined {
  const { status, stdout } = spawnSync("python3", ["-c", "import mmap, platform; print(platform.python_version())"]);
  return status === 0 ? String(stdout).trim() : undefined;
}

/** The path of the machine's Python itself: `python3` may be a script that starts it. Undefined if there is none. */
export function pythonProgram(): string | undefined {
  const { status, stdout } = spawnSync("python3", ["-c", "import sys; print(sys.executable)"]);
  return status === 0 ? String(stdout).trim() : undefined;
}

/**
 * A peer: an expression of Python, after a setup that is not timed. `map_file(path)` maps a file for reading. `target`:
 * null if there is no target.
 */
export function python(setup: string, expression: string, target: number | null = 1): Peer {
  const aim = target === null ? {} : { target };
  return { name: "CPython", ...aim, time: (count) => ask({ setup, expression, count }) };
}

/** Text as a bytes literal of Python. */
export function literal(bytes: Uint8Array): string {
  return `bytes.fromhex("${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}")`;
}
