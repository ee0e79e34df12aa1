/**
 * Opens as many maps at once as the system allows, meets its limit, and closes them again; twice.
 *
 *     maps [count: 100000]
 *
 * Linux allows a process vm.max_map_count mappings, by default 65,530. Above that, the library must refuse: the limit itself
 * is the runtime's end.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { MMap, MMapError, PAGESIZE } from "../../lib/mod.ts";
import { collectGarbage, newFile, resources } from "../helpers/support.ts";
import { ownDescriptors, ownMappings } from "./curve.ts";

const count = Number(process.argv[2] ?? 100_000);

const limit = Number(readFileSync("/proc/sys/vm/max_map_count", "latin1"));
const path = newFile(new Uint8Array(PAGESIZE).fill(97));

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** One map. Without a descriptor, of which there are fewer still; each beginning of one file is a mapping of its own. */
const open = () => MMap.open(path, { access: "write", trackfd: false });

/** Opens so many maps, or as many as the system allows; gives what it said then. */
function openMany(maps: MMap[], wanted: number): MMapError | undefined {
  try {
    while (maps.length < wanted) maps.push(open());
    return undefined;
  } catch (error) {
    if (error instanceof MMapError) return error;
    throw error;
  }
}

async function round(): Promise<void> {
  const maps: MMap[] = [];
  const refusal = openMany(maps, count);
  console.log(`${maps.length} maps open, ${resources().maps} mappings: ${refusal?.message ?? "no refusal"}`);
  if (refusal === undefined) check(maps.length === count, "some are missing");
  else check(refusal.code === "ENOMEM" && refusal.syscall === "mmap", `refused with ${refusal.code}`);
  if (limit < count) check(refusal !== undefined, `more mappings than vm.max_map_count (${limit})`);
  for (const mm of [maps[0], maps[maps.length >> 1], maps.at(-1)] as MMap[]) check(mm[0] === 97, "a map does not work");
  for (const mm of maps) mm.close();
  await collectGarbage();
  const after = resources();
  const own = { maps: ownMappings(), descriptors: ownDescriptors() };
  console.log(`closed: ${after.maps} mappings, ${own.maps} of them of maps; ${after.descriptors} descriptors`);
  check(own.maps === 0, "mappings stay");
  check(own.descriptors === 0, "descriptors stay");
  using mm = open();
  check(mm[0] === 97, "a new map does not work");
}

await round();
await round();
console.log(`${count} maps, twice`);
