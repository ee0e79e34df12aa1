import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Ffi } from "../../ffi/types.ts";
import { MMap } from "../../lib/mod.ts";
import { CODE } from "../../platform/sigbus/mod.ts";
import { Table } from "../../platform/sigbus/table.ts";
import type { Guard } from "../../platform/types.ts";
import { CALLS, FFI } from "../helpers/calls.ts";
import { breakableDisk, forget, withoutDevices } from "../helpers/disk.ts";
import { currentRuntime, ROOT } from "../helpers/runtimes.ts";
import {
  type ChildOptions,
  EMULATED,
  type Ended,
  FOLDER,
  LIBRARY,
  newFile,
  newPath,
  ownFlags,
  printedBy,
  refuses,
  runChild,
  runs,
  unless,
} from "../helpers/support.ts";

const test = suite("truncated files");

const UNGUARDED =
  process.platform !== "linux"
    ? "the guard is Linux's alone"
    : !(process.arch in CODE) && `the guard has no machine code for ${process.arch}`;

/** A case that needs the guard. */
const guarded = unless(UNGUARDED, test);

/**
 * What the programs begin with. `file` makes a file of so many pages, of which each byte is 97; `cut` makes another process
 * shorten it; `failure` gives what a call throws, in a word.
 */
const PRELUDE = `
import { spawnSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import process from "node:process";
const PAGE = library.PAGESIZE;
let files = 0;
function file(pages) {
  const path = process.argv[2] + "-" + process.pid + "-" + files++;
  writeFileSync(path, new Uint8Array(pages * PAGE).fill(97));
  return path;
}
function cut(path, size) {
  const { status } = spawnSync("truncate", ["-s", String(size), path]);
  if (status !== 0) throw new Error("truncate failed");
}
function sum(bytes) {
  let sum = 0;
  for (let index = 0; index < bytes.length; index++) sum += bytes[index];
  return sum;
}
function failure(act) {
  try {
    return act() ?? "done";
  } catch (error) {
    return error.code ?? error.name;
  }
}
const print = (...values) => console.log(JSON.stringify(values));
`;

const program = (source: string): string => PRELUDE + source;

/** The values that each `print` of a program was given; fails unless it ended well. */
function printed(source: string, options: ChildOptions = {}): unknown[][] {
  const lines = printedBy(program(source), { args: [newPath()], ...options });
  return lines.split("\n").map((line) => JSON.parse(line));
}

function ended(source: string, options: ChildOptions = {}): Ended {
  return runChild(program(source), { args: [newPath()], ...options });
}

const TRUNCATED = "ERR_MMAP_TRUNCATED";

/** What Node 20 reads TypeScript with; its workers do not have it of themselves. */
const TSX: string = import.meta.resolve("tsx/esm/api");

// --- The machine code --------------------------------------------------------------------------------------------------

/** The assembler without a prefix is for the machine that runs it, which under an emulator is another one. */
const plain = EMULATED ? "" : process.arch;
const ASSEMBLERS: Record<string, string[]> = {
  x64: ["x86_64-linux-gnu-", ...(plain === "x64" ? [""] : [])],
  arm64: ["aarch64-linux-gnu-", ...(plain === "arm64" ? [""] : [])],
};

const works = (command: string) => spawnSync(command, ["--version"]).status === 0;

for (const [architecture, prefixes] of Object.entries(ASSEMBLERS)) {
  const prefix = prefixes.find((one) => works(`${one}as`) && works(`${one}objcopy`));
  const name = `the bytes for ${architecture} are what the assembler makes of the source`;
  if (!runs(name, prefix === undefined && `no assembler for ${architecture} is installed`)) continue;
  test(name, () => {
    const [object, code] = [newPath(), newPath()];
    const source = join(ROOT, "platform", "sigbus", `${architecture}.s`);
    const assembled = spawnSync(`${prefix}as`, ["-o", object, source], { encoding: "utf8" });
    assert.is(assembled.status, 0, assembled.stderr);
    const copied = spawnSync(`${prefix}objcopy`, ["-O", "binary", "-j", ".text", object, code], { encoding: "utf8" });
    assert.is(copied.status, 0, copied.stderr);
    assert.is(CODE[architecture]?.replace(/\s/g, ""), readFileSync(code).toString("hex"));
  });
}

