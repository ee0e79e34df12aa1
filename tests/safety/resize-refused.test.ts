/** A resize that is refused, or terminated in the middle, loses nothing. */

import { closeSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MADV_REMOVE, MAP_PRIVATE, MMap, PAGESIZE } from "../../lib/mod.ts";
import type { Platform, Remapping } from "../../platform/types.ts";
import { recorded, withPlatform } from "../helpers/platform.ts";
import { EMULATED, newFile, printedBy, refuses, unless, WINDOWS } from "../helpers/support.ts";
import { UNGUARDED } from "../helpers/truncation.ts";

const tests = suite("safety/resize-refused");
const posix = unless(
  WINDOWS && "Windows truncates no mapped file: the map is unmapped for that, and closed if that fails",
  tests,
);
const linux = unless(process.platform !== "linux" && "it needs Linux's mremap, huge pages or /proc", tests);

posix("resize() that is refused leaves a file that would have become shorter whole", () => {
  const path = newFile(new Uint8Array(20 * PAGESIZE).fill(7));
  const no = (name: string) => () => {
    throw new Error(`${name} was refused`);
  };
  // Without a view, the mapping grows in its place; with one, the new mapping is beside it.
  for (const [refused, viewed] of [
    ["map", true],
    ["growth", false],
    ["truncate", true],
    ["truncate", false],
  ] as const) {
    withPlatform(
      (real) => ({
        ...(refused === "truncate"
          ? { truncate: no("truncate") }
          : { map: (request) => (request.length === PAGESIZE ? real.map(request) : no("map")()) }),
        ...(refused === "growth" && real.remapping !== undefined
          ? { remapping: { ...real.remapping, extend: () => false, reserve: no("growth") } }
          : {}),
      }),
      () => {
        using mm = MMap.open(path, { access: "write", length: PAGESIZE });
        if (viewed) mm.bytes;
        assert.throws(() => mm.resize(10 * PAGESIZE), "was refused");
        assert.equal([mm.length, mm.at(-1), mm.bytes[PAGESIZE - 1]], [PAGESIZE, 7, 7]);
      },
    );
    assert.equal(readFileSync(path), Buffer.alloc(20 * PAGESIZE, 7), refused);
  }
});

posix(
  "a file that was extended for a map that is refused gets its size back, unless others have extended it since",
  () => {
    let statusFails = false;
    for (const act of [
      (path: string) => void MMap.open(path, { access: "write", length: 3 * PAGESIZE }),
      (path: string) => {
        using mm = MMap.open(path, { access: "write" });
        mm.resize(3 * PAGESIZE);
      },
    ]) {
      for (const [meanwhile, pages] of [
        [() => {}, 1],
        [(path: string) => truncateSync(path, 9 * PAGESIZE), 9],
        [() => (statusFails = true), 3],
      ] as const) {
        const path = newFile(new Uint8Array(PAGESIZE));
        statusFails = false;
        withPlatform(
          (real) => ({
            // As Windows extends files: open() does it too.
            mappingExtendsFile: true,
            remapping: undefined,
            map(request) {
              if (request.length === PAGESIZE) return real.map(request);
              meanwhile(path);
              throw new Error("map was refused");
            },
            status(descriptor) {
              if (statusFails) throw new Error("status was refused");
              return real.status(descriptor);
            },
          }),
          () => assert.throws(() => act(path), "map was refused"),
        );
        assert.is(statSync(path).size, pages * PAGESIZE);
      }
    }
  },
);

linux("resize() that a timeout of node:vm terminates leaves a map that works and can be closed", () => {
  const printed = printedBy(
    `import vm from "node:vm";
     const seen = new Set();
     for (let round = 0; round < 40; round++) {
       const mm = MMap.anonymous(63 * 2 ** 20, { flags: 2 });
       for (let at = 0; at < mm.length; at += 2 ** 20) mm[at] = 1 + at / 2 ** 20;
       // In the way of growing in place.
       const neighbour = MMap.anonymous(4096, { flags: 2 });
       globalThis.step = () => { for (let size = 1; ; size++) mm.resize((63 + (size % 60)) * 2 ** 20); };
       try { vm.runInThisContext("step()", { timeout: 1 + (round % 7) }); } catch (error) { seen.add(error.code); }
       let sum = 0;
       for (let at = 0; at < 63 * 2 ** 20; at += 2 ** 20) sum += mm[at];
       if (sum !== (63 * 64) / 2) throw new Error("bytes were lost: " + sum);
       mm.resize(130 * 2 ** 20);
       mm[-1] = 7;
       mm.close();
       neighbour.close();
     }
     console.log([...seen].join());`,
  );
  assert.is(printed, "ERR_SCRIPT_EXECUTION_TIMEOUT");
});

