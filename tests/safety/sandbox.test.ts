/**
 * Runtimes that restrict what the program may do.
 *
 * @module
 */

import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { currentRuntime, ROOT } from "../helpers/runtimes.ts";
import { newFile, newPath, ownFlags, printedBy, runChild, unless, WINDOWS } from "../helpers/support.ts";

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

/** Prints, for each path, what Deno's permissions said to `MMap.open`, and fails where they say something else to `Deno.openSync`. */
const ASKS = `
  const [access, ...paths] = process.argv.slice(2);
  const answerTo = (open) => {
    try {
      open();
    } catch (error) {
      if (error.name === "NotCapable") return error.message;
      // It was opened, and cannot be mapped.
      if (error.syscall === "open") throw error;
    }
    return "allowed";
  };
  for (const path of paths) {
    const answer = answerTo(() => MMap.open(path, { access }).close());
    const expected = answerTo(() => Deno.openSync(path, { read: true, write: access === "write" }).close());
    console.log(answer === expected ? answer : answer + " instead of " + expected);
  }`;

/** What Deno's permissions say to `open` of each path, in the words of the message: "read", "write", "all" or "allowed". */
function answers(access: string, paths: string[], permissions: string[]): string[] {
  const flags = ["run", "--no-prompt", "--allow-ffi", ...permissions];
  const lines = printedBy(ASKS, { args: [access, ...paths], flags }).split("\n");
  return lines.map(
    (line) => /^Requires (\w+) access to "[^"]*", run again with the --allow-\w+ flag$/.exec(line)?.[1] ?? line,
  );
}

/** A folder with a file, and a file beside it. */
function folderAndFile() {
  const folder = newPath();
  mkdirSync(folder);
  const inside = join(folder, "inside");
  writeFileSync(inside, "content");
  return { folder, inside, outside: newFile("content") };
}

inDeno("open() in Deno opens the paths that are allowed, and no others", () => {
  const { folder, inside, outside } = folderAndFile();
  const around = `${folder}/../${basename(outside)}`;
  const paths = [inside, relative(ROOT, inside), outside, around, relative(ROOT, outside)];
  assert.equal(answers("read", paths, [`--allow-read=${folder}`]), ["allowed", "allowed", "read", "read", "read"]);
  assert.equal(answers("read", paths.slice(0, 3), ["--allow-read", `--deny-read=${folder}`]), [
    "read",
    "read",
    "allowed",
  ]);
});

inDeno("open() in Deno needs --allow-write as well for a map that is written to", () => {
  const { folder, inside, outside } = folderAndFile();
  const paths = [inside, outside];
  assert.equal(answers("write", paths, ["--allow-read"]), ["write", "write"]);
  assert.equal(answers("write", paths, ["--allow-write"]), ["read", "read"]);
  assert.equal(answers("write", paths, ["--allow-read", `--allow-write=${folder}`]), ["allowed", "write"]);
  assert.equal(answers("read", paths, ["--allow-read", `--deny-write=${folder}`]), ["allowed", "allowed"]);
});

// Deno allows these by --allow-all only, although `Deno.permissions.query` calls them granted: the library must leave it to
// the runtime to open a path, and not ask for the permission and then open it by C.
const inDenoOnLinux = unless(process.platform !== "linux" && "it needs /proc", inDeno);

inDenoOnLinux("open() in Deno opens what Deno protects by --allow-all alone, also through a symbolic link", () => {
  const { folder, outside } = folderAndFile();
  const linkTo = (target: string) => {
    const link = join(folder, `link-${basename(target)}`);
    symlinkSync(target, link);
    return link;
  };
  const links = ["/proc/self/environ", "/proc/self/mem", "/proc/self/maps", outside].map(linkTo);
  assert.equal(answers("read", links, [`--allow-read=${folder}`]), ["all", "all", "all", "allowed"]);
  const query = `for (const path of process.argv.slice(2)) console.log(Deno.permissions.querySync({ name: "read", path }).state);`;
  const flags = ["run", "--no-prompt", `--allow-read=${folder}`];
  assert.is(printedBy(query, { args: links.slice(0, 2), flags }), "granted\ngranted");
  const paths = ["/proc/self/environ", "/proc/self/mem", "/proc/self/fd/0", "/dev/fd/0", "/dev/zero"];
  assert.equal(answers("read", paths, ["--allow-read"]), ["all", "all", "all", "all", "allowed"]);
  assert.equal(answers("read", paths, [`--allow-read=${folder}`]), ["read", "read", "read", "read", "read"]);
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
