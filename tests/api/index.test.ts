import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { newFile, refuses, text } from "../helpers/support.ts";

const test = suite("api/index");

const LETTERS = "abcdefghij";

test("mm[index] is a byte; a negative index counts from the end", () => {
  using mm = MMap.open(newFile(LETTERS));
  assert.is(mm[0], 97);
  assert.is(mm[9], 106);
  assert.is(mm[-1], 106);
  assert.is(mm[-10], 97);
});

test("mm[index] outside of the map throws, when read and when assigned", () => {
  using mm = MMap.anonymous(10);
  for (const index of [10, -11, 1e21, -1e21, 2 ** 53]) {
    refuses(RangeError, () => mm[index], "index", String(index));
    refuses(
      RangeError,
      () => {
        mm[index] = 1;
      },
      "index",
      String(index),
    );
  }
  for (const index of [1.5, Number.NaN, Number.POSITIVE_INFINITY, -0.5]) {
    refuses(TypeError, () => mm[index], "index", String(index));
    refuses(
      TypeError,
      () => {
        mm[index] = 1;
      },
      "index",
      String(index),
    );
  }
  assert.equal(Object.keys(mm), []);
});

test("mm[index] = value throws unless the value is a byte", () => {
  using mm = MMap.anonymous(4);
  for (const value of [256, -1, 1e300]) {
    refuses(
      RangeError,
      () => {
        mm[0] = value;
      },
      "value",
      String(value),
    );
  }
  for (const value of ["1", 1.5, undefined, null, 1n, {}, Number.NaN]) {
    refuses(
      TypeError,
      () => {
        mm[0] = value as number;
      },
      "value",
    );
  }
  assert.equal(mm.slice(), new Uint8Array(4));
});

test("at() returns undefined outside of the map", () => {
  using mm = MMap.open(newFile(LETTERS));
  assert.equal(
    [0, 9, -1, -10, 10, -11, 1e15].map((index) => mm.at(index)),
    [97, 106, 106, 97, undefined, undefined, undefined],
  );
  assert.is(mm.at(-0), 97);
});

test("slice() takes the bounds and steps of Python's slices", () => {
  using mm = MMap.open(newFile(LETTERS));
  const cases: [string, (number | undefined)?, (number | undefined)?, (number | undefined)?][] = [
    ["abcdefghij"],
    ["cdefghij", 2],
    ["cde", 2, 5],
    ["hij", -3],
    ["abcdefg", undefined, -3],
    ["", 5, 5],
    ["", 7, 3],
    ["abcdefghij", -100, 100],
    ["", 100],
    ["acegi", undefined, undefined, 2],
    ["bdf", 1, 7, 2],
    ["a", 0, 3, 100],
    ["jihgfedcba", undefined, undefined, -1],
    ["jhfdb", undefined, undefined, -2],
    ["edc", 4, 1, -1],
    ["ba", 1, undefined, -1],
    ["ba", 1, -100, -1],
    ["ji", 100, 7, -1],
    ["", 1, 4, -1],
    ["", 4, 1],
    ["j", -1, undefined, -100],
  ];
  for (const [expected, ...bounds] of cases) {
    assert.is(text(mm.slice(...bounds)), expected, `slice(${bounds.join(", ")})`);
  }
  refuses(RangeError, () => mm.slice(0, 5, 0), "step", "0");
});

test("slice() returns a copy", () => {
  using mm = MMap.anonymous(4);
  const copy = mm.slice();
  mm[0] = 1;
  assert.is(copy[0], 0);
  copy[1] = 1;
  assert.is(mm[1], 0);
});

test("[Symbol.iterator]() iterates over the bytes as numbers", () => {
  using mm = MMap.open(newFile(LETTERS));
  assert.is(String.fromCharCode(...mm), LETTERS);
  assert.equal(
    Array.from(mm),
    [...LETTERS].map((letter) => letter.charCodeAt(0)),
  );
});

test("[Symbol.iterator]() follows a resize and throws after close()", () => {
  using mm = MMap.anonymous(10);
  const shrunk = mm[Symbol.iterator]();
  for (let count = 0; count < 5; count++) shrunk.next();
  mm.resize(6);
  assert.is(shrunk.next().value, 0);
  assert.is(shrunk.next().done, true);
  const iterator = mm[Symbol.iterator]();
  iterator.next();
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => iterator.next());
});

test("mm.property behaves as on any object", () => {
  using mm = MMap.anonymous(4);
  const loose = mm as unknown as Record<string | symbol, unknown>;
  assert.is(loose.nothing, undefined);
  assert.is(loose.then, undefined);
  assert.type(loose.hasOwnProperty, "function");
  loose.mine = 1;
  assert.is(loose.mine, 1);
  assert.equal(Object.keys(mm), ["mine"]);
  assert.is(Object.prototype.toString.call(mm), "[object MMap]");
  // An object that only inherits from a map is no map.
  assert.is(Object.create(MMap.prototype)[3], undefined);
  assert.is((MMap.prototype as unknown as number[])[3], undefined);
});

test("mm[index] = byte writes it, also with a negative index", () => {
  using mm = MMap.anonymous(4);
  mm[0] = 1;
  mm[-1] = 9;
  mm[3 - 1] = 255;
  assert.equal([...mm], [1, 0, 255, 9]);
});

test.run();
