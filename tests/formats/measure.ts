/**
 * Reads a large file of a format in one way, and prints what it takes to open it and read its first row, what to read all
 * rows too, and how much more memory the process has then, as JSON.
 *
 *     measure.ts FORMAT WAY FILE
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { openAsBlob, readFileSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import process from "node:process";
import { type Table, tableFromIPC } from "apache-arrow";
import { type AsyncBuffer, asyncBufferFromFile, parquetRead, parquetReadObjects } from "hyparquet";
import { type CountryResponse, open as openMaxmind, Reader } from "maxmind";
import { FileSource, PMTiles, type Source } from "pmtiles";
import { MMap } from "../../lib/mod.ts";

/** A file that was opened in some way: what reads its first row, and what reads all of it. */
interface Opened {
  first(): unknown;
  all(): unknown;
}

type Way = (path: string) => Opened | Promise<Opened>;

type Bytes = Uint8Array<ArrayBuffer>;

/** The two ways to have all of a file's bytes. */
const whole = (open: (bytes: Bytes) => Opened): Record<string, Way> => ({
  map: (path) => open(MMap.open(path).bytes),
  readFileSync: (path) => open(readFileSync(path) as Bytes),
});

/** The two ways to have a function that copies a part of a file. */
type Slice = (start: number, end?: number) => ArrayBuffer;

const parts = (open: (slice: Slice, length: number) => Opened): Record<string, Way> => ({
  map: (path) => {
    const mm = MMap.open(path);
    return open((start, end) => mm.slice(start, end).buffer, mm.length);
  },
  readFileSync: (path) => {
    const { buffer, byteOffset, length } = readFileSync(path);
    return open((start, end = length) => buffer.slice(byteOffset + start, byteOffset + end) as ArrayBuffer, length);
  },
});

function sumOf(numbers: Float64Array | Float32Array): number {
  let sum = 0;
  for (let index = 0; index < numbers.length; index++) sum += numbers[index] as number;
  return sum;
}

const ofTable = (table: Table): Opened => ({
  first: () => table.get(5_000_000)?.price,
  all: () => table.getChild("price")?.data.map(({ values }) => sumOf(values)),
});

/** Numbers from `start` on. */
const ofNumbers = (numbers: Float64Array | Float32Array): Opened => ({
  first: () => numbers[1_000_000],
  all: () => sumOf(numbers),
});

function ofSafetensors(bytes: Bytes): Opened {
  const start = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const [from, to] = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))).embedding.data_offsets;
  return ofNumbers(new Float32Array(bytes.buffer, bytes.byteOffset + start + from, (to - from) / 4));
}

function ofNumpy(bytes: Bytes): Opened {
  const start = 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true);
  return ofNumbers(new Float64Array(bytes.buffer, bytes.byteOffset + start, (bytes.length - start) / 8));
}

const LOOKUPS = 10_000;

function ofReader(reader: Reader<CountryResponse>): Opened {
  // A sequence that meets all networks in no order.
  const address = (index: number) => {
    const place = Math.imul(index, 2654435761) >>> 0;
    return [place >>> 24, (place >>> 16) & 255, (place >>> 8) & 255, place & 255].join(".");
  };
  return {
    first: () => reader.get("1.2.3.4")?.country?.iso_code,
    all: () => Array.from({ length: LOOKUPS }, (_, index) => reader.get(address(index))?.country?.iso_code).length,
  };
}

const TILES = 1000;

function ofSource(source: Source): Opened {
  const archive = new PMTiles(source);
  return {
    first: async () => (await archive.getZxy(8, 100, 100))?.data.byteLength,
    all: async () => {
      for (let index = 0; index < TILES; index++) await archive.getZxy(8, (index * 37) % 256, (index * 101) % 256);
    },
  };
}

const ofAsyncBuffer = (file: AsyncBuffer): Opened => ({
  first: async () => (await parquetReadObjects({ file, rowStart: 5_000_000, rowEnd: 5_000_001 }))[0]?.price,
  all: async () => {
    let sum = 0;
    const onChunk = ({ columnData }: { columnData: ArrayLike<number> }) => {
      for (let index = 0; index < columnData.length; index++) sum += columnData[index] as number;
    };
    await parquetRead({ file, columns: ["price"], onChunk: onChunk as never });
    return sum;
  },
});

/** The source that the library has for files. */
async function fileSource(path: string): Promise<Opened> {
  return ofSource(new FileSource(Object.assign(await openAsBlob(path), { name: path }) as File));
}

const FORMATS: Record<string, Record<string, Way>> = {
  arrow: {
    ...whole((bytes) => ofTable(tableFromIPC(bytes))),
    library: async (path) => ofTable(await tableFromIPC(await openFile(path))),
  },
  safetensors: whole(ofSafetensors),
  numpy: whole(ofNumpy),
  maxmind: {
    ...whole(({ buffer, byteOffset, length }) => ofReader(new Reader(Buffer.from(buffer, byteOffset, length)))),
    library: async (path) => ofReader(await openMaxmind(path)),
  },
  pmtiles: {
    ...parts((slice) =>
      ofSource({ getKey: () => "", getBytes: async (start, length) => ({ data: slice(start, start + length) }) }),
    ),
    library: fileSource,
  },
  parquet: {
    ...parts((slice, byteLength) => ofAsyncBuffer({ byteLength, slice })),
    library: async (path) => ofAsyncBuffer(await asyncBufferFromFile(path)),
  },
};

/** The memory of this process in MiB: all of it, and what it shares with nobody, not even with the page cache. */
function memory(): { resident: number; own: number } {
  const status = readFileSync("/proc/self/status", "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  return { resident: field("VmRSS"), own: field("RssAnon") };
}

const [format = "", way = "", path = ""] = process.argv.slice(2);
const open = FORMATS[format]?.[way] as Way;

const before = memory();
const cpuBefore = process.cpuUsage();
const began = performance.now();

/** Milliseconds of the processor, of all threads, and on the clock; and MiB. */
function sinceStart() {
  const elapsed = performance.now() - began;
  const { user, system } = process.cpuUsage(cpuBefore);
  const { resident, own } = memory();
  return { cpu: (user + system) / 1000, elapsed, resident: resident - before.resident, own: own - before.own };
}

const opened = await open(path);
if ((await opened.first()) === undefined) throw new Error(`${format} by ${way}: no first row`);
const first = sinceStart();
await opened.all();
console.log(JSON.stringify({ first, all: sinceStart() }));
