/**
 * A map as the file of a Parquet reader: the footer and the row groups and columns that are asked for are read, and nothing
 * else.
 *
 *     parquet.ts FILE
 *
 * The library takes ArrayBuffers, so each range is copied (compressed pages have to be, one way or the other). The map may
 * be closed after the last `await`: rows are copies.
 *
 * @module
 */

import process from "node:process";
import { type AsyncBuffer, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { MMap } from "../../lib/mod.ts"; // in your program: from "mmap-ffi"

/** What the library reads from: the bytes of a map. */
const fileOf = (mm: MMap): AsyncBuffer => ({
  byteLength: mm.length,
  slice: (start, end) => mm.slice(start, end).buffer,
});

if (process.argv[2] === undefined) {
  console.error("usage: parquet.ts FILE");
  process.exit(1);
}
const mm = MMap.open(process.argv[2]);
const file = fileOf(mm);
const metadata = await parquetMetadataAsync(file);
console.log(`${metadata.num_rows} rows in ${metadata.row_groups.length} row groups`);

const rows = await parquetReadObjects({ file, metadata, columns: ["name", "price"], rowStart: 2, rowEnd: 4 });
mm.close();
for (const { name, price } of rows) console.log(name, price);
