/**
 * Maps of empty files, which `open` makes in every access mode, and every method on them.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MADV_NORMAL, MMap, type OpenOptions, SEEK_END } from "../../lib/mod.ts";
import {
  holds,
  newFile,
  newPath,
  refuses,
  resources,
  text,
  unless,
  WINDOWS,
  withoutDescriptors,
} from "../helpers/support.ts";

const test = suite("api/empty");

const MODES: OpenOptions[] = [
  {},
  { access: "read" },
  { access: "write" },
  { access: "copy" },
  { access: "default" },
  { create: true },
  { access: "write", trackfd: false },
  { access: "read", guard: false },
];

test("open() of an empty file makes an empty map, and maps nothing", () => {
  for (const options of MODES) {
    const path = newFile("");
    const mm = MMap.open(path, options);
    assert.equal([mm.length, mm.offset, mm.closed, mm.guarded, mm.faults], [0, 0, false, false, 0]);
    holds(path, 0, options.trackfd === false ? 0 : 1);
    mm.close();
    assert.is(mm.closed, true);
    holds(path, 0, 0);
    assert.is(statSync(path).size, 0);
  }
});

test("every read of an empty map finds nothing", () => {
  for (const options of MODES) {
    using mm = MMap.open(newFile(""), options);
    const { bytes } = mm;
    assert.instance(bytes, Uint8Array);
    assert.equal([bytes.length, mm.bytes === bytes, mm.buffer.byteLength], [0, true, 0]);
    assert.equal(
      [mm.view(Uint8Array).length, mm.view(Float64Array, 0, 0).length, mm.view(DataView).byteLength],
      [0, 0, 0],
    );
    refuses(RangeError, () => mm.view(Uint8Array, 0, 1), "length");
    refuses(RangeError, () => mm.view(Uint8Array, 1), "byteOffset");
    refuses(RangeError, () => mm[0], "empty", "0");
    refuses(RangeError, () => mm[-1], "empty", "-1");
    assert.equal([mm.at(0), mm.at(-1)], [undefined, undefined]);
    assert.equal([[...mm], [...mm.lines()], [...mm.matchAll(/a/)]], [[], [], []]);
    for (const part of [mm.slice(), mm.slice(0, 5, 2), mm.slice(undefined, undefined, -1), mm.read(), mm.read(10)]) {
      assert.is(part.length, 0);
    }
    assert.is(mm.readline().length, 0);
    refuses(RangeError, () => mm.readByte(), "end");
    assert.equal([mm.find("a"), mm.rfind("a"), mm.find(""), mm.rfind("")], [-1, -1, 0, 0]);
    assert.is(mm.search(/a/), undefined);
    assert.is(mm.search(/^$/)?.index, 0);
    assert.equal([mm.seek(0), mm.seek(0, SEEK_END), mm.tell(), mm.seekable()], [0, 0, 0, true]);
    refuses(RangeError, () => mm.seek(1), "pos");
    if (options.trackfd !== false) assert.is(mm.size(), 0);
  }
});

test("every write to an empty map has no room, or is none", () => {
  for (const options of MODES) {
    using mm = MMap.open(newFile(""), options);
    const read = options.access === "read" || (options.access === undefined && options.create !== true);
    const kind = read ? TypeError : RangeError;
    refuses(kind, () => mm.write("a"));
    refuses(kind, () => mm.writeByte(1));
    refuses(kind, () => mm.assign("a"));
    refuses(kind, () => mm.move(0, 0, 1));
    refuses(kind, () => {
      mm[0] = 1;
    });
    if (read) continue;
    assert.is(mm.write(""), 0);
    mm.assign("");
    mm.move(0, 0, 0);
  }
});

test("an empty map has no pages to flush, lock, advise or bring in", async () => {
  for (const options of MODES) {
    using mm = MMap.open(newFile(""), options);
    mm.flush();
    mm.flush(0, 0);
    await mm.flushAsync();
    await mm.prefaultAsync();
    mm.lock();
    mm.unlock();
    mm.prefault();
    if (MADV_NORMAL !== undefined) mm.madvise(MADV_NORMAL);
    refuses(RangeError, () => mm.flush(1), "offset");
    refuses(RangeError, () => mm.lock(1), "start");
  }
});

unless(WINDOWS && "Windows has no mincore", test)("residency() of an empty map has no pages", () => {
  using mm = MMap.open(newFile(""));
  assert.equal(mm.residency(), { pages: new Uint8Array(0), resident: 0 });
});

test("resize() makes an empty map longer, and its file, if it is writable", () => {
  for (const options of MODES.filter(({ access, create }) => access === "write" || access === "default" || create)) {
    if (options.trackfd === false) continue;
    const path = newFile("");
    {
      using mm = MMap.open(path, options);
      const { bytes } = mm;
      mm.resize(10_000);
      assert.equal([mm.length, mm.size(), bytes.length, mm.bytes.length], [10_000, 10_000, 0, 10_000]);
      mm.write("grown");
      mm.resize(5);
      mm.flush();
    }
    assert.is(readFileSync(path, "latin1"), "grown");
  }
  for (const access of ["read", "copy"] as const) {
    using mm = MMap.open(newFile(""), { access });
    refuses(TypeError, () => mm.resize(10), "cannot be resized");
  }
});

test("an empty map is inspected, and closed twice, like any other; afterwards it throws", () => {
  const path = newFile("");
  const mm = MMap.open(path);
  const before = resources();
  for (let round = 0; round < 50; round++) {
    const other = MMap.open(path);
    other.close();
    other.close();
  }
  holds(path, 0, 1);
  // Of the whole process, which opens and maps a few of its own meanwhile.
  const after = resources();
  assert.ok(
    after.descriptors < before.descriptors + 25,
    `${before.descriptors} descriptors, then ${after.descriptors}`,
  );
  assert.ok(after.maps < before.maps + 25, `${before.maps} mappings, then ${after.maps}`);
  mm.close({ release: true });
  for (const call of [() => mm.length, () => mm.bytes, () => mm.find("a"), () => mm.read(), () => mm.flush()]) {
    refuses("ERR_MMAP_CLOSED", call);
  }
});

test("a class of the user's own can be opened on an empty file, if it passes on its arguments", () => {
  class Words extends MMap {}
  class Own extends MMap {
    constructor(...parameters: ConstructorParameters<typeof MMap>) {
      super(...parameters);
    }
  }
  for (const Class of [Words, Own]) {
    const path = newFile("");
    using mm = Class.open(path, { access: "write" });
    assert.instance(mm, Class);
    assert.is(mm.length, 0);
    mm.resize(3);
    assert.is(mm.write("abc"), 3);
  }
  class Short extends MMap {
    constructor(fd: number, length: number) {
      super(fd, length);
    }
  }
  refuses(RangeError, () => Short.open(newFile(""), { access: "write" }), "the file is empty");
});

unless(withoutDescriptors, test)("new MMap() refuses the descriptor of an empty file, as Python does", () => {
  const path = newFile("");
  const fd = openSync(path, "r+");
  refuses(RangeError, () => new MMap(fd, 0), "the file is empty", "nothing to map", "MMap.open()");
  refuses(RangeError, () => new MMap(fd, 1, { access: "read" }), "length");
  closeSync(fd);
  holds(path, 0, 0);
});

test("open() with create needs a length for a new file, and none for an empty one", () => {
  const path = newPath();
  refuses(RangeError, () => MMap.open(path, { create: true }), "length");
  const empty = newFile("");
  using mm = MMap.open(empty, { create: true, length: 4 });
  assert.is(text(mm.slice()), "\0\0\0\0");
});

test.run();