guarded("the handler is never writable and executable at once, and its table is never executable", () => {
  const lines = printed(
    `${CALLS}
    using mm = MMap.open(file(1));
    const table = Number(new BigUint64Array(ffi.view(handler() - 64, 64))[2]);
    for (const address of [handler(), table]) {
      for (const line of readFileSync("/proc/self/maps", "latin1").split("\\n")) {
        const [, start, end, mode] = /^(\\w+)-(\\w+) (\\S+)/.exec(line) ?? [];
        if (parseInt(start, 16) <= address && address < parseInt(end, 16)) print(mode);
      }
    }
    `,
    { args: [newPath(), FFI] },
  );
  assert.equal(lines, [["r-xp"], ["rw-p"]]);
});

// --- What survives -----------------------------------------------------------------------------------------------------

guarded("compiled code over the bytes of a file that another process truncated reads zeros to its end", () => {
  const [before, after] = printed(`
    const path = file(1000);
    const mm = MMap.open(path);
    const { bytes } = mm;
    for (let round = 0; round < 3; round++) sum(bytes);
    print(mm.guarded, sum(bytes) === 97 * bytes.length, mm.faults);
    cut(path, 0);
    print(sum(bytes), sum(bytes), bytes.length === 1000 * PAGE, mm.faults);
    mm.close();
  `);
  assert.equal(before, [true, true, 0]);
  assert.equal(after, [0, 0, true, 1000]);
});

guarded("it survives a file that this process truncates, in every way to map it", () => {
  const lines = printed(`
    const ways = [{ access: "read" }, { access: "write" }, { access: "copy" }, { flags: library.MAP_PRIVATE }, { prot: 1 },
      { access: "write", trackfd: false }, { access: "write", offset: 5 }];
    for (const options of ways) {
      const path = file(20);
      const mm = MMap.open(path, options);
      truncateSync(path, 0);
      print(sum(mm.bytes), mm.faults, failure(() => mm.at(0)), failure(() => mm.close()));
    }
  `);
  assert.is(lines.length, 7);
  for (const line of lines) assert.equal(line, [0, 20, TRUNCATED, "done"]);
});

guarded("what the file still has stays readable, up to the page where it ends", () => {
  const [sums, reads, position] = printed(`
    const path = file(10);
    const mm = MMap.open(path);
    cut(path, 4 * PAGE + 1);
    print(sum(mm.bytes) === 97 * (4 * PAGE + 1), mm.faults);
    print(mm[4 * PAGE], failure(() => mm[5 * PAGE]), failure(() => mm[-1]), mm.find("aa", 3 * PAGE) === 3 * PAGE);
    print(mm.read(5 * PAGE).length === 5 * PAGE, failure(() => mm.read(1)), mm.tell() === 5 * PAGE);
  `);
  assert.equal(sums, [true, 5]);
  assert.equal(reads, [97, TRUNCATED, TRUNCATED, true]);
  assert.equal(position, [true, TRUNCATED, true]);
});

