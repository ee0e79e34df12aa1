import { Buffer, constants } from "node:buffer";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { builtins } from "../../ffi/builtins.ts";
import { MMap } from "../../lib/mod.ts";
import { Random } from "../fuzz/random.ts";
import { bytes, newFile, newPath, refuses, unless, WINDOWS } from "../helpers/support.ts";
import { printed, TRUNCATED, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("api/text");

const guarded = unless(UNGUARDED, test);

const sparse = unless(WINDOWS && "files have no holes there unless each asks for them", test);

/** The helpers, which the types of ES2022 do not have. */
interface IteratorHelpers extends Iterable<string> {
  filter(test: (line: string) => boolean): IteratorHelpers;
  map(change: (line: string) => string): IteratorHelpers;
  drop(count: number): IteratorHelpers;
  take(count: number): IteratorHelpers;
}

/** The lines of a text, by the words of the documentation. */
function linesOf(text: string): string[] {
  const lines = text.split("\n");
  const last = lines.pop();
  return [...lines.map((line) => line.replace(/\r$/, "")), ...(last === "" ? [] : [last as string])];
}

const UTF16 = (text: string, bigEndian = false): Uint8Array => {
  const buffer = Buffer.from(text, "utf16le");
  return bigEndian ? buffer.swap16() : buffer;
};

/** What has more than one byte in UTF-8: two, three and four. */
const WIDE = "ïéß€日本😀𝄞";

test("text() returns all bytes, or those of a slice, as UTF-8", () => {
  using mm = MMap.open(newFile("naïve café\n"));
  mm.seek(3);
  assert.is(mm.text(), "naïve café\n");
  assert.is(mm.text(7), "café\n");
  assert.is(mm.text(-6, -1), "café");
  assert.is(mm.text(-100, 100), "naïve café\n");
  assert.is(mm.text(5, 2), "");
  assert.is(mm.text(2, 3), "\ufffd");
  assert.is(mm.tell(), 3);
});

test("text() and textLines() agree with one TextDecoder where a character lies across two blocks", () => {
  // Each character at each of its places across the ends of the first, second and third block of each size.
  const ends = [1024, 5 * 1024, 21 * 1024, 64 * 1024, 85 * 1024, 128 * 1024, 149 * 1024];
  for (const [index, character] of [...WIDE].entries()) {
    for (let lead = 0; lead < 4; lead++) {
      let content = "";
      let length = 0;
      for (const end of ends) {
        const filler = "x".repeat(end - length - lead - 1);
        content += `${filler}\n${character}`;
        length += filler.length + 1 + bytes(character).length;
      }
      using mm = MMap.open(newFile(content));
      assert.ok(mm.text() === content, `text(): character ${index}, ${lead} bytes before the end`);
      assert.ok([...mm.textLines()].join("\n") === content, `textLines(): character ${index}, ${lead} bytes before`);
    }
  }
});

test("text() and textLines() agree with one TextDecoder on random and malformed bytes in every encoding", () => {
  const random = new Random(11);
  const parts = [...WIDE].map((character) => bytes(character));
  const pick = (): number[] => {
    const kind = random.below(12);
    if (kind === 0) return [10];
    if (kind === 1) return [13, 10];
    if (kind === 2) return [0xc0 + random.below(64), 0x80 + random.below(64)];
    if (kind === 3) return [0x80 + random.below(64)];
    if (kind === 4) return [random.below(256)];
    if (kind === 5) return [0xef, 0xbb, 0xbf];
    return kind < 9 ? [...(random.pick(parts) as Uint8Array)] : [97 + random.below(26)];
  };
  for (const encoding of [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "windows-1252",
    "latin1",
    "shift_jis",
    "gb18030",
    "euc-kr",
  ]) {
    const content = Uint8Array.from(Array.from({ length: 70_000 }, pick).flat());
    using mm = MMap.open(newFile(content));
    // In two steps, because Node 20 takes windows-1252 for Latin-1 in one.
    const decoder = new TextDecoder(encoding as never);
    const right = decoder.decode(content, { stream: true }) + decoder.decode();
    assert.ok(mm.text(0, undefined, encoding) === right, `text() in ${encoding}`);
    const lines = [...mm.textLines(0, undefined, encoding)];
    const wrong = linesOf(right).findIndex((line, index) => line !== lines[index]);
    assert.is(wrong, -1, `textLines() in ${encoding}: ${JSON.stringify(lines[wrong])}`);
    assert.is(lines.length, linesOf(right).length, encoding);
  }
});

// Bun and Deno decode the byte of a newline to U+FFFD then, as the standard of encodings says.
test("textLines() takes a newline in the middle of two-byte characters of ISO-2022-JP as TextDecoder does", () => {
  const random = new Random(12);
  const [ascii, wide] = [bytes("\x1b(B"), bytes("\x1b$B")];
  const pick = (): number[] => {
    const kind = random.below(1000);
    if (kind === 0) return [...ascii, 97, 10, 98, 13, 10, ...wide];
    return kind < 20 ? [10] : [0x24, 0x21 + random.below(80)];
  };
  const content = Uint8Array.from([...wide, ...Array.from({ length: 100_000 }, pick).flat()]);
  for (const end of [2000, content.length]) {
    using mm = MMap.open(newFile(content.subarray(0, end)));
    const right = linesOf(new TextDecoder("iso-2022-jp" as never).decode(content.subarray(0, end)));
    assert.equal([...mm.textLines(0, undefined, "iso-2022-jp")], right);
  }
});

test("text() and textLines() agree with one TextDecoder on blocks of ASCII, of Latin-1, of wider and of malformed bytes", () => {
  const kinds = ["plain", "größe", "größe 日本😀", "\ufeffß"].map((word) => bytes(`${word}\n`.repeat(200_000)));
  const malformed = Uint8Array.of(...bytes("größe "), 0xc3, 10, 0xed, 0xa0, 0x80, 10);
  const content = Buffer.concat([...kinds.flatMap((kind) => [kind.subarray(0, 2e5 + 1), malformed]), bytes("ende")]);
  using mm = MMap.open(newFile(content));
  const right = new TextDecoder().decode(content);
  assert.ok(mm.text() === right);
  assert.ok([...mm.textLines()].join("\n") === right);
});

test("text() and textLines() treat a byte order mark as TextDecoder does", () => {
  const marked = "\ufeff\ufeffone\n\ufefftwo\n";
  using mm = MMap.open(newFile(marked));
  assert.is(mm.text(), "\ufeffone\n\ufefftwo\n");
  assert.is(mm.text(3), "one\n\ufefftwo\n");
  assert.equal([...mm.textLines()], ["\ufeffone", "\ufefftwo"]);
  // At the start of a block that is not the first.
  const long = `${"x".repeat(1023)}\n\ufeff${"y".repeat(70_000)}\n\ufeffz`;
  using other = MMap.open(newFile(long));
  assert.ok(other.text() === long);
  assert.equal([...other.textLines()], long.split("\n"));
  for (const bigEndian of [false, true]) {
    using wide = MMap.open(newFile(UTF16(marked, bigEndian)));
    const encoding = bigEndian ? "utf-16be" : "utf-16le";
    assert.is(wide.text(0, undefined, encoding), "\ufeffone\n\ufefftwo\n");
    assert.equal([...wide.textLines(0, undefined, encoding)], ["\ufeffone", "\ufefftwo"]);
  }
});

test("textLines() finds newlines of UTF-16, and not bytes that look like one", () => {
  // The bytes 10 and 0 beside each other, as halves of two characters.
  const text = `Ċa\nਊ\u0a00\u000ab\r\n${"\u0a0aĊ".repeat(50_000)}\nend`;
  for (const bigEndian of [false, true]) {
    const path = newFile(UTF16(text, bigEndian));
    const encoding = bigEndian ? "utf-16be" : "utf-16";
    using mm = MMap.open(path);
    assert.ok(mm.text(0, undefined, encoding) === text);
    assert.equal([...mm.textLines(0, undefined, encoding)], linesOf(text));
    // An odd number of bytes ends with half a character.
    assert.is([...mm.textLines(0, -1, encoding)].at(-1), "en\ufffd");
  }
});

test("textLines() returns lines without their newlines, and the last if it has any characters", () => {
  const lines = (text: string) => {
    using mm = MMap.open(newFile(text));
    return [...mm.textLines()];
  };
  assert.equal(lines("one\n\ntwo\r\nthree"), ["one", "", "two", "three"]);
  assert.equal(lines("\n"), [""]);
  assert.equal(lines("\r\n\r\n"), ["", ""]);
  assert.equal(lines("one\rtwo\r\r\n\rthree\r"), ["one\rtwo\r", "\rthree\r"]);
  assert.equal(lines("one\n"), ["one"]);
  assert.equal(lines("one\n\ufeff"), ["one", "\ufeff"]);
});

test("textLines() takes the bounds of a slice and leaves the position alone", () => {
  using mm = MMap.open(newFile("one\ntwö\nthree\n"));
  mm.seek(5);
  assert.equal([...mm.textLines(1)], ["ne", "twö", "three"]);
  assert.equal([...mm.textLines(-6, -1)], ["three"]);
  assert.equal([...mm.textLines(4, 6)], ["tw"]);
  assert.equal([...mm.textLines(6, 4)], []);
  assert.equal([...mm.textLines(-100, 100)].length, 3);
  assert.is(mm.tell(), 5);
});

test("textLines() returns lines that are longer than a block whole", () => {
  const long = [200_000, 65_536, 65_535, 5, 1024, 1023, 300_001, 0, 131_072].map((length) => WIDE.repeat(length / 8));
  using mm = MMap.open(newFile(long.join("\r\n")));
  assert.equal(
    [...mm.textLines()].map(({ length }) => length),
    long.map(({ length }) => length),
  );
  assert.ok([...mm.textLines()].join() === long.join());
});

test("textLines() agrees with split() on files of many blocks", () => {
  for (const part of ["-", "é"]) {
    const content = Array.from({ length: 30_000 }, (_, index) => `${part.repeat(index % 97)}${index}`);
    using mm = MMap.open(newFile(content.join("\n")));
    assert.equal([...mm.textLines()], content);
  }
});

test("textLines() returns an iterator of the engine's kind, which break ends", () => {
  using mm = MMap.open(newFile("one\ntwo\nthree"));
  const iterator = mm.textLines();
  assert.is(iterator[Symbol.iterator](), iterator);
  const ofEngine = Object.getPrototypeOf(Object.getPrototypeOf([].values()));
  assert.ok(Object.prototype.isPrototypeOf.call(ofEngine, iterator));
  for (const line of iterator) {
    assert.is(line, "one");
    break;
  }
  assert.equal(iterator.next(), { done: true, value: undefined });
  const other = mm.textLines(8);
  assert.is(other.next().value, "three");
  assert.equal(other.next(), { done: true, value: undefined });
  assert.equal(other.next(), { done: true, value: undefined });
});

unless(!("Iterator" in globalThis) && "this engine has no iterator helpers", test)(
  "textLines() has the iterator helpers",
  () => {
    using mm = MMap.open(newFile("one\ntwo\nthree\nfour\n"));
    const lines = () => mm.textLines() as unknown as IteratorHelpers;
    const short = lines().filter((line) => line.length === 3);
    assert.equal([...short.map((line) => line.toUpperCase())], ["ONE", "TWO"]);
    assert.equal([...lines().drop(1).take(2)], ["two", "three"]);
  },
);

for (const [name, line] of [
  ["ASCII", "line "],
  ["UTF-8", "größe 😀 "],
] as const) {
  test(`textLines() goes on at the right line after a resize in the middle of a block (${name})`, () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `${line}${index}`);
    const path = newFile(`${lines.join("\r\n")}\r\n`);
    using mm = MMap.open(path, { access: "write" });
    const read: string[] = [];
    for (const text of mm.textLines()) {
      read.push(text);
      if (read.length % 1777 === 0) mm.resize(mm.length + 4096);
    }
    assert.equal(read.length, 20_000);
    assert.equal(read, lines);
  });
}

