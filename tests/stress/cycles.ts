/**
 * Makes, uses and drops maps of every kind, and watches what the process holds.
 *
 *     cycles [count: 1000000]
 *
 * @module
 */

import { openSync } from "node:fs";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { MMap, PAGESIZE } from "../../lib/mod.ts";
import { newFile } from "../helpers/support.ts";
import { Curve } from "./curve.ts";

const SAMPLES = 20;
/** How many cycles to run between two collections of garbage: some kinds leave their maps to it. */
const ROUND = 600;

const count = Number(process.argv[2] ?? 1_000_000);
const path = newFile(new Uint8Array(2 * PAGESIZE));
const growing = newFile(new Uint8Array(PAGESIZE));
const fd = openSync(path, "r+");

const KINDS: ((cycle: number) => void)[] = [
  function byPath() {
    const mm = MMap.open(path);
    mm.readByte();
    mm.close();
  },
  function byDescriptor(cycle) {
    using mm = new MMap(fd, 0, { access: "write" });
    mm[cycle % mm.length] = cycle % 256;
  },
  function anonymous(cycle) {
    using mm = MMap.anonymous(PAGESIZE + (cycle % 5000));
    mm.write("abc");
  },
  function viewed(cycle) {
    using mm = MMap.open(path, { access: "copy" });
    mm.bytes[0] = cycle;
    mm.view(Float64Array, 8, 2)[1] = cycle;
  },
  function resized(cycle) {
    using mm = MMap.open(growing, { access: "write" });
    // Every other time beside the old mapping, for then there is a view.
    if (cycle % 2 === 0) mm.bytes[0] = cycle;
    mm.resize(3 * PAGESIZE);
    mm[-1] = 1;
    mm.resize(PAGESIZE);
  },
  function dropped() {
    MMap.open(path, { access: "write" }).readByte();
  },
  function droppedWithView(cycle) {
    MMap.open(path, { access: "copy" }).bytes[0] = cycle;
  },
];

const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
const collect = gc ?? (() => Bun?.gc(true));

const curve = new Curve();
await curve.sample(0);
for (let done = 0, next = 1; done < count; ) {
  const end = Math.min(count, done + ROUND);
  for (; done < end; done++) {
    (KINDS[done % KINDS.length] as (cycle: number) => void)(done);
    // Of many views whose maps end in one turn, only the newest are watched for their collection: viewed.ts is about those.
    if (done % 100 === 99) await undefined;
  }
  collect();
  await setImmediate();
  if (done >= (next * count) / SAMPLES) {
    await curve.sample(done);
    while (done >= (next * count) / SAMPLES) next++;
  }
}
const rises = curve.rises();
console.log(rises.length === 0 ? `${count} cycles, and the curve is flat` : rises.join("\n"));
process.exitCode = rises.length === 0 ? 0 : 1;