guarded("it survives faults within libc, the runtime and its threads", () => {
  const lines = printed(`
    import { createHash } from "node:crypto";
    import { openSync, writeSync } from "node:fs";
    import { inflateSync, deflate } from "node:zlib";
    const uses = {
      find: (mm) => failure(() => mm.find("b")),
      findMany: (mm) => failure(() => mm.find("abc")),
      rfind: (mm) => failure(() => mm.rfind("b")),
      rfindMany: (mm) => failure(() => mm.rfind("abc")),
      read: (mm) => failure(() => mm.read().length),
      decode: ({ bytes }) => /^\\0*$/.test(new TextDecoder("latin1").decode(bytes)),
      hash: ({ bytes }) => createHash("sha256").update(bytes).digest("hex") === ZEROS,
      subtle: async ({ bytes }) => Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex") === ZEROS,
      zlib: ({ bytes }) => new Promise((resolve) => deflate(bytes, (_, data) => resolve(inflateSync(data).length === bytes.length))),
      copy: ({ bytes }) => sum(new Uint8Array(bytes)),
    };
    const ZEROS = createHash("sha256").update(new Uint8Array(500 * PAGE)).digest("hex");
    for (const [name, use] of Object.entries(uses)) {
      const path = file(500);
      const mm = MMap.open(path);
      const { bytes } = mm;
      cut(path, 0);
      print(name, await use(mm), mm.faults);
    }
    const path = file(500);
    const mm = MMap.open(path);
    const { bytes } = mm;
    cut(path, 0);
    // Of the kernel's own access, a system call says EFAULT.
    print("write", failure(() => writeSync(openSync(path + "-copy", "w"), bytes)), mm.faults);
  `);
  const expected: Record<string, unknown[]> = {
    find: [TRUNCATED, 500],
    findMany: [TRUNCATED, 500],
    rfind: [TRUNCATED, 500],
    // From the last page on: those that were replaced one at a time are not counted twice.
    rfindMany: [TRUNCATED, 500],
    read: [TRUNCATED, 500],
    decode: [true, 500],
    hash: [true, 500],
    subtle: [true, 500],
    zlib: [true, 500],
    copy: [0, 500],
    write: ["EFAULT", 0],
  };
  assert.equal(Object.fromEntries(lines.map(([name, ...rest]) => [name, rest])), expected);
});

guarded("writes to pages that are gone are told of by the write, by flush or by close", () => {
  const lines = printed(`
    const writes = {
      write: (mm) => mm.write("xyz"),
      writeLarge: (mm) => mm.write(new Uint8Array(18 * PAGE)),
      writeByte: (mm) => mm.writeByte(98),
      index: (mm) => { mm[3] = 98; },
      assign: (mm) => mm.assign("xy", 0, 4, 2),
      move: (mm) => mm.move(PAGE, 0, 10),
      bytes: ({ bytes }) => { bytes[3] = 98; },
      view: (mm) => { mm.view(DataView, 8, 8).setFloat64(0, 1); },
      nothing: () => {},
    };
    for (const [name, act] of Object.entries(writes)) {
      for (const flushed of [false, true]) {
        const path = file(20);
        const mm = MMap.open(path, { access: "write" });
        mm.bytes;
        cut(path, 0);
        const told = [failure(() => act(mm)), mm.tell()];
        if (flushed) told.push(failure(() => mm.flush()));
        print(name, ...told, failure(() => mm.close()), mm.closed);
      }
    }
  `);
  const told = ["write", "writeLarge", "writeByte", "index", "assign", "move"].flatMap((name) => [
    [name, TRUNCATED, 0, "done", true],
    [name, TRUNCATED, 0, TRUNCATED, "done", true],
  ]);
  const untold = ["bytes", "view"].flatMap((name) => [
    [name, "done", 0, TRUNCATED, true],
    [name, "done", 0, TRUNCATED, "done", true],
  ]);
  const nothing = [
    ["nothing", "done", 0, "done", true],
    ["nothing", "done", 0, "done", "done", true],
  ];
  assert.equal(lines, [...told, ...untold, ...nothing]);
});

guarded("a write that would reach pages that are gone, as is known already, writes nothing", () => {
  const [line] = printed(`
    const path = file(20);
    const mm = MMap.open(path, { access: "write" });
    cut(path, PAGE);
    print(failure(() => mm.at(-1)), failure(() => mm.assign("bbbb", 18 * PAGE, 18 * PAGE + 4)),
      failure(() => mm.assign(new Uint8Array(20 * PAGE))), failure(() => mm.move(0, 19 * PAGE, 5)), mm[0]);
    mm.assign("b", 0, 1);
    print(readFileSync(path, "latin1").slice(0, 3));
  `);
  assert.equal(line, [TRUNCATED, TRUNCATED, TRUNCATED, TRUNCATED, 97]);
});

// --- What is told ------------------------------------------------------------------------------------------------------

