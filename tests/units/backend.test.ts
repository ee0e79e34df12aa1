/**
 * Which way to call C the library takes, and what it says where there is none.
 *
 * @module
 */

import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFfi } from "../../ffi/mod.ts";
import { FfiUnavailable, type Signatures } from "../../ffi/types.ts";
import { librariesFor } from "../../platform/linux.ts";
import { currentRuntime, MACHINE, ROOT } from "../helpers/runtimes.ts";
import { LIBRARY, newPath, runFile, thrown, unless } from "../helpers/support.ts";

const test = suite("units/backend");

const require = createRequire(import.meta.url);

test("currentRuntime() is the runtime that runs the suite", () => {
  assert.is(currentRuntime().missing, undefined);
  const own = process.versions.bun ? "bun" : process.versions.deno ? "deno" : "node";
  assert.ok(currentRuntime().name.startsWith(own));
});

test("process.platform and process.arch are those of the emulated machine", () => {
  const running = `${process.platform}-${process.arch}`;
  if (MACHINE !== undefined) assert.ok(MACHINE.system.startsWith(running), `${running} instead of ${MACHINE.system}`);
});

const isNode = process.versions.bun === undefined && process.versions.deno === undefined;

/** Each system's C library. */
const C_LIBRARIES: Record<string, readonly string[]> = {
  linux: librariesFor(process.arch),
  darwin: ["/usr/lib/libSystem.B.dylib"],
  freebsd: ["libc.so.7"],
  openbsd: ["libc.so"],
  win32: ["ucrtbase.dll"],
};

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

test("anonymous() in a 32-bit process says to run a 64-bit build; the import does not throw", () => {
  const [imported, first, second] = tryWith(PRETEND("arch", "ia32"));
  assert.match(imported as string, /^imported/);
  assert.match(first as string, /^true ERR_MMAP_FFI .*32-bit.*ia32.*64-bit/);
  // The cause would say the same once more.
  assert.not.match(first as string, /cause/);
  assert.is(second, first);
});

test("anonymous() takes every architecture with 64-bit addresses", () => {
  for (const arch of ["x64", "arm64", "loong64", "mips64el", "ppc64", "riscv64", "s390x"]) {
    const [, first] = tryWith(PRETEND("arch", arch));
    assert.not.match(first as string, /32-bit/, arch);
  }
});

test("anonymous() on an architecture whose constants are unknown names the known ones; its constants are undefined", () => {
  const [imported, first, second] = tryWith(PRETEND("arch", "mips64el"));
  assert.match(imported as string, /^imported false undefined$/);
  assert.match(first as string, /^true ERR_MMAP_FFI .*"mips64el".*run it on x64, arm64/);
  assert.is(second, first);
});

test("each system names the architectures that its constants are known for", () => {
  const path = `${newPath()}.mts`;
  const modules = ["platform/mod.ts", "lib/errors.ts"].map((file) =>
    JSON.stringify(pathToFileURL(join(ROOT, file)).href),
  );
  writeFileSync(
    path,
    `${PRETEND("arch", "mips64el")}
     const { openPlatform } = await import(${modules[0]});
     const { errorFactory } = await import(${modules[1]});
     for (const name of ["linux", "android", "darwin", "freebsd", "openbsd", "win32"]) {
       try { openPlatform(errorFactory, name); console.log("opened"); } catch (error) { console.log(error.message); }
     }`,
  );
  const { stdout, stderr } = runFile(path);
  const known = stdout
    .trim()
    .split("\n")
    .map((line) => /of (\w+), .*: run it on (.*)$/.exec(line)?.slice(1).join(": "));
  assert.equal(
    known,
    [
      "linux: x64, arm64, riscv64, loong64, s390x, ppc64",
      "android: x64, arm64, riscv64",
      "darwin: x64, arm64",
      "freebsd: x64, arm64",
      "openbsd: x64, arm64",
      "win32: x64, arm64",
    ],
    stderr,
  );
});

unless(!isNode && "only Node 20 has another limit", test)(
  "the longest view in Node is 1 TiB, and 4 GiB in Node 20",
  () => {
    const isOld = Number.parseInt(process.versions.node, 10) < 22;
    assert.is(openFfi().maxViewLength, isOld ? 2 ** 32 : 2 ** 40);
  },
);

test("openFfi().openLater() calls C in another thread, in the runtimes that can", async () => {
  const { openLater } = openFfi();
  const can = process.versions.deno !== undefined || (isNode && currentRuntime().env.MMAP_FFI !== "node");
  assert.is(openLater !== undefined, can);
  const libraries = C_LIBRARIES[process.platform] as readonly string[];
  const { abs } = openLater?.(libraries, { abs: { parameters: ["i32"], result: "i32" } }) ?? {};
  if (can) assert.is(await abs?.(-3), 3);
});

