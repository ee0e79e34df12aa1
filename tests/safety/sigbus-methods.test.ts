/**
 * What each method does with pages that were replaced because the file lost them. Programs that would crash without the guard
 * are in `sigbus.test.ts`.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAP_PRIVATE, MMap, type MMapOptions, PAGESIZE as PAGE, PROT_READ } from "../../lib/mod.ts";
import type { Platform } from "../../platform/types.ts";
import { recorded, withPlatform } from "../helpers/platform.ts";
import { newFile, refuses, thrown, unless } from "../helpers/support.ts";
import { TRUNCATED, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("safety/sigbus-methods");

/** A case that needs the guard. */
const guarded = unless(UNGUARDED, test);

/** A map of a file of so many pages of 97s, by a descriptor where `flags` or `prot` say how, and the file's path. */
function mapped(pages: number, options: MMapOptions = { access: "write" }): { mm: MMap; path: string } {
  const path = newFile(new Uint8Array(pages * PAGE).fill(97));
  const fd = openSync(path, "r+");
  const mm = new MMap(fd, 0, options);
  closeSync(fd);
  return { mm, path };
}

guarded("search() and matchAll() throw instead of matching replaced pages", () => {
  for (const match of [(mm: MMap) => mm.search(/[^]/), (mm: MMap) => mm.matchAll(/[^b]+/).next()]) {
    const { mm, path } = mapped(20);
    truncateSync(path, 0);
    for (let times = 0; times < 2; times++) refuses(TRUNCATED, () => match(mm));
    mm.close();
  }
});

guarded("find() and rfind() throw instead of finding replaced pages", () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  refuses(TRUNCATED, () => mm.find("\0"));
  refuses(TRUNCATED, () => mm.find("\0\0\0"));
  refuses(TRUNCATED, () => mm.rfind("\0"));
  mm.close();
});

guarded("find(), rfind(), search() and read() of the bytes before the lost pages work", () => {
  const { mm, path } = mapped(4);
  mm[PAGE - 1] = 98;
  mm[PAGE - 2] = 99;
  truncateSync(path, PAGE);
  assert.is(mm.bytes[2 * PAGE], 0);
  assert.is(mm.find("b"), PAGE - 1);
  assert.is(mm.find("cb"), PAGE - 2);
  assert.is(mm.rfind("cb", 0, PAGE), PAGE - 2);
  // It looks at 64 KiB at a time, unless its range is shorter.
  assert.is(mm.search(/c/, 0, PAGE)?.index, PAGE - 2);
  assert.is(mm.read(PAGE).length, PAGE);
  refuses(TRUNCATED, () => mm.find("x"));
  refuses(TRUNCATED, () => mm.rfind("x"));
  refuses(TRUNCATED, () => mm.read(1));
  // What was lost has been reported.
  mm.close();
});

guarded("readline(), lines() and readByte() throw at the first lost byte, and not before", () => {
  const path = newFile(`${"x".repeat(63)}\n`.repeat((4 * PAGE) / 64));
  using mm = MMap.open(path, { access: "write" });
  assert.is(mm.readline().length, 64);
  truncateSync(path, PAGE);
  assert.is(mm.bytes[2 * PAGE], 0);
  mm.seek(PAGE - 64);
  assert.is(mm.readline().length, 64);
  assert.is(mm.tell(), PAGE);
  refuses(TRUNCATED, () => mm.readline());
  refuses(TRUNCATED, () => mm.readByte());
  assert.is(mm.tell(), PAGE);
  mm.seek(PAGE - 1);
  assert.is(mm.readByte(), 10);
  assert.is(mm.lines(PAGE - 64, PAGE).next().value?.length, 64);
  refuses(TRUNCATED, () => mm.lines(PAGE).next());
});

guarded("readline() throws for a line across a lost page, also if the file has its end again", () => {
  const path = newFile(new Uint8Array(3 * PAGE).fill(97));
  using mm = MMap.open(path, { access: "write" });
  // Twice, so that the window covers the file.
  for (let times = 0; times < 2; times++) assert.is(mm.readByte(), 97);
  mm[PAGE - 100] = 10;
  truncateSync(path, PAGE);
  assert.is(mm.bytes[PAGE], 0);
  writeFileSync(path, "\n".repeat(2 * PAGE), { flag: "a" });
  mm.seek(PAGE - 99);
  refuses(TRUNCATED, () => mm.readline());
  assert.is(mm.tell(), PAGE - 99);
});

