/**
 * No view shows memory that is unmapped, or that belongs to somebody else by now.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { WITHOUT_VIEWS } from "../helpers/runtimes.ts";
import { newFile, printedBy, refuses, repetitions, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("safety/views-outlive");

/** Node 20 cannot detach a buffer: its old views keep their memory. */
const DETACHES = "transfer" in ArrayBuffer.prototype;

/** Why a map with views does not shrink. */
const undetachable =
  WINDOWS && !DETACHES && "this runtime cannot detach a view, and Windows shortens no file that has one";

/** A program that touches every old view after `act`, so often that compiled code does it too. */
const touchAfter = (act: string) => `
  import { openSync, writeFileSync } from "node:fs";
  const path = process.argv[2];
  writeFileSync(path, new Uint8Array(1_000_000).fill(7));
  const mm = MMap.open(path, { access: "write" });
  const views = [mm.bytes, new Uint8Array(mm.buffer), mm.bytes.subarray(500_000), new DataView(mm.buffer, 100),
    mm.view(Float64Array, 8, 1000), mm.view(DataView, 3, 900_000), mm.view(Uint8Array, 999_000)];
  const touch = (rounds) => {
    let sum = 0;
    for (const view of views) {
      for (let round = 0; round < rounds; round++) {
        const index = (round * 7919) % 999_992;
        try {
          if (view instanceof DataView) { sum += view.getUint8(index); view.setUint8(index, 1); }
          else { sum += view[index] ?? 0; view[index] = 1; sum += view.length > 0 ? view.indexOf(255) : 0; round += 99; }
        } catch (error) {
          if (!(error instanceof TypeError) && !(error instanceof RangeError)) throw error;
        }
      }
    }
    return sum;
  };
  touch(10_000);
  ${act}
  const sum = touch(${repetitions(100_000)});
  // Other memory may have come to the old place: it must not be what the views show.
  const others = Array.from({ length: 50 }, () => MMap.anonymous(1_000_000));
  for (const other of others) other.bytes.fill(66);
  touch(${repetitions(100_000)});
  for (const other of others) if (other.find(Uint8Array.of(1)) !== -1) throw new Error("an old view wrote to new memory");
  const lengths = views.map((view) => { try { return view.byteLength; } catch { return 0; } });
  console.log("alive", lengths.every((length) => length === 0) ? "detached" : "kept");`;

for (const [name, act] of [
  ["close", "mm.close();"],
  ["growing", "mm.resize(5_000_000);"],
  ["shrinking", "mm.resize(100);"],
  ["shrinking and closing", "mm.resize(100); mm.close();"],
]) {
  const shrinks = name?.startsWith("shrinking") ?? false;
  unless(shrinks && undetachable, test)(`views from before ${name} are detached or keep their memory`, () => {
    const printed = printedBy(touchAfter(act as string), { args: [newFile("")] });
    assert.is(printed, DETACHES ? "alive detached" : "alive kept");
  });
}

test("close() makes iterators that began before throw", () => {
  const mm = MMap.open(newFile("a\nb\nc\n"));
  const pending = [mm[Symbol.iterator](), mm.lines(), mm.matchAll(/./)];
  for (const iterator of pending) iterator.next();
  mm.close();
  for (const iterator of pending) refuses("ERR_MMAP_CLOSED", () => iterator.next());
  mm.close();
});

/** The memory that koffi gives Node cannot be moved to another thread; Node 20 copies it instead, and has no transfer(). */
const koffi =
  process.versions.bun === undefined && process.versions.deno === undefined && process.env.MMAP_FFI !== "node";

