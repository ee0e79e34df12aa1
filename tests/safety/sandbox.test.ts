/**
 * Runtimes that restrict what the program may do.
 *
 * @module
 */

import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { currentRuntime } from "../helpers/runtimes.ts";
import { newFile, ownFlags, runChild, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("safety/sandbox");

/** Runs a program that opens a file, with other flags than the suite's, and gives the error that it printed. */
function refusedBy(flags: string[], env: Record<string, string> = {}): string {
  const { stdout, stderr } = runChild(
    `console.log("imported");
     try { console.log("mapped", MMap.open(process.argv[2]).length); }
     catch (error) { console.log(error.name, error.code, error.message); }`,
    { args: [newFile("content")], flags, env },
  );
  assert.ok(stdout.startsWith("imported\n"), stdout + stderr);
  return stdout.slice("imported\n".length).trim();
}

const { deno: isDeno, bun: isBun } = process.versions;

const inDeno = unless(isDeno === undefined && "this is not Deno", test);

inDeno("open() in Deno without --allow-ffi says so, and maps nothing", () => {
  assert.match(
    refusedBy(["run", "--no-prompt", "--allow-read"]),
    /^MMapError ERR_MMAP_FFI Deno may not call C: run it with --allow-ffi/,
  );
});

inDeno("open() in Deno with --allow-ffi but without --allow-read opens no path", () => {
  const refused = refusedBy(["run", "--no-prompt", "--allow-ffi"]);
  assert.match(refused, /--allow-read/);
  assert.not.match(refused, /mapped/);
  assert.is(refusedBy(["run", "--no-prompt", "--allow-ffi", "--allow-read"]), "mapped 7");
});

const isNode = isDeno === undefined && isBun === undefined;
const major = Number.parseInt(process.versions.node, 10);
const inNode = unless(!isNode && "this is not Node", test);

/** Node's flags for its permissions, without any that allows files or calls of C functions; and the flag for these calls. */
function permissions(): { flags: string[]; ffi: string } {
  // tsx, which Node 20 and 22 need for TypeScript, starts a helper process and threads.
  const tools = major < 24 ? ["--allow-worker", "--allow-child-process"] : [];
  const permission = major < 22 ? "--experimental-permission" : "--permission";
  const ffi = currentRuntime().env.MMAP_FFI === "node" ? "--allow-ffi" : "--allow-addons";
  return { flags: [...ownFlags(), ...tools, permission], ffi };
}

inNode("open() in Node under --permission calls no C function that is not allowed", () => {
  const { flags, ffi } = permissions();
  const everyPath = ["--allow-fs-read=*", "--allow-fs-write=*"];
  assert.match(refusedBy([...flags, ...everyPath]), new RegExp(`^MMapError ERR_MMAP_FFI .*${ffi}`));
  assert.is(refusedBy([...flags, ...everyPath, ffi]), "mapped 7");
});

const notReadable = major < 24 ? "tsx itself must read everywhere" : WINDOWS && "it speaks of POSIX's paths";

unless(notReadable, inNode)("open() in Node under --permission opens no path that is not allowed", () => {
  const { flags, ffi } = permissions();
  const project = new URL("../../", import.meta.url).pathname;
  const programs = `${process.env.TMPDIR ?? "/tmp"}/mmap-ffi-*`;
  const some = [`--allow-fs-read=${project}*`, `--allow-fs-read=${programs}`];
  const { stdout } = runChild(
    `try { console.log("mapped", MMap.open("/etc/passwd").length); } catch (error) { console.log(error.code); }`,
    { flags: [...flags, ...some, ffi] },
  );
  assert.is(stdout.trim(), "ERR_ACCESS_DENIED");
});

test.run();
