import { closeSync, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { bytes, newPath, refuses, text, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("api/large");

const GiB = 2 ** 30;

const sparse = unless(WINDOWS && "files have no holes there unless each asks for them", test);

/** A sparse file with a word at its start, before its end, and around the place where 32-bit numbers end. */
function sparseFile(size: number): string {
  const path = newPath();
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  writeSync(fd, bytes("start\n"), 0, 6, 0);
  writeSync(fd, bytes("around"), 0, 6, 4 * GiB - 3);
  writeSync(fd, bytes("\nfar end"), 0, 8, size - 8);
  closeSync(fd);
  return path;
}

function bytesRefused(mm: MMap): void {
  try {
    assert.is(mm.bytes.length, mm.length);
    assert.is(mm.bytes[mm.length - 1], 100);
  } catch (error) {
    refuses(
      RangeError,
      () => {
        throw error;
      },
      "view()",
      String(mm.length),
    );
    refuses(RangeError, () => mm.buffer, "view()");
  }
}

for (const [name, size] of [
  ["16 GiB", 16 * GiB],
  ["1 TiB", 1024 * GiB],
] as const) {
  sparse(`read(), seek() and slice() work at the end of ${name}`, () => {
    const path = sparseFile(size);
    using mm = MMap.open(path);
    assert.is(mm.length, size);
    assert.is(mm.size(), size);
    assert.is(mm[size - 1], 100);
    assert.is(mm[-1], 100);
    assert.is(mm.at(size), undefined);
    assert.is(text(mm.slice(-8)), "\nfar end");
    assert.is(text(mm.slice(4 * GiB - 3, 4 * GiB + 3)), "around");
    assert.is(text(mm.slice(-1, -9, -1)), "dne raf\n");
    assert.is(mm.seek(-7, 2), size - 7);
    assert.is(text(mm.read(3)), "far");
    assert.is(mm.readByte(), 32);
    assert.is(text(mm.readline()), "end");
    mm.seek(0);
    assert.is(text(mm.readline()), "start\n");
  });

  sparse(`view() works at the end of ${name}`, () => {
    using mm = MMap.open(sparseFile(size));
    assert.is(text(mm.view(Uint8Array, size - 7)), "far end");
    assert.is(mm.view(Float64Array, size - 80, 10).length, 10);
    assert.is(mm.view(DataView, size - 3, 3).getUint8(2), 100);
    assert.is(text(mm.view(Uint8Array, 4 * GiB - 3, 6)), "around");
    assert.is(mm.view(Uint8Array, 2 * GiB, 3 * GiB)[2 * GiB], 117);
    bytesRefused(mm);
  });

  sparse(`find(), rfind(), search() and lines() work at the end of ${name}`, () => {
    using mm = MMap.open(sparseFile(size));
    assert.is(mm.rfind("far"), size - 7);
    assert.is(mm.rfind("d"), size - 1);
    assert.is(mm.find("far", -100), size - 7);
    assert.is(mm.find("around", 4 * GiB - GiB / 16), 4 * GiB - 3);
    assert.is(mm.rfind("start", 0, GiB / 64), 0);
    assert.is(mm.search(/f\w+/, -50)?.index, size - 7);
    assert.equal([...mm.lines(-8)].map(text), ["\n", "far end"]);
  });

  sparse(`write(), assign() and move() reach the end of a file of ${name}`, () => {
    const path = sparseFile(size);
    {
      using mm = MMap.open(path, { access: "write" });
      mm[-1] = 33;
      mm.seek(-8, 2);
      mm.write("-FAR");
      mm.move(size - 20, size - 8, 8);
      mm.assign("##", size - 12, size - 10);
      mm.flush(size - 100);
      mm.view(Uint8Array, size - 100, 1)[0] = 64;
    }
    using mm = MMap.open(path, { offset: size - 100 });
    assert.is(text(mm.slice(80)), "-FAR en!##\0\0-FAR en!");
    assert.is(mm[0], 64);
    assert.ok(statSync(path).blocks < 1000, "the file stays sparse");
  });
}

test("anonymous() maps 8 GiB to their end, and resize() cuts them", () => {
  using mm = MMap.anonymous(8 * GiB);
  mm[-1] = 7;
  mm[1000] = 8;
  assert.is(mm[8 * GiB - 1], 7);
  mm.resize(70_000);
  assert.is(mm[1000], 8);
});

unless(WINDOWS && "all of it is copied there, to disk; systems/windows-calls.test.ts has the calls", test)(
  "resize() grows an anonymous map of 8 GiB",
  () => {
    using mm = MMap.anonymous(8 * GiB);
    mm[-1] = 7;
    mm[1000] = 8;
    mm.resize(9 * GiB);
    assert.equal([mm[8 * GiB - 1], mm[1000], mm[-1]], [7, 8, 0]);
  },
);

const limit = process.versions.bun !== undefined || process.versions.node.startsWith("20.") ? 4 * GiB : 1024 * GiB;
const limited = unless(limit > 4 * GiB && "this runtime has ArrayBuffers of 1 TiB", sparse);

limited("bytes throws where the runtime has no ArrayBuffer of that length", () => {
  using mm = MMap.open(sparseFile(16 * GiB), { length: 4 * GiB + 1 });
  refuses(RangeError, () => mm.bytes, "view()", String(4 * GiB));
  refuses(RangeError, () => mm.buffer, "view()");
  refuses(RangeError, () => mm.view(Uint8Array), "length", String(4 * GiB));
  assert.is(mm.view(Uint8Array, 1).length, 4 * GiB);
});

test.run();
