/**
 * The limits that a system really sets: address space and locked memory, in child processes that lower their own. A call that
 * meets one has changed nothing. Full disks are in full-disk.test.ts.
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FFI } from "../helpers/calls.ts";
import { EMULATED, newPath, printedBy, unless } from "../helpers/support.ts";

const test = suite("safety/limits");
const linux = unless(process.platform !== "linux" && "it sets Linux's limits", test);
const limited = unless(EMULATED && "QEMU's own memory would count", linux);

const LIMIT = "/proc/sys/vm/max_map_count";
const mostMappings = existsSync(LIMIT) ? Number(readFileSync(LIMIT, "latin1")) : Number.POSITIVE_INFINITY;

const RESOURCES = JSON.stringify(new URL("../helpers/resources.ts", import.meta.url).href);

/**
 * What the programs begin with. `limit` sets a soft limit, and lifts it without a number of bytes; `outcome` gives the code of
 * what a call throws.
 */
const PRELUDE = `
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, statSync, writeSync } from "node:fs";
import { descriptorTargets } from ${RESOURCES};
const MiB = 2 ** 20;
const { openFfi } = await import(process.argv[3]);
const c = openFfi().open(["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"], {
  setrlimit: { parameters: ["i32", "bytes"], result: "i32" },
  setuid: { parameters: ["u32"], result: "i32" },
});
const UNLIMITED = 2n ** 64n - 1n;
const [NOFILE, MEMLOCK, AS] = [7, 8, 9];
const mostFiles = BigInt(/^Max open files +\\d+ +(\\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))[1]);
function limit(resource, bytes) {
  const most = resource === NOFILE ? mostFiles : UNLIMITED;
  const soft = bytes === undefined ? most : BigInt(bytes);
  // What may be locked has a hard limit, which only goes down.
  const pair = BigUint64Array.of(soft, resource === MEMLOCK ? soft : most);
  if (c.setrlimit(resource, new Uint8Array(pair.buffer)) !== 0) throw new Error("setrlimit failed");
}
const status = (name) => 1024 * Number(new RegExp("^" + name + ":\\\\s+(\\\\d+)", "m").exec(readFileSync("/proc/self/status", "latin1"))[1]);
function outcome(act) {
  try {
    act();
    return "done";
  } catch (error) {
    return error.code;
  }
}
/** Makes a sparse file with a 7 at a place. */
function file(size, at) {
  const path = process.argv[2] + "-" + size;
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  writeSync(fd, Uint8Array.of(7), 0, 1, at);
  closeSync(fd);
  return path;
}
function byteOf(path, at) {
  const fd = openSync(path, "r");
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, at);
  closeSync(fd);
  return byte[0];
}
/** How many descriptors of this program's files and of memory are open: the runtime opens and closes others at any time. */
const isOwn = (target) => target.startsWith(process.argv[2]) || target.startsWith("/memfd:mmap-ffi");
const descriptors = () => descriptorTargets().filter(isOwn).length;
const print = (...values) => console.log(JSON.stringify(values));
// What is made when something is first mapped, and when something first throws.
MMap.anonymous(1).close();
outcome(() => MMap.anonymous(2 ** 52));
`;

const printed = (source: string): unknown[][] =>
  printedBy(PRELUDE + source, { args: [newPath(), FFI] })
    .split("\n")
    .map((line) => JSON.parse(line));

for (const [what, after] of [
  ["without views", ""],
  ["with views", "mm.bytes;"],
]) {
  limited(`resize() beyond the limit of address space changes nothing, ${what}`, () => {
    const lines = printed(`
      // Of a long file, a part is mapped: to grow the map would cut the file. Of a short one, the file would grow.
      for (const [size, at, length] of [[600 * MiB, 550 * MiB, 4096], [MiB, 5000, MiB]]) {
        const path = file(size, at);
        const mm = MMap.open(path, { access: "write", length });
        mm.write("abc");
        ${after}
        limit(AS, status("VmSize") + 100 * MiB);
        const refused = outcome(() => mm.resize(500 * MiB));
        limit(AS);
        print(refused, mm.length === length, mm.tell(), mm.size() === size, statSync(path).size === size, byteOf(path, at),
          String.fromCharCode(...mm.slice(0, 3)), descriptors());
        mm.resize(5000);
        print(mm.length, mm.size(), String.fromCharCode(...mm.slice(0, 3)));
        mm.close();
      }`);
    const unchanged = ["ENOMEM", true, 3, true, true, 7, "abc", 1];
    assert.equal(lines, [unchanged, [5000, 5000, "abc"], unchanged, [5000, 5000, "abc"]]);
  });
}

limited("resize() of anonymous memory beyond the limit of address space changes nothing", () => {
  const lines = printed(`
    for (const flags of [undefined, library.MAP_PRIVATE]) {
      const mm = MMap.anonymous(10_000, { flags });
      mm.write("abc");
      limit(AS, status("VmSize") + 100 * MiB);
      const refused = outcome(() => mm.resize(500 * MiB));
      limit(AS);
      print(refused, mm.length, mm.tell(), mm.size(), String.fromCharCode(...mm.slice(0, 3)));
    }`);
  const unchanged = ["ENOMEM", 10_000, 3, 10_000, "abc"];
  assert.equal(lines, [unchanged, unchanged]);
});