guarded("every method that reads throws at the first touch, and at each that follows", () => {
  const lines = printed(`
    const reads = {
      read: (mm) => mm.read(1),
      readAll: (mm) => mm.read(),
      readByte: (mm) => mm.readByte(),
      readline: (mm) => mm.readline(),
      lines: (mm) => mm.lines().next(),
      find: (mm) => mm.find("b"),
      findMany: (mm) => mm.find("aaa"),
      rfind: (mm) => mm.rfind("b"),
      rfindMany: (mm) => mm.rfind("bbb"),
      search: (mm) => mm.search(/a/),
      searchLine: (mm) => mm.search(/.b/),
      matchAll: (mm) => mm.matchAll(/a/).next(),
      slice: (mm) => mm.slice(2, 4),
      sliceStep: (mm) => mm.slice(0, 9, 3),
      sliceBack: (mm) => mm.slice(undefined, undefined, -1),
      at: (mm) => mm.at(7),
      index: (mm) => mm[7],
      negative: (mm) => mm[-7],
      iterate: (mm) => mm[Symbol.iterator]().next(),
      spread: (mm) => [...mm].length,
    };
    for (const [name, read] of Object.entries(reads)) {
      const path = file(20);
      const mm = MMap.open(path, { access: "read" });
      read(mm);
      mm.seek(0);
      truncateSync(path, 0);
      const failures = [failure(() => read(mm)), failure(() => read(mm))];
      print(name, ...failures, mm.faults > 0, mm.tell(), failure(() => mm.close()));
    }
  `);
  assert.is(lines.length, 20);
  for (const [name, ...rest] of lines) {
    assert.equal([name, ...rest], [name, TRUNCATED, TRUNCATED, true, 0, "done"]);
  }
});

guarded("compiled readline throws at the very line", () => {
  const lines = printed(`
    const path = file(1);
    writeFileSync(path, ("x".repeat(63) + "\\n").repeat((300 * PAGE) / 64));
    const mm = MMap.open(path);
    for (let round = 0; round < 5; round++) {
      mm.seek(0);
      while (mm.readline().length > 0);
    }
    mm.seek(0);
    cut(path, 200 * PAGE);
    let count = 0;
    print(failure(() => { for (; mm.readline().length === 64; count++); }), count === (200 * PAGE) / 64, mm.tell() === 200 * PAGE);
    // A line in a page that was replaced is none of the file's.
    mm.bytes[200 * PAGE + 9] = 10;
    print(failure(() => mm.readline()), mm.tell() === 200 * PAGE);
  `);
  assert.equal(lines, [
    [TRUNCATED, true, true],
    [TRUNCATED, true],
  ]);
});

guarded("compiled readByte throws at the very byte", () => {
  const lines = printed(`
    const warm = MMap.open(file(50));
    for (let round = 0; round < 5; round++) {
      warm.seek(0);
      let total = 0;
      for (let index = 0; index < warm.length; index++) total += warm.readByte();
      for (let index = 0; index < warm.length; index++) total += warm.at(index);
    }
    const path = file(300);
    const mm = MMap.open(path);
    cut(path, 200 * PAGE);
    let total = 0;
    print(failure(() => { for (;;) total += mm.readByte(); }), mm.tell() === 200 * PAGE, total === 97 * 200 * PAGE);
    const again = MMap.open(path);
    truncateSync(path, 100 * PAGE);
    let at = 0;
    print(failure(() => { for (;; at++) again.at(at); }), at === 100 * PAGE);
  `);
  assert.equal(lines, [
    [TRUNCATED, true, true],
    [TRUNCATED, true],
  ]);
});

unless(withoutDevices, guarded)("pages that a broken disk does not give are told of as those that are gone", () => {
  using disk = breakableDisk(2 ** 22);
  const path = join(disk.folder, "file");
  writeFileSync(path, new Uint8Array(2 ** 21).fill(97));
  forget(path);
  disk.breakDown(2 ** 20);
  const [[read, found, sums, faults] = []] = printed(
    `using mm = MMap.open(process.argv[2]);
     let read;
     try {
       readFileSync(process.argv[2]);
     } catch (error) {
       read = error.code;
     }
     print(read, failure(() => mm.find("b")), sum(mm.bytes) < 97 * mm.length, mm.faults > 0);`,
    { args: [path] },
  );
  assert.equal([read, found, sums, faults], ["EIO", TRUNCATED, true, true]);
});