for (const [name, transfer, outcome] of [
  ["transfer()", "(buffer) => buffer.transfer()", DETACHES ? "moved" : "TypeError"],
  [
    "structuredClone()",
    "(buffer) => structuredClone(buffer, { transfer: [buffer] })",
    koffi ? (DETACHES ? "DataCloneError" : "copied") : "moved",
  ],
  [
    "postMessage()",
    "(buffer) => { const { port1, port2 } = new MessageChannel(); port1.postMessage(buffer, [buffer]); return receive(port2); }",
    koffi ? (DETACHES ? "DataCloneError" : "copied") : "moved",
  ],
]) {
  test(`a buffer transferred by ${name} keeps its memory after close(), resize() and garbage collection`, () => {
    const printed = printedBy(
      `import { writeFileSync, readFileSync } from "node:fs";
       import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
       import { setImmediate } from "node:timers/promises";
       const receive = (port) => receiveMessageOnPort(port).message;
       const collect = globalThis.gc ?? (() => Bun.gc(true));
       const take = ${transfer};
       const owned = [];
       let made = 0;
       const escape = (finish, part) => {
         // Each has a file of its own: one whose shrinking was refused stays long.
         const path = process.argv[2] + ++made;
         writeFileSync(path, new Uint8Array(200_000).fill(7));
         const mm = MMap.open(path, { access: "write" });
         const buffer = part ? mm.view(Uint8Array, 0, 200_000).buffer : mm.buffer;
         let taken;
         try { taken = take(buffer); } catch (error) { console.log(error.name); finish(mm); return; }
         console.log(buffer.byteLength === 0 ? "moved" : "copied");
         owned.push(taken);
         if (buffer.byteLength === 0 && mm.bytes.length !== 200_000) throw new Error("no new view");
         finish(mm);
       };
       for (const part of [false, true]) {
         escape((mm) => mm.close(), part);
         escape((mm) => {
           mm.resize(300_000);
           // Windows shortens no file of which a buffer is in use.
           try { mm.resize(200_000); } catch (error) { if (process.platform !== "win32" || error.code !== "EBUSY") throw error; }
           mm.close();
         }, part);
         escape(() => {}, part);
       }
       for (let round = 0; round < 5; round++) { collect(); await setImmediate(); }
       for (const buffer of owned) {
         const bytes = new Uint8Array(buffer);
         if (bytes.length !== 200_000 || bytes[199_999] !== 7) throw new Error("wrong bytes");
         bytes[0] = 8;
       }
       console.log("alive", owned.length);`,
      { args: [newFile("")] },
    );
    const lines = Array.from({ length: 6 }, () => outcome);
    assert.equal(printed.split("\n"), [...lines, `alive ${/Error$/.test(outcome as string) ? 0 : 6}`]);
  });
}

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "Windows has no prot, and shortens no file that is mapped", test);

unless(!DETACHES && "this runtime has no transfer()", posix)(
  "a transferred buffer survives the shrinking of its file",
  () => {
    const printed = printedBy(
      `import { writeFileSync } from "node:fs";
     writeFileSync(process.argv[2], new Uint8Array(200_000).fill(7));
     const mm = MMap.open(process.argv[2], { access: "write" });
     const taken = new Uint8Array(mm.buffer.transfer());
     mm.resize(5000);
     console.log(taken[0], taken[4999], taken[8192], taken[199_999]);
     taken.fill(1);`,
      { args: [newFile("")] },
    );
    assert.is(printed, "7 7 0 0");
  },
);

unless(!DETACHES && "this runtime has no transfer()", posix)(
  "a transferred buffer keeps the bytes that its file still has after remap(), and all of memory without a file",
  () => {
    const printed = printedBy(
      `import { writeFileSync } from "node:fs";
       writeFileSync(process.argv[2], new Uint8Array(200_000).fill(7));
       const mm = MMap.open(process.argv[2]);
       const file = new Uint8Array(mm.buffer.transfer());
       mm.remap(5000);
       const memory = MMap.anonymous(200_000, { flags: library.MAP_PRIVATE });
       memory.bytes.fill(8);
       const own = new Uint8Array(memory.buffer.transfer());
       memory.resize(5000);
       console.log(file[4999], file[8192], file[199_999], own[4999], own[8192], own[199_999]);`,
      { args: [newFile("")] },
    );
    assert.is(printed, "7 7 7 8 8 8");
  },
);

// The list of chunks took a buffer out before it put it in elsewhere, so that close() did not find it.
unless(WITHOUT_VIEWS ? "chunks are copies here" : !DETACHES && "this runtime cannot detach buffers", test)(
  "no chunk outlives its map because the stack overflowed while another was made",
  () => {
    const program = `
      let outlived = 0;
      for (let round = 0; round < 100; round++) {
        const mm = MMap.open(process.argv[2]);
        const chunks = [];
        const take = () => chunks.push(mm.chunks(4096).next().value);
        for (let index = 0; index < 8; index++) take();
        // With more and more stack, until it succeeds.
        const withLittleStack = () => {
          try { if (withLittleStack()) return true; } catch {}
          try { take(); return true; } catch { return false; }
        };
        const indent = (depth) => depth === 0 ? withLittleStack() : indent(depth - 1);
        indent(round % 23);
        mm.close();
        outlived += chunks.filter((chunk) => chunk.length > 0).length;
      }
      console.log(outlived);`;
    assert.is(printedBy(program, { args: [newFile(new Uint8Array(100_000))] }), "0");
  },
);

test.run();
