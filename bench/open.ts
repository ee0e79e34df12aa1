/**
 * Opening, reading a byte and closing, by path: how the cost grows with the file's size, and with the number of open
 * maps; and across an `await`.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import process from "node:process";
import { MMap } from "../lib/mod.ts";
import { mmapIo } from "./addon.ts";
import { type Data, GiB, KiB, MiB, TiB } from "./data.ts";
import { type Bench, here, type Peer } from "./harness.ts";
import { libc } from "./libc.ts";
import { python } from "./python.ts";

const SIZES: [name: string, size: number][] = [
  ["4 KiB", 4 * KiB],
  ["1 MiB", MiB],
  ["64 MiB", 64 * MiB],
  ["1 GiB", GiB],
  ["64 GiB", 64 * GiB],
  ["1 TiB", TiB],
];

function openReadClose(path: string): number {
  const mm = MMap.open(path);
  const byte = mm[0] as number;
  mm.close();
  return byte;
}

function withFs(path: string): number {
  const fd = openSync(path, "r");
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, 0);
  closeSync(fd);
  return byte[0] as number;
}

const PROT_READ = 1;
const MAP_SHARED = 1;

/** The limit: the system calls alone, through the runtime and its FFI. */
function calls(path: string, size: number): number {
  const byte = new Uint8Array(1);
  const fd = openSync(path, "r");
  const address = libc.mmap(0, size, PROT_READ, MAP_SHARED, fd, 0);
  libc.memcpy(byte, address, 1);
  libc.munmap(address, size);
  closeSync(fd);
  return byte[0] as number;
}

async function bySize(bench: Bench, data: Data): Promise<void> {
  const first = data.sparse(4 * KiB);
  for (const [name, size] of SIZES) {
    const path = data.sparse(size);
    const setup = `
def cycle():
    m = map_file(${JSON.stringify(path)})
    byte = m[0]
    m.close()
    return byte
`;
    const limit = { name: "the calls alone (the limit)", time: here(() => calls(path, size)) };
    const peers: Peer[] = [python(setup, "cycle()"), limit];
    if (size <= 64 * MiB) peers.push({ name: "fs open, read, close", target: 5, time: here(() => withFs(path)) });
    const others = [...runtimesOwn(path, size), ...addon(bench, path, size)];
    if (size > 4 * KiB) others.push({ name: "the same of 4 KiB", target: 1.2, time: here(() => openReadClose(first)) });
    await bench.compare(
      `open, read a byte, close: ${name}`,
      here(() => openReadClose(path)),
      [...peers, ...others],
      { growth: { with: "bytes", to: size } },
    );
  }
}

/** Maps that cannot be closed: the garbage collector unmaps them. */
function runtimesOwn(path: string, size: number): Peer[] {
  const { Bun } = globalThis as { Bun?: { mmap(path: string): Uint8Array } };
  if (Bun === undefined || size > GiB) return [];
  return [{ name: "Bun.mmap", target: 1, time: here(() => Bun.mmap(path)[0]) }];
}

function addon(bench: Bench, path: string, size: number): Peer[] {
  if (size !== 64 * MiB) return [];
  const found = mmapIo(bench.quick);
  if ("missing" in found) {
    bench.miss("open, read a byte, close: 64 MiB", "mmap-io", found.missing);
    return [];
  }
  const cycle = () => {
    const fd = openSync(path, "r");
    const byte = found.map(size, found.PROT_READ, found.MAP_SHARED, fd)[0];
    closeSync(fd);
    return byte;
  };
  return [{ name: "mmap-io", target: 0.1, time: here(cycle) }];
}

/** A map that is open while a microtask runs is registered with the finalizer, which other maps never are. */
async function openAwaitClose(path: string): Promise<number> {
  const mm = MMap.open(path);
  await undefined;
  const byte = mm[0] as number;
  mm.close();
  return byte;
}

async function withFsAndAwait(path: string): Promise<number> {
  const fd = openSync(path, "r");
  await undefined;
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, 0);
  closeSync(fd);
  return byte[0] as number;
}

async function acrossAwait(bench: Bench, data: Data): Promise<void> {
  const path = data.sparse(4 * KiB);
  await bench.compare(
    "open, await, read a byte, close: 4 KiB",
    here(() => openAwaitClose(path)),
    [
      { name: "without the await", time: here(() => openReadClose(path)) },
      { name: "fs open, await, read, close", target: 5, time: here(() => withFsAndAwait(path)) },
    ],
  );
}

/** The number of mappings that are left to the engine. */
const SPARE = 10_000;

/** The number of mappings that a process may have. */
function mostMappings(): number {
  return process.platform === "linux"
    ? Number(readFileSync("/proc/sys/vm/max_map_count", "latin1"))
    : Number.POSITIVE_INFINITY;
}

/** One more map, while N maps are open. */
async function byNumber(bench: Bench, data: Data): Promise<void> {
  const path = data.sparse(4 * KiB);
  const open: MMap[] = [];
  const limit = mostMappings();
  const cycle = here(() => openReadClose(path));
  const among = (count: number) => (times: number) => {
    while (open.length < count) open.push(MMap.open(path, { trackfd: false }));
    while (open.length > count) open.pop()?.close();
    return cycle(times);
  };
  const alone = { name: "while none is", target: 1.5, time: among(0) };
  for (const count of bench.quick ? [1, 10, 100] : [1, 10, 100, 1000, 10_000, 50_000, 100_000]) {
    const name = `open, read a byte, close, while ${count} maps are open`;
    if (count + SPARE > limit) {
      bench.miss(
        name,
        alone.name,
        `vm.max_map_count is ${limit}, and engines abort if they cannot map memory for themselves`,
      );
    } else {
      await bench.compare(name, among(count), [alone], { growth: { with: "maps", to: count } });
    }
  }
  for (const mm of open) mm.close();
}

export default async function (bench: Bench, data: Data): Promise<void> {
  await bySize(bench, data);
  await acrossAwait(bench, data);
  await byNumber(bench, data);
}
