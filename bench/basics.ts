/**
 * The costs of the basics, in one runtime: opening, loops over bytes, single bytes. Prints one line of JSON, nanoseconds by
 * name, for bench/run.ts.
 *
 * @module
 */

import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { do_not_optimize, measure } from "mitata";
import { MMap } from "../lib/mod.ts";

const quick = process.argv.includes("--quick");
const options = { min_cpu_time: (quick ? 0.03 : 0.5) * 1e9, min_samples: 12 };

const folder = mkdtempSync(join(tmpdir(), "mmap-ffi-bench-"));

function sparseFile(name: string, size: number): string {
  const path = join(folder, name);
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  closeSync(fd);
  return path;
}

/** The median time of a call, in nanoseconds. */
async function time(run: () => unknown): Promise<number> {
  return (await measure(run, options)).p50;
}

/** The same of two calls by turns, so that a change in the machine's speed meets both. */
async function timePair(one: () => unknown, other: () => unknown): Promise<[number, number]> {
  const rounds = quick ? 1 : 5;
  const times: [number, number][] = [];
  for (let round = 0; round < rounds; round++) times.push([await time(one), await time(other)]);
  times.sort((a, b) => a[0] / a[1] - b[0] / b[1]);
  return times[rounds >> 1] as [number, number];
}

function openReadClose(path: string): number {
  const mm = MMap.open(path);
  const byte = mm[0] as number;
  mm.close();
  return byte;
}

function sum(bytes: Uint8Array): number {
  let total = 0;
  for (let index = 0; index < bytes.length; index++) total += bytes[index] as number;
  return total;
}

const small = sparseFile("small", 4096);
const huge = sparseFile("huge", 2 ** 40);
const [open4K, open1T] = await timePair(
  () => openReadClose(small),
  () => openReadClose(huge),
);

const MiB = 2 ** 20;
using mm = MMap.open(sparseFile("loop", 16 * MiB), { access: "copy" });
mm.bytes.fill(1);
const plain = new Uint8Array(16 * MiB).fill(1);
const [bytesLoop, plainLoop] = await timePair(
  () => do_not_optimize(sum(mm.bytes)),
  () => do_not_optimize(sum(plain)),
);

const LOOP = 100_000;
const readByte = await time(() => {
  mm.seek(0);
  let total = 0;
  for (let index = 0; index < LOOP; index++) total += mm.readByte();
  do_not_optimize(total);
});
const index = await time(() => {
  let total = 0;
  for (let index = 0; index < LOOP; index++) total += mm[index] as number;
  do_not_optimize(total);
});
const at = await time(() => {
  let total = 0;
  for (let index = 0; index < LOOP; index++) total += mm.at(index) as number;
  do_not_optimize(total);
});

rmSync(folder, { recursive: true });
console.log(
  JSON.stringify({
    open4K,
    open1T,
    bytesLoop: bytesLoop / (16 * MiB),
    plainLoop: plainLoop / (16 * MiB),
    readByte: readByte / LOOP,
    at: at / LOOP,
    index: index / LOOP,
  }),
);
