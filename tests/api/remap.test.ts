import { appendFileSync, closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Access, MMap, PAGESIZE } from "../../lib/mod.ts";
import { bytes, holds, newFile, refuses, text, unless, WINDOWS, withoutDescriptors } from "../helpers/support.ts";
import { printed, TRUNCATED, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("api/remap");

const guarded = unless(UNGUARDED, test);

const truncating = unless(WINDOWS && "Windows does not truncate a file that is mapped", test);

const canDetach = "transfer" in ArrayBuffer.prototype;

/** Writes over the bytes of a file from `start` on, without changing its size. */
function overwrite(path: string, start: number, content: string): void {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes(content), 0, content.length, start);
  closeSync(fd);
}

for (const access of ["read", "write", "copy"] as const satisfies Access[]) {
  const busy = WINDOWS && access === "write" && process.versions.deno !== undefined;
  unless(busy && "Deno appends to no mapped file there", test)(
    `remap() of a "${access}" map shows what was appended, and does not change the file`,
    () => {
      const path = newFile("one\n");
      using mm = MMap.open(path, { access });
      mm.seek(4);
      const { bytes } = mm;
      mm.remap();
      assert.is(mm.length, 4);
      appendFileSync(path, `two\n${"x".repeat(3 * PAGESIZE)}`);
      mm.remap();
      assert.is(mm.length, 8 + 3 * PAGESIZE);
      assert.is(mm.text(0, 10), "one\ntwo\nxx");
      assert.is(mm.tell(), 4);
      assert.is(text(mm.readline()), "two\n");
      if (canDetach) assert.is(bytes.length, 0);
      assert.is(mm.bytes.length, mm.length);
      mm.remap(6);
      assert.is(mm.text(), "one\ntw");
      assert.is(mm.tell(), 6);
      mm.remap(0);
      assert.is(mm.length, 8 + 3 * PAGESIZE);
      assert.is(readFileSync(path, "utf8"), `one\ntwo\n${"x".repeat(3 * PAGESIZE)}`);
    },
  );

  truncating(`remap() of a "${access}" map shows a file that was truncated, to nothing too, and extended again`, () => {
    const path = newFile("a".repeat(5 * PAGESIZE));
    using mm = MMap.open(path, { access });
    mm.seek(4 * PAGESIZE);
    truncateSync(path, PAGESIZE + 10);
    mm.remap();
    assert.is(mm.length, PAGESIZE + 10);
    assert.is(mm.tell(), PAGESIZE + 10);
    truncateSync(path, 0);
    mm.remap();
    assert.is(mm.length, 0);
    assert.is(mm.find("a"), -1);
    assert.is(mm.bytes.length, 0);
    writeFileSync(path, "new");
    mm.remap();
    assert.is(mm.text(), "new");
    assert.is(readFileSync(path, "utf8"), "new");
  });
}

test("remap() of a map with an offset keeps the offset", () => {
  const path = newFile(`${"-".repeat(PAGESIZE + 5)}one`);
  using mm = MMap.open(path, { offset: PAGESIZE + 5 });
  appendFileSync(path, "two");
  mm.remap();
  assert.is(mm.text(), "onetwo");
  assert.is(mm.offset, PAGESIZE + 5);
});

test('remap() keeps the changes of a "copy" map, and shows the file after them', () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, { access: "copy" });
  mm[1] = 45;
  appendFileSync(path, "ghi");
  mm.remap();
  assert.is(mm.text(), "a-cdefghi");
  mm.write("++");
  mm.remap(4);
  assert.is(mm.text(), "++cd");
  assert.is(readFileSync(path, "utf8"), "abcdefghi");
});

test("remap() keeps what was written to a shared map", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, { access: "write" });
  mm.write("xyz");
  mm.bytes[5] = 45;
  mm.remap();
  assert.is(mm.text(), "xyzde-");
  mm.write("new");
  assert.is(readFileSync(path, "utf8"), "xyznew");
});

