/**
 * What maps make of pages that were replaced, call by call; and what the guard's parts leave to each other. That nothing
 * crashes is in `sigbus.test.ts`, by child processes.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Ffi } from "../../ffi/types.ts";
import { usePlatform } from "../../lib/mapping.ts";
import { MAP_PRIVATE, MMap, type MMapOptions, PAGESIZE as PAGE, PROT_READ } from "../../lib/mod.ts";
import { CODE } from "../../platform/sigbus/mod.ts";
import { Table } from "../../platform/sigbus/table.ts";
import type { Platform } from "../../platform/types.ts";
import { CALLS, FFI } from "../helpers/calls.ts";
import { newFile, printedBy, refuses, runChild, thrown, unless } from "../helpers/support.ts";

const test = suite("replaced pages");

const guarded = unless(
  (process.platform !== "linux" || !(process.arch in CODE)) && "the guard is not to be had here",
  test,
);

const TRUNCATED = "ERR_MMAP_TRUNCATED";

/** A map of a file of so many pages of 97s, by a descriptor where `flags` or `prot` say how, and the file's path. */
function mapped(pages: number, options: MMapOptions = { access: "write" }): { mm: MMap; path: string } {
  const path = newFile(new Uint8Array(pages * PAGE).fill(97));
  const fd = openSync(path, "r+");
  const mm = new MMap(fd, 0, options);
  closeSync(fd);
  return { mm, path };
}

guarded("an expression matches no zeros that are not the file's", () => {
  for (const match of [(mm: MMap) => mm.search(/[^]/), (mm: MMap) => mm.matchAll(/[^b]+/).next()]) {
    const { mm, path } = mapped(20);
    truncateSync(path, 0);
    for (let times = 0; times < 2; times++) refuses(TRUNCATED, () => match(mm));
    mm.close();
  }
});

guarded("nor are they found", () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  refuses(TRUNCATED, () => mm.find("\0"));
  refuses(TRUNCATED, () => mm.find("\0\0\0"));
  refuses(TRUNCATED, () => mm.rfind("\0"));
  mm.close();
});

guarded("move tells when either end of it is gone", () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  refuses(TRUNCATED, () => mm.move(2 * PAGE, 0, 5));
  refuses(TRUNCATED, () => mm.move(0, 2 * PAGE, 5));
  mm.close();
});

guarded("flush tells of its own range alone, and of maps that were written alone", () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  mm.bytes[2 * PAGE] = 1;
  mm.flush(0, PAGE);
  refuses(TRUNCATED, () => mm.flush());
  mm.close();
  const { mm: read, path: other } = mapped(4, { prot: PROT_READ });
  truncateSync(other, PAGE);
  assert.is(read.bytes[2 * PAGE], 0);
  read.flush();
  read.close();
});

guarded("flush brings what the file still has to the disk, and then tells", () => {
  const calls: string[] = [];
  withPlatform(
    (real) => ({ flush: told(calls, "flush", real.flush) }),
    () => {
      const { mm, path } = mapped(4);
      truncateSync(path, PAGE);
      mm.bytes[2 * PAGE] = 1;
      refuses(TRUNCATED, () => mm.flush());
      mm.close();
    },
  );
  // `refuses` calls once.
  assert.equal(calls, ["flush"]);
});

guarded("flushAsync that began before a close which throws keeps its promise", async () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  mm.bytes[2 * PAGE] = 1;
  const flushed = mm.flushAsync();
  refuses(TRUNCATED, () => mm.close());
  assert.is(await flushed, undefined);
});

guarded("a close that throws leaves no memory, and no view of it", () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  const { bytes } = mm;
  bytes[2 * PAGE] = 1;
  refuses(TRUNCATED, () => mm.close());
  if (process.versions.node.startsWith("20.")) return;
  assert.is(bytes.length, 0);
  assert.not.ok(readFileSync("/proc/self/maps", "latin1").includes(path));
});

