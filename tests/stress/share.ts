/**
 * Workers of one process, and other processes, read and write one file through maps of their own.
 *
 *     share [workers: 64] [processes: 16] [seconds: 60]
 *
 * Each page has one writer at a time: its first word is a sequence number, odd while somebody writes (a seqlock). The second is
 * a checksum of the rest. Readers take a page whose number was the same and even before and after they copied it, and its
 * checksum must be right. The first page of the file counts what everybody did.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, workerData } from "node:worker_threads";
import { MMap } from "../../lib/mod.ts";
import { collectGarbage, commandFor, newPath, resources } from "../helpers/support.ts";
import { startWorker } from "../helpers/workers.ts";
import { ownMappings } from "./curve.ts";

const PAGES = 32;
const PAGE = 4096;
const WORDS = PAGE / 4;
/** Maps are closed and made anew after so many turns. */
const TURNS = 200;

// The words of the first page.
const STOP = 0;
const RUNNING = 1;
const WRITES = 2;
const READS = 3;
const MISSED = 4;
const TORN = 5;

function checksum(words: Int32Array): number {
  let sum = 0;
  for (let index = 2; index < WORDS; index++) sum = (Math.imul(sum, 31) + (words[index] as number)) | 0;
  return sum;
}

/** Writes a page, if nobody else does. */
function write(page: Int32Array): boolean {
  const sequence = Atomics.load(page, 0);
  if (sequence % 2 !== 0 || Atomics.compareExchange(page, 0, sequence, sequence + 1) !== sequence) return false;
  let value = Math.floor(Math.random() * 2 ** 31);
  for (let index = 2; index < WORDS; index++) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) | 0;
    page[index] = value;
  }
  page[1] = checksum(page);
  Atomics.store(page, 0, sequence + 2);
  return true;
}

/** Reads page `number` by a copy; undefined where somebody wrote meanwhile. */
function read(mm: MMap, page: Int32Array, number: number): boolean | undefined {
  const sequence = Atomics.load(page, 0);
  if (sequence % 2 !== 0) return undefined;
  const copy = new Int32Array(mm.slice(number * PAGE, (number + 1) * PAGE).buffer as ArrayBuffer);
  if (Atomics.load(page, 0) !== sequence) return undefined;
  return copy[1] === checksum(copy);
}

/** Takes part until everybody is told to stop. */
function takePart(path: string): void {
  for (let running = true; running; ) {
    using mm = MMap.open(path, { access: "write" });
    const counts = mm.view(Int32Array, 0, WORDS);
    const pages = Array.from({ length: PAGES }, (_, index) => mm.view(Int32Array, (index + 1) * PAGE, WORDS));
    for (let turn = 0; turn < TURNS && running; turn++) {
      const number = 1 + Math.floor(Math.random() * PAGES);
      const page = pages[number - 1] as Int32Array;
      if (turn % 4 === 0) {
        if (write(page)) Atomics.add(counts, WRITES, 1);
      } else {
        const intact = read(mm, page, number);
        Atomics.add(counts, intact === undefined ? MISSED : intact ? READS : TORN, 1);
      }
      running = Atomics.load(counts, STOP) === 0;
    }
  }
}

/** Takes part and counts that; the last thing that a worker or a process does. */
async function participate(path: string): Promise<void> {
  const count = (by: number) => {
    using mm = MMap.open(path, { access: "write" });
    Atomics.add(mm.view(Int32Array, 0, WORDS), RUNNING, by);
  };
  count(1);
  takePart(path);
  count(-1);
  // Node 20 cannot detach views, and leaves their mappings to the collector, which does not run when a worker ends. Elsewhere,
  // collecting in 64 workers at once would take minutes for nothing.
  if (!("transfer" in ArrayBuffer.prototype)) await collectGarbage();
}

async function lead(workers: number, processes: number, seconds: number): Promise<void> {
  const path = newPath();
  writeFileSync(path, new Uint8Array((PAGES + 1) * PAGE));
  const file = new URL(import.meta.url);
  const before = resources();
  using mm = MMap.open(path, { access: "write" });
  const counts = mm.view(Int32Array, 0, WORDS);

  const threads = Array.from({ length: workers }, () => startWorker(file, path));
  const children = Array.from({ length: processes }, () => {
    const { program, args, env } = commandFor(fileURLToPath(file), { args: ["child", path] });
    return once(spawn(program, args, { env, stdio: ["ignore", "inherit", "inherit"] }), "exit");
  });
  const everybody = Promise.all([...threads, ...children]);
  const failed = everybody.then(
    () => false,
    () => true,
  );
  while (Atomics.load(counts, RUNNING) < workers + processes) {
    if ((await Promise.race([failed, setTimeout(50)])) !== undefined) break;
  }
  const together = Atomics.load(counts, RUNNING);
  await setTimeout(1000 * seconds);
  Atomics.store(counts, STOP, 1);
  await everybody;
  for (const ended of await Promise.all(children)) {
    if (ended[0] !== 0) throw new Error(`a process ended with ${ended[1] ?? ended[0]}`);
  }

  const [writes, reads, missed, torn] = [WRITES, READS, MISSED, TORN].map((at) => counts[at] as number);
  console.log(`${together} at once: ${writes} writes, ${reads} reads, ${missed} met a writer, ${torn} torn`);
  const content = new Int32Array(readFileSync(path).buffer);
  let sequences = 0;
  for (let page = 1; page <= PAGES; page++) {
    const words = content.subarray(page * WORDS, (page + 1) * WORDS);
    sequences += words[0] as number;
    if (words[0] !== 0 && words[1] !== checksum(words)) throw new Error(`page ${page} of the file is torn`);
  }
  if (together !== workers + processes) throw new Error(`only ${together} were there at once`);
  if (torn !== 0) throw new Error("pages were torn");
  if (sequences !== 2 * (writes as number)) throw new Error(`${sequences / 2} writes are in the file`);
  if (counts[RUNNING] !== 0) throw new Error("somebody did not end");
  if ((writes as number) === 0 || (reads as number) === 0) throw new Error("nothing was done");
  await collectGarbage();
  const after = resources();
  console.log(
    `${before.descriptors} descriptors before, ${after.descriptors} after; ${ownMappings()} mappings of the file`,
  );
  if (ownMappings() !== 1) throw new Error("mappings stay");
}

const [, , first, second, third] = process.argv;
if (!isMainThread) await participate(workerData as string);
else if (first === "child") await participate(second as string);
else await lead(Number(first ?? 64), Number(second ?? 16), Number(third ?? 60));