truncating("remap() throws if the file is shorter than its offset or the length, and changes nothing", () => {
  const path = newFile("x".repeat(PAGESIZE + 10));
  using mm = MMap.open(path, { offset: PAGESIZE });
  const { bytes } = mm;
  refuses(RangeError, () => mm.remap(11), "at most 10", `offset ${PAGESIZE}`, "got 11");
  truncateSync(path, PAGESIZE);
  refuses(RangeError, () => mm.remap(1), "at most 0", "got 1");
  truncateSync(path, 5);
  refuses(RangeError, () => mm.remap(), "at most 0");
  assert.is(mm.length, 10);
  assert.is(bytes.length, 10);
  truncateSync(path, PAGESIZE);
  mm.remap();
  assert.is(mm.length, 0);
});

test("remap() names a wrong argument, and what has no file", () => {
  using mm = MMap.open(newFile("abc"));
  refuses(TypeError, () => mm.remap("3" as never), "length", '"3"');
  refuses(RangeError, () => mm.remap(-1), "length", "-1");
  using anonymous = MMap.anonymous(10);
  refuses(TypeError, () => anonymous.remap(), "anonymous", "resize()");
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => mm.remap());
});

unless(withoutDescriptors, test)("remap() needs the descriptor", () => {
  using mm = MMap.open(newFile("abc"), { trackfd: false });
  refuses(TypeError, () => mm.remap(), "remap()", "trackfd");
});

test("remap() a thousand times keeps one mapping of the file, unless views were handed out", () => {
  const path = newFile("abc");
  using mm = MMap.open(path);
  for (let round = 0; round < 1000; round++) {
    appendFileSync(path, "d");
    mm.remap();
    assert.is(mm.at(-1), 100);
  }
  assert.is(mm.length, 1003);
  holds(path, 1, 1);
});

test("textLines(), lines() and chunks() go on in the map as remap() left it", () => {
  const path = newFile("one\ntwo\nthree\n");
  using mm = MMap.open(path);
  const [texts, lines, chunks] = [mm.textLines(), mm.lines(), mm.chunks(4)];
  texts.next();
  lines.next();
  chunks.next();
  overwrite(path, 4, "TWO");
  mm.remap(9);
  assert.equal([...texts], ["TWO", "t"]);
  assert.equal([...lines].map(text), ["TWO\n", "t"]);
  assert.equal([...chunks].map(text), ["TWO\n", "t"]);
});

guarded("remap() recovers after a file was truncated, read and written anew (faults are 0 again)", () => {
  const source = `
    const path = file(4);
    using mm = MMap.open(path);
    using shared = MMap.open(path, { access: "write" });
    cut(path, 0);
    print(failure(() => mm.at(0)), failure(() => { shared[0] = 1; }), mm.faults > 0);
    writeFileSync(path, new Uint8Array(5 * PAGE).fill(98));
    print(failure(() => mm.at(0)));
    mm.remap();
    print(mm.length / PAGE, mm.faults, mm.at(0), mm.find("a"), mm.bytes[5 * PAGE - 1]);
    shared.remap();
    shared[0] = 99;
    print(readFileSync(path)[0], failure(() => shared.close()));
  `;
  assert.equal(printed(source), [[TRUNCATED, TRUNCATED, true], [TRUNCATED], [5, 0, 98, -1, 98], [99, "done"]]);
});

guarded("views from before remap() of a shorter file can be read without a crash", () => {
  const source = `
    const path = file(4);
    using mm = MMap.open(path, { guard: false });
    const { bytes } = mm;
    const before = new Uint8Array(bytes.buffer, 0, 4 * PAGE);
    cut(path, PAGE);
    mm.remap();
    print(mm.length / PAGE, sum(before), sum(mm.bytes) / 97 / PAGE);
  `;
  const detached = canDetach ? 0 : 97 * PAGESIZE;
  assert.equal(printed(source), [[1, detached, 1]]);
});

test.run();