test("operations hold the buffers that they work on, except Deno's", () => {
  // tests/safety/in-flight/ shows what that leads to.
  assert.is(openFfi().operationsKeepBuffers, process.versions.deno === undefined);
});

test("anonymous() on an unknown system names the supported ones; its constants are undefined", () => {
  const [imported, first] = tryWith(PRETEND("platform", "plan9"));
  assert.match(imported as string, /^imported (true|false) undefined$/);
  assert.match(first as string, /^true ERR_MMAP_FFI .*plan9.*linux/);
});

const hasNodeFfi = isNode && Number.parseInt(process.versions.node, 10) >= 26;

unless(!isNode && "only Node can be that old", test)(
  "anonymous() and open() in a Node that is too old say which one to run, and make no file",
  () => {
    const path = `${newPath()}.mts`;
    const missing = newPath();
    writeFileSync(
      path,
      `delete process.getBuiltinModule;
       const { MMap, MMapError } = await import(${JSON.stringify(LIBRARY)});
       const acts = [
         () => MMap.anonymous(10),
         () => MMap.open(${JSON.stringify(missing)}, { create: true, length: 10 }),
         () => MMap.open(new URL("file:///x")),
       ];
       for (const act of acts) {
         try { act(); } catch (error) { console.log(error instanceof MMapError, error.code, error.message); }
       }`,
    );
    const { stdout, stderr } = runFile(path);
    const line = `true ERR_MMAP_FFI Node ${process.versions.node} is too old: run Node 20.16 or later, or 22.3 or later\n`;
    assert.is(stdout, line.repeat(3), stderr);
    assert.is(existsSync(missing), false);
  },
);

const needsKoffi = unless(!isNode && "only Node needs koffi", test);

/**
 * A copy of the library in a separate folder, where no koffi is found, and what a program beside it prints. `prepare` returns code
 * that the program runs first.
 */
function tryWithout(install: (folder: string) => void, prepare: (folder: string) => string = () => "") {
  const folder = newPath();
  mkdirSync(folder);
  for (const part of ["lib", "ffi", "platform"]) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  install(folder);
  const path = join(folder, "program.mts");
  const program = join(folder, "bin", "node");
  writeFileSync(
    path,
    // The suite's runtimes and its working directory have koffi beside them.
    `${TRY(`process.chdir(${JSON.stringify(folder)}); process.execPath = ${JSON.stringify(program)}; ${prepare(folder)}`, "./lib/mod.ts")}
     const { existsSync } = await import("node:fs");
     try { MMap.open(${JSON.stringify(join(folder, "new"))}, { create: true, length: 10 }).close(); } catch {}
     console.log("a file is there:", existsSync(${JSON.stringify(join(folder, "new"))}));`,
  );
  // Emulated machines find koffi by NODE_PATH.
  const { stdout, stderr } = runFile(path, { env: { MMAP_FFI: "", NODE_PATH: "" } });
  return { folder, lines: (stdout + stderr).trim().split("\n") };
}

/** Puts a package into a folder's `node_modules`. */
function addPackage(folder: string, name: string, code: string): void {
  const path = join(folder, "node_modules", name);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "index.js"), code);
  writeFileSync(join(path, "package.json"), '{ "type": "commonjs" }');
}

const KOFFI_PACKAGE = `@koromix/koffi-${process.platform}-${process.arch}`;

needsKoffi("anonymous() in Node without koffi and node:ffi says what to install, and where it was searched for", () => {
  const { folder, lines } = tryWithout(() => undefined);
  const [imported, first] = lines as [string, string];
  assert.match(imported, /^imported true (1|undefined)$/);
  if (hasNodeFfi) assert.is(first, "mapped");
  else {
    assert.match(first, new RegExp(`^true ERR_MMAP_FFI no FFI found .*npm install ${KOFFI_PACKAGE} \\(searched from `));
    // The library's folder, the program's, the runtime's; the working directory is the program's.
    const places = [join(folder, "ffi"), folder, join(folder, "bin")];
    assert.ok(first.includes(`searched from ${places.join(", ")})`), first);
  }
  assert.ok(lines.includes(`a file is there: ${hasNodeFfi}`), lines.join("\n"));
});

needsKoffi("anonymous() in Node finds koffi beside the program, and does without a program's path", () => {
  const beside = tryWithout(
    (folder) => {
      const real = require.resolve(KOFFI_PACKAGE);
      addPackage(join(folder, "app"), KOFFI_PACKAGE, `module.exports = require(${JSON.stringify(real)});`);
    },
    (folder) => `process.argv[1] = ${JSON.stringify(join(folder, "app", "main.js"))};`,
  );
  assert.is(beside.lines[1], "mapped");
  // As in `node -e`.
  const { folder, lines } = tryWithout(
    () => undefined,
    () => "process.argv.length = 1;",
  );
  if (hasNodeFfi) assert.is(lines[1], "mapped");
  else assert.ok(lines[1]?.includes(`(searched from ${join(folder, "ffi")}, ${join(folder, "bin")}, `), lines[1]);
});

