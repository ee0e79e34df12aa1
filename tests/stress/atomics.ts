/**
 * `Atomics` on views of a map are atomic, and sequentially consistent: the specification promises that of SharedArrayBuffers only.
 *
 *     atomics [operations: 10000000]
 *
 * Two processes, and two workers of one, count in the same words by every operation; and a store-buffering test: each stores
 * to its own word and then loads the other's, and at least one of the two must see the other's store.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { isMainThread, workerData } from "node:worker_threads";
import { MMap } from "../../lib/mod.ts";
import { commandFor, newPath } from "../helpers/support.ts";
import { startWorker } from "../helpers/workers.ts";

// Places of 32-bit words.
const READY = 0;
const ADDED = 16;
const EXCHANGED = 32;
const SWAPPED = 48;
const LITMUS = 64;
const SEEN = 80;
const ROUND = 96;
// Places of 64-bit words.
const ADDED_64 = 64;
const EXCHANGED_64 = 72;

/** Waits until both are here. By `Atomics.load`, because engines move plain loads out of a loop. */
function meet(words: Int32Array, at: number, times: number): void {
  Atomics.add(words, at, 1);
  while (Atomics.load(words, at) < 2 * times);
}

function addAll(words: Int32Array, longs: BigInt64Array, place: number, count: number): number {
  let balance = 0;
  for (let round = 0; round < count; round++) {
    Atomics.add(words, ADDED, 1);
    for (let seen = 0; ; ) {
      seen = Atomics.load(words, EXCHANGED);
      if (Atomics.compareExchange(words, EXCHANGED, seen, seen + 1) === seen) break;
    }
    // What one of the two puts there comes back once, or stays at the end.
    const put = 2 * round + place;
    balance = (balance + put - Atomics.exchange(words, SWAPPED, put)) | 0;
    if (round % 8 !== 0) continue;
    Atomics.add(longs, ADDED_64, 2n ** 33n);
    for (let seen = 0n; ; ) {
      seen = Atomics.load(longs, EXCHANGED_64);
      if (Atomics.compareExchange(longs, EXCHANGED_64, seen, seen + 2n ** 33n) === seen) break;
    }
  }
  return balance;
}

/** Returns how often the other's store was seen. */
function litmus(words: Int32Array, place: number, count: number): void {
  for (let round = 1; round <= count; round++) {
    meet(words, ROUND, round);
    Atomics.store(words, LITMUS + 4 * place, round);
    const other = Atomics.load(words, LITMUS + 4 * (1 - place));
    if (other < round) Atomics.add(words, SEEN + 4 * place, 1);
    // The number of the rounds in which this one did not see the other's store, for the other to compare.
    Atomics.store(words, SEEN + 1 + 4 * place, other < round ? round : 0);
    meet(words, ROUND + 1, round);
    const [mine, others] = [Atomics.load(words, SEEN + 1 + 4 * place), Atomics.load(words, SEEN + 5 - 4 * place)];
    if (mine === round && others === round) Atomics.add(words, SEEN + 8, 1);
    meet(words, ROUND + 2, round);
  }
}

function takePart(path: string, place: number, count: number): void {
  using mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array);
  meet(words, READY, 1);
  const balance = addAll(words, mm.view(BigInt64Array), place, count);
  Atomics.add(words, SWAPPED + 1, balance);
  litmus(words, place, Math.ceil(count / 50));
}

async function check(
  what: string,
  count: number,
  run: (path: string, place: number) => Promise<unknown>,
): Promise<void> {
  const path = newPath();
  writeFileSync(path, new Uint8Array(4096));
  await Promise.all([0, 1].map((place) => run(path, place)));
  using mm = MMap.open(path);
  const words = mm.view(Int32Array);
  const longs = mm.view(BigInt64Array);
  const wide = BigInt(Math.ceil(count / 8)) * 2n * 2n ** 33n;
  const expected = [2 * count, 2 * count, 0, wide, wide, 0];
  const lost = ((words[SWAPPED + 1] as number) - (words[SWAPPED] as number)) | 0;
  const found = [words[ADDED], words[EXCHANGED], lost, longs[ADDED_64], longs[EXCHANGED_64], words[SEEN + 8]];
  console.log(`${what}: add, compareExchange, lost by exchange, 64 bits twice, litmus violations: ${found.join(" ")}`);
  if (found.join() !== expected.join()) throw new Error(`expected ${expected.join(" ")}`);
}

const [, , first, second = "", third, fourth] = process.argv;
if (!isMainThread) takePart(workerData.path, workerData.place, workerData.count);
else if (first === "child") takePart(second, Number(third), Number(fourth));
else {
  const count = Number(first ?? 10_000_000);
  const file = new URL(import.meta.url);
  await check("two processes", count, async (path, place) => {
    const parameters = ["child", path, String(place), String(count)];
    const { program, args, env } = commandFor(fileURLToPath(file), { args: parameters });
    const [code] = await once(spawn(program, args, { env, stdio: ["ignore", "inherit", "inherit"] }), "exit");
    if (code !== 0) throw new Error(`a process ended with ${code}`);
  });
  await check("two workers", count, (path, place) => startWorker(file, { path, place, count }));
  console.log("every operation was atomic");
}
