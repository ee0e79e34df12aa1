/**
 * A call that throws has changed nothing. The program is `tests/helpers/refused-calls.ts`, a child process, because a call that
 * has changed something may end the process later.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CASES, RUN_CASES } from "../helpers/refused-calls.ts";
import { EMULATED, runFile, unless } from "../helpers/support.ts";

const test = suite("safety/refused-calls");
const linux = unless(process.platform !== "linux" && "it counts what Linux's /proc shows", test);

const PROGRAM = fileURLToPath(new URL("../helpers/refused-calls.ts", import.meta.url));

/** What was wrong with each case that ran, by its name. */
const results = new Map<string, string[]>();

/** Runs the cases from `first` on, as far as the process gets. */
function runFrom(first: number): void {
  const { stdout, stderr, code, signal } = runFile(PROGRAM, { args: [RUN_CASES, String(first)] });
  let name = "";
  for (const line of stdout.split("\n")) {
    if (line.startsWith("running ")) name = line.slice("running ".length);
    else if (line.startsWith("[")) results.set(name, JSON.parse(line));
  }
  if (!results.has(name)) results.set(name, [`the process ended with ${signal ?? code}: ${stderr.slice(0, 300)}`]);
}

for (const [index, { name }] of CASES.entries()) {
  const emulated = EMULATED && name.startsWith("lock()") && "QEMU has no mlock2";
  unless(emulated, linux)(`${name}: changes nothing if a system call fails`, () => {
    if (!results.has(name)) runFrom(index);
    assert.equal(results.get(name), []);
  });
}

test.run();
