import { readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapError, MS_ASYNC, MS_INVALIDATE, MS_SYNC, PAGESIZE, PROT_READ } from "../../lib/mod.ts";
import type { Platform } from "../../platform/types.ts";
import { breakableDisk, failingDisk, withoutDevices } from "../helpers/disk.ts";
import { withPlatform } from "../helpers/platform.ts";
import { currentRuntime } from "../helpers/runtimes.ts";
import {
  EMULATED,
  holds,
  newFile,
  newPath,
  printedBy,
  refuses,
  rejects,
  text,
  thrown,
  unless,
  WINDOWS,
  WORKERS,
} from "../helpers/support.ts";
import { UNGUARDED } from "../helpers/truncation.ts";

const test = suite("api/flush");

test("flush() takes any range within the map", () => {
  const path = newFile(new Uint8Array(50_000));
  using mm = MMap.open(path, { access: "write", offset: 100 });
  for (const [offset, size] of [
    [0, 0],
    [0, 1],
    [1, 1],
    [4095, 2],
    [49_899, 1],
    [49_900, 0],
    [10_000, 20_000],
  ]) {
    mm.flush(offset, size);
  }
  mm.flush(10);
  refuses(RangeError, () => mm.flush(49_901), "offset", "49901");
  refuses(RangeError, () => mm.flush(0, 49_901), "size", "49901");
  refuses(RangeError, () => mm.flush(49_900, 1), "size");
});

/** The ranges of memory that the system is asked to write while `act` runs. */
async function flushedRanges(act: () => unknown): Promise<[address: number, length: number][]> {
  const ranges: [number, number][] = [];
  const change = ({ flush, flushAsync }: Platform): Partial<Platform> => ({
    flush: (address, length, descriptor, flags) => {
      ranges.push([address, length]);
      flush(address, length, descriptor, flags);
    },
    flushAsync: (address, length, descriptor) => {
      ranges.push([address, length]);
      return flushAsync(address, length, descriptor);
    },
  });
  await withPlatform(change, act);
  return ranges;
}

unless(WINDOWS && "it has no prot", test)(
  "flushAsync() of a shared map for reading needs no descriptor for writing",
  async () => {
    const flushed: string[] = [];
    const change = ({ flush }: Platform): Partial<Platform> => ({
      flush: (...parameters) => {
        flushed.push("flush");
        flush(...parameters);
      },
      // aio_fsync of macOS.
      flushAsync: () => Promise.reject(new Error("EBADF")),
    });
    const path = newFile(new Uint8Array(3 * PAGESIZE));
    await withPlatform(change, () => {
      using mm = MMap.open(path, { prot: PROT_READ as number });
      return mm.flushAsync();
    });
    assert.equal(flushed, ["flush"]);
  },
);

test("flush() and flushAsync() ask the system to write the pages of their range", async () => {
  const path = newFile(new Uint8Array(3 * PAGESIZE));
  const ranges = await flushedRanges(async () => {
    using mm = MMap.open(path, { access: "write" });
    mm.assign("abc", PAGESIZE, PAGESIZE + 3);
    for (const [offset, size] of [[], [PAGESIZE + 1, 1], [PAGESIZE - 1, 2], [2 * PAGESIZE]]) {
      assert.is(mm.flush(offset, size), undefined);
      assert.is(await mm.flushAsync(offset, size), undefined);
    }
    holds(path, 1, 1);
  });
  const [base] = ranges[0] as [number, number];
  const expected = [
    [0, 3 * PAGESIZE],
    [PAGESIZE, 2],
    [0, PAGESIZE + 1],
    [2 * PAGESIZE, PAGESIZE],
  ];
  assert.equal(
    ranges.map(([address, length]) => [address - base, length]),
    expected.flatMap((range) => [range, range]),
  );
  assert.is(text(readFileSync(path).subarray(PAGESIZE, PAGESIZE + 3)), "abc");
});

const posix = unless(WINDOWS && "it has no msync", test);
const linux = unless(process.platform !== "linux" && "what msync accepts differs between systems", test);

posix("flush() takes flags of msync", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, { access: "write" });
  mm.write("xyz");
  for (const flags of [MS_SYNC, MS_ASYNC, MS_INVALIDATE, undefined]) mm.flush(0, undefined, { flags });
  assert.is(readFileSync(path, "utf8"), "xyzdef");
  refuses(TypeError, () => mm.flush(0, 1, { flags: "MS_SYNC" as never }), 'flags must be an integer: got "MS_SYNC"');
  refuses(RangeError, () => mm.flush(0, 1, { flags: -1 }), "flags must be from 0", "got -1");
  refuses(
    TypeError,
    () => mm.flush(0, 1, { flag: 1 } as never),
    '"flag" is not an option of flush(): did you mean "flags"?',
  );
  refuses(TypeError, () => mm.flush(0, 1, MS_SYNC as never), "options must be an object");
});

