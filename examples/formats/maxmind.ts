/**
 * A MaxMind database (GeoLite2 and others) over a map: nothing is read but the pages that a lookup needs, and several
 * processes share one copy in memory.
 *
 *     maxmind.ts FILE ADDRESS…      a .mmdb file and IP addresses
 *
 * Close the map when there are no more lookups: a closed one throws. Records that were found are copies, and stay, except
 * for values of the type "bytes", which are views of the map.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { Reader, type Response } from "maxmind";
import { MMap } from "../../lib/mod.ts"; // in your program: from "mmap-ffi"

const [path, ...addresses] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: maxmind.ts FILE ADDRESS…");
  process.exit(1);
}
const mm = MMap.open(path);
const reader = new Reader<Response>(Buffer.from(mm.buffer));
console.log(`${reader.metadata.databaseType}: ${reader.metadata.nodeCount} nodes`);

for (const address of addresses) {
  const [record, prefix] = reader.getWithPrefixLength(address);
  console.log(`${address}/${prefix}: ${JSON.stringify(record)}`);
}
mm.close();

// Instead of maxmind.open's `watchForUpdates`, when a new file has got the name:
//   const next = MMap.open(path);
//   reader.load(Buffer.from(next.buffer));
//   mm.close();