guarded("resize to what the file has, or a new map, recovers", () => {
  const lines = printed(`
    import { openSync } from "node:fs";
    for (const options of [{ access: "write" }, {}, { flags: library.MAP_PRIVATE }]) {
      for (const viewed of [false, true]) {
        const path = file(20);
        const mm = new MMap(openSync(path, "r+"), 0, options);
        mm[1] = 98;
        if (viewed) mm.bytes;
        truncateSync(path, 5 * PAGE);
        const before = failure(() => mm.read());
        mm.resize(mm.size());
        const after = mm.read();
        const now = [mm.length === 5 * PAGE, after.length === 5 * PAGE, after[1], sum(after) === 97 * 5 * PAGE + 1];
        mm.resize(30 * PAGE);
        print(before, ...now, mm.faults, mm.guarded, mm.at(-1), sum(mm.bytes) === 97 * 5 * PAGE + 1, failure(() => mm.close()));
        const other = MMap.open(path);
        print(sum(other.bytes) > 0, other.faults);
      }
    }
  `);
  assert.is(lines.length, 12);
  for (const [index, line] of lines.entries()) {
    const expected = [TRUNCATED, true, true, 98, true, 0, true, 0, true, "done"];
    assert.equal(line, index % 2 === 0 ? expected : [true, 0]);
  }
});

guarded("writes that were lost before resize are told of at close, unless they were told of before", () => {
  const lines = printed(`
    for (const asked of [false, true]) {
      const path = file(5);
      const mm = MMap.open(path, { access: "write" });
      const { bytes } = mm;
      truncateSync(path, PAGE);
      bytes[2 * PAGE] = 98;
      const faults = asked ? mm.faults : 0;
      mm.resize(PAGE);
      print(faults, mm.faults, failure(() => mm.close()));
    }
  `);
  assert.equal(lines, [
    [0, 0, TRUNCATED],
    [1, 0, "done"],
  ]);
});

test("guard must be true or false, and a closed map knows neither guarded nor faults", () => {
  // @ts-expect-error
  refuses(TypeError, () => MMap.open(newFile("abc"), { guard: "yes" }), "guard", "yes");
  const mm = MMap.open(newFile("abc"));
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => mm.guarded);
  refuses("ERR_MMAP_CLOSED", () => mm.faults);
});

guarded("file maps are guarded, but for those with guard: false, and private memory", () => {
  using plain = MMap.open(newFile("abc"));
  using out = MMap.open(newFile("abc"), { guard: false });
  using shared = MMap.anonymous(10);
  using own = MMap.anonymous(10, { access: "copy" });
  assert.equal([plain.guarded, out.guarded, shared.guarded, own.guarded], [true, false, true, false]);
  assert.equal([plain.faults, out.faults, shared.faults, own.faults], [0, 0, 0, 0]);
});

guarded("an anonymous map survives the truncation of its descriptor", () => {
  const [line] = printed(`
    const mm = MMap.anonymous(3 * PAGE);
    mm.write("abc");
    truncateSync("/proc/self/fd/" + mm.fd, 0);
    print(sum(mm.bytes), mm.faults, failure(() => mm[0]), failure(() => mm.close()));
  `);
  assert.equal(line, [0, 3, TRUNCATED, "done"]);
});

// --- Many maps, many threads -------------------------------------------------------------------------------------------

