import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapOptions, type OpenOptions } from "../../lib/mod.ts";
import { holds, newFile, newPath, refuses, text, thrown, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("api/errors");

type Kind = typeof TypeError | typeof RangeError;

type Wrong = [value: unknown, kind: Kind, shown: string];

/** An object that no conversion may be tried on. */
const trap = {
  valueOf: () => assert.unreachable("valueOf was called"),
  toString: () => assert.unreachable("toString was called"),
};

const NOT_INTEGERS: Wrong[] = [
  ["1", TypeError, '"1"'],
  [1n, TypeError, "1n"],
  [true, TypeError, "true"],
  [null, TypeError, "null"],
  [{}, TypeError, "an object"],
  [[1], TypeError, "an array"],
  [trap, TypeError, "an object"],
  [() => 1, TypeError, "a function"],
  [Symbol("one"), TypeError, "Symbol(one)"],
  [1.5, TypeError, "1.5"],
  [Number.NaN, TypeError, "NaN"],
  [Number.POSITIVE_INFINITY, TypeError, "Infinity"],
  [Number.NEGATIVE_INFINITY, TypeError, "-Infinity"],
];

const MISSING: Wrong = [undefined, TypeError, "undefined"];

const outOfRange = (...values: number[]): Wrong[] => values.map((value) => [value, RangeError, String(value)]);

const HUGE = outOfRange(2 ** 53, 1e300, -(2 ** 53), -1e300);

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function detachedView(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

const NOT_BYTES: Wrong[] = [
  MISSING,
  [null, TypeError, "null"],
  [1, TypeError, "1"],
  [1n, TypeError, "1n"],
  [true, TypeError, "true"],
  [{}, TypeError, "an object"],
  [{ length: 1, 0: 1 }, TypeError, "an object"],
  [[1, 2], TypeError, "an array"],
  [trap, TypeError, "an object"],
  [detached(), TypeError, "transferred"],
  [detachedView(), TypeError, "transferred"],
];

const CONTENT = "content of the map\nand more";

const LENGTH = CONTENT.length;

/** Each method's argument: its name, how to pass a value for it, and what is wrong. */
const CASES: [method: string, argument: string, call: (mm: MMap, value: never) => unknown, wrong: Wrong[]][] = [
  ["at", "index", (mm, value) => mm.at(value), [MISSING, ...NOT_INTEGERS, ...HUGE]],
  ["slice", "start", (mm, value) => mm.slice(value), NOT_INTEGERS],
  ["slice", "end", (mm, value) => mm.slice(0, value), NOT_INTEGERS],
  ["slice", "step", (mm, value) => mm.slice(0, 5, value), [...NOT_INTEGERS, ...outOfRange(0)]],
  ["assign", "bytes", (mm, value) => mm.assign(value), NOT_BYTES],
  ["assign", "start", (mm, value) => mm.assign("x", value), NOT_INTEGERS],
  ["assign", "end", (mm, value) => mm.assign("x", 0, value), NOT_INTEGERS],
  ["assign", "step", (mm, value) => mm.assign("x", 0, 1, value), [...NOT_INTEGERS, ...outOfRange(0)]],
  ["read", "n", (mm, value) => mm.read(value), [...NOT_INTEGERS.filter(([value]) => value !== null), ...HUGE]],
  ["lines", "start", (mm, value) => mm.lines(value), NOT_INTEGERS],
  ["lines", "end", (mm, value) => mm.lines(0, value), NOT_INTEGERS],
  ["write", "bytes", (mm, value) => mm.write(value), NOT_BYTES],
  [
    "writeByte",
    "value",
    (mm, value) => mm.writeByte(value),
    [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, 256)],
  ],
  ["seek", "pos", (mm, value) => mm.seek(value), [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
  ["seek", "whence", (mm, value) => mm.seek(0, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, 3)]],
  ["find", "sub", (mm, value) => mm.find(value), NOT_BYTES],
  ["find", "start", (mm, value) => mm.find("x", value), NOT_INTEGERS],
  ["find", "end", (mm, value) => mm.find("x", 0, value), NOT_INTEGERS],
  ["rfind", "sub", (mm, value) => mm.rfind(value), NOT_BYTES],
  ["rfind", "start", (mm, value) => mm.rfind("x", value), NOT_INTEGERS],
  ["rfind", "end", (mm, value) => mm.rfind("x", 0, value), NOT_INTEGERS],
  [
    "search",
    "pattern",
    (mm, value) => mm.search(value),
    [MISSING, ["a", TypeError, '"a"'], [null, TypeError, "null"], [{ source: "a", flags: "" }, TypeError, "an object"]],
  ],
  ["search", "start", (mm, value) => mm.search(/a/, value), NOT_INTEGERS],
  ["matchAll", "pattern", (mm, value) => mm.matchAll(value), [MISSING, ["a", TypeError, '"a"'], [1, TypeError, "1"]]],
  ["matchAll", "end", (mm, value) => mm.matchAll(/a/, 0, value), NOT_INTEGERS],
  ["move", "dest", (mm, value) => mm.move(value, 0, 1), [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH)]],
  ["move", "src", (mm, value) => mm.move(0, value, 1), [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH)]],
  [
    "move",
    "count",
    (mm, value) => mm.move(0, 0, value),
    [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)],
  ],
  ["resize", "newSize", (mm, value) => mm.resize(value), [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(0, -1)]],
  ["flush", "offset", (mm, value) => mm.flush(value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
  ["flush", "size", (mm, value) => mm.flush(0, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
  [
    "madvise",
    "option",
    (mm, value) => mm.madvise(value),
    [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, 99_999)],
  ],
  ["madvise", "start", (mm, value) => mm.madvise(0, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH, 1)]],
  ["madvise", "length", (mm, value) => mm.madvise(0, 0, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1)]],
  ["lock", "start", (mm, value) => mm.lock(value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
  ["lock", "length", (mm, value) => mm.lock(1, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH)]],
  ["unlock", "start", (mm, value) => mm.unlock(value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
  ["unlock", "length", (mm, value) => mm.unlock(1, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH)]],
  ["residency", "start", (mm, value) => mm.residency(value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
  ["residency", "length", (mm, value) => mm.residency(1, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH)]],
  ["prefault", "start", (mm, value) => mm.prefault(value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
  ["prefault", "length", (mm, value) => mm.prefault(1, value), [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH)]],
  [
    "prefault",
    "options",
    (mm, value) => mm.prefault(0, 1, value),
    [
      [null, TypeError, "null"],
      [1, TypeError, "1"],
      [true, TypeError, "true"],
    ],
  ],
  [
    "prefault",
    "write",
    (mm, value) => mm.prefault(0, 1, { write: value }),
    [
      [1, TypeError, "1"],
      ["", TypeError, '""'],
      [null, TypeError, "null"],
    ],
  ],
  [
    "view",
    "type",
    (mm, value) => mm.view(value),
    [
      MISSING,
      ["Uint8Array", TypeError, '"Uint8Array"'],
      [Array, TypeError, "a function"],
      [{}, TypeError, "an object"],
    ],
  ],
  [
    "view",
    "byteOffset",
    (mm, value) => mm.view(Uint8Array, value),
    [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)],
  ],
  [
    "view",
    "length",
    (mm, value) => mm.view(Uint8Array, 0, value),
    [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)],
  ],
  ["index", "index", (mm, value) => mm[value], [[1.5, TypeError, "1.5"], ...outOfRange(LENGTH, -LENGTH - 1, 2 ** 53)]],
  [
    "index assignment",
    "value",
    (mm, value) => {
      mm[0] = value;
    },
    [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, 256)],
  ],
];

for (const [method, argument, call, wrong] of CASES) {
  test(`${method}() refuses a wrong ${argument}, and changes nothing`, () => {
    const path = newFile(CONTENT);
    using mm = MMap.open(path, { access: "write" });
    mm.seek(5);
    for (const [value, kind, shown] of wrong) {
      refuses(kind, () => call(mm, value as never), argument, shown);
      assert.equal([mm.length, mm.tell(), mm.size(), mm.closed], [LENGTH, 5, LENGTH, false]);
    }
    assert.is(text(mm.slice()), CONTENT);
    assert.is(readFileSync(path, "latin1"), CONTENT);
  });
}

const OPTIONS: [option: keyof MMapOptions, wrong: Wrong[]][] = [
  ["access", [...NOT_INTEGERS.filter(([value]) => value !== "1"), ["reed", TypeError, '"reed"'], [0, TypeError, "0"]]],
  ["flags", [...NOT_INTEGERS, ...HUGE, ...outOfRange(2 ** 32, -(2 ** 31) - 1)]],
  ["prot", [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, 2 ** 31)]],
  ["offset", [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH)]],
  [
    "tagname",
    [
      [1, TypeError, "1"],
      [null, TypeError, "null"],
      ["name", TypeError, '"name"'],
    ],
  ],
  [
    "trackfd",
    [
      [1, TypeError, "1"],
      ["", TypeError, '""'],
      [null, TypeError, "null"],
    ],
  ],
  [
    "guard",
    [
      [1, TypeError, "1"],
      ["", TypeError, '""'],
      [null, TypeError, "null"],
    ],
  ],
];

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "it is about POSIX's flags, prot, tagname or errors", test);

