import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { modeAdvice, pathOf } from "../../lib/options.ts";
import { boolean, bound, byte, bytesOf, integer, oneOf, regExpOf, slice } from "../../lib/validate.ts";
import { refuses, text, thrown } from "../helpers/support.ts";

const test = suite("units/validate");

test("integer() returns integers of the range, both ends included", () => {
  for (const value of [-3, 0, 5]) assert.is(integer("n", value, -3, 5), value);
  refuses(RangeError, () => integer("n", -4, -3, 5), "n must be from -3 to 5: got -4");
  refuses(RangeError, () => integer("n", 6, -3, 5), "n must be from -3 to 5: got 6");
  for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", 1n, null, undefined, {}]) {
    refuses(TypeError, () => integer("n", value, -3, 5), "n must be an integer: got");
  }
});

test("integer() returns 0 for -0", () => {
  assert.ok(Object.is(integer("n", -0, -1, 1), 0));
  assert.ok(Object.is(bound("n", -0, 5, 3), 0));
});

test("byte() takes 0 to 255", () => {
  assert.equal([byte("b", 0), byte("b", 255)], [0, 255]);
  for (const value of [-1, 256]) refuses(RangeError, () => byte("b", value), "from 0 to 255");
});

test("boolean() takes true and false alone", () => {
  assert.equal([boolean("b", true), boolean("b", false)], [true, false]);
  for (const value of [0, 1, "", "true", null, undefined, {}]) {
    refuses(TypeError, () => boolean("b", value), "b must be true or false: got");
  }
});

test("oneOf() takes the strings of the list alone, and names them", () => {
  assert.is(oneOf("o", "two", ["one", "two"]), "two");
  for (const value of ["three", "", 1, undefined, null]) {
    refuses(TypeError, () => oneOf("o", value, ["one", "two"]), 'o must be one of "one", "two": got');
  }
});

test("bound() counts negative bounds from the end, and clamps", () => {
  const cases: [value: number | undefined, expected: number][] = [
    ...([undefined, 3] as const).map((value): [number | undefined, number] => [value, value ?? 99]),
    [0, 0],
    [4, 4],
    [5, 5],
    [6, 5],
    [1e300, 5],
    [-1, 4],
    [-5, 0],
    [-6, 0],
    [-1e300, 0],
  ];
  for (const [value, expected] of cases) assert.is(bound("n", value, 5, 99), expected, String(value));
  refuses(TypeError, () => bound("n", null, 5, 0), "n must be an integer");
});

/** The elements that a slice has by its definition. */
function elementsOf(start: number | undefined, end: number | undefined, step: number | undefined, length: number) {
  const by = step ?? 1;
  const edge = (value: number | undefined, absent: number) =>
    value === undefined ? absent : value < 0 ? value + length : value;
  const [from, to] = by > 0 ? [edge(start, 0), edge(end, length)] : [edge(start, length - 1), edge(end, -1)];
  const first = by > 0 ? Math.max(from, 0) : Math.min(from, length - 1);
  const elements: number[] = [];
  for (let at = first; by > 0 ? at < Math.min(to, length) : at > Math.max(to, -1); at += by) elements.push(at);
  return elements;
}

test("slice() has the elements of Python's slices, for every bound and step around a length", () => {
  const bounds = [undefined, -7, -6, -5, -4, -1, 0, 1, 4, 5, 6, 7];
  for (const length of [0, 1, 5]) {
    for (const start of bounds) {
      for (const end of bounds) {
        for (const step of [undefined, 1, 2, 3, 7, -1, -2, -3, -7]) {
          const { start: first, step: by, count } = slice(start, end, step, length);
          const elements = Array.from({ length: count }, (_, index) => first + index * by);
          assert.equal(elements, elementsOf(start, end, step, length), `slice(${[start, end, step]}) of ${length}`);
        }
      }
    }
  }
});

test("slice() names the argument that is wrong", () => {
  refuses(RangeError, () => slice(0, 1, 0, 5), "step must not be zero");
  refuses(TypeError, () => slice(0, 1, 0.5, 5), "step must be an integer");
  for (const step of [1, -1]) {
    refuses(TypeError, () => slice("0", 1, step, 5), "start must be an integer");
    refuses(TypeError, () => slice(0, "1", step, 5), "end must be an integer");
  }
});