test("textLines() goes on after a resize in UTF-16, and ends where the map does", () => {
  const path = newFile(UTF16("\ufeffone\n\u0a00Ċtwo\nthree\nfour\n"));
  using mm = MMap.open(path, { access: "write" });
  const iterator = mm.textLines(0, undefined, "utf-16le");
  assert.is(iterator.next().value, "one");
  mm.resize(mm.length - 10);
  assert.is(iterator.next().value, "\u0a00Ċtwo");
  mm.resize(mm.length - 2);
  assert.is(iterator.next().value, "three");
  assert.equal(iterator.next(), { done: true, value: undefined });
  const other = mm.textLines(0, undefined, "utf-16le");
  mm.resize(6);
  assert.is(other.next().value, "on");
});

test("textLines() does not return what a resize has cut off", () => {
  const mm = MMap.anonymous(100);
  mm.write("a\n".repeat(50));
  const iterator = mm.textLines();
  iterator.next();
  mm.resize(4);
  assert.is(iterator.next().value, "a");
  assert.equal(iterator.next(), { done: true, value: undefined });
  const other = mm.textLines();
  other.next();
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => other.next());
  assert.equal(other.next(), { done: true, value: undefined });
  refuses("ERR_MMAP_CLOSED", () => mm.text());
  refuses("ERR_MMAP_CLOSED", () => mm.textLines());
});

