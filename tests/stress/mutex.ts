/**
 * Owners of a mutex are killed at random moments: it is never held twice, and nobody waits forever.
 *
 *     mutex [kills: 1000] [seconds: 1]
 *
 * Four processes guard a page by a mutex. Who holds it writes its name, changes the page, writes its checksum and removes the
 * name. The parent kills one of them again and again, and starts another. Before that, it prints the share of each of them in the
 * turns of some seconds.
 *
 * @module
 */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MMap } from "../../lib/mod.ts";
import { commandFor, newPath } from "../helpers/support.ts";

const CONTENDERS = 4;

// The words of the file. The mutex has the first two.
const INSIDE = 2;
const CHECKSUM = 3;
const TWICE = 4;
const TORN = 5;
const ABANDONED = 6;
/** How often each contender had the mutex. */
const TURNS = 8;
const DATA = 16;
const END = 64;
/** The byte offset of the mutex that the leader holds. */
const LEADER = 1024;

function checksum(words: Int32Array): number {
  let sum = 0;
  for (let index = DATA; index < END; index++) sum = (Math.imul(sum, 31) + (words[index] as number)) | 0;
  return sum;
}

function contend(path: string, place: number): void {
  const mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array);
  const mutex = mm.mutex(0);
  const leader = mm.mutex(LEADER);
  // Now and then: whether the leader lives.
  for (let turn = 0; turn % 1000 !== 0 || leader.tryAcquire() === undefined; turn++) {
    const how = mutex.acquire();
    if (how === "abandoned") {
      Atomics.add(words, ABANDONED, 1);
      Atomics.store(words, CHECKSUM, checksum(words));
    } else {
      if (Atomics.load(words, INSIDE) !== 0) Atomics.add(words, TWICE, 1);
      if (Atomics.load(words, CHECKSUM) !== checksum(words)) Atomics.add(words, TORN, 1);
    }
    Atomics.store(words, INSIDE, process.pid);
    for (let index = DATA; index < END; index++) words[index] = Math.floor(Math.random() * 2 ** 31);
    Atomics.store(words, CHECKSUM, checksum(words));
    if (Atomics.load(words, INSIDE) !== process.pid) Atomics.add(words, TWICE, 1);
    Atomics.store(words, INSIDE, 0);
    Atomics.add(words, TURNS + place, 1);
    mutex.release();
  }
  leader.release();
}

async function lead(kills: number, seconds: number): Promise<void> {
  const path = newPath();
  writeFileSync(path, new Uint8Array(4096));
  using mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array);
  words[CHECKSUM] = checksum(words);
  using _held = mm.mutex(LEADER).hold();
  const file = fileURLToPath(import.meta.url);
  // Compiling TypeScript is most of what Node does to start. A process that is killed leaves nothing in the cache, so one that
  // ends fills it.
  const cache = { NODE_COMPILE_CACHE: `${path}.cache` };
  const filling = commandFor(file, { args: ["nothing"] });
  spawnSync(filling.program, filling.args, { env: { ...filling.env, ...cache }, stdio: "inherit" });
  const start = (place: number) => {
    const { program, args, env } = commandFor(file, { args: ["child", path, String(place)] });
    return spawn(program, args, { env: { ...env, ...cache }, stdio: ["ignore", "inherit", "inherit"] });
  };
  const children = Array.from({ length: CONTENDERS }, (_, place) => start(place));
  /** Waits until every contender has had the mutex since. */
  const allHaveTurns = async () => {
    const before = words.slice(TURNS, TURNS + CONTENDERS);
    for (let waited = 0; before.some((turns, place) => Atomics.load(words, TURNS + place) === turns); waited += 5) {
      if (waited > 60_000) throw new Error(`somebody waits forever: ${words.slice(TURNS, TURNS + CONTENDERS)}`);
      await setTimeout(5);
    }
  };
  await allHaveTurns();
  const first = words.slice(TURNS, TURNS + CONTENDERS);
  await setTimeout(1000 * seconds);
  const shares = Array.from(first, (turns, place) => Atomics.load(words, TURNS + place) - turns);
  const all = shares.reduce((sum, turns) => sum + turns);
  const percent = shares.map((turns) => ((100 * turns) / all).toFixed(1));
  console.log(`shares of ${all} turns in ${seconds} s: ${percent.join(", ")} %`);
  const began = performance.now();
  for (let kill = 0; kill < kills; kill++) {
    await setTimeout(Math.random() * 20);
    const place = kill % CONTENDERS;
    const child = children[place] as ReturnType<typeof start>;
    if (child.exitCode !== null) throw new Error(`a contender ended with ${child.exitCode}`);
    const ended = once(child, "exit");
    process.kill(child.pid as number, "SIGKILL");
    await ended;
    children[place] = start(place);
    if (kill % 10 === 9) await allHaveTurns();
    if (kill % 100 === 99) console.log(`${kill + 1} kills after ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
  await allHaveTurns();
  for (const child of children) process.kill(child.pid as number, "SIGKILL");
  if (words[TWICE] !== 0) throw new Error(`it was held twice, ${words[TWICE]} times`);
  if (words[TORN] !== 0) throw new Error(`what it guards was torn, ${words[TORN]} times`);
  console.log(`abandoned ${words[ABANDONED]} times`);
  console.log(`${kills} kills, and the mutex was never held twice`);
}

const [, , first, second = "", third] = process.argv;
if (first === "child") contend(second, Number(third));
else if (first !== "nothing") await lead(Number(first ?? 1000), Number(second || 1));
