/**
 * Processes in several runtimes hand a token round, by `wait` and `notify`: none is lost, and nobody waits forever.
 *
 *     tokens [rounds: 1000000] [runtimes: bun,deno,node24]
 *
 * Every pair of the runtimes, then all of them in a ring. The token is a word: what it is modulo the number of processes is whose
 * turn it is.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MMap } from "../../lib/mod.ts";
import { RUNTIMES, type Runtime } from "../helpers/runtimes.ts";
import { commandFor, newPath } from "../helpers/support.ts";

function pass(path: string, place: number, count: number, rounds: number): void {
  using mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array);
  for (let round = 0; round < rounds; round++) {
    const mine = round * count + place;
    for (let seen = Atomics.load(words, 0); seen !== mine; seen = Atomics.load(words, 0)) mm.wait(0, seen);
    Atomics.store(words, 0, mine + 1);
    mm.notify(0);
  }
}

async function ring(runtimes: readonly Runtime[], rounds: number): Promise<void> {
  const path = newPath();
  writeFileSync(path, new Uint8Array(64));
  const file = fileURLToPath(import.meta.url);
  const began = performance.now();
  const ended = runtimes.map((runtime, place) => {
    const parameters = ["child", path, String(place), String(runtimes.length), String(rounds)];
    const { program, args, env } = commandFor(file, { runtime, args: parameters });
    return once(spawn(program, args, { env, stdio: ["ignore", "inherit", "inherit"] }), "exit");
  });
  for (const [code, signal] of await Promise.all(ended)) {
    if (code !== 0) throw new Error(`a process ended with ${signal ?? code}`);
  }
  using mm = MMap.open(path);
  const handed = mm.view(Int32Array)[0] as number;
  const names = runtimes.map(({ name }) => name).join(", ");
  if (handed !== rounds * runtimes.length) throw new Error(`${names}: ${handed} of ${rounds * runtimes.length}`);
  console.log(`${names}: ${handed} in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

async function lead(handovers: number, names: string): Promise<void> {
  const runtimes = names.split(",").map((name) => RUNTIMES.find((one) => one.name === name) as Runtime);
  const present = runtimes.filter(({ command }) => command.length > 0);
  const rings = present.flatMap((one, index) => present.slice(index).map((two) => [one, two]));
  if (present.length > 2) rings.push(present);
  for (const one of rings) await ring(one, Math.ceil(handovers / one.length));
  console.log(`${rings.length} rings, and no token was lost`);
}

const [, , first, second, ...rest] = process.argv;
if (first === "child") pass(second as string, Number(rest[0]), Number(rest[1]), Number(rest[2]));
else await lead(Number(first ?? 1_000_000), second ?? "bun,deno,node24");
