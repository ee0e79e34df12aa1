/** What becomes of memory whose views were handed out, when its map is closed or collected. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { WITHOUT_VIEWS } from "../helpers/runtimes.ts";
import { newFile, printedBy, unless, WINDOWS, WORKERS } from "../helpers/support.ts";
import { UNGUARDED } from "../helpers/truncation.ts";

const retention = suite("retention");
const test = unless(WINDOWS && "what is mapped is read from /proc", retention);
/** For what is mapped to an empty file when it is retired: guarded regions. */
const retired = unless(UNGUARDED || (WINDOWS && "what is mapped is read from /proc"), retention);

const DETACHES = "transfer" in ArrayBuffer.prototype;

/** The part of a child's program that counts the mappings whose line in /proc/self/maps contains a text. */
const MAPPINGS = `
  import { readFileSync } from "node:fs";
  const mappings = (name) => readFileSync("/proc/self/maps", "latin1").split("\\n").filter((line) => line.includes(name)).length;`;

const page = () => newFile(new Uint8Array(4096).fill(80));

test("close() keeps memory mapped that was viewed, and unmaps what was not", () => {
  const printed = printedBy(
    `${MAPPINGS}
     const path = process.argv[2];
     MMap.open(path).close();
     const never = mappings(path);
     const mm = MMap.open(path);
     mm.bytes;
     mm.close();
     console.log(never, mappings(path));`,
    { args: [page()] },
  );
  assert.is(printed, "0 1");
});

test("close() with release: true leaves no mapping of the file, and its address stays taken", () => {
  const printed = printedBy(
    `${MAPPINGS}
     const path = process.argv[2];
     const mm = MMap.open(path);
     mm.bytes;
     const line = readFileSync("/proc/self/maps", "latin1").split("\\n").find((line) => line.includes(path));
     const [start, end] = line.split(" ")[0].split("-").map((address) => Number.parseInt(address, 16));
     mm.close({ release: true });
     const covers = (line) => {
       const [from, to] = line.split(" ")[0].split("-").map((address) => Number.parseInt(address, 16));
       return from <= start && end <= to;
     };
     console.log(mappings(path), readFileSync("/proc/self/maps", "latin1").split("\\n").some(covers));`,
    { args: [page()] },
  );
  assert.is(printed, "0 true");
});

test("close() keeps at most 1,024 regions, and few mappings of those that were retired", () => {
  const printed = printedBy(
    `${MAPPINGS}
     const path = process.argv[2];
     const before = mappings("");
     for (let round = 0; round < 20_000; round++) {
       const mm = MMap.open(path);
       mm.view(Uint8Array, 0, 10);
       mm.close();
     }
     console.log(JSON.stringify({ kept: mappings(path), more: mappings("") - before }));`,
    { args: [page()] },
  );
  const { kept, more } = JSON.parse(printed) as { kept: number; more: number };
  // They are retired 256 at a time.
  assert.ok(kept > 768 && kept <= 1024, `${kept} are kept`);
  assert.ok(more < 2000, `${more} mappings more`);
});

test("close() keeps at most 256 MiB of memory that belongs to no file", () => {
  const printed = printedBy(
    `${MAPPINGS}
     for (let round = 0; round < 10; round++) {
       const mm = MMap.anonymous(2 ** 26);
       mm.bytes[0] = 1;
       mm.close();
     }
     console.log(mappings("/memfd:mmap-ffi"));`,
  );
  assert.is(printed, "4");
});

test("close() keeps at most 16 GiB of files, or one map that is longer", () => {
  const printed = printedBy(
    `${MAPPINGS}
     import { truncateSync } from "node:fs";
     const path = process.argv[2];
     truncateSync(path, 17 * 2 ** 30);
     for (const length of [6, 17, 6]) {
       for (let round = 0; round < 5; round++) {
         const mm = MMap.open(path, { length: length * 2 ** 30 });
         mm.view(Uint8Array, 0, 10);
         mm.close();
       }
       console.log(mappings(path));
     }`,
    { args: [newFile("")] },
  );
  assert.equal(printed.split("\n"), ["2", "1", "2"]);
});

