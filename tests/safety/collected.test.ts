/**
 * Garbage collection: views keep their memory, and memory without views is unmapped.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { collectGarbage, newFile, printedBy, repetitions, resources } from "../helpers/support.ts";

const test = suite("safety/collected");

test("a view keeps the memory of a map that was garbage collected", async () => {
  const path = newFile(new Uint8Array(100_000).fill(5));
  const view = (() => MMap.open(path, { access: "write" }).bytes)();
  const part = (() => MMap.open(path, { access: "write" }).view(Float64Array, 8, 10))();
  for (let round = 0; round < 5; round++) await collectGarbage();
  assert.is(view.length, 100_000);
  assert.is(
    view.reduce((sum, byte) => sum + byte, 0),
    500_000,
  );
  view[0] = 9;
  part[0] = 1;
  assert.is(readFileSync(path)[0], 9);
});

test("each of several views alone keeps the memory of a map that was garbage collected", () => {
  const program = `
    import { setTimeout } from "node:timers/promises";
    const collect = globalThis.gc ?? (() => Bun.gc(true));
    const kept = [0, 1].map((which) => (() => {
      const mm = MMap.open(process.argv[2], { access: "write" });
      return [mm.bytes, mm.view(Uint8Array, 8, 10)][which];
    })());
    for (let round = 0; round < 5; round++) {
      await setTimeout(1);
      collect();
    }
    console.log(kept[0][9], kept[1][1]);`;
  assert.is(printedBy(program, { args: [newFile(new Uint8Array(100_000).fill(97))] }), "97 97");
});

/** The part of a child's program that counts its mappings and descriptors. */
const COUNTING = `
  import { resources } from ${JSON.stringify(new URL("../helpers/resources.ts", import.meta.url).href)};
  const count = () => [resources().maps, resources().descriptors];`;

/** How many regions stay mapped although their views were collected: Deno's operations may still be using them. */
const KEPT = process.versions.deno === undefined ? 0 : 1024;

test("maps that were never closed are garbage collected, with their mappings and descriptors", () => {
  const printed = printedBy(
    `import { writeFileSync } from "node:fs";
     import { setImmediate, setTimeout } from "node:timers/promises";
     ${COUNTING}
     const path = process.argv[2];
     writeFileSync(path, new Uint8Array(10_000));
     const collect = globalThis.gc ?? (() => Bun.gc(true));
     const rest = async () => { for (let round = 0; round < 10; round++) { collect(); await setImmediate(); await setTimeout(2); } };
     const make = (batch) => {
       const maps = [];
       for (let index = 0; index < 500; index++) {
         const mm = batch % 4 === 3 ? MMap.anonymous(5000) : MMap.open(path, { access: batch % 2 ? "read" : "write" });
         if (batch % 5 === 1) mm.bytes[0] = 1;
         if (batch % 5 === 2) mm.view(Uint8Array, 100, 10);
         if (batch % 5 === 3) mm.readByte();
         maps.push(mm);
       }
       // Some are closed at once, in no order.
       for (let index = 0; index < 100; index++) maps[(index * 77) % 500].close();
     };
     make(1);
     await rest();
     const before = count();
     let most = 0;
     for (let batch = 0; batch < ${repetitions(40)}; batch++) {
       make(batch);
       most = Math.max(most, count()[1] - before[1]);
       await rest();
     }
     await rest();
     const after = count();
     console.log(JSON.stringify({ before, after, most }));`,
    { args: [newFile("")] },
  );
  const { before, after, most } = JSON.parse(printed) as { before: number[]; after: number[]; most: number };
  // The collector may be unsure about a few; without finalizers there would be thousands of each.
  assert.ok(most >= 300, `the maps hold descriptors while they live: ${printed}`);
  assert.ok((after[0] as number) - (before[0] as number) < 400 + KEPT, `mappings: ${printed}`);
  assert.ok((after[1] as number) - (before[1] as number) < 400, `descriptors: ${printed}`);
});

test("close() frees the map's objects without waiting for the event loop", () => {
  const printed = printedBy(
    `const collect = globalThis.gc ?? (() => Bun.gc(true));
     const used = () => (collect(), process.memoryUsage().heapUsed);
     const cycles = (count) => { for (let index = 0; index < count; index++) MMap.anonymous(1, { access: "copy" }).close(); };
     cycles(1000);
     const before = used();
     cycles(${repetitions(30_000)});
     console.log(used() - before);`,
  );
  assert.ok(Number(printed) < repetitions(3_000_000), `${printed} bytes more`);
});

test("open() and close() leave no mapping and no descriptor", () => {
  const path = newFile(new Uint8Array(10_000));
  const cycle = () => {
    const mm = MMap.open(path, { access: "write" });
    mm.readByte();
    mm.close();
    const anonymous = MMap.anonymous(5000);
    anonymous.resize(50_000);
    anonymous.close();
  };
  cycle();
  const before = resources();
  for (let round = 0; round < repetitions(2000); round++) cycle();
  const after = resources();
  assert.ok(
    after.descriptors - before.descriptors < 100,
    `${before.descriptors} descriptors, then ${after.descriptors}`,
  );
  assert.ok(after.maps - before.maps < 500, `${before.maps} mappings, then ${after.maps}`);
});

test.run();