test("bytesOf() returns the bytes of strings, buffers and views, without a copy", () => {
  assert.is(text(bytesOf("b", "é€")), "é€");
  const { buffer } = Uint8Array.of(97, 98, 99, 100, 101, 102, 103, 104);
  assert.is(bytesOf("b", buffer).buffer, buffer);
  assert.is(text(bytesOf("b", buffer)), "abcdefgh");
  for (const [view, expected] of [
    [new Uint8Array(buffer, 1, 3), "bcd"],
    [new DataView(buffer, 2, 3), "cde"],
    [new Uint16Array(buffer, 2, 2), "cdef"],
    [new Float64Array(buffer), "abcdefgh"],
    [new Uint8Array(buffer, 8), ""],
  ] as const) {
    const bytes = bytesOf("b", view);
    assert.is(bytes.constructor, Uint8Array);
    assert.is(bytes.buffer, buffer);
    assert.is(text(bytes), expected);
  }
});

test("bytesOf() refuses what holds no bytes, and what was transferred away", () => {
  for (const value of [undefined, null, 1, [1, 2], {}, { byteLength: 3 }, Object.create(ArrayBuffer.prototype)]) {
    refuses(TypeError, () => bytesOf("b", value), "b must be a string, an ArrayBuffer or a view of one: got");
  }
  const array = new Uint8Array(8);
  const view = new DataView(array.buffer);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  for (const value of [array, view, array.buffer]) {
    refuses(TypeError, () => bytesOf("b", value), "b must not be detached");
  }
});

test("bytesOf() says what to do with a value that is no bytes", () => {
  const advice = (value: unknown) => /; (.*)$/.exec(thrown(() => bytesOf("b", value)).message)?.[1];
  assert.is(advice(/a/), "search() and matchAll() take a RegExp");
  assert.is(advice(7), "Uint8Array.of() makes bytes of numbers, and writeByte() writes one");
  assert.is(advice([7]), "Uint8Array.from() makes bytes of an array of numbers");
  assert.is(advice(new SharedArrayBuffer(1)), "pass a Uint8Array over it");
  for (const value of [null, undefined, true, 1n, {}, () => 1, new Date(0)]) assert.is(advice(value), undefined);
});

test("regExpOf() returns what the engine knows of a RegExp, and takes nothing else", () => {
  assert.equal(regExpOf("p", /a.b/gi), { source: "a.b", flags: "gi" });
  class Lying extends RegExp {
    override get source(): string {
      return "x";
    }
    override get flags(): string {
      return "y";
    }
  }
  assert.equal(regExpOf("p", new Lying("a", "m")), { source: "a", flags: "m" });
  assert.is(thrown(() => regExpOf("p", "a")).message, 'p must be a RegExp: got "a"; find() takes a string');
  for (const value of [undefined, null, 1, {}, Object.create(RegExp.prototype)]) {
    assert.not.match(thrown(() => regExpOf("p", value)).message, /find\(\)/);
  }
});

test("modeAdvice() says which access stands for a mode of node:fs", () => {
  const accesses: [modes: string[], access: string][] = [
    [["r"], '"read"'],
    [["c"], '"copy"'],
    [["r+", "w", "w+", "a", "a+", "wx", "wx+", "ax"], '"write"'],
  ];
  for (const [modes, access] of accesses) {
    for (const mode of modes) assert.is(modeAdvice(mode), `; did you mean access: ${access}?`, mode);
  }
  for (const mode of ["", "rw", "x+r", 0, undefined, "read"]) assert.is(modeAdvice(mode), "", String(mode));
});

test("pathOf() takes strings and whatever has the properties of a file URL", () => {
  assert.is(pathOf("a/b"), "a/b");
  assert.is(pathOf(pathToFileURL(resolve("a b"))), resolve("a b"));
  assert.is(pathOf({ href: pathToFileURL(resolve("c")).href, protocol: "file:" }), resolve("c"));
  for (const value of [
    { href: "file:///c" },
    { protocol: "file:" },
    {},
    { href: 1, protocol: "file:" },
    null,
    undefined,
  ]) {
    refuses(TypeError, () => pathOf(value), "path must be a string or a file URL: got");
  }
  refuses(
    TypeError,
    () => pathOf(new URL("http://localhost/")),
    "path must be a string or a file URL",
    "http://localhost/",
  );
  refuses(TypeError, () => pathOf(3), "new MMap(fd, length) maps an open file by its descriptor");
});

test.run();