guarded("thousands of maps at once each count their own faults, and slots are used again", () => {
  const lines = printed(`
    const path = file(2);
    const open = () => Array.from({ length: 5000 }, () => MMap.open(path, { trackfd: false }));
    for (let round = 0; round < 3; round++) {
      writeFileSync(path, new Uint8Array(2 * PAGE).fill(97));
      const maps = open();
      truncateSync(path, PAGE);
      const touched = maps.filter((_, index) => index % 2 === 0).map((mm) => failure(() => mm[PAGE]));
      print(new Set(touched).size, touched[0], maps.every((mm) => mm.guarded), sum(maps.map((mm) => mm.faults)));
      for (const mm of maps) mm.close();
    }
    // More than there are slots.
    let unguarded = 0;
    for (let count = 0; count < 70_000; count++) {
      const mm = MMap.open(path, { trackfd: false });
      if (!mm.guarded) unguarded++;
      mm.close();
    }
    print(unguarded);
  `);
  const round = [1, TRUNCATED, true, 2500];
  assert.equal(lines, [round, round, round, [0]]);
});

test("where every slot is in use, few maps look for one, and one that was given back is found", () => {
  const memory = new ArrayBuffer(Table.size(4096));
  const ffi = { view: () => memory } as unknown as Ffi;
  const [own, others] = [new Table(ffi, 0, 4096), new Table(ffi, 0)];
  const guards: Guard[] = [];
  for (let guard = own.claim(4096, 4096); guard !== undefined; guard = own.claim(4096, 4096)) guards.push(guard);
  assert.is(guards.length, 65_536);
  const { load } = Atomics;
  let looks = 0;
  Atomics.load = ((...parameters: Parameters<typeof load>) => {
    looks++;
    return load(...parameters);
  }) as typeof load;
  try {
    for (let count = 0; count < 500; count++) assert.is(own.claim(4096, 4096), undefined);
  } finally {
    Atomics.load = load;
  }
  assert.is(looks, 0);
  // Its own is found at once.
  guards.pop()?.release();
  guards.push(own.claim(4096, 4096) as Guard);
  assert.is.not(guards.at(-1), undefined);
  // So is, by the next look, what another thread gave back.
  assert.is(others.claim(4096, 4096), undefined);
  guards.pop()?.release();
  let tried = 0;
  let found: Guard | undefined;
  while (found === undefined && tried < 2000) {
    found = others.claim(4096, 4096);
    tried++;
  }
  assert.is(tried, 1001);
});

guarded("a file that is gone costs few mappings, however its pages are touched", () => {
  const [line] = printed(`
    const path = file(1);
    truncateSync(path, 40_000 * PAGE);
    const mm = MMap.open(path);
    const { bytes } = mm;
    truncateSync(path, 0);
    const mappings = () => readFileSync("/proc/self/maps", "latin1").split("\\n").length;
    const before = mappings();
    let total = 0;
    for (let page = 0; page < 40_000; page += 2) total += bytes[page * PAGE];
    const after = mappings();
    for (let page = 39_999; page > 0; page -= 2) total += bytes[page * PAGE];
    print(total, after - before < 200, mm.faults > 39_000);
  `);
  assert.equal(line, [0, true, true]);
});

guarded("workers share one handler and one table, and may be terminated", () => {
  const worker = `${newPath()}.mjs`;
  writeFileSync(
    worker,
    `import { parentPort, workerData } from "node:worker_threads";
    import { closeSync, openSync } from "node:fs";
    if (workerData.tsx) (await import(workerData.tsx)).register();
    const { MMap } = await import(workerData.library);
    const fd = openSync(workerData.path, "r");
    const maps = Array.from({ length: 200 }, () => new MMap(fd, 0, { access: "read", trackfd: false }));
    closeSync(fd);
    const views = maps.map((mm) => mm.bytes);
    parentPort.postMessage(maps.every((mm) => mm.guarded));
    parentPort.on("message", () => {
      let total = 0;
      for (const view of views) for (let index = 0; index < view.length; index += 512) total += view[index];
      parentPort.postMessage([total, maps.reduce((faults, mm) => faults + mm.faults, 0)]);
    });`,
  );
  const lines = printed(
    `${CALLS}
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    const path = file(20);
    const own = MMap.open(path);
    const entry = handler();
    const start = () => new Worker(new URL(process.argv[4]), { workerData: { library: process.argv[5], tsx: process.argv[6], path } });
    const workers = Array.from({ length: 5 }, start);
    const ready = await Promise.all(workers.map((worker) => once(worker, "message")));
    const [last] = workers.splice(4);
    await last.terminate();
    cut(path, 0);
    const answers = workers.map((worker) => once(worker, "message"));
    for (const worker of workers) worker.postMessage("go");
    for (const [answer] of await Promise.all(answers)) print(...answer);
    for (const worker of workers) await worker.terminate();
    print(sum(own.bytes), own.faults, handler() === entry, ready.flat().every(Boolean));
    const path2 = file(3);
    const late = MMap.open(path2);
    cut(path2, 0);
    print(sum(late.bytes), late.faults);
    process.exit(0);
    `,
    {
      args: [newPath(), FFI, pathToFileURL(worker).href, LIBRARY, ...(currentRuntime().name === "node20" ? [TSX] : [])],
    },
  );
  const each = [0, 200 * 20];
  assert.equal(lines, [each, each, each, each, [0, 20, true, true], [0, 3]]);
});

