/**
 * `process.stdout` as a pipe whose reader is slow, and a map that ends right after the call. The program is a process of its
 * own, because its standard output is what is tested; what came through the pipe is looked at.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandFor, newFile, newProgram, unless, WINDOWS } from "../../helpers/support.ts";

const suiteOf = suite("in flight: stdout");
const test = unless(WINDOWS && "it reads through a shell's pipe", suiteOf);

/** Several times what a pipe holds. */
const SIZE = 4 * 2 ** 20;

const PROGRAM = `
  import process from "node:process";
  import { setTimeout } from "node:timers/promises";
  const [path, secret, ending] = process.argv.slice(2);
  const collect = globalThis.gc ?? (() => Bun.gc(true));
  process.stdout.on("error", () => {});
  // In a function of its own, so that no variable holds the view.
  function send() {
    const mm = MMap.open(path);
    process.stdout.write(mm.bytes);
    if (ending !== "drop") mm.close({ release: ending === "release" });
  }
  send();
  // What comes to the addresses that are free now.
  for (let round = 0; round < 8; round++) {
    collect();
    const maps = [MMap.open(secret, { access: "copy" }), MMap.anonymous(${SIZE}, { access: "copy" })];
    maps[1].assign(maps[0].read());
    const buffer = new Uint8Array(${SIZE}).fill(83);
    await setTimeout(100);
    for (const mm of maps) mm.close();
    if (buffer[9] !== 83) throw new Error("the buffer has changed");
  }`;

for (const ending of ["close", "drop", "release"]) {
  test(`process.stdout.write() of a view whose map ends sends no other memory: ${ending}`, () => {
    const file = newFile(new Uint8Array(SIZE).fill(97));
    const secret = newFile(new Uint8Array(SIZE).fill(83));
    const { program, args, env } = commandFor(newProgram(PROGRAM), { args: [file, secret, ending] });
    const reading = ["-c", 'set -o pipefail; "$@" | (sleep 0.5; cat)', "sh", program, ...args];
    const { status, stdout, stderr } = spawnSync("bash", reading, { env, maxBuffer: 2 * SIZE });
    assert.is(status, 0, String(stderr));
    const allowed = ending === "release" ? [97, 0] : [97];
    const foreign = stdout.reduce((count, byte) => count + (allowed.includes(byte) ? 0 : 1), 0);
    assert.is(foreign, 0, `${foreign} bytes of other memory`);
    // What is released at once may end in EFAULT.
    if (ending !== "release") assert.is(stdout.length, SIZE);
  });
}

suiteOf.run();
