/**
 * Runtimes that restrict what the program may do.
 *
 * @module
 */

import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { currentRuntime } from "../helpers/runtimes.ts";
import { newFile, ownFlags, runChild, runs, WINDOWS } from "../helpers/support.ts";

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

test("open() in Deno without --allow-ffi says so, and maps nothing", () => {
  if (!runs("Deno's permissions", isDeno === undefined && "this is not Deno")) return;
  assert.match(refusedBy(["run", "--no-prompt", "--allow-read"]), /^MMapError ERR_MMAP_FFI .*--allow-ffi/);
});

test("open() in Deno with --allow-ffi but without --allow-read opens no path", () => {
  if (!runs("Deno's permissions", isDeno === undefined && "this is not Deno")) return;
  const refused = refusedBy(["run", "--no-prompt", "--allow-ffi"]);
  assert.match(refused, /--allow-read/);
  assert.not.match(refused, /mapped/);
  assert.is(refusedBy(["run", "--no-prompt", "--allow-ffi", "--allow-read"]), "mapped 7");
});

test("open() in Node under --permission opens no path and calls no C function that is not allowed", () => {
  const isNode = isDeno === undefined && isBun === undefined;
  if (!runs("Node's permissions", !isNode && "this is not Node")) return;
  const major = Number.parseInt(process.versions.node, 10);
  const permission = major < 22 ? "--experimental-permission" : "--permission";
  const throughFfi = currentRuntime().env.MMAP_FFI === "node";
  // tsx, which Node 20 and 22 need for TypeScript, starts a helper process and threads.
  const own = ownFlags();
  const tools = major < 24 ? [...own, "--allow-worker", "--allow-child-process"] : own;
  const ffi = throughFfi ? "--allow-ffi" : "--allow-addons";
  const everyPath = ["--allow-fs-read=*", "--allow-fs-write=*"];
  assert.match(refusedBy([...tools, permission, ...everyPath]), new RegExp(`^MMapError ERR_MMAP_FFI .*${ffi}`));
  assert.is(refusedBy([...tools, permission, ...everyPath, ffi]), "mapped 7");
  const why = major < 24 ? "tsx itself must read everywhere" : WINDOWS && "it speaks of POSIX's paths";
  if (!runs("Node's permission to read", why)) return;
  const project = new URL("../../", import.meta.url).pathname;
  const programs = `${process.env.TMPDIR ?? "/tmp"}/mmap-ffi-*`;
  const some = [`--allow-fs-read=${project}*`, `--allow-fs-read=${programs}`];
  const { stdout } = runChild(
    `try { console.log("mapped", MMap.open("/etc/passwd").length); } catch (error) { console.log(error.code); }`,
    { flags: [...tools, permission, ...some, ffi] },
  );
  assert.is(stdout.trim(), "ERR_ACCESS_DENIED");
});

test.run();