guarded("close says nothing of maps whose writes reach no file", () => {
  for (const options of [{ access: "read" }, { access: "copy" }, { flags: MAP_PRIVATE }] as const) {
    const { mm, path } = mapped(4, options);
    truncateSync(path, PAGE);
    assert.is(mm.bytes[2 * PAGE], 0);
    mm.close();
  }
});

guarded("resize has pages of the file again where some were replaced", () => {
  for (const pages of [8, 30]) {
    const { mm, path } = mapped(20);
    truncateSync(path, 5 * PAGE);
    refuses(TRUNCATED, () => mm.at(-1));
    refuses(TRUNCATED, () => mm.at(6 * PAGE));
    mm.resize(pages * PAGE);
    mm[6 * PAGE] = 98;
    assert.is(readFileSync(path)[6 * PAGE], 98);
    assert.is(mm.faults, 0);
    mm.close();
  }
});

guarded("a private map keeps its own changes then, and no zeros", () => {
  const { mm, path } = mapped(4, { flags: MAP_PRIVATE });
  mm[0] = 99;
  mm.bytes;
  truncateSync(path, PAGE);
  refuses(TRUNCATED, () => mm.at(-1));
  writeFileSync(path, new Uint8Array(4 * PAGE).fill(98), { flag: "r+" });
  mm.resize(4 * PAGE);
  assert.equal([mm[0], mm[-1]], [99, 98]);
  mm.close();
});

guarded("the first byte that is gone is told to the byte, with an odd offset too", () => {
  const { mm, path } = mapped(10, { offset: 5 });
  truncateSync(path, 4 * PAGE);
  refuses(TRUNCATED, () => mm.at(4 * PAGE - 5), `index ${4 * PAGE - 5}`);
  assert.is(mm.at(4 * PAGE - 6), 97);
  mm.close();
});

// --- Guards and mappings, in order -------------------------------------------------------------------------------------

/** Runs `act` with a platform of which some functions are others. */
function withPlatform(change: (real: Platform) => Partial<Platform>, act: () => void): void {
  MMap.anonymous(1).close();
  const real = usePlatform(undefined) as Platform;
  usePlatform({ ...real, ...change(real) });
  try {
    act();
  } finally {
    usePlatform(real);
  }
}

/** The same function, which writes its name down; and refuses where that is in `refused`. */
function told<P extends unknown[], R>(
  calls: string[],
  name: string,
  call: (...parameters: P) => R,
  refused?: Set<string>,
) {
  return (...parameters: P): R => {
    calls.push(name);
    if (refused?.has(name)) throw new Error(`${name} was refused`);
    return call(...parameters);
  };
}

guarded("a guard goes before its addresses do, and is there again after a refusal", () => {
  const calls: string[] = [];
  const refused = new Set<string>();
  const change = (real: Platform): Partial<Platform> => ({
    guard: told(calls, "guard", () => ({
      faults: new Int32Array(1),
      index: 0,
      lowest: () => 2 ** 50,
      release: told(calls, "release", () => {}),
    })),
    unmap: told(calls, "unmap", real.unmap),
    remap: told(calls, "remap", real.remap, refused),
    truncate: (descriptor, size) => {
      if (refused.has("truncate")) throw new Error("truncate was refused");
      real.truncate(descriptor, size);
    },
  });
  const seen = () => calls.splice(0).join(" ");
  withPlatform(change, () => {
    const { mm } = mapped(4);
    assert.is(seen(), "guard");
    mm.resize(8 * PAGE);
    assert.is(seen(), "release remap guard");
    refused.add("remap");
    thrown(() => mm.resize(9 * PAGE));
    assert.is(seen(), "release remap guard");
    assert.equal([mm.guarded, mm.length, mm.size()], [true, 8 * PAGE, 8 * PAGE]);
    refused.clear();
    refused.add("truncate");
    thrown(() => mm.resize(3 * PAGE));
    assert.is(seen(), "");
    assert.equal([mm.guarded, mm.length, mm.at(-1), mm.size()], [true, 8 * PAGE, 0, 8 * PAGE]);
    mm.close();
    assert.is(seen(), "release unmap");
    const { mm: viewed } = mapped(4);
    viewed.bytes;
    seen();
    thrown(() => viewed.resize(PAGE));
    assert.is(seen(), "guard release unmap");
    assert.equal([viewed.guarded, viewed.length, viewed.bytes[4 * PAGE - 1]], [true, 4 * PAGE, 97]);
    viewed.close();
  });
});

