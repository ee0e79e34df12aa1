/**
 * Work on mapped memory itself: loops over `bytes` and typed views against plain arrays, `move` against libc's memmove.
 *
 * @module
 */

import { readlinkSync } from "node:fs";
import process from "node:process";
import { MMap, PAGESIZE } from "../lib/mod.ts";
import { MiB } from "./data.ts";
import { type Bench, here } from "./harness.ts";
import { addressOf, libc } from "./libc.ts";
import { python } from "./python.ts";

function sumBytes(bytes: Uint8Array): number {
  let total = 0;
  for (let index = 0; index < bytes.length; index++) total += bytes[index] as number;
  return total;
}

function sumDoubles(numbers: Float64Array): number {
  let total = 0;
  for (let index = 0; index < numbers.length; index++) total += numbers[index] as number;
  return total;
}

function sumFields(view: DataView): number {
  let total = 0;
  for (let at = 0; at + 8 <= view.byteLength; at += 8) total += view.getUint32(at, true);
  return total;
}

/** Reads every word of the array once, in an unpredictable order: each is the index of the next. */
function follow(words: Int32Array): number {
  let at = 0;
  for (let step = 0; step < words.length; step++) at = words[at] as number;
  return at;
}

function chain(words: Int32Array): void {
  for (let at = 0; at < words.length; at++) words[at] = (at * 1_664_525 + 1_013_904_223) % words.length;
}

async function loops(bench: Bench): Promise<void> {
  const length = bench.quick ? MiB : 16 * MiB;
  using mm = MMap.anonymous(length, { access: "copy" });
  const plain = new ArrayBuffer(length);
  const array = (time: ReturnType<typeof here>) => [{ name: "a plain array", target: 1.05, time }];
  const count = length / 8;
  mm.view(Float64Array).fill(1.5);
  new Float64Array(plain).fill(1.5);
  const doubles = new Float64Array(plain);
  await bench.compare(
    "loop over view(Float64Array)",
    here(() => sumDoubles(mm.view(Float64Array))),
    array(here(() => sumDoubles(doubles))),
    { per: count },
  );
  const bytes = new Uint8Array(plain);
  await bench.compare(
    "loop over bytes",
    here(() => sumBytes(mm.bytes)),
    array(here(() => sumBytes(bytes))),
    { per: length },
  );
  const fields = new DataView(plain);
  await bench.compare(
    "getUint32 of view(DataView)",
    here(() => sumFields(mm.view(DataView))),
    array(here(() => sumFields(fields))),
    { per: count },
  );
  const words = new Int32Array(plain);
  chain(words);
  chain(mm.view(Int32Array));
  await bench.compare(
    "view(Int32Array) by chance",
    here(() => follow(mm.view(Int32Array))),
    array(here(() => follow(words))),
    { per: length / 4 },
  );
}

async function moves(bench: Bench): Promise<void> {
  const length = bench.quick ? MiB : 64 * MiB;
  // The speed of a page depends on where in the machine's memory it lies, so libc moves the map's own pages, Python the
  // same ones, and the array gets its pages alternately with the map.
  using mm = MMap.anonymous(length);
  const path = `/proc/${process.pid}/fd/${mm.fd}`;
  const address = addressOf(readlinkSync(path));
  const plain = new Uint8Array(length);
  for (let at = 0; at < length; at += PAGESIZE) plain[at] = mm.bytes[at] = 1;
  const setup = `
with open(${JSON.stringify(path)}, "r+b") as file:
    m = mmap.mmap(file.fileno(), 0)
`;
  for (const [name, destination, source] of [
    ["apart", 0, length / 2],
    ["overlapping", length / 4 + 1, length / 4],
  ] as const) {
    const count = length / 2;
    const peers = [
      {
        name: "libc memmove",
        target: 1.05,
        time: here(() => libc.memmove(address + destination, address + source, count) && undefined),
      },
      {
        name: "copyWithin of a plain array",
        target: 1.05,
        time: here(() => void plain.copyWithin(destination, source, source + count)),
      },
      python(setup, `m.move(${destination}, ${source}, ${count})`, 1.05),
    ];
    await bench.compare(
      `move of ${count / MiB} MiB, ${name}`,
      here(() => mm.move(destination, source, count)),
      peers,
    );
  }
}

export default async function (bench: Bench): Promise<void> {
  await loops(bench);
  await moves(bench);
}
