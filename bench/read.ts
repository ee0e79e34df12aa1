/**
 * Reading: blocks and single bytes with a position, against memory copied by the engine, libc and Python.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { MMap } from "../lib/mod.ts";
import { copyLine } from "../lib/slab.ts";
import { type Data, GiB, generator, KiB, MiB } from "./data.ts";
import { type Bench, here } from "./harness.ts";
import { libc, mapped } from "./libc.ts";
import { python } from "./python.ts";

/** Blocks of one size, from the start to the end of a file. */
async function blocks(bench: Bench, path: string, size: number, length: number): Promise<void> {
  using mm = MMap.open(path);
  const { bytes } = mm;
  const { address } = mapped(path);
  const count = Math.min(1000, Math.floor(length / size));
  const name = size >= MiB ? `${size / MiB} MiB` : size >= KiB ? `${size / KiB} KiB` : `${size} bytes`;
  const each = (read: (start: number) => unknown) => () => {
    for (let block = 0; block < count; block++) read(block * size);
  };
  const copy = here(each((start) => new Uint8Array(size).set(bytes.subarray(start, start + size))));
  const memcpy = here(each((start) => libc.memcpy(new Uint8Array(size), address + start, size)));
  const setup = `
m = map_file(${JSON.stringify(path)})
def read():
    m.seek(0)
    for block in range(${count}): m.read(${size})
def cut():
    for block in range(${count}): m[block * ${size}:(block + 1) * ${size}]
`;
  const peers = [
    { name: "set into a new Uint8Array", target: 1.1, time: copy },
    { name: "libc memcpy into a new Uint8Array", target: 1.1, time: memcpy },
  ];
  const reading = each(() => mm.read(size));
  const read = () => {
    mm.seek(0);
    reading();
  };
  await bench.compare(`read(${name})`, here(read), [...peers, python(setup, "read()")], { per: count, noisy: true });
  const slice = each((start) => mm.slice(start, start + size));
  await bench.compare(`slice of ${name}`, here(slice), [...peers, python(setup, "cut()")], { per: count, noisy: true });
}

async function single(bench: Bench, path: string): Promise<void> {
  using mm = MMap.open(path);
  const count = 100_000;
  const setup = `
m = map_file(${JSON.stringify(path)})
def bytes_of():
    m.seek(0)
    read = m.read_byte
    return sum(read() for _ in range(${count}))
def indices():
    return sum(m[i] for i in range(${count}))
def lines():
    m.seek(0)
    return sum(len(m.readline()) for _ in range(1000))
`;
  const sum = (next: (index: number) => number) => () => {
    let total = 0;
    for (let index = 0; index < count; index++) total += next(index);
    return total;
  };
  const readByte = sum(() => mm.readByte());
  const all = () => {
    mm.seek(0);
    return readByte();
  };
  await bench.compare("readByte()", here(all), [python(setup, "bytes_of()")], { per: count });
  await bench.compare("at(i)", here(sum((index) => mm.at(index) as number)), [python(setup, "indices()")], {
    per: count,
  });
  const unaimed = python(setup, "indices()", null);
  await bench.compare("mm[i]", here(sum((index) => mm[index] as number)), [unaimed], { per: count });
  const lines = () => {
    mm.seek(0);
    let total = 0;
    for (let line = 0; line < 1000; line++) total += mm.readline().length;
    return total;
  };
  const words = mm.view(Int32Array, 0, Math.min(mm.length, MiB) / 4);
  // Without the map, its position and its checks.
  const alone = () => {
    let total = 0;
    for (let line = 0; line < 1000; line++) {
      total += copyLine(words, words.length, total)?.length ?? 0;
    }
    return total;
  };
  const limit = { name: "the copy and the array alone (the limit)", time: here(alone) };
  await bench.compare("readline() of 20 to 200 bytes", here(lines), [python(setup, "lines()"), limit], { per: 1000 });
}

/** Random offsets in a file. */
function places(size: number, count: number): Float64Array {
  const next = generator(21);
  return Float64Array.from({ length: count }, () => Math.floor((next() / 2 ** 32) * (size - 64)));
}

