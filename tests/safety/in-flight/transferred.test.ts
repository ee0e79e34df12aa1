/**
 * Buffers that get a new owner after their map was closed, and workers that read while the main thread closes.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { newFile, printedBy, unless, WINDOWS, WORKERS } from "../../helpers/support.ts";

const test = suite("transferred after the close");

const SIZE = 2 ** 20;
const content = () => newFile(new Uint8Array(SIZE).fill(97));

const PRELUDE = `
  import { Buffer } from "node:buffer";
  import { setTimeout } from "node:timers/promises";
  const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true));
  const kept = [];
  const decoys = () => {
    const other = MMap.anonymous(${SIZE}, { access: "copy" });
    const buffer = new Uint8Array(${SIZE}).fill(83);
    other.assign(buffer);
    kept.push(other, buffer);
  };
  const pressure = async () => {
    for (let round = 0; round < 5; round++) {
      collect();
      await setTimeout(5);
      decoys();
    }
  };
  const intact = () => kept.every((other) => Buffer.compare(other instanceof MMap ? other.slice() : other, new Uint8Array(${SIZE}).fill(83)) === 0);
`;

for (const [name, take] of [
  ["transfer()", "buffer.transfer?.() ?? buffer"],
  ["structuredClone", "structuredClone(buffer, { transfer: [buffer] })"],
  [
    "postMessage",
    "(() => { const { port1, port2 } = new MessageChannel(); port1.postMessage(buffer, [buffer]); return receiveMessageOnPort(port2).message; })()",
  ],
]) {
  for (const options of ["", "{ release: true }"]) {
    test(`a buffer that ${name} takes away after close(${options}) does not crash its new owner`, () => {
      const printed = printedBy(
        `${PRELUDE}
         import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
         import { write, openSync } from "node:fs";
         const outcomes = new Set();
         for (let round = 0; round < 20; round++) {
           const take = async () => {
             const mm = MMap.open(process.argv[2]);
             const { buffer } = mm;
             // Bun does not detach a buffer while it works on it.
             const written = new Promise((resolve) => write(openSync(process.argv[2] + ".copy", "w"), mm.bytes, resolve));
             mm.close(${options});
             let taken;
             try { taken = ${take}; } catch { taken = new ArrayBuffer(0); }
             await written;
             return new Uint8Array(taken);
           };
           const bytes = await take();
           await pressure();
           // What it got is the map's, zeros if that was released, or nothing.
           const right = bytes.every((byte) => byte === 97 || byte === 0);
           bytes.fill(98);
           outcomes.add(right && intact());
           for (const other of kept.splice(0)) if (other instanceof MMap) other.close();
         }
         console.log([...outcomes].join());`,
        { args: [content()] },
      );
      assert.is(printed, "true");
    });
  }
}

test("a worker reads its own map of the file while the main thread closes, resizes and drops others", () => {
  const printed = printedBy(
    `${PRELUDE}
     ${WORKERS}
     if (isMainThread) {
       const state = new Int32Array(new SharedArrayBuffer(8));
       const ended = startWorker({ path: process.argv[2], state });
       while (Atomics.load(state, 0) === 0) await setTimeout(1);
       for (let round = 0; round < 100; round++) {
         const mm = MMap.open(process.argv[2]);
         const { bytes } = mm;
         if (bytes[5] !== 97) throw new Error("wrong byte");
         if (round % 3 === 0) mm.close();
         if (round % 3 === 1) mm.close({ release: true });
         decoys();
         if (round % 10 === 0) await pressure();
         for (const other of kept.splice(0)) if (other instanceof MMap) other.close();
       }
       Atomics.store(state, 1, 1);
       await ended;
       console.log("read", Atomics.load(state, 0) > 1);
     } else {
       const { path, state } = workerData;
       const mm = MMap.open(path);
       const { bytes } = mm;
       while (Atomics.load(state, 1) === 0) {
         for (let at = 0; at < bytes.length; at += 100) if (bytes[at] !== 97) throw new Error("the worker saw " + bytes[at]);
         Atomics.add(state, 0, 1);
       }
       mm.close();
     }`,
    { args: [content()] },
  );
  assert.is(printed, "read true");
});

test("a worker reads a copy of a view, and a view that it was sent, while the main thread closes the map", () => {
  const printed = printedBy(
    `${PRELUDE}
     ${WORKERS}
     if (isMainThread) {
       const outcomes = [];
       for (const send of [(view) => structuredClone(view), (view) => structuredClone(view, { transfer: [view.buffer] }), (view) => view.slice()]) {
         const mm = MMap.open(process.argv[2]);
         let sent;
         try { sent = send(mm.bytes); } catch (error) { sent = new Uint8Array([97]); }
         const started = startWorker({ sent });
         mm.close();
         await pressure();
         await started;
         outcomes.push(intact());
       }
       console.log(outcomes.join());
     } else {
       const { sent } = workerData;
       for (let round = 0; round < 20; round++) if (sent.some((byte) => byte !== 97)) throw new Error("wrong bytes");
     }`,
    { args: [content()] },
  );
  assert.is(printed, "true,true,true");
});

unless(WINDOWS && "it reads /proc", test)("a transferred buffer stays mapped after a close", () => {
  const printed = printedBy(
    `${PRELUDE}
     import { readFileSync } from "node:fs";
     const mm = MMap.open(process.argv[2]);
     const taken = mm.buffer.transfer?.() ?? mm.buffer;
     mm.close({ release: true });
     await pressure();
     console.log(new Uint8Array(taken)[${SIZE - 1}]);`,
    { args: [content()] },
  );
  // A runtime that cannot transfer has the buffer still, and what was released is zeros.
  assert.is(printed, "transfer" in ArrayBuffer.prototype ? "97" : "0");
});

test.run();
