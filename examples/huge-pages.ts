/**
 * Memory in huge pages: what random access to a large array gains by them. A page of 4 KiB needs an entry of its own in the
 * processor's table of addresses, which is small; one of 2 MiB covers 512 times as much.
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

/** Private memory with advice, given before a page of it is touched. */
function advised(advice: number | undefined): MMap {
  const mm = MMap.anonymous(LENGTH, { access: "copy" });
  mm.madvise(advice);
  return mm;
}

report("ordinary pages", () => (MADV_NOHUGEPAGE === undefined ? MMap.anonymous(LENGTH) : advised(MADV_NOHUGEPAGE)));

// The system puts huge pages where it has them, and ordinary ones elsewhere.
report("MADV_HUGEPAGE", () => advised(MADV_HUGEPAGE));

// From the pool that an administrator has set aside (/proc/sys/vm/nr_hugepages): refused where that is empty.
report("MAP_HUGETLB", () => {
  if (MAP_HUGETLB === undefined) throw new TypeError("this system has no such flag");
  return MMap.anonymous(LENGTH, { flags: MAP_HUGETLB | (MAP_PRIVATE ?? 0) });
});