guarded("two copies of the library in one process share the handler", () => {
  const copy = join(FOLDER, "copy");
  mkdirSync(copy, { recursive: true });
  for (const folder of ["lib", "ffi", "platform"]) cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
  const lines = printed(
    `${CALLS}
    const { MMap: Other } = await import(process.argv[4]);
    const paths = [file(10), file(10)];
    const [one, other] = [MMap.open(paths[0]), Other.open(paths[1])];
    const entry = handler();
    print(MMap !== Other, one.guarded, other.guarded);
    for (const path of paths) cut(path, 0);
    print(sum(one.bytes), one.faults, sum(other.bytes), other.faults, handler() === entry);
    `,
    { args: [newPath(), FFI, pathToFileURL(join(copy, "lib", "mod.ts")).href] },
  );
  assert.equal(lines, [
    [true, true, true],
    [0, 10, 0, 10, true],
  ]);
});

// --- Other handlers ----------------------------------------------------------------------------------------------------

guarded("a map that is left out kills the process as it would without the library's handler", () => {
  for (const others of ["", "const other = MMap.open(file(1)); if (!other.guarded) throw new Error();"]) {
    const { code, signal, stdout } = ended(`
      ${others}
      const path = file(3);
      const mm = MMap.open(path, { guard: false });
      cut(path, 0);
      print("touching", mm.guarded);
      print(sum(mm.bytes));
    `);
    assert.equal([signal ?? code, stdout.trim()], ["SIGBUS", '["touching",false]']);
  }
});

/** Of 100 such processes 8 hung, as many without the library as with it; other signals did them nothing. */
const HANGS =
  EMULATED &&
  currentRuntime().name === "deno" &&
  "under QEMU, Deno hangs now and then when it is sent SIGBUS, by itself too";

const signalled = unless(HANGS, guarded);

signalled("a signal that a process sends has the effect that it has without the library's handler", () => {
  const outcomes = ["", "const mm = MMap.open(file(1)); if (!mm.guarded) throw new Error();"].map((others) => {
    const { code, signal, stdout } = ended(`
      ${others}
      print("sending");
      const { status } = spawnSync("sh", ["-c", "kill -s BUS " + process.pid]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      print("alive", status);
    `);
    return [signal ?? code, stdout];
  });
  assert.equal(outcomes[1], outcomes[0]);
});

/**
 * Machine code of handlers that end the process with an exit status: what the signal's number or the fault's `si_code` (2
 * for what a missing page raises) is, plus 40.
 */
const HANDLERS: Record<string, { plain: string; info: string }> = {
  // add edi, 40 | mov edi, [rsi + 8]; add edi, 40; then for both: mov eax, 231 (exit_group); syscall
  x64: { plain: "83c728b8e70000000f05", info: "8b7e0883c728b8e70000000f05" },
  // add w0, w0, #40 | ldr w0, [x1, #8]; add w0, w0, #40; then for both: mov x8, #94 (exit_group); svc #0
  arm64: { plain: "00a00011c80b80d2010000d4", info: "200840b900a00011c80b80d2010000d4" },
};

