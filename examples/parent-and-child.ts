/**
 * Two processes that share memory: a parent and its child exchange bytes through a mapped file, and through anonymous
 * memory that the child inherits. Python's page uses `os.fork` for the second; here the child inherits a descriptor.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const decoder = new TextDecoder();
const [role, sharedPath] = process.argv.slice(2);

if (role === "child" && sharedPath !== undefined) {
  using file = MMap.open(sharedPath, { access: "write" });
  using memory = new MMap(3, 0); // the descriptor that the parent passed as number 3
  console.log(`child reads: ${decoder.decode(memory.read(12))}`);
  file.write("from the child");
  memory.seek(0);
  memory.write("Hello parent");
} else {
  const folder = mkdtempSync(join(tmpdir(), "example-"));
  const path = join(folder, "shared.bin");
  using file = MMap.open(path, { create: true, length: 4096 });
  using memory = MMap.anonymous(13);
  memory.write("Hello world!");

  const program = process.argv[1] as string;
  const { stdout } = spawnSync(process.execPath, [...process.execArgv, program, "child", path], {
    stdio: ["ignore", "pipe", "inherit", memory.fd],
    encoding: "utf8",
  });
  console.log(stdout.trimEnd()); // child reads: Hello world!
  console.log(`file: ${decoder.decode(file.slice(0, 14))}`); // file: from the child
  console.log(`memory: ${decoder.decode(memory.slice(0, 12))}`); // memory: Hello parent

  rmSync(folder, { recursive: true });
}