for (const [option, wrong] of OPTIONS) {
  posix(`new MMap() and open() refuse a wrong option ${option}`, () => {
    const path = newFile(CONTENT);
    const fd = openSync(path, "r+");
    for (const [value, kind, shown] of wrong) {
      const options = { [option]: value } as MMapOptions;
      refuses(kind, () => new MMap(fd, 0, options), option, shown);
      refuses(kind, () => MMap.open(path, options), option, shown);
    }
    holds(path, 0, 1);
    closeSync(fd);
  });
}

posix("new MMap() and anonymous() refuse a wrong fd, length or options", () => {
  const path = newFile(CONTENT);
  const fd = openSync(path, "r+");
  for (const [value, kind, shown] of [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-2, 2 ** 31)]) {
    refuses(kind, () => new MMap(value as number, 0), "fd", shown);
  }
  for (const [value, kind, shown] of [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]) {
    refuses(kind, () => new MMap(fd, value as number), "length", shown);
  }
  for (const value of [null, 1, "read", true])
    refuses(TypeError, () => new MMap(fd, 0, value as MMapOptions), "options");
  for (const [value, kind, shown] of [MISSING, ...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, 0)]) {
    refuses(kind, () => MMap.anonymous(value as number), "length", shown);
  }
  refuses("ENOMEM", () => MMap.anonymous(2 ** 52, { access: "copy" }), "mmap");
  assert.throws(() => (MMap as unknown as () => void)(), TypeError);
  holds(path, 0, 1);
  closeSync(fd);
});