guarded("move() throws if its source or its destination is lost", () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  refuses(TRUNCATED, () => mm.move(2 * PAGE, 0, 5));
  refuses(TRUNCATED, () => mm.move(0, 2 * PAGE, 5));
  mm.close();
});

guarded("flush() throws for lost pages of its own range, on maps for writing only", () => {
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

guarded("flush() writes the remaining pages to the disk before it throws", () => {
  const calls: string[] = [];
  withPlatform(
    (real) => ({ flush: recorded(calls, "flush", real.flush) }),
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

guarded("flushAsync() from before a close() that throws resolves", async () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  mm.bytes[2 * PAGE] = 1;
  const flushed = mm.flushAsync();
  refuses(TRUNCATED, () => mm.close());
  assert.is(await flushed, undefined);
});

/** Node 20 cannot detach a buffer: its old views keep their memory. */
const DETACHES = "transfer" in ArrayBuffer.prototype;

guarded("close() that throws has unmapped the memory and detached the views", () => {
  const { mm, path } = mapped(4);
  truncateSync(path, PAGE);
  const { bytes } = mm;
  bytes[2 * PAGE] = 1;
  refuses(TRUNCATED, () => mm.close({ release: true }));
  assert.is(mm.closed, true);
  assert.is(bytes.length, DETACHES ? 0 : 4 * PAGE);
  assert.not.ok(readFileSync("/proc/self/maps", "latin1").includes(path));
});

guarded("close() does not throw for maps whose writes reach no file", () => {
  for (const options of [{ access: "read" }, { access: "copy" }, { flags: MAP_PRIVATE }] as const) {
    const { mm, path } = mapped(4, options);
    truncateSync(path, PAGE);
    assert.is(mm.bytes[2 * PAGE], 0);
    mm.close();
  }
});

guarded("resize() maps the file's pages again where they were replaced", () => {
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

guarded("resize() of a private map with replaced pages keeps its changes, and no zeros", () => {
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

guarded("close() with release retires memory whose views were handed out, guarded if the map was", () => {
  for (const guard of [true, false]) {
    const retired: [length: number, guarded: boolean][] = [];
    const change = ({ retire }: Platform): Partial<Platform> => ({
      retire: (address, length, isGuarded) => {
        retired.push([length, isGuarded]);
        retire?.(address, length, isGuarded);
      },
    });
    withPlatform(change, () => {
      const { mm } = mapped(2, { access: "write", guard });
      mm.bytes[0] = 1;
      mm.close({ release: true });
      mapped(2, { access: "write", guard }).mm.close({ release: true });
    });
    assert.equal(retired, [[2 * PAGE, true]], `guard: ${guard}`);
  }
});

guarded("at() names the first lost byte exactly, also with an odd offset", () => {
  const { mm, path } = mapped(10, { offset: 5 });
  truncateSync(path, 4 * PAGE);
  refuses(TRUNCATED, () => mm.at(4 * PAGE - 5), `index ${4 * PAGE - 5}`);
  assert.is(mm.at(4 * PAGE - 6), 97);
  mm.close();
});

guarded(
  "resize() guards the new addresses before it releases the old guard, and close() releases it before the addresses",
  () => {
    const calls: string[] = [];
    const refused = new Set<string>();
    const change = (real: Platform): Partial<Platform> => ({
      guard: recorded(calls, "guard", () => ({
        isQueried: false,
        faults: new Int32Array(1),
        index: 0,
        lowest: () => 2 ** 50,
        release: recorded(calls, "release", () => {}),
      })),
      unmap: recorded(calls, "unmap", real.unmap),
      remapping: real.remapping && {
        ...real.remapping,
        extend: recorded(calls, "extend", () => false),
        move: recorded(calls, "move", real.remapping.move, refused),
      },
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
      assert.is(seen(), "extend guard move release");
      refused.add("move");
      thrown(() => mm.resize(9 * PAGE));
      assert.is(seen(), "extend guard move release unmap");
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
  },
);

test.run();
