/**
 * Pages in memory: `lock`, `unlock`, `residency` and `prefault`, against what the system itself counts.
 *
 * @module
 */

import { closeSync, ftruncateSync, openSync, readFileSync, truncateSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAP_PRIVATE, MMap, type OpenOptions, PAGESIZE, PROT_NONE } from "../../lib/mod.ts";
import { EMULATED, newFile, newPath, refuses, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("api/residency");

const emulated =
  EMULATED && "QEMU makes up /proc/self/smaps, refuses MLOCK_ONFAULT and does nothing for MADV_POPULATE_READ";

const real = unless(emulated, test);

const linux = unless(process.platform !== "linux" && "it reads Linux's /proc", real);

/** What the system counts of a file's mappings, in pages. */
function counted(path: string, name: "Rss" | "Anonymous" | "Locked"): number {
  const parts = readFileSync("/proc/self/smaps", "latin1").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = parts.filter((part) => part.split("\n", 1)[0]?.endsWith(` ${path}`));
  const kibibytes = own.map((part) => Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(part)?.[1]));
  return kibibytes.reduce((sum, count) => sum + count, 0) / (PAGESIZE / 1024);
}

const EACH: OpenOptions[] = [{ access: "read" }, { access: "write" }, { access: "copy" }];

linux("lock() keeps the pages of a range in memory until unlock(), and copies none", () => {
  for (const options of EACH) {
    const path = newFile(new Uint8Array(20 * PAGESIZE));
    using mm = MMap.open(path, options);
    mm.lock(PAGESIZE + 10, PAGESIZE);
    assert.is(counted(path, "Locked"), 2);
    mm.lock(5 * PAGESIZE - 1, 2);
    assert.is(counted(path, "Locked"), 4);
    mm.unlock(4 * PAGESIZE, 1);
    assert.is(counted(path, "Locked"), 3);
    mm.lock();
    assert.is(counted(path, "Locked"), 20);
    assert.is(counted(path, "Rss"), 20);
    assert.is(counted(path, "Anonymous"), 0);
    mm.unlock();
    mm.unlock();
    assert.is(counted(path, "Locked"), 0);
  }
});

linux("lock() locks the pages that contain the range, none for a range of no bytes", () => {
  const path = newFile(new Uint8Array(4 * PAGESIZE));
  using mm = MMap.open(path, { offset: PAGESIZE + 100 });
  mm.lock(0, 0);
  mm.lock(mm.length);
  mm.prefault(mm.length);
  assert.is(counted(path, "Locked"), 0);
  mm.lock(0, 1);
  assert.is(counted(path, "Locked"), 1);
  mm.lock(PAGESIZE - 101, 2);
  assert.is(counted(path, "Locked"), 2);
});

linux("lock() ends with resize() and close()", () => {
  const path = newFile(new Uint8Array(4 * PAGESIZE).fill(7));
  const mm = MMap.open(path, { access: "write" });
  mm.lock(PAGESIZE, PAGESIZE);
  mm.resize(8 * PAGESIZE);
  assert.is(counted(path, "Locked"), 0);
  mm.lock();
  mm.resize(2 * PAGESIZE);
  assert.is(counted(path, "Locked"), 0);
  assert.equal(mm.slice(), new Uint8Array(2 * PAGESIZE).fill(7));
  mm.lock();
  mm.close();
  assert.is(counted(path, "Locked"), 0);
});

real("lock() and unlock() work on anonymous memory", () => {
  for (const access of ["copy", "write"] as const) {
    using mm = MMap.anonymous(3 * PAGESIZE, { access });
    mm.write("hello");
    mm.lock();
    assert.is(mm[4], 111);
    mm.unlock(PAGESIZE);
    mm.unlock();
    mm.unlock();
  }
});

const telling = unless(
  WINDOWS ? "Windows has no mincore" : process.platform === "openbsd" && "OpenBSD has no mincore",
  test,
);
/** FreeBSD's mincore tells of the pages that this process touched. */
const ofFiles = unless(
  process.platform === "freebsd" && "FreeBSD's mincore tells of this process's own touches",
  telling,
);

/** A file of which no page is in memory yet. */
function sparseFile(pages: number): string {
  const path = newPath();
  const fd = openSync(path, "w");
  ftruncateSync(fd, pages * PAGESIZE);
  closeSync(fd);
  return path;
}

unless(emulated, ofFiles)("residency() tells for each page whether it is in memory", () => {
  const path = sparseFile(64);
  using mm = MMap.open(path, { access: "write" });
  assert.equal(mm.residency(), { pages: new Uint8Array(64), resident: 0 });
  mm.prefault(10 * PAGESIZE + 5, PAGESIZE);
  const { pages, resident } = mm.residency();
  assert.is(pages.length, 64);
  // The system may read ahead.
  assert.ok(resident >= 2 && resident === pages.reduce((sum, page) => sum + page, 0));
  assert.equal([pages[10], pages[11]], [1, 1]);
  mm.prefault();
  assert.equal(mm.residency(), { pages: new Uint8Array(64).fill(1), resident: 64 });
});