limited("open() and anonymous() beyond the limit of address space leave nothing behind", () => {
  const lines = printed(`
    const path = file(600 * MiB, 5);
    const made = process.argv[2] + "-new";
    limit(AS, status("VmSize") + 100 * MiB);
    const outcomes = [
      outcome(() => MMap.open(path)),
      outcome(() => MMap.open(path, { create: true, length: 700 * MiB })),
      outcome(() => MMap.open(made, { create: true, length: 500 * MiB })),
      outcome(() => MMap.anonymous(500 * MiB)),
    ];
    limit(AS);
    print(...outcomes, descriptors(), statSync(path).size / MiB, statSync(made, { throwIfNoEntry: false }) === undefined);`);
  assert.equal(lines, [["ENOMEM", "ENOMEM", "ENOMEM", "ENOMEM", 0, 600, true]]);
});

const mayLock = process.getuid?.() === 0 ? undefined : "only root may lock much memory";
for (const [what, change, undo, without] of [
  ["advice", "mm.madvise(library.MADV_DONTDUMP, start, PAGESIZE)", "mm.madvise(library.MADV_DODUMP)", undefined],
  ["locks", "mm.lock(start, PAGESIZE)", "mm.unlock()", mayLock],
]) {
  unless(mostMappings > 70_000 ? "the limit of mappings is too far away" : without, limited)(
    `${what} for parts of a map leave 4,096 of the mappings of a process to the runtime`,
    () => {
      const lines = printed(`
        const { PAGESIZE } = library;
        const all = 65_536;
        const mm = MMap.anonymous(all * PAGESIZE);
        let refused;
        for (let page = 1; page < all && refused === undefined; page += 2) {
          const start = page * PAGESIZE;
          const result = outcome(() => ${change});
          if (result !== "done") refused = result;
        }
        const mappings = readFileSync("/proc/self/maps", "latin1").split("\\n").length;
        mm.write("abc");
        print(refused, mappings, outcome(() => MMap.anonymous(1)), String.fromCharCode(...mm.slice(0, 3)));
        // The whole is one mapping again.
        ${undo};
        MMap.anonymous(1).close();
        // What splits nothing more is not refused, however often it is done.
        for (let round = 0; round < 40_000; round++) {
          const start = PAGESIZE;
          ${change};
        }
        mm.close();
        print("done");`);
      const [[refused, mappings, map, text], last] = lines as [[string, number, string, string], unknown[]];
      assert.equal([refused, map, text], ["ENOMEM", "ENOMEM", "abc"]);
      // The runtime's own are counted only when the limit seems to be reached.
      const beyond = mappings - (mostMappings - 4096);
      assert.ok(beyond > -100 && beyond < 1000, `${mappings} of ${mostMappings}`);
      assert.equal(last, ["done"]);
    },
  );
}

limited("without descriptors, calls that need one throw EMFILE and change nothing", () => {
  const lines = printed(`
    const { mappingLimit } = await import(${JSON.stringify(new URL("../../platform/proc.ts", import.meta.url).href)});
    const path = file(10_000, 5);
    const mm = MMap.open(path, { access: "write" });
    const known = mappingLimit();
    // The standard streams have the first three.
    limit(NOFILE, 3);
    const outcomes = [
      outcome(() => MMap.open(path)),
      outcome(() => MMap.open(process.argv[2] + "-new", { create: true, length: 10 })),
      outcome(() => new MMap(mm.fd, 0)),
      outcome(() => MMap.anonymous(10)),
      await mm.flushAsync().then(() => "done", (error) => error.code),
    ];
    // What needs none works. How many mappings there may be is not known now, but the next time.
    mm.resize(20_000);
    const ownMemory = MMap.anonymous(10, { flags: library.MAP_PRIVATE });
    const unknown = mappingLimit();
    limit(NOFILE);
    print(...outcomes, mm.length, mm.size(), mm.at(5), ownMemory.length, descriptors());
    print(known > 0, unknown ?? "unknown", mappingLimit() === known);`);
  assert.equal(lines[0], ["EMFILE", "EMFILE", "EMFILE", "EMFILE", "EMFILE", 20_000, 20_000, 7, 10, 1]);
  assert.equal(lines[1], [true, "unknown", true]);
});

const asRoot = unless(process.getuid?.() !== 0 && "it gives up root's right to lock memory", limited);

asRoot("lock() and resize() beyond the limit of locked memory change nothing", () => {
  const lines = printed(`
    const path = file(8 * MiB, 7 * MiB);
    const mm = MMap.open(path, { access: "write" });
    const fd = openSync(path, "r+");
    const locked = new MMap(fd, 4096, { flags: library.MAP_SHARED | library.MAP_LOCKED });
    locked.write("abc");
    limit(MEMLOCK, MiB);
    if (c.setuid(65534) !== 0) throw new Error("setuid failed");
    const before = status("VmLck");
    print(outcome(() => mm.lock()), status("VmLck") - before, mm.length === 8 * MiB, mm.at(7 * MiB));
    // The folder is root's: the file is read by its descriptor.
    const byte = new Uint8Array(1);
    const refused = outcome(() => locked.resize(4 * MiB));
    readSync(fd, byte, 0, 1, 7 * MiB);
    print(refused, locked.length, locked.size() / MiB, fstatSync(fd).size / MiB, byte[0], String.fromCharCode(...locked.slice(0, 3)));`);
  assert.equal(lines[0], ["ENOMEM", 0, true, 7]);
  assert.equal(lines[1], ["EAGAIN", 4096, 8, 8, 7, "abc"]);
});

test.run();