guarded("an anonymous map whose memory cannot be sized leaves no descriptor", () => {
  const calls: string[] = [];
  const change = (real: Platform): Partial<Platform> => ({
    truncate: told(calls, "truncate", real.truncate, new Set(["truncate"])),
    closeDescriptor: told(calls, "closeDescriptor", real.closeDescriptor),
  });
  withPlatform(change, () => thrown(() => MMap.anonymous(10)));
  assert.equal(calls, ["truncate", "closeDescriptor"]);
});

// --- The table ---------------------------------------------------------------------------------------------------------

/** A table in memory that is nobody's, as two threads see it. */
function twoTables(): [Table, Table] {
  const memory = new ArrayBuffer(Table.size(4096));
  const ffi = { view: () => memory } as unknown as Ffi;
  return [new Table(ffi, 0, 4096), new Table(ffi, 0)];
}

test("two threads that look for a slot at once get two", () => {
  const [one, other] = twoTables();
  const [first, second, third] = [one.claim(4096, 4096), other.claim(8192, 4096), one.claim(12_288, 4096)];
  assert.is(new Set([first?.index, second?.index, third?.index]).size, 3);
});

test("a slot that is used again is not the one that it was", () => {
  const [one] = twoTables();
  const first = one.claim(4096, 4096);
  const { faults, index } = first as { faults: Int32Array; index: number };
  const before = faults[index - 1] as number;
  first?.release();
  assert.is((faults[index - 1] as number) & 3, 0);
  const again = one.claim(8192, 8192);
  assert.is(again?.index, index);
  assert.ok((faults[index - 1] as number) > before);
  assert.is(again?.lowest(), 16_384);
});

// --- The installed handler ---------------------------------------------------------------------------------------------

/** What the programs begin with: `installed`, the flags and mask of the current handler; `returning`, machine code that returns. */
const PRELUDE = `
  import { spawnSync } from "node:child_process";
  import process from "node:process";
  import { setTimeout } from "node:timers/promises";
  ${CALLS}
  function installed() {
    const action = new Uint8Array(152);
    c.current(7, 0, action);
    // Without SA_RESTORER, which libc adds on x64.
    return ((new Uint32Array(action.buffer)[34] & ~0x04000000) >>> 0).toString(16) + " " + action[8];
  }
  function returning() {
    const address = c.mmap(0, 4096, 7, 0x22, -1, 0);
    new Uint8Array(ffi.view(address, 4096)).set(process.arch === "x64" ? [0xc3] : [0xc0, 0x03, 0x5f, 0xd6]);
    return address;
  }
`;

guarded("the handler uses signal stacks, restarts calls, and runs under the mask of the one before", () => {
  const program = `${PRELUDE}
    install(returning(), 0x40000000, 5);
    const mm = MMap.open(process.argv[2]);
    console.log(installed());
    install(0, 0, 0);
    const other = MMap.open(process.argv[2]);
    console.log(installed());`;
  // SA_SIGINFO is 4, SA_ONSTACK 0x08000000, SA_RESTART 0x10000000, SA_NODEFER 0x40000000.
  assert.is(printedBy(program, { args: [newFile("abc"), FFI] }), "48000004 5\n18000004 0");
});

guarded("a handler that wants to be called once is called once", () => {
  const program = `${PRELUDE}
    install(returning(), 0x80000000, 0);
    const mm = MMap.open(process.argv[2]);
    for (const time of ["once", "twice"]) {
      spawnSync("sh", ["-c", "kill -s BUS " + process.pid]);
      await setTimeout(50);
      console.log(time);
    }`;
  const { signal, stdout } = runChild(program, { args: [newFile("abc"), FFI] });
  assert.equal([signal, stdout.trim()], ["SIGBUS", "once"]);
});

test.run();
