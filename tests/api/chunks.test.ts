import { closeSync, ftruncateSync, openSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import {
  collectGarbage,
  holds,
  newFile,
  newPath,
  printedBy,
  refuses,
  text,
  unless,
  WINDOWS,
} from "../helpers/support.ts";
import { printed, TRUNCATED, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("api/chunks");

const guarded = unless(UNGUARDED, test);

const sparse = unless(WINDOWS && "files have no holes there unless each asks for them", test);

const canDetach = "transfer" in ArrayBuffer.prototype;

const detaching = unless(!canDetach && "this runtime cannot detach buffers", test);

test("chunks() covers the bytes in order, without a copy; the last may be shorter", () => {
  using mm = MMap.open(newFile("abcdefgh"), { access: "write" });
  mm.seek(3);
  assert.equal([...mm.chunks(3)].map(text), ["abc", "def", "gh"]);
  assert.equal([...mm.chunks(4)].map(text), ["abcd", "efgh"]);
  assert.equal([...mm.chunks(100)].map(text), ["abcdefgh"]);
  assert.is(mm.tell(), 3);
  for (const chunk of mm.chunks(3)) chunk[0] = 45;
  assert.is(mm.text(), "-bc-ef-h");
});

test("chunks() takes the bounds of a slice, at any alignment", () => {
  using mm = MMap.open(newFile("-abcdefgh"), { offset: 1 });
  assert.equal([...mm.chunks(3, 1)].map(text), ["bcd", "efg", "h"]);
  assert.equal([...mm.chunks(2, -5, -2)].map(text), ["de", "f"]);
  assert.equal([...mm.chunks(2, 5, 2)].map(text), []);
  assert.equal([...mm.chunks(5, -100, 100)].map(text), ["abcde", "fgh"]);
});

test("chunks() returns 1 MiB each by default", () => {
  using mm = MMap.anonymous(40 * 2 ** 20 + 5);
  const lengths = [...mm.chunks()].map(({ length }) => length);
  assert.equal(lengths, [...Array.from({ length: 40 }, () => 2 ** 20), 5]);
});

test("chunks() of all sizes agree with slice()", () => {
  const content = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31 + (index >>> 8)) & 255);
  using mm = MMap.open(newFile(content));
  for (const size of [1, 7, 4096, 33_333, 99_999, 100_000]) {
    let at = 0;
    for (const chunk of mm.chunks(size)) {
      const right = content.subarray(at, at + size);
      assert.is(chunk.length, right.length);
      assert.ok(
        chunk.every((byte, index) => byte === right[index]),
        `size ${size}, from ${at}`,
      );
      at += chunk.length;
    }
    assert.is(at, content.length);
  }
});

test("chunks() returns an iterator of the engine's kind, which break ends", () => {
  using mm = MMap.open(newFile("abcdef"));
  const iterator = mm.chunks(2);
  assert.is(iterator[Symbol.iterator](), iterator);
  const ofEngine = Object.getPrototypeOf(Object.getPrototypeOf([].values()));
  assert.ok(Object.prototype.isPrototypeOf.call(ofEngine, iterator));
  for (const chunk of iterator) {
    assert.is(text(chunk), "ab");
    break;
  }
  assert.equal(iterator.next(), { done: true, value: undefined });
});

test("chunks() names a wrong argument", () => {
  using mm = MMap.anonymous(10);
  const call = (...values: unknown[]) => mm.chunks(...(values as number[]));
  refuses(RangeError, () => call(0), "size", "0");
  refuses(RangeError, () => call(2 ** 50), "size", String(2 ** 50));
  refuses(TypeError, () => call("4096"), "size", '"4096"');
  refuses(TypeError, () => call(4, 0.5), "start", "0.5");
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => call());
});

detaching("close() and resize() detach every chunk that the program kept, and none is passed over", async () => {
  const mm = MMap.open(newFile(new Uint8Array(1_000_000).fill(97)), { access: "write" });
  // More buffers than are held strongly: each of these chunks has one.
  const kept: Uint8Array[] = [];
  for (let start = 0; start < 100; start++) kept.push(mm.chunks(1000, start * 1000).next().value as Uint8Array);
  await collectGarbage();
  assert.ok(kept.every((chunk) => chunk.length === 1000 && chunk[999] === 97));
  mm.resize(1_100_000);
  assert.ok(kept.every((chunk) => chunk.length === 0));
  const others = [...mm.chunks(1000)];
  await collectGarbage();
  mm.close();
  assert.ok(others.every((chunk) => chunk.length === 0));
});

test("chunks() goes on after a resize, ends where the map does, and throws after close()", () => {
  const mm = MMap.anonymous(100);
  mm.write("abcdefghij".repeat(10));
  const iterator = mm.chunks(10);
  assert.is(text(iterator.next().value), "abcdefghij");
  mm.resize(25);
  assert.is(text(iterator.next().value), "abcdefghij");
  assert.is(text(iterator.next().value), "abcde");
  assert.equal(iterator.next(), { done: true, value: undefined });
  const other = mm.chunks(1);
  other.next();
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => other.next());
  assert.equal(other.next(), { done: true, value: undefined });
});

