import { inspect } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapOptions } from "../../lib/mod.ts";
import { newFile, printedBy, refuses, text, thrown } from "../helpers/support.ts";

const test = suite("the map as an array");

const LETTERS = "abcdefghij";

test("an index gives a byte, a negative one counts from the end", () => {
  using mm = MMap.open(newFile(LETTERS));
  assert.is(mm[0], 97);
  assert.is(mm[9], 106);
  assert.is(mm[-1], 106);
  assert.is(mm[-10], 97);
});

test("an index outside of the map throws, for reading and for writing", () => {
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

test("an index takes bytes only", () => {
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

test("at gives undefined outside of the map", () => {
  using mm = MMap.open(newFile(LETTERS));
  assert.equal(
    [0, 9, -1, -10, 10, -11, 1e15].map((index) => mm.at(index)),
    [97, 106, 106, 97, undefined, undefined, undefined],
  );
  assert.is(mm.at(-0), 97);
});

test("slices are those of Python", () => {
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

test("a slice is a copy", () => {
  using mm = MMap.anonymous(4);
  const copy = mm.slice();
  mm[0] = 1;
  assert.is(copy[0], 0);
  copy[1] = 1;
  assert.is(mm[1], 0);
});

test("iterates over numbers", () => {
  using mm = MMap.open(newFile(LETTERS));
  assert.is(String.fromCharCode(...mm), LETTERS);
  assert.equal(
    Array.from(mm),
    [...LETTERS].map((letter) => letter.charCodeAt(0)),
  );
});

test("an iterator notices that the map was resized or closed", () => {
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

test("using closes the map at the end of its block", () => {
  let kept: MMap;
  {
    using mm = MMap.anonymous(10);
    kept = mm;
    assert.is(kept.closed, false);
  }
  assert.is(kept.closed, true);
});

test("everything throws on a closed map but what tells about it", () => {
  const mm = MMap.anonymous(10);
  const { bytes } = mm;
  mm.close();
  mm.close();
  mm[Symbol.dispose]();
  assert.is(mm.closed, true);
  assert.is(mm.access, "default");
  assert.is(mm.offset, 0);
  assert.is(mm.fd, -1);
  const calls: Record<string, () => unknown> = {
    length: () => mm.length,
    index: () => mm[0],
    assignIndex: () => {
      mm[0] = 1;
    },
    at: () => mm.at(0),
    slice: () => mm.slice(),
    assign: () => mm.assign("0123456789"),
    iterate: () => [...mm],
    bytes: () => mm.bytes,
    buffer: () => mm.buffer,
    view: () => mm.view(Uint8Array),
    read: () => mm.read(),
    readByte: () => mm.readByte(),
    readline: () => mm.readline(),
    lines: () => mm.lines(),
    write: () => mm.write(""),
    writeByte: () => mm.writeByte(1),
    seek: () => mm.seek(0),
    tell: () => mm.tell(),
    seekable: () => mm.seekable(),
    find: () => mm.find("a"),
    rfind: () => mm.rfind("a"),
    search: () => mm.search(/a/),
    matchAll: () => mm.matchAll(/a/),
    move: () => mm.move(0, 0, 0),
    resize: () => mm.resize(10),
    size: () => mm.size(),
    flush: () => mm.flush(),
    madvise: () => mm.madvise(0),
    lock: () => mm.lock(),
    unlock: () => mm.unlock(),
    residency: () => mm.residency(),
    prefault: () => mm.prefault(),
  };
  for (const [name, call] of Object.entries(calls)) {
    refuses("ERR_MMAP_CLOSED", call, "closed");
    assert.ok(name);
  }
  assert.instance(bytes, Uint8Array);
});

test("an error has only what is known of it", () => {
  const mm = MMap.anonymous(1);
  mm.close();
  assert.equal(Object.keys(thrown(() => mm.length)).sort(), ["code", "name"]);
});

test("a subclass is a map of its own class, with open and anonymous", () => {
  class Words extends MMap {
    readonly made = "words";
    constructor(fd: number, length: number, options?: MMapOptions) {
      super(fd, length, { access: "read", ...options });
    }
    word(index: number): string {
      return text(this.slice()).split(" ")[index] ?? "";
    }
    override get length(): number {
      return super.length;
    }
  }
  using words = Words.open(newFile("one two three"));
  assert.instance(words, Words);
  assert.is(words.word(1), "two");
  assert.is(words.made, "words");
  assert.is(words[0], 111);
  assert.is(words[-1], 101);
  using anonymous = Words.anonymous(4);
  assert.instance(anonymous, Words);
  assert.instance(anonymous, MMap);
  assert.instance(anonymous, Object);
});

test("other properties behave as those of any object", () => {
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

test("inspecting prints one line: closed, access, length, pos, offset", () => {
  const mm = MMap.open(newFile(LETTERS), { offset: 2 });
  mm.seek(3);
  assert.is(inspect(mm), 'MMap { closed: false, access: "read", length: 8, pos: 3, offset: 2 }');
  mm.close();
  assert.is(inspect(mm), 'MMap { closed: true, access: "read" }');
});

test("inspecting names the class that a map is of, and calls nothing of it", () => {
  const rest = ' { closed: false, access: "default", length: 1, pos: 0, offset: 0 }';
  class Words extends MMap {}
  class Sentences extends Words {
    static override get name(): string {
      throw new Error("asked for its name");
    }
  }
  for (const [kind, name] of [
    [Words, "Words"],
    [Sentences, "Words"],
    [class extends MMap {}, "MMap"],
  ] as const) {
    using mm = kind.anonymous(1);
    assert.is(inspect(mm), `${name}${rest}`);
  }
  using changed = Words.anonymous(1);
  Object.setPrototypeOf(changed, Object.create(MMap.prototype, { constructor: { get: () => assert.unreachable() } }));
  // Not by inspect, which asks for the constructor itself.
  const describe = Reflect.get(changed, Symbol.for("nodejs.util.inspect.custom")) as () => string;
  assert.is(describe.call(changed), `MMap${rest}`);
});

test("console.log prints that line", () => {
  const printed = printedBy("const mm = MMap.anonymous(10); console.log(mm); mm.close(); console.log(mm);");
  assert.is(
    printed,
    'MMap { closed: false, access: "default", length: 10, pos: 0, offset: 0 }\nMMap { closed: true, access: "default" }',
  );
});

test.run();