/** What a worker does with the files at `path`, and then counts; printed with what is counted when it has ended. */
const inWorker = (counted: string, act: string) => `${MAPPINGS}
  ${WORKERS}
  if (isMainThread) {
    const path = process.argv[2];
    const counts = new Int32Array(new SharedArrayBuffer(4));
    await startWorker({ path, counts });
    console.log(counts[0], mappings(path));
  } else {
    const { path, counts } = workerData;
    ${act}
    counts[0] = mappings(${counted});
  }`;

test("a worker keeps at most 64 regions, and leaves no mapping of the file when it ends", () => {
  const printed = printedBy(
    inWorker(
      "path",
      `for (let round = 0; round < 100; round++) {
         const mm = MMap.open(path);
         mm.bytes;
         mm.close();
       }`,
    ),
    { args: [page()] },
  );
  const [during, after] = printed.split(" ").map(Number) as [number, number];
  // They are retired 16 at a time.
  assert.ok(during > 48 && during <= 64, `${during} are kept`);
  assert.is(after, 0);
});

for (const release of [false, true]) {
  retired(`a worker retires at most 256 regions, with release: ${release}`, () => {
    const printed = printedBy(
      inWorker(
        '"retired by mmap-ffi"',
        `// With a map between each two, they are not adjacent, and the kernel does not join them.
         const apart = [];
         const maps = Array.from({ length: 400 }, () => {
           apart.push(MMap.open(path, { access: "write" }));
           return MMap.open(path);
         });
         for (const mm of maps) {
           mm.bytes;
           mm.close({ release: ${release} });
         }`,
      ),
      { args: [page()] },
    );
    assert.is(Number(printed.split(" ")[0]), 256);
  });
}

retired("workers share one descriptor of the file that retired regions are mapped to", () => {
  const printed = printedBy(
    `import { readdirSync, readlinkSync } from "node:fs";
     ${WORKERS}
     const descriptors = () => {
       const targets = readdirSync("/proc/self/fd").map((name) => {
         try {
           return readlinkSync("/proc/self/fd/" + name);
         } catch {
           return "closed meanwhile";
         }
       });
       return targets.filter((target) => target.includes("retired by mmap-ffi")).length;
     };
     if (isMainThread) {
       const path = process.argv[2];
       const mm = MMap.open(path);
       await Promise.all([startWorker({ path }), startWorker({ path })]);
       const after = descriptors();
       await startWorker({ path });
       mm.bytes;
       mm.close({ release: true });
       console.log(after, descriptors());
     } else {
       const mm = MMap.open(workerData.path);
       mm.bytes;
       mm.close({ release: true });
     }`,
    { args: [page()] },
  );
  assert.is(printed, "1 1");
});

test("resize() keeps memory mapped that was viewed, up to its new end, and unmaps what was not", () => {
  const printed = printedBy(
    `${MAPPINGS}
     const path = process.argv[2];
     const pages = (line) => {
       const [from, to] = line.split(" ")[0].split("-").map((address) => Number.parseInt(address, 16));
       return (to - from) / library.PAGESIZE;
     };
     const lengths = () => readFileSync("/proc/self/maps", "latin1").split("\\n").filter((line) => line.includes(path)).map(pages).sort();
     const mm = MMap.open(path, { access: "write", length: 8 * library.PAGESIZE, create: true });
     const found = [];
     for (const [viewed, count] of [[false, 9], [false, 7], [true, 3], [true, 5], [false, 6]]) {
       if (viewed) mm.bytes[0] = 1;
       mm.resize(count * library.PAGESIZE);
       found.push(lengths().join(" "));
     }
     console.log(found.join(", "));`,
    { args: [newFile("")] },
  );
  // Of the 7 pages that were viewed, the file has lost 4. The 3 that were viewed then stay whole.
  assert.is(printed, "9, 7, 3 3, 3 3 5, 3 3 6");
});