guarded("chunks() reports that the chunk before had zeros in the place of lost bytes", () => {
  const source = `
    const path = file(8);
    using mm = MMap.open(path);
    const sums = [];
    const said = failure(() => {
      for (const chunk of mm.chunks(2 * PAGE)) {
        sums.push(sum(chunk) === 2 * PAGE * 97);
        if (sums.length === 1) cut(path, 2 * PAGE);
      }
    });
    const last = file(2);
    using other = MMap.open(last);
    const atEnd = failure(() => {
      for (const chunk of other.chunks(2 * PAGE)) {
        cut(last, PAGE);
        sums.push(sum(chunk) === PAGE * 97);
      }
    });
    print(sums, said, atEnd);
  `;
  assert.equal(printed(source), [[[true, false, true], TRUNCATED, TRUNCATED]]);
});

/** Why no buffer can be transferred here. */
const withoutTransfer = unless(!canDetach && "this runtime has no ArrayBuffer.prototype.transfer", test);

withoutTransfer("a chunk that was transferred keeps its memory, however many chunks follow it", () => {
  for (const when of ["during the walk", "after it"]) {
    const program = `
      import { readFileSync } from "node:fs";
      import process from "node:process";
      const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true));
      const owned = [];
      (() => {
        const mm = MMap.open(process.argv[2]);
        const early = process.argv[3] === "during the walk";
        const kept = [];
        let index = 0;
        for (let start = 0; start < 50; start++) {
          const { value } = mm.chunks(4096, start * 4096).next();
          if (start % 10 !== 0) continue;
          if (early) owned.push(new Uint8Array(value.buffer.transfer()));
          else kept.push(value);
        }
        while (kept.length > 0) owned.push(new Uint8Array(kept.pop().buffer.transfer()));
        mm.close();
      })();
      collect();
      // Other mappings would get the addresses, if they were free.
      for (let round = 0; round < 100; round++) MMap.anonymous(50 * 4096).bytes[0] = 1;
      console.log(owned.map((bytes) => bytes.length + ":" + bytes.every((byte) => byte === 97)).join());
    `;
    const path = newFile(new Uint8Array(50 * 4096).fill(97));
    const said = printedBy(program, { args: [path, when] });
    assert.is(said, Array.from({ length: 5 }, () => "4096:true").join(), when);
  }
});

test("chunks() keeps its map until it ends, and a chunk is readable while its map is garbage", () => {
  const program = `
    import process from "node:process";
    import { setTimeout } from "node:timers/promises";
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true));
    let count = 0;
    let last;
    for (const chunk of (() => MMap.open(process.argv[2]).chunks(100))()) {
      last = chunk;
      if (++count % 100 !== 0) continue;
      collect();
      await setTimeout(1);
    }
    for (let round = 0; round < 5; round++) {
      collect();
      await setTimeout(5);
    }
    console.log(count, last.length, last.every((byte) => byte === 97));
  `;
  assert.is(printedBy(program, { args: [newFile(new Uint8Array(100_000).fill(97))] }), "1000 100 true");
});

/** A sparse file of 1 TiB. */
function sparseFile(): string {
  const path = newPath();
  const fd = openSync(path, "w");
  ftruncateSync(fd, 2 ** 40);
  closeSync(fd);
  return path;
}

// What is kept mapped after the end of a map is in safety/retention.test.ts.
sparse("chunks() holds few buffers on its way through 1 TiB", async () => {
  const path = sparseFile();
  let made = 0;
  let collected = 0;
  const registry = new FinalizationRegistry<undefined>(() => collected++);
  const watched = (chunk: Uint8Array) => {
    registry.register(chunk.buffer, undefined);
    made++;
  };
  const walk = async () => {
    const mm = MMap.open(path);
    // Each chunk has a buffer. A part of the file is enough, and no byte is accessed: that would take a minute.
    const size = 2 ** 24;
    const part = [size, 2 ** 39, 2 ** 39 + 300 * size] as const;
    let most = 0;
    for (const chunk of mm.chunks(...part)) {
      watched(chunk);
      if (made % 100 !== 0) continue;
      await collectGarbage();
      most = Math.max(most, made - collected);
    }
    assert.is(made, 300);
    assert.ok(most <= 20, `${most} buffers were held`);
    // All at once, so that the engine collects none of them meanwhile.
    for (const chunk of mm.chunks(...part)) watched(chunk);
    await collectGarbage();
    assert.ok(made - collected <= 20, `${made - collected} buffers are held`);
    mm.close({ release: true });
  };
  await walk();
  holds(path, 0, 0);
});

unless(!("transfer" in ArrayBuffer.prototype) && "this runtime cannot transfer", test)(
  "chunks() gives nobody the memory of a chunk that was transferred long ago",
  () => {
    const printed = printedBy(
      `const collect = globalThis.gc ?? (() => Bun.gc(true));
       const mm = MMap.open(process.argv[2]);
       const next = () => mm.chunks(4096).next().value;
       const rest = async () => {
         for (let round = 0; round < 5; round++) {
           await new Promise((resolve) => setTimeout(resolve, 2));
           collect();
         }
       };
       const taken = (() => {
         const first = next().buffer;
         for (let round = 0; round < 20; round++) next();
         return first.transfer();
       })();
       await rest();
       mm.close();
       await rest();
       const others = Array.from({ length: 200 }, () => MMap.anonymous(65_536));
       for (const other of others) other.bytes.fill(83);
       const seen = new Set(new Uint8Array(taken));
       console.log([...seen].join(), taken.byteLength);`,
      { args: [newFile(new Uint8Array(65_536).fill(80))] },
    );
    assert.is(printed, "80 4096");
  },
);

test.run();
