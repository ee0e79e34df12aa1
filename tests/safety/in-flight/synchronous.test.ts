/**
 * What a program does with a view that the runtime looks at only after the map was closed, and what it does to a map in
 * the middle of a call that has its view. Other memory comes to every address that is free.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { newFile, printedBy } from "../../helpers/support.ts";

const test = suite("closed before and during a call");

const SIZE = 2 ** 20;

/** A program that runs each case and prints what it gave. No case may give an "S", which is in other memory alone. */
const program = (cases: [name: string, act: string][]) => `
  import { Buffer } from "node:buffer";
  import v8 from "node:v8";
  import crypto from "node:crypto";
  const kept = [];
  const decoys = () => {
    for (let count = 0; count < 3; count++) {
      const other = MMap.anonymous(${SIZE}, { access: "copy" });
      const buffer = new Uint8Array(${SIZE}).fill(83);
      other.assign(buffer);
      kept.push(other, buffer);
    }
  };
  const attempt = (act) => {
    try {
      return act();
    } catch (error) {
      return error;
    }
  };
  const text = (bytes) => Buffer.from(bytes).toString("latin1");
  const cases = { ${cases.map(([name, act]) => `${JSON.stringify(name)}: (mm, view, close) => { ${act} }`).join(",\n")} };
  let seen = 0;
  for (const [name, act] of Object.entries(cases)) {
    for (const access of ["read", "write"]) {
      const mm = MMap.open(process.argv[2], { access });
      const close = () => { mm.close(); decoys(); };
      const given = attempt(() => act(mm, mm.bytes, close));
      if (String(given).includes("S".repeat(10))) console.log(name, access, "gave other memory");
      if (!mm.closed) console.log(name, access, "did not close");
      for (const other of kept.splice(0)) {
        const bytes = other instanceof MMap ? other.slice() : other;
        if (Buffer.compare(bytes, new Uint8Array(${SIZE}).fill(83)) !== 0) console.log(name, access, "changed other memory");
        if (other instanceof MMap) other.close();
      }
      seen++;
    }
  }
  console.log("alive", seen);
`;

/** Each runs all of its cases in one process. */
function survives(cases: [name: string, act: string][]): void {
  const path = newFile(new Uint8Array(SIZE).fill(97));
  assert.is(printedBy(program(cases), { args: [path] }), `alive ${2 * cases.length}`);
}

test("what took a view before the close sees no other memory after it", () => {
  survives([
    ["Deserializer", "const d = attempt(() => new v8.Deserializer(view)); close(); return d.readHeader();"],
    [
      "Deserializer, raw",
      "const d = attempt(() => new v8.Deserializer(Buffer.from(view.buffer))); close(); return text(d.readRawBytes(1000));",
    ],
    [
      "Deserializer, begun",
      "const d = attempt(() => new v8.Deserializer(view)); attempt(() => d.readUint32()); close(); return d.readUint32() + text(d.readRawBytes(100));",
    ],
    ["deserialize", "close(); return v8.deserialize(view);"],
    ["TextDecoder", "close(); return new TextDecoder().decode(view);"],
    [
      "TextDecoder, streamed",
      "const d = new TextDecoder(); d.decode(view.subarray(0, 5), { stream: true }); close(); return d.decode(view);",
    ],
    ["TextDecoder, another", "const d = new TextDecoder('utf-16le'); close(); return d.decode(view.buffer);"],
    ["WebAssembly", "close(); return new WebAssembly.Module(view);"],
    ["WebAssembly.validate", "close(); return WebAssembly.validate(view);"],
    [
      "Buffer",
      "const buffer = Buffer.from(view.buffer); close(); return buffer.toString() + buffer.toString('base64') + buffer.indexOf('S');",
    ],
    [
      "Buffer, written",
      "const buffer = Buffer.from(view.buffer); close(); buffer.fill(1); buffer.write('abc'); return buffer.latin1Slice?.(0, 10);",
    ],
    ["Buffer.concat", "const parts = [view]; close(); return text(Buffer.concat(parts));"],
    ["DataView", "const d = new DataView(view.buffer); close(); return d.getUint8(0);"],
    ["iterator", "const i = view.values(); i.next(); close(); return i.next().value;"],
    ["hash", "const h = crypto.createHash('sha256'); h.update(view); close(); return h.digest('hex');"],
    ["hash, later", "const h = crypto.createHash('sha256'); close(); h.update(view); return h.digest('hex');"],
    ["structuredClone", "close(); return text(structuredClone(view));"],
    ["slice", "close(); return text(view.slice());"],
    ["Blob", "const b = new Blob([view]); close(); return b.size;"],
    ["serialize", "close(); return text(v8.serialize(view));"],
  ]);
});

test("a call whose argument closes the map sees no other memory, and changes none", () => {
  const value = "{ valueOf() { close(); return 0; } }";
  survives([
    ["Buffer.fill", `const b = Buffer.from(view.buffer); return b.fill(${value});`],
    [
      "Buffer.copy",
      `const b = Buffer.from(view.buffer); const to = Buffer.alloc(${SIZE}); b.copy(to, 0, ${value}); return text(to);`,
    ],
    ["Buffer.toString", `const b = Buffer.from(view.buffer); return b.toString("latin1", ${value});`],
    [
      "Buffer.indexOf",
      `const b = Buffer.from(view.buffer); return b.indexOf("S", { [Symbol.toPrimitive]() { close(); return 0; } });`,
    ],
    ["fill", `return view.fill({ valueOf() { close(); return 1; } });`],
    ["fill, start", `return view.fill(1, ${value});`],
    ["set", `return view.set({ length: 2, get 0() { close(); return 1; }, 1: 2 });`],
    ["copyWithin", `return view.copyWithin(${value}, 5);`],
    ["slice", `return text(view.slice(${value}));`],
    ["subarray", `return text(view.subarray(${value}));`],
    [
      "sort",
      `let asked = 0; return text(view.sort((a, b) => { if (asked++ === 5) close(); return a - b; }).slice(0, 100));`,
    ],
    ["map", `return text(view.map((byte, index) => { if (index === 5) close(); return byte; }));`],
    [
      "forEach",
      `let all = ""; view.forEach((byte, index) => { if (index === 5) close(); if (index < 50) all += String.fromCharCode(byte); }); return all;`,
    ],
    ["indexOf", `return view.indexOf(83, ${value});`],
    ["join", `return view.subarray(0, 100).join({ toString() { close(); return ","; } });`],
    [
      "toLocaleString",
      `const to = Number.prototype.toLocaleString; Number.prototype.toLocaleString = function () { Number.prototype.toLocaleString = to; close(); return "x"; }; return view.subarray(0, 50).toLocaleString();`,
    ],
    ["from", `return text(Uint8Array.from(view, (byte, index) => { if (index === 5) close(); return byte; }));`],
    ["DataView.setUint8", `return new DataView(view.buffer).setUint8(0, ${value});`],
    ["Atomics.add", `return Atomics.add(view, 0, ${value});`],
    [
      "new Uint8Array",
      `class Bytes extends Uint8Array { static get [Symbol.species]() { close(); return Uint8Array; } } return text(new Bytes(view.buffer).slice(0, 50));`,
    ],
    ["crypto.getRandomValues", `close(); return crypto.webcrypto.getRandomValues(view.subarray(0, 100));`],
    ["JSON", `close(); return JSON.stringify(view.subarray(0, 20));`],
  ]);
});

test.run();
