/**
 * Bringing in a file that is not in memory: how long `prefault` and `prefaultAsync` block the event loop.
 *
 * @module
 */

import { MADV_PAGEOUT, MMap } from "../lib/mod.ts";
import { type Data, GiB, MiB } from "./data.ts";
import type { Bench } from "./harness.ts";

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
  ];
  for (const [way, target, run] of ways) {
    const name = `longest pause of a 1 ms timer, ${size / MiB} MiB not in memory, ${way}`;
    if (!makeCold(path)) {
      bench.miss(name, undefined, "the system does not drop the file's pages (MADV_PAGEOUT)");
      continue;
    }
    using mm = MMap.open(path);
    const pause = await longestPause(async () => run(mm));
    bench.tell(name, pause, "ms", target);
  }
}
