/**
 * Uses the packed library in test frameworks: Jest and Vitest, in each of their environments and kinds of workers.
 *
 *     npm run test:frameworks
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES } from "../helpers/runtimes.ts";
import { Checks } from "./checks.ts";
import { cacheFolder, installPackages } from "./machine.ts";
import { installPacked, packLibrary } from "./packed.ts";

const PACKAGES = {
  "happy-dom": "21.0.4",
  jest: "30.5.2",
  "jest-environment-jsdom": "30.5.2",
  jsdom: "31.0.1",
  vitest: "5.1.2",
};

const POOLS = ["threads", "forks", "vmThreads", "vmForks"];
const ENVIRONMENTS = ["node", "happy-dom", "jsdom"];

const SUITE = readFileSync(join(ROOT, "tests", "frameworks", "suite.mjs"), "utf8");

/** How many tests the suite has. */
const TESTS = SUITE.match(/^test\(/gm)?.length ?? 0;

const node = RUNTIMES.find(({ name }) => name === "node24")?.command[0] ?? process.execPath;
const checks = new Checks();
const cache = cacheFolder("frameworks");
installPackages(cache, PACKAGES, false);

/** Below the frameworks, where their environments are found. */
const folder = mkdtempSync(join(cache, "suites-"));

/** The suite as a CommonJS module. */
function commonJs(source: string): string {
  return source.replace(/^import \{(.*)\} from (".*");/gm, (_, names: string, from: string) => {
    return `const {${names.replaceAll(" as ", ": ")}} = require(${from});`;
  });
}

/** The suite with what Vitest has in the place of Jest. */
function forVitest(source: string): string {
  return source.replace("jest as framework", "vi as framework").replace("@jest/globals", "vitest");
}

/** Writes the suite twice: the second file loads the library into a process that has loaded it before. */
function writeSuites(kind: string, extension: string, source: string): void {
  mkdirSync(join(folder, kind));
  for (const name of ["first", "second"]) writeFileSync(join(folder, kind, `${name}.test.${extension}`), source);
}

async function runJest(kind: string, environment: string): Promise<void> {
  const program = join(cache, "node_modules", "jest", "bin", "jest.js");
  const options = ["--rootDir", kind, "--testEnvironment", environment, "--testMatch", "**/*.test.*", "--runInBand"];
  await checks.run({
    name: `Jest, ${kind}, ${environment}`,
    // Without the flag, Jest loads no ES modules.
    command: [node, "--experimental-vm-modules", program, ...options, "--no-cache", "--no-watchman"],
    cwd: folder,
    expected: new RegExp(`^Tests: +${2 * TESTS} passed, ${2 * TESTS} total$`, "m"),
  });
}

async function runVitest(): Promise<void> {
  const projects = POOLS.flatMap((pool) =>
    ENVIRONMENTS.map((environment) => {
      return { test: { name: `${pool}, ${environment}`, pool, environment, include: ["vitest/*.test.mjs"] } };
    }),
  );
  writeFileSync(join(folder, "vitest.config.mjs"), `export default ${JSON.stringify({ test: { projects } })};`);
  const count = 2 * TESTS * projects.length;
  await checks.run({
    name: `Vitest, ${POOLS.join(", ")}; ${ENVIRONMENTS.join(", ")}`,
    command: [node, join(cache, "node_modules", "vitest", "vitest.mjs"), "run"],
    cwd: folder,
    expected: new RegExp(`^ +Tests +${count} passed \\(${count}\\)$`, "m"),
    env: { NO_COLOR: "1" },
  });
}

try {
  writeFileSync(join(folder, "package.json"), '{ "name": "user", "private": true }');
  installPacked(folder, packLibrary(folder));
  writeSuites("ES modules", "mjs", SUITE);
  writeSuites("CommonJS", "cjs", commonJs(SUITE));
  writeSuites("vitest", "mjs", forVitest(SUITE));
  for (const kind of ["ES modules", "CommonJS"]) {
    for (const environment of ["node", "jsdom"]) await runJest(kind, environment);
  }
  await runVitest();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
checks.end();