for (const [what, finish] of [
  ["that nobody closed", "mm = undefined;"],
  ["that was closed", "mm.close({ release: true });"],
]) {
  unless(WITHOUT_VIEWS ? "chunks are copies here" : !DETACHES && "this runtime has no transfer()", test)(
    `a map ${what} leaves its memory to the new owner of a chunk that it no longer lists`,
    () => {
      const printed = printedBy(
        `${MAPPINGS}
       import { setImmediate } from "node:timers/promises";
       const collect = async () => {
         for (let round = 0; round < 10; round++) {
           (globalThis.gc ?? (() => Bun.gc(true)))();
           await setImmediate();
         }
       };
       const path = process.argv[2];
       let mm = MMap.open(path);
       const take = () => {
         let moved;
         for (const chunk of mm.chunks(library.PAGESIZE)) moved ??= chunk.buffer.transfer();
         return moved;
       };
       const moved = take();
       // The old buffer goes first, and then the map.
       await collect();
       ${finish}
       await collect();
       console.log(mappings(path) > 0, new Uint8Array(moved)[5]);`,
        { args: [newFile(new Uint8Array(64 * 4096).fill(80))] },
      );
      assert.is(printed, "true 80");
    },
  );
}

/** The part of a child's program that lets finalizers run. */
const REST = `
  import { setTimeout } from "node:timers/promises";
  const collect = globalThis.gc ?? (() => Bun.gc(true));
  const rest = async () => { for (let round = 0; round < 10; round++) { collect(); await setTimeout(2); } };`;

test("close() retires regions whose buffers are collected only after that", () => {
  const printed = printedBy(
    `${REST}
     let views = [];
     for (let round = 0; round < 1400; round++) {
       const mm = MMap.open(process.argv[2]);
       views.push(mm.bytes);
       mm.close();
       // The buffers are registered with the finalizer.
       if (round % 100 === 0) await setTimeout(0);
     }
     views = [];
     await rest();
     using mm = MMap.open(process.argv[2]);
     console.log(mm.bytes[0]);`,
    { args: [page()] },
  );
  assert.is(printed, "80");
});

test("close() in a loop holds few of the buffers", () => {
  const printed = printedBy(
    `${REST}
     const references = [];
     for (let round = 0; round < 400; round++) {
       const mm = MMap.open(process.argv[2]);
       references.push(new WeakRef(mm.buffer));
       mm.close();
     }
     await rest();
     const held = references.filter((reference) => reference.deref() !== undefined).length;
     console.log(held < 100 ? "few" : held);`,
    { args: [page()] },
  );
  assert.is(printed, "few");
});

test("close() of 40,000 maps gives no address back that an operation may still use", () => {
  const printed = printedBy(
    `import { readFileSync } from "node:fs";
     const path = process.argv[2];
     const mm = MMap.open(path);
     mm.bytes;
     const place = readFileSync("/proc/self/maps", "latin1").split("\\n").find((line) => line.includes(path));
     const [start] = place.split("-").map((address) => Number.parseInt(address, 16));
     mm.close();
     for (let round = 0; round < 40_000; round++) {
       const other = MMap.open(path);
       other.bytes;
       other.close();
     }
     const others = Array.from({ length: 100 }, () => MMap.anonymous(4096));
     const at = readFileSync("/proc/self/maps", "latin1").split("\\n").find((line) => {
       const [from, to] = line.split(" ")[0].split("-").map((address) => Number.parseInt(address, 16));
       return from <= start && start < to;
     });
     console.log(at === undefined ? "free" : at.includes("/memfd:mmap-ffi") || at.includes(path) ? "reused" : "taken");`,
    { args: [page()] },
  );
  assert.is(printed, "taken");
});

test("addresses stay taken for good until they are an eighth of those below them", () => {
  const module = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);
  const printed = printedBy(
    `const { release, RETIRED_REGIONS } = await import(${module("lib/mapping/retention.ts")});
     const { List } = await import(${module("ffi/list.ts")});
     const calls = [];
     const system = {
       canLeaveAddresses: true,
       operationsKeepBuffers: false,
       retire() {},
       mapZeros: () => calls.push("left"),
       unmap: () => calls.push("unmapped"),
     };
     const listOf = (value) => {
       const list = new List();
       list.add(value);
       return list;
     };
     for (let count = 0; count < RETIRED_REGIONS + 3; count++) {
       const regions = listOf({ address: 16 * 2 ** 20, length: 2 ** 20, guard: undefined });
       const buffers = listOf(new ArrayBuffer(1));
       release({ system, regions, buffers, transferred: false, untraced: true, inMemory: false }, true);
     }
     console.log(calls.join(" "));`,
  );
  // A buffer that cannot be detached may still be read, so its memory is not unmapped.
  assert.is(printed, DETACHES ? "left left unmapped" : "left left");
});

retention.run();
