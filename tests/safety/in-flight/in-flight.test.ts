/**
 * What operations of the runtime do that are under way on a view when its map ends. Each runs in a child process; other
 * memory comes to every address that is free, at once and again until the operation has ended. None may see it or change
 * it, and none may end the process.
 *
 * `npm run stress -- in-flight` runs every combination; here are the endings that matter for each operation.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EMULATED, unless, WINDOWS } from "../../helpers/support.ts";
import type { Case, Operation } from "./harness.ts";
import { OPERATIONS } from "./operations.ts";
import { isSafe, type Result, runCases } from "./run.ts";

const test = suite("in flight");

const present = OPERATIONS.filter(({ missing }) => !missing);
for (const { name, missing } of OPERATIONS) if (missing) unless(missing, test)(name, () => {});

/** The operations that meet every ending: a socket, a pipe, a read into the view, and work in another thread. */
const THOROUGH = ["net: write", "fs: write", "fs: readv", "crypto: scrypt", "zlib: gzip", "Deno.serve: a stream"];

/** The endings that replace memory in place at once, if that is not one step here. */
const REPLACING = WINDOWS ? ["release", "shrink"] : [];

function casesOf({ name, also = [], waits }: Operation): Case[] {
  const one = (ending: string, garbage: Case["garbage"]): Case => ({ operation: name, ending, garbage });
  if (waits) return [one("close", "forced")];
  const cases = [one("drop", "forced")];
  // What hangs has an operation beside it that waits, as programs should.
  if (!also.includes("hang")) cases.push(one("close", "natural"));
  if (THOROUGH.includes(name)) {
    cases.push(one("drop", "natural"), one("close", "forced"));
    for (const ending of ["release", "grow", "shrink", "beside"]) {
      if (!REPLACING.includes(ending)) cases.push(one(ending, "forced"));
    }
  }
  return cases;
}

const said = ({ operation, ending, garbage, outcome, stderr }: Result) =>
  `${operation}, ${ending}, ${garbage}: ${outcome} ${outcome.startsWith("died") ? stderr : ""}`;

for (const ending of REPLACING) {
  unless("Windows replaces a view in two steps: see docs/limits.md", test)(`${ending} under work in threads`, () => {});
}

const native = unless(EMULATED && "QEMU takes too long for this much work in threads", test);

for (const group of new Set(present.map(({ name }) => name.split(":")[0] as string))) {
  native(`${group}: what a view was given to when its map ended sees no other memory`, () => {
    const operations = present.filter(({ name }) => name.split(":")[0] === group);
    const results = runCases(operations.flatMap(casesOf));
    const find = (name: string) => operations.find((operation) => operation.name === name) as Operation;
    const unsafe = results.filter((result) => !isSafe(result, find(result.operation)));
    assert.equal(unsafe.map(said), []);
  });
}

test.run();
