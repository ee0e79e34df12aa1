/**
 * Writes to the bytes of a map that is only for reading.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PROT_READ } from "../../lib/mod.ts";
import { newFile, printedBy, runChild, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("safety/stray-writes");

test("bytes of a read map can be written, and the file does not change", () => {
  const path = newFile("original");
  const printed = printedBy(
    `const mm = MMap.open(process.argv[2]);
     mm.bytes[0] = 88;
     mm.view(DataView, 4, 4).setUint8(0, 89);
     console.log(new TextDecoder().decode(mm.slice()));
     mm.flush();
     mm.close();`,
    { args: [path] },
  );
  // On Windows the library reads by a view of its own, which has no stray writes.
  assert.is(printed, WINDOWS ? "original" : "XrigYnal");
  assert.is(readFileSync(path, "latin1"), "original");
});

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "Windows has no prot, and shortens no file that is mapped", test);

posix("bytes of a map with prot: PROT_READ are protected by the hardware: a write ends the process", () => {
  const source = `
    const mm = MMap.open(process.argv[2], { prot: ${PROT_READ} });
    console.log("read", mm.bytes[0]);
    mm.bytes[0] = 88;
    console.log("written");`;
  const { signal, code, stdout } = runChild(source, { args: [newFile("original")] });
  // A runtime that catches the signal to print a report ends with a code of its own.
  const expected = process.platform === "darwin" ? "SIGBUS" : "SIGSEGV";
  assert.ok(signal === expected || (code !== null && code > 1), `${signal} ${code}`);
  assert.is(stdout.trim(), "read 111");
});

test.run();