telling("residency() rounds its range out to pages", () => {
  using mm = MMap.open(newFile(new Uint8Array(8 * PAGESIZE)), { offset: 10 });
  const spans = (start: number, length?: number) => mm.residency(start, length).pages.length;
  assert.is(spans(0), 8);
  assert.is(spans(0, 0), 0);
  assert.is(spans(mm.length), 0);
  assert.is(spans(5, 1), 1);
  assert.is(spans(PAGESIZE - 11, 1), 1);
  assert.is(spans(PAGESIZE - 11, 2), 2);
  assert.is(spans(PAGESIZE - 10, PAGESIZE), 1);
  assert.is(spans(mm.length - 1), 1);
});

telling("residency() refuses a terabyte at once, and tells of parts", () => {
  using mm = MMap.open(sparseFile(2 ** 40 / PAGESIZE));
  refuses(RangeError, () => mm.residency(), "start", "length", String(2 ** 26), String(2 ** 40 / PAGESIZE));
  const last = mm.residency(2 ** 40 - 100 * PAGESIZE);
  assert.equal(last, { pages: new Uint8Array(100), resident: 0 });
});

linux("prefault() brings pages in for reading, and copies none", () => {
  for (const options of EACH) {
    const path = sparseFile(100);
    using mm = MMap.open(path, options);
    assert.is(counted(path, "Rss"), 0);
    mm.prefault(PAGESIZE * 99 + 5, 1);
    // The system may bring in the pages around it.
    const around = counted(path, "Rss");
    assert.ok(around >= 1 && around <= 64, `${around} pages`);
    mm.prefault();
    assert.is(counted(path, "Rss"), 100);
    assert.is(counted(path, "Anonymous"), 0);
    assert.equal(mm.slice(), new Uint8Array(100 * PAGESIZE));
  }
});

linux("prefault() with write makes the copies of private pages, and none of shared ones", () => {
  const path = newFile(new Uint8Array(10 * PAGESIZE).fill(5));
  {
    using mm = MMap.open(path, { access: "copy" });
    mm.prefault(PAGESIZE, 2 * PAGESIZE, { write: true });
    assert.is(counted(path, "Anonymous"), 2);
    mm.prefault(0, undefined, { write: true });
    assert.is(counted(path, "Anonymous"), 10);
    assert.equal(mm.slice(), new Uint8Array(10 * PAGESIZE).fill(5));
  }
  using mm = MMap.open(path, { access: "write" });
  mm.prefault(0, undefined, { write: true });
  assert.is(counted(path, "Anonymous"), 0);
  assert.is(counted(path, "Rss"), 10);
  assert.equal(new Uint8Array(readFileSync(path)), new Uint8Array(10 * PAGESIZE).fill(5));
});

test("prefault() with write is refused on a map that is only for reading", () => {
  const path = newFile(new Uint8Array(3 * PAGESIZE).fill(9));
  using mm = MMap.open(path);
  mm.seek(7);
  mm.prefault();
  refuses(TypeError, () => mm.prefault(0, 1, { write: true }), "cannot be written", "read");
  assert.equal([mm.tell(), mm[0]], [7, 9]);
});

telling("lock() and prefault() are refused without PROT_READ", () => {
  using mm = MMap.anonymous(PAGESIZE, { prot: PROT_NONE, flags: MAP_PRIVATE });
  refuses(TypeError, () => mm.lock(), "cannot be read");
  refuses(TypeError, () => mm.prefault(), "cannot be read");
  assert.is(mm.residency().pages.length, 1);
});

test("prefault() throws if reading its options closes the map", () => {
  const mm = MMap.anonymous(PAGESIZE);
  const options = {
    get write() {
      mm.close();
      return true;
    },
  };
  refuses("ERR_MMAP_CLOSED", () => mm.prefault(0, undefined, options));
});

linux("lock() and prefault() throw if the file shrank, and nothing is locked", () => {
  for (const options of [{}, { access: "write" }, { access: "copy" }, { guard: false }] as OpenOptions[]) {
    const path = newFile(new Uint8Array(10 * PAGESIZE).fill(1));
    const mm = MMap.open(path, options);
    truncateSync(path, 3 * PAGESIZE - 100);
    for (const act of [() => mm.prefault(), () => mm.lock(), () => mm.prefault(3 * PAGESIZE, 1)]) {
      refuses("ERR_MMAP_TRUNCATED", act, `index ${3 * PAGESIZE} on`);
    }
    assert.is(counted(path, "Locked"), 0);
    mm.prefault(0, 3 * PAGESIZE);
    mm.lock(0, 3 * PAGESIZE);
    assert.is(counted(path, "Locked"), 3);
    assert.is(mm.faults, 0);
    mm.close();
  }
});

linux("lock() and prefault() throw for pages that were replaced by zeros", () => {
  const path = newFile(new Uint8Array(10 * PAGESIZE).fill(1));
  using mm = MMap.open(path);
  truncateSync(path, 5 * PAGESIZE);
  assert.is(mm.bytes[7 * PAGESIZE], 0);
  truncateSync(path, 10 * PAGESIZE);
  // The file is long again; the page is still not its own.
  refuses("ERR_MMAP_TRUNCATED", () => mm.prefault(), "index");
  refuses("ERR_MMAP_TRUNCATED", () => mm.lock(), "index");
  assert.is(counted(path, "Locked"), 0);
  mm.prefault(0, 5 * PAGESIZE);
});

test.run();
