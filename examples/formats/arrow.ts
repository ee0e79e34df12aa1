/**
 * An Arrow table over a map: its columns are views of the file, without a copy. Reading a row brings in the pages that hold
 * it, and no others.
 *
 *     arrow.ts FILE      an Arrow IPC file (Feather 2) that is not compressed
 *
 * Close the map when nobody uses the table, its columns or their arrays (`values`, `toArray()`) any more: `close` detaches
 * them. Numbers and strings that were read from it are copies, and stay.
 *
 * @module
 */

import process from "node:process";
import { type Float64, tableFromIPC } from "apache-arrow";
import { MMap } from "../../lib/mod.ts"; // in your program: from "mmap-ffi"

if (process.argv[2] === undefined) {
  console.error("usage: arrow.ts FILE");
  process.exit(1);
}
const mm = MMap.open(process.argv[2]);
const table = tableFromIPC(mm.bytes);
console.log(`${table.numRows} rows of ${table.schema.names.join(", ")}`);

// A row.
const row = table.get(2)?.toJSON();
console.log(row?.name, row?.price);

// A column: one array per record batch, each a part of the file.
const prices = table.getChild("price")?.data.map((batch) => batch.values as Float64["TArray"]) ?? [];
let sum = 0;
for (const batch of prices) for (const price of batch) sum += price;
console.log(`sum of the prices: ${sum}`);
console.log(`views of the map: ${prices.every(({ buffer }) => buffer === mm.buffer)}`);

mm.close();