posix("open() refuses a wrong path, length, create, mode or options", () => {
  const path = newFile(CONTENT);
  for (const value of [undefined, null, 1, {}, trap, ["x"], Symbol("x"), new Uint8Array(3)]) {
    refuses(TypeError, () => MMap.open(value as string), "path");
  }
  assert.throws(() => MMap.open(new URL("http://localhost/")), TypeError);
  assert.throws(() => MMap.open("a\0b"), "null bytes");
  refuses("ENOENT", () => MMap.open(""), "open");
  refuses("ENAMETOOLONG", () => MMap.open("x".repeat(5000)));
  const wrong: [keyof OpenOptions, Wrong[]][] = [
    ["length", [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, LENGTH + 1)]],
    [
      "create",
      [
        [1, TypeError, "1"],
        ["yes", TypeError, '"yes"'],
        [null, TypeError, "null"],
      ],
    ],
    ["mode", [...NOT_INTEGERS, ...HUGE, ...outOfRange(-1, 0o10000)]],
  ];
  for (const [option, values] of wrong) {
    for (const [value, kind, shown] of values) refuses(kind, () => MMap.open(path, { [option]: value }), option, shown);
  }
  for (const value of [null, 1, "write"]) refuses(TypeError, () => MMap.open(path, value as OpenOptions), "options");
  const missing = newPath();
  refuses(RangeError, () => MMap.open(missing, { create: true }), "length");
  refuses("ENOENT", () => MMap.open(missing), missing);
});