guarded("text() and textLines() report a file that was truncated between two lines", () => {
  const source = `
    const path = file(40);
    writeFileSync(path, ("a".repeat(99) + "\\n").repeat(40 * PAGE / 100));
    using mm = MMap.open(path);
    const lines = mm.textLines();
    let count = 0;
    let said;
    for (;;) {
      if (count === 3) cut(path, PAGE);
      said = failure(() => { const { done } = lines.next(); count++; return done ? "end" : "line"; });
      if (said !== "line") break;
    }
    print(said, count > 3 && count * 100 <= 2 * 65536, failure(() => lines.next().done), failure(() => mm.text()), mm.text(0, 99) === "a".repeat(99));
  `;
  assert.equal(printed(source), [[TRUNCATED, true, true, TRUNCATED, true]]);
});

/** A sparse file with a text before its end. */
function sparseFile(size: number, text: string): string {
  const path = newPath();
  const fd = openSync(path, "w");
  ftruncateSync(fd, size);
  const content = bytes(text);
  writeSync(fd, content, 0, content.length, size - content.length);
  closeSync(fd);
  return path;
}

sparse("text() and textLines() work at the end of 1 TiB", () => {
  const text = "\nfür\n das Ende\n";
  using mm = MMap.open(sparseFile(2 ** 40, text));
  assert.is(mm.text(2 ** 40 - bytes(text).length), text);
  assert.equal([...mm.textLines(-bytes(text).length)], ["", "für", " das Ende"]);
});

