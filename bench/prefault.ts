/**
 * Bringing in a file that is not in memory: how long `prefault` and `prefaultAsync` block the event loop, and for comparison
 * what blocks it if the program does nothing.
 *
 * @module
 */

import { setTimeout } from "node:timers/promises";
import { MADV_PAGEOUT, MMap } from "../lib/mod.ts";
import { type Data, GiB, MiB } from "./data.ts";
import { type Bench, collectGarbage, median } from "./harness.ts";

/** How often each way is measured: the median of the longest pauses is told. */
const ROUNDS = 5;

/** The longest time in milliseconds from one run of a 1 ms timer to the next while `act` runs. */
async function longestPause(act: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const measure = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(measure, 1);
  await act();
  clearInterval(timer);
  measure();
  return longest;
}

/** Drops a file from the page cache. Returns whether that has worked. */
function makeCold(path: string): boolean {
  using mm = MMap.open(path, { access: "write" });
  mm.flush();
  mm.prefault();
  if (MADV_PAGEOUT === undefined) return false;
  mm.madvise(MADV_PAGEOUT);
  const { resident, pages } = mm.residency();
  return resident < pages.length / 100;
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const size = bench.quick ? 16 * MiB : GiB;
  const path = data.file("text", size);
  const ways: [name: string, target: number | undefined, way: (mm: MMap) => Promise<void> | void][] = [
    ["prefaultAsync", 20, (mm) => mm.prefaultAsync()],
    ["prefault", undefined, (mm) => mm.prefault()],
    // What the runtime's own work and the machine's take, which is in the others too.
    ["nothing (200 ms)", undefined, () => setTimeout(200)],
  ];
  const rounds = bench.quick ? 1 : ROUNDS;
  const pauses: number[][] = ways.map(() => []);
  let cold = true;
  for (let round = 0; round < rounds; round++) {
    for (const [index, [, , run]] of ways.entries()) {
      cold &&= makeCold(path);
      using mm = MMap.open(path);
      // Otherwise the garbage of what was done before is collected while the timer runs.
      collectGarbage();
      pauses[index]?.push(await longestPause(async () => run(mm)));
    }
  }
  for (const [index, [way, target]] of ways.entries()) {
    const name = `longest pause of a 1 ms timer, ${size / MiB} MiB not in memory, ${way}`;
    if (cold) bench.tell(name, median(pauses[index] as number[]), "ms", target);
    else bench.miss(name, undefined, "the system does not drop the file's pages (MADV_PAGEOUT)");
  }
}
