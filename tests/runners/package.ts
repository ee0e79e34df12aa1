/**
 * Tests what is published, and not only the sources: packs the package, installs it into an empty folder, imports and
 * requires it in every runtime that npm packages are for, and lets TypeScript see its types.
 *
 *     npm run test:package
 *
 * @module
 */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT, RUNTIMES } from "../helpers/runtimes.ts";
import { Checks } from "./checks.ts";
import { checkManagers } from "./managers.ts";
import { installPacked, packLibrary } from "./packed.ts";
import { checkTypes } from "./types.ts";

if (process.platform === "win32") {
  throw new Error("test:package starts npm's scripts as programs, which Windows does not: run it on Linux or macOS");
}

const folder = mkdtempSync(join(tmpdir(), "mmap-ffi-package-"));
const elsewhere = mkdtempSync(join(tmpdir(), "mmap-ffi-elsewhere-"));
const checks = new Checks();

const check = (name: string, program: string, args: string[], expected: RegExp, cwd = folder) =>
  checks.run({ name, command: [program, ...args], expected, cwd });

const tool = (name: string) => join(ROOT, "node_modules", ".bin", name);

const packed = packLibrary(folder);

const USE = `
const path = require("node:path").join(__dirname, "package.json");
const mm = MMap.open(path);
const text = new TextDecoder().decode(mm.read(1));
mm.close();
console.log(MMap.name, text, PAGESIZE, typeof MAP_SHARED);`;

/** What that prints. */
const WORKS = /^MMap \{ \d+ number$/m;

/** What is printed if Node calls C by itself. */
const WORKS_BY_NODE_FFI = /^MMap \{ \d+ number$[^]*ExperimentalWarning: FFI/m;

/** A program that is bundled with the library into one CommonJS file. */
const BUNDLED = `import { MMap, PAGESIZE, MAP_SHARED } from "mmap-ffi";${USE}`;

/** Prints which of its own modules Node loads for the library. */
const LOADED = (load: string) => `
const before = new Set(process.moduleLoadList);
${load};
console.log("loaded:", process.moduleLoadList.filter((name) => !before.has(name)).join());`;

try {
  writeFileSync(join(folder, "package.json"), '{ "name": "user", "private": true, "type": "commonjs" }\n');
  installPacked(folder, packed);
  const bare = USE.replace(/require\("node:path"\)\.join\(__dirname, "package.json"\)/, '"package.json"');
  writeFileSync(join(folder, "use.cjs"), `const { MMap, PAGESIZE, MAP_SHARED } = require("mmap-ffi");${USE}`);
  writeFileSync(join(folder, "use.mjs"), `import { MMap, PAGESIZE, MAP_SHARED } from "mmap-ffi";${bare}`);
  writeFileSync(join(folder, "load.cjs"), LOADED('require("./node_modules/mmap-ffi/dist/mod.cjs")'));
  writeFileSync(join(folder, "load.mjs"), LOADED('await import("mmap-ffi")'));
  writeFileSync(join(folder, "bundled.ts"), BUNDLED);
  const bundling = ["bundled.ts", "--bundle", "--platform=node", "--format=cjs", "--outfile=bundled.cjs"];
  await check("esbuild bundles it into CommonJS", tool("esbuild"), bundling, /bundled\.cjs/);
  // Where no koffi is to be found.
  cpSync(join(folder, "bundled.cjs"), join(elsewhere, "bundled.cjs"));
  writeFileSync(join(elsewhere, "package.json"), "{}");
  for (const { name, command, env, missing, broken } of RUNTIMES) {
    if (name === "deno") continue;
    if (broken !== undefined) {
      checks.count(name, false, broken);
      continue;
    }
    if (missing !== undefined) {
      console.log(`skipped: ${name}: ${missing}`);
      continue;
    }
    const program = command[0] as string;
    const set = Object.entries(env).map(([key, value]) => `${key}=${value}`);
    for (const file of ["use.mjs", "use.cjs"]) {
      await check(`${name} ${file}`, "env", [...set, program, file], WORKS);
    }
    const doctor = [program, join(folder, "node_modules", ".bin", "mmap-ffi"), "doctor"];
    await check(`${name} mmap-ffi doctor`, "env", [...set, ...doctor], /^mapping: +works;/m);
    await check(`${name} bundled.cjs`, "env", [...set, program, join(folder, "bundled.cjs")], WORKS, "/");
    if (name === "node26") {
      // The program that npm installed has koffi beside it.
      cpSync(program, join(elsewhere, "node"));
      const alone = [join(elsewhere, "bundled.cjs")];
      await check(`${name} bundled.cjs without koffi`, join(elsewhere, "node"), alone, WORKS_BY_NODE_FFI, "/");
    }
    // Elsewhere the page size, which the library exports, is to be had through C alone.
    if (name === "bun" || process.arch !== "x64") continue;
    for (const file of ["load.mjs", "load.cjs"]) {
      await check(`${name} loads nothing for ${file}`, "env", [...set, program, file], /^loaded: $/m);
    }
  }

  await checkTypes(checks, folder);
  await check("publint", tool("publint"), ["--strict", ROOT], /All good/);
  await check("are the types wrong?", tool("attw"), [packed.tarball, "--no-color"], /No problems found/);
  await check(
    "deno publish --dry-run",
    tool("deno"),
    ["publish", "--dry-run", "--allow-dirty"],
    /Dry run complete/,
    ROOT,
  );

  // The sources in a program with other compiler options than the library's.
  writeFileSync(
    join(elsewhere, "sources.ts"),
    `export { MMap } from ${JSON.stringify(join(ROOT, "lib", "mod.ts"))};\n`,
  );
  await check(
    "deno check",
    "env",
    ["DENO_NO_PACKAGE_JSON=1", tool("deno"), "check", "sources.ts"],
    /sources\.ts/,
    elsewhere,
  );

  const contents = [...packed.files].sort();
  const expected =
    /^(CHANGELOG\.md|LICENSE|README\.md|package\.json|dist\/cli\.js|dist\/mod\.(js|cjs|d\.ts|d\.cts|js\.map|cjs\.map))$/;
  const strange = contents.filter((path) => !expected.test(path));
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  const jsr = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")) as { version: string };
  const whole = strange.length === 0 && contents.length >= 11 && version === jsr.version;
  const found = `${contents.join(" ")}, ${version} ${jsr.version}`;
  checks.count("the package's contents and version", whole, found);
  await checkManagers(checks, packed.tarball);
} finally {
  for (const made of [folder, elsewhere]) rmSync(made, { recursive: true, force: true });
}
checks.end();