linux("flush() with flags that the system refuses throws its error", () => {
  using mm = MMap.open(newFile("abcdef"), { access: "write" });
  const flush = (flags: number) => () => mm.flush(0, undefined, { flags });
  refuses("EINVAL", flush((MS_SYNC ?? 0) | (MS_ASYNC ?? 0)), "msync");
  refuses("EINVAL", flush(0x4000), "msync");
  mm.flush(0, undefined, { flags: (MS_SYNC ?? 0) | (MS_INVALIDATE ?? 0) });
  using copy = MMap.open(newFile("abcdef"), { access: "copy" });
  // Nothing of a private map is written, so the system is not asked.
  copy.flush(0, undefined, { flags: 0x4000 });
});

unless(EMULATED && "QEMU refuses MLOCK_ONFAULT", linux)("flush() with MS_INVALIDATE of locked pages throws", () => {
  using mm = MMap.open(newFile("abcdef"), { access: "write" });
  mm.lock();
  refuses("EBUSY", () => mm.flush(0, undefined, { flags: MS_INVALIDATE }), "msync");
});

unless(!WINDOWS && "it is about Windows", test)("flush() on Windows has no flags", () => {
  using mm = MMap.open(newFile("abcdef"), { access: "write" });
  assert.equal([MS_SYNC, MS_ASYNC, MS_INVALIDATE], [undefined, undefined, undefined]);
  mm.flush(0, undefined, { flags: MS_ASYNC });
  refuses(TypeError, () => mm.flush(0, undefined, { flags: 4 }), "flags is not supported on this system", "got 4");
});

const failing = unless(withoutDevices, test);

/** How many bytes of a file's mappings in this process are changed and not yet written. */
function dirty(path: string): number {
  const [, mapping = ""] = readFileSync("/proc/self/smaps", "latin1").split(`${path}\n`);
  const numbers = [...mapping.matchAll(/^(?:Shared|Private)_Dirty: +(\d+) kB$/gm)].slice(0, 2);
  return numbers.reduce((total, [, kibibytes]) => total + 1024 * Number(kibibytes), 0);
}

unless(EMULATED && "QEMU makes up /proc/self/smaps", failing)(
  "flush() and flushAsync() write every changed page to the disk",
  async () => {
    using disk = failingDisk(2 ** 20, 2 ** 20);
    const path = join(disk.folder, "file");
    using mm = MMap.open(path, { create: true, length: 20 * PAGESIZE, reserve: true });
    for (const flush of [() => mm.flush(), () => mm.flushAsync()]) {
      mm.bytes.fill(97);
      assert.is(dirty(path), 20 * PAGESIZE);
      await flush();
      assert.is(dirty(path), 0);
    }
  },
);

unless(WINDOWS && "it blocks there", test)("flushAsync() does not block the program", async () => {
  using mm = MMap.open(newPath(), { create: true, length: 2 ** 24 });
  mm.bytes.fill(97);
  const events: string[] = [];
  const flushed = mm.flushAsync().then(() => events.push("flushed"));
  events.push("called");
  await setImmediate();
  mm[0] = 98;
  events.push("other work");
  await flushed;
  assert.equal(events, ["called", "other work", "flushed"]);
  assert.is(mm[0], 98);
});

test("flushAsync() resolves if the map is closed meanwhile, and nothing stays open", async () => {
  const path = newPath();
  const mm = MMap.open(path, { create: true, length: 2 ** 20 });
  mm.write(new Uint8Array(2 ** 20).fill(97));
  const flushed = mm.flushAsync();
  mm.close();
  assert.is(await flushed, undefined);
  holds(path, 0, 0);
});

test("flushAsync() resolves if the map is resized meanwhile", async () => {
  const path = newPath();
  using mm = MMap.open(path, { create: true, length: 2 ** 20 });
  for (const size of [PAGESIZE, 2 ** 21, 10]) {
    mm.assign(new Uint8Array(mm.length).fill(97));
    const flushed = mm.flushAsync();
    mm.resize(size);
    assert.is(await flushed, undefined);
    assert.is(mm.length, size);
  }
  holds(path, 1, 1);
});

test("flushAsync() may run many times at once", async () => {
  const paths = Array.from({ length: 12 }, newPath);
  const maps = paths.map((path) => MMap.open(path, { create: true, length: PAGESIZE }));
  const running = maps.map((mm) => mm.flushAsync());
  for (const mm of maps) mm.close();
  await Promise.all(running);
  for (const path of paths) holds(path, 0, 0);
});

