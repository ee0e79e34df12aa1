/**
 * What `npm run demo` runs in each runtime: maps a file of this project, does what the first example of Python's mmap
 * page does, and searches the largest file under node_modules. Prints what it found and how long it took.
 *
 * @module
 */

import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const root = fileURLToPath(new URL("..", import.meta.url));
const decoder = new TextDecoder();

/** Runs a step, and prints what it found and how long it took. */
function step(name: string, run: () => string): void {
  const began = performance.now();
  const found = run();
  console.log(`  ${name}: ${found} (${(performance.now() - began).toFixed(1)} ms)`);
}

step("maps package.json", () => {
  using mm = MMap.open(join(root, "package.json"));
  const name = mm.search(/"name": "(?<name>[^"]*)"/)?.groups?.name;
  return `${mm.length} bytes, the package's name is ${decoder.decode(name)}`;
});

step("the Python page's first example", () => {
  const folder = mkdtempSync(join(tmpdir(), "demo-"));
  const path = join(folder, "hello.txt");
  writeFileSync(path, "Hello Python!\n");
  try {
    using mm = MMap.open(path, { access: "write" });
    const before = decoder.decode(mm.readline()).trimEnd();
    mm.assign(" world!\n", 6);
    mm.seek(0);
    return `"${before}" became "${decoder.decode(mm.readline()).trimEnd()}"`;
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function largestFile(folder: string): { path: string; size: number } {
  let largest = { path: "", size: 0 };
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const size = entry.isFile() ? statSync(path).size : 0;
    if (size > largest.size) largest = { path, size };
  }
  return largest;
}

const { path } = largestFile(join(root, "node_modules"));
step("searches the largest file under node_modules", () => {
  using mm = MMap.open(path);
  const needle = "memory";
  let count = 0;
  for (let at = mm.find(needle); at !== -1; at = mm.find(needle, at + needle.length)) count++;
  const last = mm.rfind(needle);
  return `${(mm.length / 1e6).toFixed(0)} MB, "${needle}" ${count} times, the last at ${last}`;
});
