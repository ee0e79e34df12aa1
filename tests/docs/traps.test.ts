/**
 * What the documents warn of, and the programs that they have instead.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { commandFor, holds, newFile, newProgram, rejects, text, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("docs/traps");

const SIZE = 8 * 2 ** 20;

const WRITING: [name: string, program: string][] = [
  ["closes it in the callback", "process.stdout.write(mm.bytes, () => mm.close());"],
  [
    "streams it",
    `const { Readable } = await import("node:stream");
     const { pipeline } = await import("node:stream/promises");
     await pipeline(Readable.fromWeb(mm.stream()), process.stdout, { end: false });
     mm.close();`,
  ],
];

for (const [name, program] of WRITING) {
  unless(WINDOWS && "it reads through a shell's pipe", test)(
    `a program that writes a map to a slow pipe, and ${name}, writes all of it`,
    () => {
      const source = `import process from "node:process";\nconst mm = MMap.open(process.argv[2]);\n${program}`;
      const path = newFile(new Uint8Array(SIZE).fill(97));
      const { program: runtime, args, env } = commandFor(newProgram(source), { args: [path] });
      const shell = ["-c", 'set -o pipefail; "$@" | (sleep 0.5; cat)', "sh", runtime, ...args];
      const { status, stdout, stderr } = spawnSync("bash", shell, { env, maxBuffer: 2 * SIZE });
      assert.is(status, 0, String(stderr));
      assert.is(stdout.length, SIZE);
      assert.ok(stdout.every((byte) => byte === 97));
    },
  );
}

test("a byte stream transfers what is enqueued, and copies leave no mapping", async () => {
  const path = newFile(new Uint8Array(100_000).fill(97));
  for (let request = 0; request < 20; request++) {
    const mm = MMap.open(path);
    const source = new ReadableStream({
      type: "bytes",
      pull(controller) {
        controller.enqueue(mm.slice(0, 4096));
        controller.close();
      },
    });
    const { value } = await source.getReader().read();
    assert.is(value?.length, 4096);
    mm.close();
  }
  holds(path, 0, 0);
});

test("what takes bytes takes mm.bytes, and of the map itself writes its name", async () => {
  using mm = MMap.open(newFile("hello"));
  const blob = (body: unknown) => new Blob([body as Blob]).text();
  const response = (body: unknown) => new Response(body as Blob).text();
  assert.equal([await blob(mm), await blob(mm.bytes)], ["[object MMap]", "hello"]);
  assert.is(await response(mm.bytes), "hello");
  // Deno takes it for a list of arrays, which its numbers are not.
  if (process.versions.deno === undefined) assert.is(await response(mm), "[object MMap]");
  else await rejects(TypeError, response(mm));
  assert.is(await new Response(mm.stream()).text(), "hello");
});

test("a clone of a map is an empty object, and a clone of its bytes is a copy", () => {
  using mm = MMap.open(newFile("hello"));
  const clone = structuredClone(mm) as object;
  assert.equal([clone instanceof MMap, Object.keys(clone)], [false, []]);
  assert.is(text(structuredClone(mm.bytes)), "hello");
  assert.is(text(mm.slice()), "hello");
});

test("a loop over readline() ends by the length of the line", () => {
  using mm = MMap.open(newFile("one\ntwo"));
  const lines: string[] = [];
  for (let line = mm.readline(); line.length > 0; line = mm.readline()) lines.push(text(line));
  assert.equal(lines, ["one\n", "two"]);
  const end = mm.readline();
  assert.equal([end.length, Boolean(end)], [0, true]);
});

test.run();