test("flushAsync() rejects where flush() throws", async () => {
  const path = newFile("abcdef");
  const mm = MMap.open(path, { access: "write" });
  await rejects(RangeError, mm.flushAsync(7), "offset", "7");
  await rejects(RangeError, mm.flushAsync(3, 4), "size", "4");
  await rejects(TypeError, mm.flushAsync("1" as never), "offset");
  await rejects(TypeError, mm.flushAsync(0, 1.5), "size");
  mm.close();
  await rejects("ERR_MMAP_CLOSED", mm.flushAsync());
});

test("flushAsync() needs the map's descriptor, if the map writes to a file", async () => {
  const path = newFile("abcdef");
  using untracked = MMap.open(path, { access: "write", trackfd: false });
  await rejects(TypeError, untracked.flushAsync(), "trackfd");
  using copy = MMap.open(path, { access: "copy", trackfd: false });
  using memory = MMap.anonymous(10);
  using unsized = MMap.anonymous(10, { trackfd: false });
  for (const mm of [copy, memory, unsized]) assert.is(await mm.flushAsync(), undefined);
});

/** A case that needs the guard. */
const guarded = unless(UNGUARDED, test);

guarded("flushAsync() rejects for lost pages, as flush() throws", async () => {
  const path = newFile(new Uint8Array(4 * PAGESIZE));
  using mm = MMap.open(path, { access: "write" });
  truncateSync(path, PAGESIZE);
  mm.bytes[3 * PAGESIZE] = 97;
  refuses("ERR_MMAP_TRUNCATED", () => mm.flush());
  await rejects("ERR_MMAP_TRUNCATED", mm.flushAsync());
  assert.is(await mm.flushAsync(0, PAGESIZE), undefined);
});

/** Fails unless a map of a new file, changed and then struck by `strike`, has the code thrown by flush and flushAsync. */
async function reportsLoss(folder: string, code: string, strike: () => void): Promise<void> {
  const path = join(folder, "file");
  const changed = () => {
    const mm = MMap.open(path, { create: true, length: 2 ** 21, reserve: true });
    mm.write(new Uint8Array(2 ** 21).fill(97));
    return mm;
  };
  using one = changed();
  using two = changed();
  strike();
  const error = thrown(() => one.flush()) as MMapError;
  assert.equal([error.code, typeof error.errno, error.syscall], [code, "number", "msync"]);
  one.close();
  // What failed once counts as written, and is not tried again.
  two.move(0, 1, two.length - 1);
  await rejects(code, two.flushAsync(), "aio_fsync");
  two.close();
  holds(path, 0, 0);
}

failing("flush() and flushAsync() report a full disk, and nothing stays open", async () => {
  using disk = failingDisk(2 ** 22, 2 ** 20);
  await reportsLoss(disk.folder, "ENOSPC", () => {});
});

failing("flush() and flushAsync() report a broken disk, and nothing stays open", async () => {
  using disk = breakableDisk(2 ** 22);
  await reportsLoss(disk.folder, "EIO", () => disk.breakDown(2 ** 20));
});

/** Node's way to allow a program some things only. */
function permissionFlags(): string[] | undefined {
  const major = Number.parseInt(process.versions.node, 10);
  if (!currentRuntime().name.startsWith("node") || major < 24) return undefined;
  return [
    "--permission",
    "--allow-addons",
    ...(major < 26 ? [] : ["--allow-ffi"]),
    "--allow-fs-read=*",
    "--allow-fs-write=*",
  ];
}

const restricted = unless(permissionFlags() === undefined && "it has no permissions to take away", test);

// node:fs refuses fsync there, whatever is allowed.
restricted("flushAsync() works under Node's permission model", () => {
  const printed = printedBy(
    `const mm = MMap.open(process.argv[2], { create: true, length: 10 });
     mm.write("abc");
     await mm.flushAsync();
     console.log("flushed");`,
    { args: [newPath()], flags: permissionFlags() ?? [] },
  );
  assert.is(printed, "flushed");
});

// The system writes to memory of the request until it is done.
test("flushAsync() survives the end of its worker", () => {
  const printed = printedBy(
    `${WORKERS}
     if (isMainThread) {
       for (let round = 0; round < 3; round++) await startWorker({ path: process.argv[2] + round });
       const mm = MMap.open(process.argv[2], { create: true, length: 100_000 });
       mm.bytes.fill(97);
       await mm.flushAsync();
       console.log("alive");
     } else {
       const mm = MMap.open(workerData.path, { create: true, length: 2 ** 22 });
       mm.bytes.fill(97);
       for (let times = 0; times < 10; times++) void mm.flushAsync();
       process.exit();
     }`,
    { args: [newPath()] },
  );
  assert.is(printed, "alive");
});

test.run();