sparse("text() says what to do if no string can be that long", () => {
  using mm = MMap.open(sparseFile(2 ** 40, "\n"));
  const most = String(constants.MAX_STRING_LENGTH);
  refuses(RangeError, () => mm.text(), "textLines", "chunks", most, String(2 ** 40));
  refuses(RangeError, () => mm.text(1, undefined, "utf-16le"), "textLines", "from 1 to");
});

test("text() and textLines() return the longest string, and throw for one character more", () => {
  using mm = MMap.open(newFile(`${"é".repeat(100_000)}\nabc\n`));
  // In the place of the runtime's limit, which takes more memory than a test should.
  const { maxStringLength } = builtins();
  try {
    builtins().maxStringLength = 100_000;
    assert.is(mm.text(0, 200_000).length, 100_000);
    refuses(RangeError, () => mm.text(0, 200_001), "0 to 200001", "100000 characters", "textLines", "chunks");
    refuses(RangeError, () => mm.textLines().next(), "0 to 200001", "100000 characters", "chunks");
    // A line is decoded with its newline.
    builtins().maxStringLength = 100_001;
    assert.equal(
      [...mm.textLines()].map(({ length }) => length),
      [100_000, 3],
    );
    builtins().maxStringLength = 40_000;
    refuses(RangeError, () => mm.textLines().next(), "40000 characters", "chunks");
    refuses(RangeError, () => mm.text(), "40000 characters", "chunks");
    assert.equal([...mm.textLines(-5)], ["", "abc"]);
  } finally {
    builtins().maxStringLength = maxStringLength;
  }
});

test("text() and textLines() name a wrong argument", () => {
  using mm = MMap.anonymous(10);
  for (const read of [mm.text.bind(mm), mm.textLines.bind(mm)] as ((...values: never[]) => unknown)[]) {
    const call = (...values: unknown[]) => read(...(values as never[]));
    refuses(TypeError, () => call(0, 1, 5), "encoding", "5");
    refuses(TypeError, () => call(0, 1, null), "encoding", "null");
    refuses(RangeError, () => call(0, 1, "utf-9"), "encoding", '"utf-9"', "TextDecoder");
    refuses(TypeError, () => call("1"), "start", '"1"');
    refuses(TypeError, () => call(0, 1.5), "end", "1.5");
  }
});

test.run();
