/**
 * Arguments from other realms (vm contexts, jsdom, happy-dom), and objects of another copy of the library.
 *
 * @module
 */

import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, MMapError, type ViewConstructor } from "../../lib/mod.ts";
import { ROOT } from "../helpers/runtimes.ts";
import {
  LIBRARY,
  newFile,
  newPath,
  refuses,
  rejects,
  runFile,
  text,
  thrown,
  unless,
  WINDOWS,
} from "../helpers/support.ts";

const test = suite("api/realms");

test("write(), assign(), find() and rfind() take typed arrays and buffers of another realm", () => {
  using mm = MMap.anonymous(16);
  const foreign = runInNewContext(`({
    array: Uint8Array.of(65, 66), words: Uint16Array.of(0x4443), view: new DataView(Uint8Array.of(69, 70).buffer),
    buffer: Uint8Array.of(71, 72).buffer,
  })`);
  assert.not.instance(foreign.array, Uint8Array);
  for (const bytes of Object.values(foreign)) assert.is(mm.write(bytes as Uint8Array), 2);
  assert.is(text(mm.slice(0, 8)), "ABCDEFGH");
  assert.equal([mm.find(foreign.view), mm.rfind(foreign.buffer)], [4, 6]);
  mm.assign(foreign.array, 14);
  assert.is(text(mm.slice(-2)), "AB");
  const fake = runInNewContext("Object.create(Uint8Array.prototype)");
  refuses(TypeError, () => mm.write(fake), "bytes");
});

test("view() takes the classes of another realm, and makes objects of them", () => {
  using mm = MMap.anonymous(64);
  mm[8] = 1;
  for (const name of ["Int8Array", "Uint16Array", "Float64Array", "BigInt64Array", "DataView"]) {
    const Class = runInNewContext(name) as ViewConstructor;
    const view = mm.view(Class, 8, 1);
    assert.is(Object.getPrototypeOf(view), Class.prototype, name);
    assert.equal(
      [view.byteOffset % 8, view.buffer === mm.view(Uint8Array, 8, view.byteLength).buffer],
      [0, true],
      name,
    );
  }
  assert.is(mm.view(runInNewContext("Float64Array") as Float64ArrayConstructor, 8).length, 7);
  for (const type of ["Array", "Map", "(class Uint8Array {})", "(function Uint8Array() { [1] })"]) {
    refuses(TypeError, () => mm.view(runInNewContext(type) as never), "type");
  }
});

test("search() and matchAll() take a RegExp of another realm", () => {
  using mm = MMap.anonymous(18);
  mm.write("one fish, two fish");
  assert.is(mm.search(runInNewContext("/T\\w+/i"))?.index, 10);
  assert.is([...mm.matchAll(runInNewContext("/fish/g"))].length, 2);
  refuses(TypeError, () => mm.search(runInNewContext("Object.create(RegExp.prototype)")), "pattern");
});

test("MMap.open() takes options and URLs of another realm, and those of jsdom and happy-dom", () => {
  const path = newFile("content");
  using mm = MMap.open(path, runInNewContext('({ access: "copy", length: 4 })'));
  assert.equal([mm.access, mm.length], ["copy", 4]);
  const { href, protocol } = pathToFileURL(path);
  /** Neither a URL of this realm, nor one that has its internal slots. */
  class OtherURL {
    get href(): string {
      return href;
    }
    get protocol(): string {
      return protocol;
    }
  }
  using other = MMap.open(new OtherURL() as never);
  assert.is(text(other.slice()), "content");
});

unless(process.versions.bun !== undefined && "Bun's own node:util needs a global TextEncoder", test)(
  "the library works if there is no TextEncoder when it is loaded, as in jest-environment-jsdom",
  () => {
    const path = `${newPath()}.mts`;
    writeFileSync(
      path,
      `delete globalThis.TextEncoder;
     delete globalThis.TextDecoder;
     const { MMap } = await import(${JSON.stringify(LIBRARY)});
     const mm = MMap.anonymous(10);
     console.log(typeof TextEncoder, mm.write("naïve"), mm.find("ïve"), mm.search(/v/).index);
     mm.close();`,
    );
    const { stdout, stderr } = runFile(path);
    assert.is(stdout, "undefined 6 2 4\n", stderr);
  },
);

/** Another copy of the library, as a program has that imports one build and requires the other. */
async function otherCopy(): Promise<typeof import("../../lib/mod.ts")> {
  const folder = newPath();
  mkdirSync(folder);
  for (const part of ["lib", "ffi", "platform"]) cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  // Bun needs no koffi, and makes no junctions under Wine.
  if (process.versions.bun === undefined)
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "junction");
  return await import(pathToFileURL(join(folder, "lib", "mod.ts")).href);
}

const { bun, deno } = process.versions;
const unlinked =
  deno === undefined ? "koffi is not found through a junction there" : "Wine makes no junctions for Deno";
const copied = unless(WINDOWS && bun === undefined && unlinked, test);

copied("instanceof MMap and MMapError hold for objects of another copy of the library", async () => {
  const other = await otherCopy();
  assert.is.not(other.MMapError, MMapError);
  const error = thrown(() => other.MMap.open("/no/such/file"));
  assert.ok(error instanceof MMapError);
  assert.ok(thrown(() => MMap.open("/no/such/file")) instanceof other.MMapError);
  using theirs = other.MMap.anonymous(10);
  using ours = MMap.anonymous(10);
  assert.ok(theirs instanceof MMap);
  assert.ok(ours instanceof other.MMap);
  class Theirs extends other.MMap {}
  using sub = Theirs.anonymous(10);
  assert.ok(sub instanceof MMap);
});

test("instanceof a subclass of MMap or MMapError is the ordinary one", () => {
  class Words extends MMap {}
  class WordError extends MMapError {}
  using mm = MMap.anonymous(10);
  using words = Words.anonymous(10);
  assert.equal([mm instanceof Words, words instanceof Words, words instanceof MMap], [false, true, true]);
  const error = new MMapError("a", { code: "b" });
  const wordError = new WordError("a", { code: "b" });
  assert.equal([error instanceof WordError, wordError instanceof MMapError], [false, true]);
  for (const value of [null, undefined, 1, "MMap", {}, new Error("x"), () => {}]) {
    assert.equal([value instanceof (MMap as never), value instanceof (MMapError as never)], [false, false]);
  }
});

test("an object that forges the brand of a map is none: every method throws, or rejects", async () => {
  const forged = { [Symbol.for("mmap-ffi.MMap")]: true, length: 10 } as unknown as MMap;
  assert.ok(forged instanceof MMap);
  const prototype = MMap.prototype as unknown as Record<string, (...parameters: unknown[]) => unknown>;
  for (const name of Object.getOwnPropertyNames(MMap.prototype)) {
    const { value, get } = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
    if (name === "constructor") continue;
    const call = () => (value ?? get).call(forged);
    if (name.endsWith("Async")) await rejects(TypeError, call());
    else assert.throws(call, TypeError, name);
  }
});

test.run();