guarded("the handler that was there before gets what is not the library's, with its own arguments", () => {
  const SA_SIGINFO = 4;
  const SA_RESETHAND = 0x80000000;
  const code = HANDLERS[process.arch] as { plain: string; info: string };
  const cases: [code: string, flags: number, expected: number][] = [
    [code.plain, 0, 47],
    [code.plain, SA_RESETHAND, 47],
    [code.info, SA_SIGINFO, 42],
    [code.info, SA_SIGINFO + SA_RESETHAND, 42],
  ];
  for (const [hexadecimal, flags, expected] of cases) {
    const {
      code: status,
      signal,
      stdout,
    } = ended(
      `${CALLS}
      const memory = c.mmap(0, PAGE, 7, 0x22, -1, 0);
      const code = "${hexadecimal}".match(/../g).map((byte) => parseInt(byte, 16));
      new Uint8Array(ffi.view(memory, PAGE)).set(code);
      install(memory, ${flags});
      const [ours, left] = [file(3), file(3)];
      const mm = MMap.open(ours);
      const out = MMap.open(left, { guard: false });
      cut(ours, 0);
      cut(left, 0);
      print(sum(mm.bytes), mm.faults, handler() !== memory);
      print(sum(out.bytes));
      `,
      { args: [newPath(), FFI] },
    );
    assert.equal([signal ?? status, stdout.trim()], [expected, "[0,3,true]"]);
  }
});

guarded("where the signal was ignored, a sent one is, and a fault is not", () => {
  const { code, signal, stdout } = ended(
    `${CALLS}
    install(1, 0);
    const path = file(3);
    const mm = MMap.open(path);
    const out = MMap.open(path, { guard: false });
    spawnSync("sh", ["-c", "kill -s BUS " + process.pid]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    cut(path, 0);
    print(mm.guarded, sum(mm.bytes), mm.faults);
    print(sum(out.bytes));
    `,
    { args: [newPath(), FFI] },
  );
  assert.equal([signal ?? code, stdout.trim()], ["SIGBUS", "[true,0,3]"]);
});

guarded("a handler that somebody installs later is noticed by the next map", () => {
  const lines = printed(
    `${CALLS}
    const paths = [file(3), file(3)];
    const first = MMap.open(paths[0]);
    install(0, 0);
    const second = MMap.open(paths[1]);
    print(first.guarded, second.guarded, handler() !== 0);
    for (const path of paths) cut(path, 0);
    print(sum(first.bytes), sum(second.bytes), first.faults, second.faults);
    `,
    { args: [newPath(), FFI] },
  );
  assert.equal(lines, [
    [true, true, true],
    [0, 0, 3, 3],
  ]);
});

/** The flags with which V8 makes no machine code of its own; JavaScriptCore has its executable pages from the start. */
const INTERPRETED: Record<string, readonly string[]> = {
  bun: [],
  deno: ["--v8-flags=--jitless"],
  node: ["--no-opt", "--no-sparkplug", "--no-maglev", "--regexp-interpret-all"],
};

guarded("where no page may become executable, maps work without the guard", () => {
  const { name } = currentRuntime();
  const own = ownFlags();
  // Deno 2.9.5 takes V8's flags once.
  const flags = [
    ...own.filter((flag) => !flag.startsWith("--v8-flags")),
    ...(INTERPRETED[name.replace(/\d.*/, "")] ?? []),
  ];
  const [line] = printed(
    `${CALLS}
    const path = file(3);
    MMap.anonymous(1, { access: "copy" }).close();
    // prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN): Linux 6.3 and later.
    const refused = c.prctl(65, 1, 0, 0, 0) === 0;
    const mm = MMap.open(path, { access: "write" });
    const again = MMap.open(path);
    print(refused, mm.guarded, again.guarded, mm.faults, sum(mm.bytes) === 97 * 3 * PAGE, failure(() => mm.close()));
    process.exit(0);
    `,
    { args: [newPath(), FFI], flags },
  );
  const [refused, ...rest] = line ?? [];
  if (!runs("the refusal of executable pages", refused === false && "this system has no PR_SET_MDWE")) return;
  assert.equal(rest, [false, false, 0, true, "done"]);
});

test.run();
