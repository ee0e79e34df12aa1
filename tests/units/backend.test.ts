import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFfi } from "../../ffi/mod.ts";
import { FfiUnavailable, type Signatures } from "../../ffi/types.ts";
import { librariesFor } from "../../platform/linux.ts";
import { currentRuntime, ROOT } from "../helpers/runtimes.ts";
import { LIBRARY, newPath, runFile, runs, thrown, WINDOWS } from "../helpers/support.ts";

const test = suite("no way to call C");

const isNode = process.versions.bun === undefined && process.versions.deno === undefined;
const hasNodeFfi = isNode && Number.parseInt(process.versions.node, 10) >= 26;

/** Imports the library after `before` has run, then maps something, and prints what came of it. */
const TRY = (before: string, library: string) => `
  ${before}
  const { MMap, MMapError, PAGESIZE, MAP_SHARED } = await import(${JSON.stringify(library)});
  console.log("imported", PAGESIZE > 0, MAP_SHARED);
  for (let round = 0; round < 2; round++) {
    try { MMap.anonymous(10).close(); console.log("mapped"); }
    catch (error) {
      console.log(error instanceof MMapError, error.code, error.message, ...(error.cause ? ["cause:", error.cause.message] : []));
    }
  }`;

/** Has the runtime say that it is on another machine. Deno says so in a place of its own, under names of its own. */
const PRETEND = (name: "arch" | "platform", value: string) => `
  const { Deno } = globalThis;
  const build = Deno && { ...Deno.build, ${name === "arch" ? "arch" : "os"}: "${value}" };
  if (Deno) Object.defineProperty(Deno, "build", { value: build });
  else Object.defineProperty(process, "${name}", { value: "${value}" });`;

function tryWith(before: string): string[] {
  const path = `${newPath()}.mts`;
  writeFileSync(path, TRY(before, LIBRARY));
  const { stdout, stderr } = runFile(path);
  return (stdout + stderr).trim().split("\n");
}

test("a 32-bit process is told to run a 64-bit build, when it maps and not when it imports", () => {
  const [imported, first, second] = tryWith(PRETEND("arch", "ia32"));
  assert.match(imported as string, /^imported/);
  assert.match(first as string, /^true ERR_MMAP_FFI .*32-bit.*ia32.*64-bit/);
  // The cause would say the same once more.
  assert.not.match(first as string, /cause/);
  assert.is(second, first);
});

test("an unknown system is told which are known, and its constants are undefined", () => {
  const [imported, first] = tryWith(PRETEND("platform", "plan9"));
  assert.match(imported as string, /^imported (true|false) undefined$/);
  assert.match(first as string, /^true ERR_MMAP_FFI .*plan9.*linux/);
});

test("without koffi and without node:ffi, Node is told to install koffi", () => {
  if (!runs("koffi is not installed", !isNode && "only Node needs koffi")) return;
  // A copy of the library where no koffi is to be found.
  const folder = newPath();
  mkdirSync(folder);
  for (const part of ["lib", "ffi", "platform"]) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const path = join(folder, "program.mts");
  writeFileSync(path, TRY("", "./lib/mod.ts"));
  const { stdout, stderr } = runFile(path, { env: { MMAP_FFI: "" } });
  const [imported, first] = (stdout + stderr).trim().split("\n");
  assert.match(imported as string, /^imported true (1|undefined)$/);
  if (hasNodeFfi) assert.is(first, "mapped");
  else assert.match(first as string, /^true ERR_MMAP_FFI .*npm install koffi.* cause: Cannot find module 'koffi'/);
});

test("MMAP_FFI=node where there is no node:ffi is told so", () => {
  if (!runs("MMAP_FFI=node", !isNode && "only Node reads MMAP_FFI")) return;
  const path = `${newPath()}.mts`;
  writeFileSync(path, TRY("", LIBRARY));
  const { stdout } = runFile(path, { env: { MMAP_FFI: "node" } });
  const first = stdout.trim().split("\n")[1] as string;
  if (hasNodeFfi) assert.is(first, "mapped");
  else assert.match(first, /^true ERR_MMAP_FFI .*node:ffi.*MMAP_FFI/);
});

test("a library or a function that is not there leaves no way to call C", () => {
  const ffi = openFfi();
  const abs = { abs: { parameters: ["i32"], result: "i32" } } as const;
  const libraries = WINDOWS ? ["ucrtbase.dll"] : librariesFor(process.arch);
  assert.is(ffi.open(["no-such-library", ...libraries], abs).abs(-3), 3);
  const refused = (names: string[], signatures: Signatures) => {
    const error = thrown(() => ffi.open(names, signatures));
    assert.instance(error, FfiUnavailable);
    return error.message;
  };
  assert.match(refused(["no-such-library"], abs), /no-such-library/);
  assert.match(refused(libraries, { ...abs, no_such_function: abs.abs }), new RegExp(libraries[0] as string));
});

test("a mistake that shows while the system is opened stays what it is", () => {
  if (!runs("a mistake in the system's file", WINDOWS && "it is about POSIX's file")) return;
  const [, first] = tryWith("Array.prototype.flatMap = () => { throw new RangeError('a mistake'); };");
  assert.is(first, "false undefined a mistake");
});

test("the suite runs with the way to call C that it is named for", () => {
  const wanted = currentRuntime().env.MMAP_FFI;
  assert.is(process.env.MMAP_FFI, wanted);
});

test.run();
