/**
 * What the libraries make of a map's memory: prints whether they have changed it, what a use of them is after the map was
 * closed, and whether they keep the buffers of maps that are closed and forgotten.
 *
 *     after-close.ts FOLDER
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { tableFromIPC } from "apache-arrow";
import { parquetReadObjects } from "hyparquet";
import { type CountryResponse, Reader } from "maxmind";
import { PMTiles } from "pmtiles";
import { MMap } from "../../lib/mod.ts";

/** Reads one more value through a library. */
type Use = () => unknown;

/** Opens a map's file by a library. */
type Open = (mm: MMap) => Use;

const arrow: Open = (mm) => {
  const table = tableFromIPC(mm.bytes);
  return () => `${table.get(2)?.price} ${table.get(2)?.name}`;
};

const maxmind: Open = (mm) => {
  const reader = new Reader<CountryResponse>(Buffer.from(mm.buffer));
  return () => reader.get("1.2.3.4")?.country?.iso_code;
};

const pmtiles: Open = (mm) => {
  const getBytes = async (offset: number, length: number) => ({ data: mm.slice(offset, offset + length).buffer });
  const archive = new PMTiles({ getKey: () => "tiles", getBytes });
  return async () => new TextDecoder().decode((await archive.getZxy(1, 1, 0))?.data);
};

const parquet: Open = (mm) => {
  const slice = (start: number, end?: number) => mm.slice(start, end).buffer;
  const file = { byteLength: mm.length, slice };
  return async () => (await parquetReadObjects({ file, columns: ["price"], rowStart: 2, rowEnd: 3 }))[0]?.price;
};

/** Those that are given the map's own buffer, and those that are given copies. */
const LIBRARIES: [name: string, file: string, open: Open, takesViews: boolean][] = [
  ["arrow", "table.arrow", arrow, true],
  ["maxmind", "countries.mmdb", maxmind, true],
  ["pmtiles", "tiles.pmtiles", pmtiles, false],
  ["parquet", "table.parquet", parquet, false],
];

async function outcome(use: Use): Promise<string> {
  try {
    return String(await use());
  } catch (error) {
    const { name, code } = error as Error & { code?: string };
    return `throws ${code?.startsWith("ERR_MMAP") ? code : name}`;
  }
}

/** How many of 20 buffers of closed maps are still there once nobody but the library can use them. */
async function countKept(path: string, open: Open): Promise<number> {
  const buffers: WeakRef<ArrayBuffer>[] = [];
  for (let count = 0; count < 20; count++) {
    const mm = MMap.open(path);
    buffers.push(new WeakRef(mm.buffer));
    await open(mm)();
    mm.close();
  }
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  for (let round = 0; round < 10; round++) {
    await setTimeout(5);
    (gc ?? (() => Bun?.gc(true)))();
  }
  return buffers.filter((buffer) => buffer.deref() !== undefined).length;
}

const [folder = ""] = process.argv.slice(2);
for (const [name, file, open, takesViews] of LIBRARIES) {
  const path = join(folder, file);
  const mm = MMap.open(path);
  const use = open(mm);
  const before = await outcome(use);
  const isSame = readFileSync(path).equals(mm.bytes);
  mm.close();
  const after = await outcome(use);
  console.log(`${name}: ${before}; ${isSame ? "unchanged" : "CHANGED"}; closed: ${after}`);
  // A garbage collector that scans the stack may find a few.
  if (takesViews) console.log(`${name}: keeps ${(await countKept(path, open)) < 10 ? "none" : "buffers"}`);
}
