/**
 * Files that are truncated under their maps, by programs that would crash without the guard. Each runs in a child process.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { breakableDisk, forget, withoutDevices } from "../helpers/disk.ts";
import { newFile, unless } from "../helpers/support.ts";
import { printed, TRUNCATED, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("safety/sigbus");

/** A case that needs the guard. */
const guarded = unless(UNGUARDED, test);

guarded("bytes of a file that another process truncated read as zeros, in compiled code too", () => {
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

guarded("bytes of a file that this process truncated read as zeros, however it is mapped", () => {
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

guarded("bytes, at(), find() and read() keep what the file still has, up to the page of its end", () => {
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

guarded("page faults within libc, the runtime and its threads read zeros, and find() and read() throw", () => {
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

guarded("write(), flush() or close() reports writes to lost pages", () => {
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

guarded("assign() and move() that reach pages known to be lost write nothing", () => {
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

guarded("every method that reads throws at the first lost byte, each time", () => {
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

guarded("readline() in compiled code throws at the first lost line", () => {
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

guarded("readByte() and at() in compiled code throw at the first lost byte", () => {
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

unless(withoutDevices, guarded)(
  "read() and find() of pages that a broken disk cannot read throw as for lost pages",
  () => {
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
  },
);

guarded("resize() to the file's size, or a new map, recovers", () => {
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

guarded("close() reports writes that were lost before resize(), unless faults was read", () => {
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

guarded("guarded is true for maps of files, false with guard: false and for private memory", () => {
  using plain = MMap.open(newFile("abc"));
  using out = MMap.open(newFile("abc"), { guard: false });
  using shared = MMap.anonymous(10);
  using own = MMap.anonymous(10, { access: "copy" });
  assert.equal([plain.guarded, out.guarded, shared.guarded, own.guarded], [true, false, true, false]);
  assert.equal([plain.faults, out.faults, shared.faults, own.faults], [0, 0, 0, 0]);
});

guarded("bytes of an anonymous map whose descriptor is truncated read as zeros", () => {
  const [line] = printed(`
    const mm = MMap.anonymous(3 * PAGE);
    mm.write("abc");
    truncateSync("/proc/self/fd/" + mm.fd, 0);
    print(sum(mm.bytes), mm.faults, failure(() => mm[0]), failure(() => mm.close()));
  `);
  assert.equal(line, [0, 3, TRUNCATED, "done"]);
});

guarded("faults counts for each of thousands of maps, whose slots are used again", () => {
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

guarded("bytes of a lost file cost few mappings, however its pages are read", () => {
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

test.run();
