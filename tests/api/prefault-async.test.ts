/**
 * `prefaultAsync`: which parts it asks for, when, and what may happen to the map meanwhile.
 *
 * @module
 */

import { closeSync, ftruncateSync, openSync, truncateSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type OpenOptions, PAGESIZE, PROT_NONE } from "../../lib/mod.ts";
import { platform } from "../../lib/platform.ts";
import type { Platform } from "../../platform/types.ts";
import { withPlatform } from "../helpers/platform.ts";
import { EMULATED, holds, newFile, newPath, rejects, unless, WINDOWS } from "../helpers/support.ts";
import { UNGUARDED } from "../helpers/truncation.ts";

const test = suite("api/prefault-async");

const MiB = 2 ** 20;

const posix = unless(WINDOWS && "it has no prot", test);

/** A file of which no page is in memory yet. */
function sparseFile(size: number): string {
  const path = newPath();
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  closeSync(fd);
  return path;
}

const emulated = EMULATED && "QEMU does nothing for MADV_POPULATE_READ";

const telling = unless(emulated || (platform().residency === undefined && "it has no mincore"), test);

telling("prefaultAsync() brings the pages of a range in", async () => {
  for (const access of ["read", "write", "copy"] as const) {
    using mm = MMap.open(sparseFile(20 * MiB), { access });
    assert.is(await mm.prefaultAsync(3 * PAGESIZE + 1, PAGESIZE), undefined);
    assert.equal([...mm.residency(3 * PAGESIZE, 2 * PAGESIZE).pages], [1, 1]);
    assert.ok(mm.residency().resident < 5000);
    await mm.prefaultAsync();
    assert.is(mm.residency().resident, (20 * MiB) / PAGESIZE);
  }
});

/**
 * What prefaultAsync asks of the system for a file of 20 MiB: what is read ahead, and what is faulted in after that.
 * `meanwhile` runs when a part has been read.
 */
async function asked(
  options: OpenOptions,
  start: number,
  length: number | undefined,
  meanwhile: (mm: MMap) => void = () => {},
): Promise<string[]> {
  const calls: string[] = [];
  const change = ({ populate }: Platform): Partial<Platform> => ({
    readAhead: async (_descriptor, offset, count) => {
      calls.push(`read ${offset} ${count}`);
      await null;
      calls.push("is read");
      meanwhile(mm);
    },
    populate: (address, count, write) => {
      calls.push(`populate ${count} ${write}`);
      return populate(address, count, write);
    },
  });
  const path = sparseFile(20 * MiB);
  const mm = withPlatform(change, () => MMap.open(path, options));
  const done = mm.prefaultAsync(start, length);
  calls.push("called");
  await done;
  mm.close();
  holds(path, 0, 0);
  return calls;
}

test("prefaultAsync() faults a part in when the system has read it, and then asks for the next", async () => {
  assert.equal(await asked({ offset: PAGESIZE }, 0, undefined), [
    `read ${PAGESIZE} ${8 * MiB}`,
    "called",
    "is read",
    `populate ${8 * MiB} false`,
    `read ${PAGESIZE + 8 * MiB} ${8 * MiB}`,
    "is read",
    `populate ${8 * MiB} false`,
    `read ${PAGESIZE + 16 * MiB} ${4 * MiB - PAGESIZE}`,
    "is read",
    `populate ${4 * MiB - PAGESIZE} false`,
  ]);
  assert.equal(await asked({}, 5, 10), ["read 5 10", "called", "is read", "populate 15 false"]);
  assert.equal(await asked({}, 10, 0), ["called"]);
});

test("prefaultAsync() ends when the map is closed meanwhile, and with a map that gets shorter", async () => {
  const first = [`read 0 ${8 * MiB}`, "called", "is read"];
  assert.equal(await asked({}, 0, undefined, (mm) => mm.close()), first);
  const shorten = (length: number) => (mm: MMap) => mm.resize(length);
  const write = { access: "write" } as const;
  assert.equal(await asked(write, 0, undefined, shorten(PAGESIZE)), [...first, `populate ${PAGESIZE} false`]);
  assert.equal(await asked(write, MiB, undefined, shorten(PAGESIZE)), [`read ${MiB} ${8 * MiB}`, "called", "is read"]);
  assert.equal(await asked(write, 0, undefined, shorten(9 * MiB)), [
    ...first,
    `populate ${8 * MiB} false`,
    `read ${8 * MiB} ${MiB}`,
    "is read",
    `populate ${MiB} false`,
  ]);
});

test("prefaultAsync() needs no descriptor, and works on anonymous memory and empty maps", async () => {
  assert.equal(await asked({ trackfd: false }, 0, 9 * MiB), [
    "called",
    `populate ${8 * MiB} false`,
    `populate ${MiB} false`,
  ]);
  using memory = MMap.anonymous(3 * PAGESIZE);
  memory.write("hello");
  await memory.prefaultAsync();
  assert.is(memory[0], 104);
  using empty = MMap.open(newFile(""));
  assert.is(await empty.prefaultAsync(), undefined);
});

test("prefaultAsync() may run many times at once, on maps that are closed", async () => {
  const paths = Array.from({ length: 12 }, () => newFile(new Uint8Array(10 * PAGESIZE).fill(97)));
  const maps = paths.map((path) => MMap.open(path));
  const running = maps.map((mm) => mm.prefaultAsync());
  for (const mm of maps) mm.close();
  await Promise.all(running);
  for (const path of paths) holds(path, 0, 0);
});

test("prefaultAsync() rejects where prefault() throws", async () => {
  const path = newFile("abcdef");
  const mm = MMap.open(path);
  await rejects(RangeError, mm.prefaultAsync(7), "start", "7");
  await rejects(RangeError, mm.prefaultAsync(3, 4), "length", "4");
  await rejects(TypeError, mm.prefaultAsync("1" as never), "start");
  mm.close();
  await rejects("ERR_MMAP_CLOSED", mm.prefaultAsync());
});

posix("prefaultAsync() needs memory that can be read", async () => {
  using mm = MMap.open(newFile("abcdef"), { prot: PROT_NONE ?? 0 });
  await rejects(TypeError, mm.prefaultAsync(), "PROT_READ");
});

unless(UNGUARDED || emulated, test)("prefaultAsync() reports pages that the file has lost", async () => {
  const path = newFile(new Uint8Array(20 * PAGESIZE));
  using mm = MMap.open(path);
  truncateSync(path, PAGESIZE);
  await rejects("ERR_MMAP_TRUNCATED", mm.prefaultAsync());
  await mm.prefaultAsync(0, PAGESIZE);
});

test.run();
