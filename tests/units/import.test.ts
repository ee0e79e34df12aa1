/**
 * What importing the library loads: nothing of the runtime's. Loading a few of its modules takes longer than the rest.
 *
 * @module
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { getSystemErrorMap } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { arch, builtins, platform } from "../../ffi/builtins.ts";
import { ROOT } from "../helpers/runtimes.ts";
import { LIBRARY, newPath, runFile, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("units/import");

/** Where a kernel must be asked for its page size, C is called when the library is imported. */
const asks = process.arch !== "x64" && !WINDOWS && process.platform !== "darwin";

const known = unless(asks && "the size of a page, which the library exports, is to be had through C alone", test);

/** Prints what was asked of the runtime when the library was imported, and then, when something was mapped. */
const PROGRAM = `
  const { process } = globalThis;
  const { getBuiltinModule } = process;
  let asked = [];
  process.getBuiltinModule = (name) => { asked.push(name); return getBuiltinModule.call(process, name); };
  // A look at it alone starts all that stands in for Node in Deno.
  if (globalThis.Deno) {
    Object.defineProperty(globalThis, "process", { get() { asked.push("process"); return process; } });
  }
  const { MMap } = await import(${JSON.stringify(LIBRARY)});
  console.log("imported:", ...asked);
  asked = [];
  MMap.anonymous(10).close();
  console.log("mapped:", ...new Set(asked));`;

/** Prints the error of a map that no system has the memory for. */
const FAILING = `
  try {
    MMap.anonymous(2 ** 52);
  } catch (error) {
    console.log(error.code, error.message);
  }`;

known("importing loads no module of the runtime before something is mapped", () => {
  const path = `${newPath()}.mts`;
  writeFileSync(path, PROGRAM);
  const { stdout, stderr } = runFile(path);
  const [imported, mapped] = stdout.trim().split("\n");
  assert.is(imported, "imported:", stderr);
  assert.match(mapped as string, /^mapped: .*node:fs/);
});

const inBun = unless(process.versions.bun === undefined && "node:util is loaded in other runtimes", test);

inBun("mapping does not load node:util, which takes a tenth of the time in Bun", () => {
  const path = `${newPath()}.mts`;
  writeFileSync(path, PROGRAM);
  const { stdout } = runFile(path);
  assert.not.match(stdout, "node:util");
});

const posixBun = unless(WINDOWS && "the errors of Windows's own functions are not in the table", inBun);

posixBun("in a Bun without its own table of system errors, node:util names them", () => {
  const path = `${newPath()}.mts`;
  writeFileSync(
    path,
    `globalThis.process.binding = () => { throw new Error("No such module: uv"); };${PROGRAM}${FAILING}`,
  );
  const { stdout, stderr } = runFile(path);
  assert.match(stdout, /: .*node:util/, stderr);
  assert.match(stdout, /^ENOMEM mmap: not enough memory \(ENOMEM\)$/m, stderr);
});

test("system errors have node:util's names and meanings", () => {
  assert.equal(builtins().getSystemErrorMap(), getSystemErrorMap());
  assert.ok(getSystemErrorMap().size > 50);
});

/** Subscribes before the library is imported and after, collects garbage, and then maps something. */
const SUBSCRIBERS = `
  import { channel } from "node:diagnostics_channel";
  const heard = [], kept = [];
  const subscribe = (name) => {
    const opening = channel("mmap:open");
    opening.subscribe(() => heard.push(name));
    // Bun forgets a channel that nothing holds, with its subscribers.
    if (globalThis.Bun) kept.push(opening);
    else globalThis.gc();
  };
  subscribe("before");
  const { MMap } = await import(${JSON.stringify(LIBRARY)});
  subscribe("after");
  globalThis.Bun?.gc(true);
  MMap.anonymous(10).close();
  console.log(...heard, kept.length);`;

test("mmap:open has the subscribers from before the import and from after it", () => {
  const path = `${newPath()}.mts`;
  writeFileSync(path, SUBSCRIBERS);
  const { stdout, stderr } = runFile(path);
  assert.match(stdout, /^before after [02]$/m, stderr);
});

test("files of the library import only one another", () => {
  const files = ["lib", "ffi", "platform"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) => join(ROOT, folder, file)),
  );
  const sources = files.filter((file) => file.endsWith(".ts"));
  assert.ok(sources.length > 20);
  for (const file of sources) {
    const imports = readFileSync(file, "utf8").match(/^(?:import|export) (?!type )(?:[^;"]*from )?"(?!\.)[^"]*";$/gm);
    assert.is(imports?.join(), undefined, `${file} imports: ${imports}`);
  }
});

test("arch and platform are those of the runtime's process", () => {
  assert.is(platform, process.platform);
  assert.is(arch, process.arch);
});

test.run();
