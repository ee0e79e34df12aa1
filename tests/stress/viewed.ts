/**
 * Opens, views and closes maps in one synchronous loop, in which no garbage is collected that a finalizer must hear of, and
 * shows what the process holds and how long it took.
 *
 *     viewed [count: 1000000]
 *
 * @module
 */

import process from "node:process";
import { MMap, PAGESIZE } from "../../lib/mod.ts";
import { newFile, resources } from "../helpers/support.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const path = newFile(new Uint8Array(PAGESIZE).fill(97));

/** What each loop may hold at any time, beyond what there was before: what docs/safety.md says is kept, and room for the heap. */
const MOST = { maps: 3000, descriptors: 20, memory: 700 * 2 ** 20 };

const LOOPS: [name: string, rounds: number, act: () => void][] = [
  [
    "a file for reading",
    count,
    () => {
      const mm = MMap.open(path);
      if (mm.bytes[5] !== 97) throw new Error("wrong byte");
      mm.close();
    },
  ],
  [
    "a shared file",
    count / 10,
    () => {
      const mm = MMap.open(path, { access: "write" });
      mm.view(Uint8Array, 8, 8)[0] = 97;
      mm.close();
    },
  ],
  [
    "memory of its own",
    count / 100,
    () => {
      const mm = MMap.anonymous(2 ** 20);
      mm.bytes.fill(1);
      mm.close();
    },
  ],
  [
    "a private copy",
    count / 100,
    () => {
      const mm = MMap.open(path, { access: "copy" });
      mm.bytes.fill(1);
      mm.close();
    },
  ],
  [
    "released at once",
    count / 10,
    () => {
      const mm = MMap.open(path);
      mm.bytes;
      mm.close({ release: true });
    },
  ],
];

const held = () => ({ ...resources(), memory: process.memoryUsage().rss });
const rises: string[] = [];

for (const [name, rounds, act] of LOOPS) {
  const before = held();
  const most = { maps: 0, descriptors: 0, memory: 0 };
  const began = performance.now();
  for (let round = 1; round <= rounds; round++) {
    act();
    if (round % Math.ceil(rounds / 20) !== 0) continue;
    const now = held();
    for (const key of ["maps", "descriptors", "memory"] as const)
      most[key] = Math.max(most[key], now[key] - before[key]);
  }
  const each = ((performance.now() - began) * 1000) / rounds;
  const mebibytes = (most.memory / 2 ** 20).toFixed(0);
  console.log(
    `${name}, ${rounds} times: at most ${most.maps} mappings, ${most.descriptors} descriptors and ${mebibytes} MiB more, ${each.toFixed(1)} µs each`,
  );
  for (const key of ["maps", "descriptors", "memory"] as const) {
    if (most[key] > MOST[key]) rises.push(`${name}: ${key} rose by ${most[key]}`);
  }
}
console.log(rises.length === 0 ? `${count} maps were viewed and closed, and little is held` : rises.join("\n"));
process.exit(rises.length === 0 ? 0 : 1);