async function random(bench: Bench, data: Data): Promise<void> {
  const [size, count] = bench.quick ? [10 * MiB, 1000] : [10 * GiB, 1_000_000];
  const part = size / 10;
  const path = data.sparse(size);
  using mm = MMap.open(path);
  const fd = openSync(path, "r");
  const at = places(size, count);
  const ours = () => {
    let total = 0;
    for (const place of at) total += mm.slice(place, place + 64)[0] as number;
    return total;
  };
  const views = Array.from({ length: Math.ceil(size / part) }, (_, index) =>
    mm.view(DataView, index * part, Math.min(part + 64, size - index * part)),
  );
  // Nothing is copied: the bytes are read in place.
  const inPlace = () => {
    let total = 0;
    for (const place of at) {
      const index = Math.floor(place / part);
      const view = views[index] as DataView;
      const from = (place - index * part) | 0;
      for (let byte = 0; byte < 64; byte += 4) total = (total + view.getInt32(from + byte, true)) | 0;
    }
    return total;
  };
  // The limit for any way to the bytes.
  const one = () => {
    let total = 0;
    for (const place of at) {
      const index = Math.floor(place / part);
      total = (total + (views[index] as DataView).getInt32((place - index * part) | 0, true)) | 0;
    }
    return total;
  };
  const system = () => {
    let total = 0;
    for (const place of at) {
      const block = new Uint8Array(64);
      readSync(fd, block, 0, 64, place);
      total += block[0] as number;
    }
    return total;
  };
  const name = `${count} reads of 64 bytes by chance, ${bench.quick ? "10 MiB" : "10 GiB"} sparse`;
  const peers = [{ name: "fs.readSync", target: 0.02, time: here(system) }];
  await bench.compare(`${name}, slice`, here(ours), peers, { per: count, long: true });
  const limit = { name: "one load at each place (the limit)", time: here(one) };
  await bench.compare(`${name}, in a view`, here(inPlace), [...peers, limit], { per: count, long: true });
  closeSync(fd);
}

/** The same of pages that were never touched: each is a page fault of the new map, although the system has it in memory. */
async function untouched(bench: Bench, data: Data): Promise<void> {
  const [size, count] = bench.quick ? [10 * MiB, 100] : [GiB, 10_000];
  const path = data.sparse(size);
  const at = places(size, count);
  const inView = () => {
    using mm = MMap.open(path);
    const view = mm.view(DataView);
    let total = 0;
    for (const place of at)
      for (let byte = 0; byte < 64; byte += 4) total = (total + view.getInt32(place + byte, true)) | 0;
    return total;
  };
  const slices = () => {
    using mm = MMap.open(path);
    let total = 0;
    for (const place of at) total += mm.slice(place, place + 64)[0] as number;
    return total;
  };
  const system = () => {
    const fd = openSync(path, "r");
    let total = 0;
    for (const place of at) {
      const block = new Uint8Array(64);
      readSync(fd, block, 0, 64, place);
      total += block[0] as number;
    }
    closeSync(fd);
    return total;
  };
  const setup = `
places = [${at.join()}]
def reads():
    with map_file(${JSON.stringify(path)}) as m:
        return sum(m[place:place + 64][0] for place in places)
`;
  const name = `${count} reads of 64 bytes from pages never touched, ${bench.quick ? "10 MiB" : "1 GiB"}`;
  const peers = [{ name: "fs.readSync", target: 1, time: here(system) }, python(setup, "reads()")];
  await bench.compare(`${name}, in a view`, here(inView), peers, { per: count });
  await bench.compare(`${name}, slice`, here(slices), peers, { per: count });
}

/** A whole file: the sum of every 64th byte. */
async function whole(bench: Bench, path: string): Promise<void> {
  const sum = (bytes: Uint8Array) => {
    let total = 0;
    for (let index = 0; index < bytes.length; index += 64) total += bytes[index] as number;
    return total;
  };
  const ours = () => {
    using mm = MMap.open(path);
    return sum(mm.bytes);
  };
  const runtime = globalThis as {
    Bun?: { mmap(path: string): Uint8Array; file(path: string): { bytes(): Promise<Uint8Array> } };
    Deno?: { readFile(path: string): Promise<Uint8Array> };
  };
  const ways: [string, (() => unknown) | undefined][] = [
    ["fs.readFileSync", () => sum(readFileSync(path))],
    ["fs.promises.readFile", async () => sum(await readFile(path))],
    ["Bun.mmap", runtime.Bun && (() => sum(runtime.Bun?.mmap(path) as Uint8Array))],
    ["Bun.file", runtime.Bun && (async () => sum((await runtime.Bun?.file(path).bytes()) as Uint8Array))],
    ["Deno.readFile", runtime.Deno && (async () => sum((await runtime.Deno?.readFile(path)) as Uint8Array))],
  ];
  const peers = ways.flatMap(([name, run]) => (run === undefined ? [] : [{ name, target: 1, time: here(run) }]));
  await bench.compare(`a byte of each 64 of ${bench.quick ? 1 : 64} MiB, opened and closed`, here(ours), peers);
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const length = bench.quick ? MiB : 64 * MiB;
  const path = data.file("log", length);
  await single(bench, path);
  for (const size of [16, 64, 256, KiB, 4 * KiB, 64 * KiB, MiB, ...(bench.quick ? [] : [16 * MiB])]) {
    await blocks(bench, path, size, length);
  }
  await whole(bench, path);
  await random(bench, data);
  await untouched(bench, data);
}