linux("close() in the middle of a resize() throws, and the map is garbage-collected like any other", () => {
  const printed = printedBy(
    `import { setTimeout } from "node:timers/promises";
     const { descriptorTargets } = await import(${JSON.stringify(new URL("../helpers/resources.ts", import.meta.url).href)});
     const collect = globalThis.gc ?? (() => Bun.gc(true));
     const path = process.argv[2];
     let said;
     (() => {
       const mm = MMap.open(path, { access: "write" });
       // The error of the resize is made by a class that closes the map.
       Object.setPrototypeOf(MMapError, class extends Error {
         constructor(...values) {
           super(...values);
           try { mm.close(); } catch (error) { said = error.message; }
         }
       });
       try { mm.resize(2 ** 52); } catch {}
       Object.setPrototypeOf(MMapError, Error);
       console.log(mm.closed);
     })();
     for (let round = 0; round < 20; round++) { await setTimeout(2); collect(); }
     console.log(said, descriptorTargets().filter((target) => target === path).length);`,
    { args: [newFile(new Uint8Array(PAGESIZE))] },
  );
  assert.is(printed, "false\nthe map is being resized: call again when that is done 0");
});

linux("resize() whose move is refused leaves the old memory", () => {
  withPlatform(
    (real) => ({
      remapping: real.remapping && {
        ...real.remapping,
        extend: () => false,
        move() {
          throw new Error("move was refused");
        },
      },
    }),
    () => {
      using mm = MMap.anonymous(8 * PAGESIZE, { flags: MAP_PRIVATE });
      mm[0] = 1;
      mm[-1] = 2;
      assert.throws(() => mm.resize(20 * PAGESIZE), "move was refused");
      assert.equal([mm.length, mm[0], mm[-1]], [8 * PAGESIZE, 1, 2]);
    },
  );
});

unless(UNGUARDED, linux)("resize() guards addresses only once they are the map's, and is undone if that fails", () => {
  const calls: string[] = [];
  const change = (real: Platform): Partial<Platform> => {
    const remapping = real.remapping as Remapping;
    return {
      remapping: { ...remapping, extend: recorded(calls, "extend", remapping.extend) },
      guard: recorded(calls, "guard", real.guard as NonNullable<Platform["guard"]>, refused),
    };
  };
  const refused = new Set<string>();
  withPlatform(change, () => {
    using mm = MMap.open(newFile(new Uint8Array(PAGESIZE).fill(7)), { access: "write" });
    refused.add("guard");
    calls.length = 0;
    assert.throws(() => mm.resize(2 * PAGESIZE), /refused/);
    assert.equal([mm.length, mm.size(), mm[0]], [PAGESIZE, PAGESIZE, 7]);
    // Without room beside it, the mapping moves instead.
    if (calls.includes("extend")) assert.ok(calls.indexOf("extend") < calls.indexOf("guard"), calls.join());
    refused.clear();
    mm.resize(2 * PAGESIZE);
    assert.equal([mm.length, mm[0], mm.at(-1)], [2 * PAGESIZE, 7, 0]);
  });
});

unless(EMULATED && "QEMU ignores MADV_REMOVE", linux)(
  "madvise(MADV_REMOVE) zeroes no byte of the file that is not in the range",
  () => {
    const path = newFile(new Uint8Array(3 * PAGESIZE).fill(7));
    for (const [offset, length, start, count] of [
      [100, 200, 0, 200],
      [0, 3 * PAGESIZE, 0, 100],
      [PAGESIZE, PAGESIZE + 10, 0, PAGESIZE + 10],
    ] as const) {
      using mm = MMap.open(path, { access: "write", offset, length });
      refuses(RangeError, () => mm.madvise(MADV_REMOVE, start, count), "MADV_REMOVE", "whole pages");
    }
    // Without a descriptor, nothing tells where the file ends.
    for (const length of [100, 3 * PAGESIZE - 1]) {
      const fd = openSync(path, "r+");
      using mm = new MMap(fd, length, { trackfd: false });
      closeSync(fd);
      refuses(RangeError, () => mm.madvise(MADV_REMOVE), "MADV_REMOVE", "whole pages");
    }
    assert.equal(readFileSync(path), Buffer.alloc(3 * PAGESIZE, 7));
    using mm = MMap.open(path, { access: "write" });
    mm.madvise(MADV_REMOVE, PAGESIZE, PAGESIZE);
    assert.equal([mm[PAGESIZE - 1], mm[PAGESIZE], mm[2 * PAGESIZE - 1], mm[2 * PAGESIZE]], [7, 0, 0, 7]);
  },
);

tests.run();
