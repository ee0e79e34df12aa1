/**
 * A binary file as typed arrays: writes a header and two columns of float64, maps the file again, and sums the columns
 * without reading it into memory first.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const ROWS = 1_000_000;
const HEADER = 16;
const COLUMN = ROWS * Float64Array.BYTES_PER_ELEMENT;

const folder = mkdtempSync(join(tmpdir(), "example-"));
const path = join(folder, "columns.bin");

// Write: create the file with its final size, and fill the columns in place.
{
  const mm = MMap.open(path, { create: true, length: HEADER + 2 * COLUMN });
  mm.write("COLS");
  mm.view(DataView, 0, HEADER).setUint32(8, ROWS, true);
  const x = mm.view(Float64Array, HEADER, ROWS);
  const y = mm.view(Float64Array, HEADER + COLUMN, ROWS);
  for (let row = 0; row < ROWS; row++) {
    x[row] = row;
    y[row] = row / 2;
  }
  mm.close({ release: true });
}

// Read: the columns are the file.
{
  const mm = MMap.open(path);
  const rows = mm.view(DataView, 0, HEADER).getUint32(8, true);
  const sum = (column: Float64Array) => column.reduce((total, value) => total + value, 0);
  console.log(`${rows} rows`); // 1000000 rows
  console.log(`x: ${sum(mm.view(Float64Array, HEADER, rows))}`); // x: 499999500000
  console.log(`y: ${sum(mm.view(Float64Array, HEADER + COLUMN, rows))}`); // y: 249999750000
  // Views were handed out, so the file would stay in use for a while, and Windows does not delete such a file.
  mm.close({ release: true });
}

rmSync(folder, { recursive: true });