needsKoffi("anonymous() in Node reports the error of a koffi that the system cannot load", () => {
  const { lines } = tryWithout((folder) => {
    const error = 'Object.assign(new Error("invalid ELF header"), { code: "ERR_DLOPEN_FAILED" })';
    addPackage(folder, KOFFI_PACKAGE, `throw ${error};`);
  });
  assert.is(lines[1], hasNodeFfi ? "mapped" : "true ERR_MMAP_FFI koffi does not work here: Error: invalid ELF header");
});

needsKoffi("anonymous() in Node names a koffi that is too old, or that lacks its native part", () => {
  const old = tryWithout((folder) => {
    addPackage(folder, "koffi", `module.exports = { version: "2.16.1", load() {}, view() {} };`);
  });
  const broken = tryWithout((folder) => addPackage(folder, KOFFI_PACKAGE, `require("./koffi.node");`));
  if (hasNodeFfi) {
    assert.is(old.lines[1], "mapped");
    assert.is(broken.lines[1], "mapped");
    return;
  }
  const [, tooOld] = old.lines as [string, string];
  assert.ok(tooOld.includes(`koffi 3 is needed, and ${join(old.folder, "node_modules", "koffi")}`), tooOld);
  assert.match(tooOld, /^true ERR_MMAP_FFI .*koffi 2\.16\.1: npm install @koromix/);
  for (const code of ["load() {}", "view() {}"]) {
    const { lines } = tryWithout((folder) => {
      addPackage(folder, "koffi", `module.exports = { version: "3.0.0", ${code} };`);
    });
    assert.match(lines[1] as string, /^true ERR_MMAP_FFI .*koffi 3 is needed, and .* is koffi 3\.0\.0/);
  }
  const [, withoutPart] = broken.lines as [string, string];
  assert.match(withoutPart, /^true ERR_MMAP_FFI .* does not load: Cannot find module .*npm install @koromix/);
});

needsKoffi("anonymous() in Node skips a koffi that is too old for one that works", () => {
  const real = require.resolve(KOFFI_PACKAGE);
  const { lines } = tryWithout((folder) => {
    addPackage(join(folder, "ffi"), "koffi", `module.exports = { version: "2.16.1" };`);
    addPackage(folder, KOFFI_PACKAGE, `module.exports = require(${JSON.stringify(real)});`);
  });
  assert.is(lines[1], "mapped");
});

unless(!isNode && "only Node reads MMAP_FFI", test)(
  "anonymous() with MMAP_FFI=node says so where there is no node:ffi",
  () => {
    const path = `${newPath()}.mts`;
    writeFileSync(path, TRY("", LIBRARY));
    const { stdout } = runFile(path, { env: { MMAP_FFI: "node" } });
    const first = stdout.trim().split("\n")[1] as string;
    if (hasNodeFfi) assert.is(first, "mapped");
    else assert.match(first, /^true ERR_MMAP_FFI .*node:ffi.*MMAP_FFI/);
  },
);

test("openFfi().open() throws FfiUnavailable if the library or a function is missing", () => {
  const ffi = openFfi();
  const abs = { abs: { parameters: ["i32"], result: "i32" } } as const;
  const libraries = C_LIBRARIES[process.platform] as readonly string[];
  assert.is(ffi.open(["no-such-library", ...libraries], abs).abs(-3), 3);
  const refused = (names: readonly string[], signatures: Signatures) => {
    const error = thrown(() => ffi.open(names, signatures));
    assert.instance(error, FfiUnavailable);
    return error.message;
  };
  assert.match(refused(["no-such-library"], abs), /no-such-library/);
  assert.match(refused(libraries, { ...abs, no_such_function: abs.abs }), new RegExp(libraries[0] as string));
});

test("anonymous() rethrows unchanged an unexpected error of opening the platform", () => {
  // The library asks which runtime it is when it opens the system, and not before.
  const [, first] = tryWith(`
    const { versions } = process;
    Object.defineProperty(process, "versions", {
      get() {
        if (new Error().stack.includes("openFfi")) throw new RangeError("a mistake");
        return versions;
      },
    });`);
  assert.is(first, "false undefined a mistake");
});

test("MMAP_FFI is what the runtime's name says", () => {
  const wanted = currentRuntime().env.MMAP_FFI;
  assert.is(process.env.MMAP_FFI, wanted);
});

test.run();