test("slice(), find() and read() clamp huge numbers", () => {
  using mm = MMap.open(newFile(CONTENT));
  assert.is(text(mm.slice(-1e300, 1e300)), CONTENT);
  assert.is(mm.find("more", -(2 ** 60), 2 ** 60), LENGTH - 4);
  assert.is(mm.slice(2 ** 60).length, 0);
  assert.is(text(mm.slice(0, 2 ** 60, 2 ** 60)), "c");
  assert.is(mm.read(Number.MAX_SAFE_INTEGER).length, LENGTH);
});

test("write() and find() take resizable and shared buffers, and measure arrays that lie about their length", () => {
  using mm = MMap.anonymous(100);
  const resizable = new ArrayBuffer(4, { maxByteLength: 100 } as never);
  assert.is(mm.write(resizable), 4);
  assert.is(mm.write(new Uint8Array(new SharedArrayBuffer(5))), 5);
  const liar = Uint8Array.of(1, 2, 3);
  Object.defineProperty(liar, "length", { value: 1000 });
  assert.is(mm.write(liar), 3);
  assert.is(mm.find(liar), 9);
  Object.defineProperty(liar, "byteLength", { value: 1000 });
  assert.is(mm.write(liar), 3);
  assert.is(mm.find(liar), 9);
  assert.is(mm.tell(), 15);
});

test("MMapError has no property whose value is unknown", () => {
  const mm = MMap.anonymous(1);
  mm.close();
  assert.equal(Object.keys(thrown(() => mm.length)).sort(), ["code", "name"]);
});

test("open() and resize() refuse reserve unless it is a boolean and the map is for writing", () => {
  const path = newFile("abc");
  refuses(TypeError, () => MMap.open(path, { reserve: true }), "reserve");
  refuses(TypeError, () => MMap.open(path, { access: "copy", reserve: true }), "reserve");
  refuses(TypeError, () => MMap.open(path, { access: "write", reserve: 1 as never }), "reserve", "1");
  using mm = MMap.open(path, { access: "write" });
  refuses(TypeError, () => mm.resize(5, { reserve: "yes" as never }), "reserve", '"yes"');
  refuses(TypeError, () => mm.resize(5, 1 as never), "options", "1");
  assert.is(mm.length, 3);
});

/** A case that needs the guard. */

test("open() refuses a guard that is not a boolean; guarded and faults throw after close()", () => {
  // @ts-expect-error
  refuses(TypeError, () => MMap.open(newFile("abc"), { guard: "yes" }), "guard", "yes");
  const mm = MMap.open(newFile("abc"));
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => mm.guarded);
  refuses("ERR_MMAP_CLOSED", () => mm.faults);
});

const UNMAPPABLE = "/sys/kernel/mm/transparent_hugepage/enabled";

unless(!existsSync(UNMAPPABLE) && `this system has no ${UNMAPPABLE}`, test)(
  "open() of a regular file that the system does not map says so",
  () => {
    refuses("ENODEV", () => MMap.open(UNMAPPABLE), "the file cannot be mapped", UNMAPPABLE);
  },
);

test("an error has advice about the descriptor's mode only where access was denied", () => {
  const { message } = thrown(() => MMap.anonymous(2 ** 52));
  assert.not.match(message, /"r\+"|"read"/);
});

test("options that are no object are named in the error", () => {
  for (const [value, shown] of [
    [null, "null"],
    [1, "1"],
    ["x", '"x"'],
    [true, "true"],
  ] as const) {
    const { message } = thrown(() => MMap.anonymous(1, value as never));
    assert.is(message, `options must be an object: got ${shown}`);
  }
  assert.match(thrown(() => MMap.anonymous(1, "write" as never)).message, /did you mean \{ access: "write" \}\?$/);
});

test("an error shows a plain object of another realm as one of this realm", () => {
  using mm = MMap.anonymous(1);
  const message = (value: unknown) => thrown(() => mm.seek(value as number)).message;
  assert.is(message(runInNewContext("({})")), message({}));
  assert.is(message(runInNewContext("new (class Words {})()")), message(new (class Words {})()));
});

test("an error shows the first hundred characters of a longer string", () => {
  const message = (value: string) => thrown(() => MMap.anonymous(1, { access: value as never })).message;
  assert.ok(message("x".repeat(100)).endsWith(`: got "${"x".repeat(100)}"`));
  assert.ok(message(`${"x".repeat(100)}y`).endsWith(`: got "${"x".repeat(100)}…"`));
});

test.run();
