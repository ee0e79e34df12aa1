/**
 * Memory in huge pages, and how much faster random access to a large array is in them. Each page needs an entry in the
 * processor's small table of addresses, and a page of 2 MiB covers 512 times as much as one of 4 KiB.
 *
 *     node examples/huge-pages.ts [mebibytes, by default 512]
 *
 * @module
 */

import process from "node:process";
import { MADV_HUGEPAGE, MADV_NOHUGEPAGE, MAP_HUGETLB, MAP_PRIVATE, MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const LENGTH = Number(process.argv[2] ?? 512) * 2 ** 20;
const READS = 2_000_000;

/** The time of one read, in nanoseconds, where each read says where the next one is. */
function measure(mm: MMap): number {
  const words = mm.view(Int32Array);
  // A full period: every word is read once before one is read again.
  for (let at = 0; at < words.length; at++) words[at] = (at * 1_664_525 + 1_013_904_223) % words.length;
  const began = performance.now();
  let at = 0;
  for (let read = 0; read < READS; read++) at = words[at] as number;
  const took = performance.now() - began;
  return at < 0 ? 0 : Math.round((took * 1e6) / READS);
}

function report(name: string, open: () => MMap): void {
  try {
    using mm = open();
    console.log(`${name}: ${measure(mm)} ns a read`);
  } catch (error) {
    console.log(`${name}: not here: ${(error as Error).message}`);
  }
}

/** Private memory with advice, given before the first access. */
function advised(advice: number | undefined): MMap {
  const mm = MMap.anonymous(LENGTH, { access: "copy" });
  mm.madvise(advice);
  return mm;
}

report("ordinary pages", () => (MADV_NOHUGEPAGE === undefined ? MMap.anonymous(LENGTH) : advised(MADV_NOHUGEPAGE)));

// The system uses huge pages as far as it has them, and ordinary ones otherwise.
report("MADV_HUGEPAGE", () => advised(MADV_HUGEPAGE));

// From the pool that an administrator has set aside (/proc/sys/vm/nr_hugepages). Fails if the pool is empty.
report("MAP_HUGETLB", () => {
  if (MAP_HUGETLB === undefined) throw new TypeError("the flag is not supported on this system");
  return MMap.anonymous(LENGTH, { flags: MAP_HUGETLB | (MAP_PRIVATE ?? 0) });
});
