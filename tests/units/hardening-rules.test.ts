/**
 * The lint rules of docs/hardening.md: each is broken on purpose in a copy of the project's configuration.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MACHINE, ROOT } from "../helpers/runtimes.ts";
import { newPath, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("hardening rules");

const BIOME = join(ROOT, "node_modules/.bin/biome");

/** Why Biome does not run here. */
const missing = WINDOWS
  ? "its scripts are others"
  : MACHINE !== undefined
    ? "it is not installed for the machine that the tests emulate"
    : !existsSync(BIOME) && "it is not installed";

const check = unless(missing && `Biome: ${missing}`, test);

/** Each line breaks one rule. */
const BROKEN = [
  "for (const one of list) use(one);",
  "const [first] = list;",
  "[last] = list;",
  "const copy = [...list];",
  "use(...list);",
  "new Use(...list);",
  "list.push(1);",
  "list.map(use);",
  "list.filter(use);",
  "list?.find(use);",
  "list.reduce(use);",
  "list.includes(1);",
  "use.call(list);",
  "globalThis.Math.min(1);",
  "Math.min(1);",
  "new Uint8Array(1);",
];

/** What looks similar, but is allowed. */
const ALLOWED = [
  "const object = { ...other };",
  "const { length } = list;",
  "const { 0: first } = list;",
  "function use(...values) {}",
  "for (let index = 0; index < length; index++) use(list[index]);",
  "platform.map(request);",
  "this.#platform.map(request);",
  "list.each(use);",
];

/** The lines that the two rules report, one number for each report, if the project had a file at `path`. */
function reportedLines(path: string, lines: readonly string[]): number[] {
  const folder = newPath();
  mkdirSync(join(folder, dirname(path)), { recursive: true });
  for (const part of ["biome.json", "hardening.grit"]) cpSync(join(ROOT, part), join(folder, part));
  writeFileSync(join(folder, path), `${lines.join("\n")}\n`);
  const only = ["--only=plugin", "--only=style/noRestrictedGlobals"];
  const options = ["--vcs-enabled=false", "--reporter=concise", "--max-diagnostics=none", ...only];
  const { stdout, stderr } = spawnSync(BIOME, ["lint", ...options, path], { cwd: folder, encoding: "utf8" });
  assert.match(stdout + stderr, /Checked 1 file/);
  return [...(stdout + stderr).matchAll(/^\S* ?\S+\.ts:(\d+):/gm)]
    .map(([, line]) => Number(line))
    .sort((a, b) => a - b);
}

const everyLine = BROKEN.map((_, index) => index + 1);

for (const path of ["ffi/file.ts", "platform/windows/file.ts", "lib/mapping/file.ts"]) {
  check(`${path}: every way to call a replaced built-in is reported`, () => {
    assert.equal(reportedLines(path, BROKEN), everyLine);
  });
}

check("code without addresses may use methods of arrays, but no global built-ins", () => {
  assert.equal(
    reportedLines("lib/file.ts", BROKEN).map((line) => BROKEN[line - 1]),
    ["Math.min(1);", "new Uint8Array(1);"],
  );
});

check("what calls no prototype is allowed, and so is everything outside of the library", () => {
  assert.equal(reportedLines("platform/file.ts", ALLOWED), []);
  assert.equal(reportedLines("tests/file.ts", BROKEN), []);
});

test.run();
