import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as library from "../../lib/mod.ts";
import { ALLOCATIONGRANULARITY, MADV_WILLNEED, MMap, type MMapError, PAGESIZE } from "../../lib/mod.ts";
import {
  collectGarbage,
  newFile,
  newPath,
  printedBy,
  refuses,
  resources,
  text,
  thrown,
  unless,
  WINDOWS,
  withoutDescriptors,
} from "../helpers/support.ts";

const test = suite("systems/windows");

test("open() takes any offset, though views begin at multiples of 64 KiB", () => {
  assert.is(ALLOCATIONGRANULARITY, 65_536);
  assert.is(PAGESIZE, 4096);
  const content = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251);
  const path = newFile(content);
  for (const offset of [0, 1, 4096, 65_535, 65_536, 65_537, 131_071, 299_999]) {
    using mm = MMap.open(path, { offset });
    assert.is(mm.length, 300_000 - offset);
    assert.equal(mm.read(), content.slice(offset));
    assert.equal(mm.bytes.slice(), content.slice(offset));
    assert.is(mm.view(Uint8Array, mm.length - 1)[0], content[299_999]);
  }
});

test("open() with a length larger than the file extends it with zeros", () => {
  const path = newFile("abc");
  {
    using mm = MMap.open(path, { access: "write", length: 100_000 });
    assert.is(mm.length, 100_000);
    assert.is(mm.size(), 100_000);
    assert.equal(mm.slice(0, 5), Uint8Array.of(97, 98, 99, 0, 0));
    mm[-1] = 122;
  }
  const content = readFileSync(path);
  assert.is(content.length, 100_000);
  assert.is(content[99_999], 122);
  using behind = MMap.open(path, { access: "write", offset: 150_000, length: 10 });
  assert.is(behind.size(), 150_010);
  assert.equal(behind.read(), new Uint8Array(10));
});

test("open() does not extend the file of a map whose writes do not reach it", () => {
  const path = newFile("abc");
  refuses(RangeError, () => MMap.open(path, { length: 4 }), "length", "3", "4");
  refuses(RangeError, () => MMap.open(path, { access: "copy", length: 4 }), "length", "3", "4");
  assert.is(statSync(path).size, 3);
});

let names = 0;

/** A name that no other mapping object has. */
const newName = (): string => `Local\\mmap-ffi-${process.pid}-${names++}`;

/** The error that the system's refusal became. */
const refusal = (act: () => unknown): MMapError => thrown(act) as MMapError;

test("open() does not extend a file that cannot be mapped", () => {
  const path = newFile("abc");
  const name = newName();
  using held = MMap.anonymous(10, { tagname: name });
  // The name leads to a mapping object that is shorter than the view.
  const error = refusal(() => MMap.open(path, { access: "write", length: 100_000, tagname: name }));
  assert.is(error.syscall, "MapViewOfFile3");
  assert.is(statSync(path).size, 3);
  assert.is(held.length, 10);
});

test("open() of an empty file does not extend it", () => {
  const path = newFile("");
  for (const access of ["read", "write"] as const) {
    using mm = MMap.open(path, { access });
    assert.is(mm.length, 0);
  }
  assert.is(statSync(path).size, 0);
});

test("open() refuses flags and prot, and leaves no new file", () => {
  const path = newPath();
  refuses(TypeError, () => MMap.open(path, { create: true, length: 10, flags: 1 }), "flags", "1", "access");
  refuses(TypeError, () => MMap.open(path, { create: true, length: 10, prot: 3 }), "prot", "3", "access");
  assert.not(existsSync(path));
  refuses(TypeError, () => MMap.anonymous(10, { prot: 1 }), "prot");
});

test("open() with create makes a file", () => {
  const path = newPath();
  using mm = MMap.open(path, { create: true, length: 5000 });
  mm.write("made");
  mm.flush();
  assert.is(readFileSync(path).toString("latin1", 0, 4), "made");
  assert.is(statSync(path).size, 5000);
});

test("anonymous() with the same tagname shares its memory", () => {
  const tagname = newName();
  using first = MMap.anonymous(100, { tagname });
  using second = MMap.anonymous(50, { tagname });
  using other = MMap.anonymous(100, { tagname: newName() });
  using nameless = MMap.anonymous(100, { tagname: "" });
  first.write("shared");
  assert.is(text(second.read(6)), "shared");
  assert.is(second.length, 50);
  assert.is(other[0], 0);
  assert.is(nameless[0], 0);
  refuses(TypeError, () => MMap.anonymous(10, { tagname: "a\0b" }), "tagname", "NUL");
  refuses(TypeError, () => MMap.anonymous(10, { tagname: 3 as never }), "tagname", "3");
});

test("close() frees the tagname", () => {
  const tagname = newName();
  const first = MMap.anonymous(10, { tagname });
  first[0] = 1;
  first.close();
  using second = MMap.anonymous(100_000, { tagname });
  assert.is(second[0], 0);
  assert.is(second[99_999], 0);
});

test("anonymous() with a tagname shares its memory with another process", () => {
  const tagname = newName();
  using mm = MMap.anonymous(20, { tagname });
  mm.write("parent");
  const printed = printedBy(
    `const mm = MMap.anonymous(20, { tagname: ${JSON.stringify(tagname)} });
     console.log(new TextDecoder().decode(mm.slice(0, 6)));
     mm.assign("child!", 6, 12);`,
  );
  assert.is(printed, "parent");
  assert.is(text(mm.slice(0, 12)), "parentchild!");
});

test("resize() is refused while another map has the tagname, and changes nothing", () => {
  const tagname = newName();
  using mm = MMap.anonymous(100, { tagname });
  mm.write("kept");
  const view = mm.bytes;
  const other = MMap.anonymous(100, { tagname });
  const error = refusal(() => mm.resize(200_000));
  assert.equal([error.code, error.errno], ["EBUSY", 1224]);
  assert.is(mm.length, 100);
  assert.is(view.length, 100);
  other[4] = 33;
  assert.is(text(mm.slice(0, 5)), "kept!");
  // Nor did it lose its name.
  other.close();
  using again = MMap.anonymous(100, { tagname });
  assert.is(again[4], 33);
});

test("resize() of the only map with a tagname keeps the tagname", () => {
  const tagname = newName();
  using mm = MMap.anonymous(100, { tagname });
  mm.write("kept");
  mm.resize(200_000);
  assert.is(text(mm.slice(0, 5)), "kept\0");
  using other = MMap.anonymous(200_000, { tagname });
  other[199_999] = 7;
  assert.is(mm[199_999], 7);
  assert.is(text(other.slice(0, 4)), "kept");
});

test("resize() of a map of a file with a tagname works", () => {
  const path = newFile("0123456789");
  const tagname = newName();
  using mm = MMap.open(path, { access: "write", tagname });
  {
    using other = MMap.open(path, { access: "write", tagname });
    other[0] = 65;
    assert.is(mm[0], 65);
    assert.is(refusal(() => mm.resize(4)).code, "EBUSY");
  }
  mm.resize(4);
  assert.is(readFileSync(path, "latin1"), "A123");
  mm.resize(70_000);
  assert.is(text(mm.slice(0, 5)), "A123\0");
  assert.is(statSync(path).size, 70_000);
});

/** Node 20 cannot detach a view, so one keeps its memory mapped. */
const DETACHES = "transfer" in ArrayBuffer.prototype;

test("resize() of an anonymous map keeps the bytes", () => {
  for (const access of ["default", "write"] as const) {
    using mm = MMap.anonymous(70_000, { access });
    mm.write("kept");
    mm[69_999] = 9;
    const view = mm.bytes;
    mm.resize(200_000);
    assert.is(mm.length, 200_000);
    assert.is(mm.tell(), 4);
    assert.is(text(mm.slice(0, 5)), "kept\0");
    assert.is(mm[69_999], 9);
    assert.is(mm[199_999], 0);
    if (DETACHES) assert.is(view.length, 0);
    mm.resize(3);
    assert.equal([...mm], [107, 101, 112]);
  }
});

test("resize() grows and shrinks the file", () => {
  const path = newFile("0123456789");
  using mm = MMap.open(path, { access: "write", offset: 3 });
  mm.resize(100_000);
  assert.is(statSync(path).size, 100_003);
  mm[99_999] = 1;
  const view = DETACHES ? mm.bytes : new Uint8Array(0);
  mm.resize(4);
  assert.is(view.length, 0);
  assert.is(readFileSync(path, "latin1"), "0123456");
  assert.is(text(mm.slice()), "3456");
  assert.is(mm.size(), 7);
});

test("resize() does not shrink a file that another map has, and the map stays as it is", () => {
  const path = newFile("0123456789");
  using other = MMap.open(path);
  using mm = MMap.open(path, { access: "write" });
  mm.seek(8);
  const error = refusal(() => mm.resize(5));
  assert.equal([error.code, error.errno], ["EBUSY", 1224]);
  assert.is(mm.length, 10);
  assert.is(mm.tell(), 8);
  mm[9] = 65;
  assert.is(other[9], 65);
  mm.resize(20);
  assert.is(mm.length, 20);
  assert.is(statSync(path).size, 20);
});

test("open() keeps others from cutting the file until close()", () => {
  const path = newFile("0123456789");
  const mm = MMap.open(path);
  // Win32 error 1224, for which libuv has no name.
  const error = thrown(() => truncateSync(path, 5)) as NodeJS.ErrnoException;
  assert.match(`${error.code}: ${error.message}`, /^E?UNKNOWN: |os error 1224/);
  const fd = openSync(path, "r+");
  assert.match(thrown(() => ftruncateSync(fd, 5)).message, /UNKNOWN: |os error 1224/);
  closeSync(fd);
  assert.is(statSync(path).size, 10);
  assert.is(text(mm.slice()), "0123456789");
  mm.close();
  truncateSync(path, 5);
  assert.is(statSync(path).size, 5);
});

unless(WINDOWS && DETACHES && "this runtime detaches views", test)(
  "resize() shrinks a file with a view that cannot be detached, which then shows zeros",
  () => {
    const path = newFile("0123456789");
    using mm = MMap.open(path, { access: "write" });
    const view = mm.bytes;
    mm.resize(5);
    assert.is(text(mm.slice()), "01234");
    assert.equal([...view], new Array(10).fill(0));
    view[0] = 88;
    assert.is(text(mm.slice()), "01234");
  },
);

test("bytes of a read map can be written, and the file does not change", () => {
  const path = newFile("a".repeat(200_000));
  const printed = printedBy(
    `for (const offset of [0, 70_001]) {
       const mm = MMap.open(process.argv[2], { offset });
       mm.bytes[0] = 33;
       mm.view(Uint8Array, 100_000, 10)[0] = 33;
       console.log(mm.bytes[0], mm.view(Uint8Array, 100_000, 10)[0]);
       mm.close();
     }
     const nothing = MMap.anonymous(10, { access: "read" });
     nothing.bytes[0] = 33;
     console.log(nothing.bytes[0]);`,
    { args: [path] },
  );
  assert.is(printed, "33 33\n33 33\n33");
  assert.is(readFileSync(path, "latin1"), "a".repeat(200_000));
});

test("bytes of a read map follow the file", () => {
  const path = newFile("before");
  using reader = MMap.open(path);
  using writer = MMap.open(path, { access: "write" });
  const view = reader.bytes;
  assert.is(text(view), "before");
  writer.write("after!");
  assert.is(text(view), "after!");
  assert.is(text(reader.slice()), "after!");
});

test("write() with access copy does not reach the file", () => {
  const path = newFile("file");
  using mm = MMap.open(path, { access: "copy" });
  mm.write("copy");
  mm.flush();
  assert.is(text(mm.bytes), "copy");
  assert.is(readFileSync(path, "latin1"), "file");
});

test("flush() takes any range", () => {
  const path = newFile(new Uint8Array(200_000));
  using mm = MMap.open(path, { access: "write", offset: 5 });
  using untracked = MMap.open(path, { access: "write", trackfd: false });
  mm[100_000] = 1;
  for (const [offset, size] of [[0], [100_000, 1], [99_999, 90_000], [199_995, 0]] as const) mm.flush(offset, size);
  untracked.flush();
  assert.is(readFileSync(path)[100_005], 1);
});

test("madvise() takes MADV_WILLNEED only", () => {
  using mm = MMap.open(newFile(new Uint8Array(100_000)));
  mm.madvise(MADV_WILLNEED);
  mm.madvise(MADV_WILLNEED, 4096, 100);
  mm.madvise(MADV_WILLNEED, 0, 0);
  refuses(TypeError, () => mm.madvise(library.MADV_NORMAL), "option", "undefined");
  refuses(RangeError, () => mm.madvise(0), "option", "0");
  const known = Object.entries(library).filter(
    ([name, value]) => /^(PROT|MAP|MADV|MS)_/.test(name) && value !== undefined,
  );
  assert.equal(known, [["MADV_WILLNEED", 3]]);
});

test("MMapError has POSIX's names, and Win32's numbers and words", () => {
  const huge = refusal(() => MMap.anonymous(2 ** 46));
  assert.is(huge.code, "ENOMEM");
  assert.is(huge.syscall, "CreateFileMappingW");
  assert.ok([8, 1455].includes(huge.errno as number), `${huge.errno}`);
  assert.match(huge.message, /^CreateFileMappingW: \S.*\S \(ENOMEM\)$/);
  const missing = refusal(() => MMap.open(newPath()));
  assert.is(missing.code, "ENOENT");
});

test("open() takes long paths, relative paths, and paths in any script", () => {
  const path = newPath();
  for (const name of [`${path}-żółć-文件-🎉`, `${path}/../${"n".repeat(200)}`]) {
    writeFileSync(name, "content");
    using mm = MMap.open(name);
    assert.is(text(mm.read()), "content");
  }
});

test("fd is -1", () => {
  using mm = MMap.open(newFile("abc"));
  assert.is(mm.fd, -1);
});

const described = unless(WINDOWS && withoutDescriptors, test);

described("new MMap(), resize() and close() leave the user's descriptor open and its position unchanged", () => {
  const path = newFile("0123456789");
  const fd = openSync(path, "r+");
  const two = new Uint8Array(2);
  readSync(fd, two, 0, 2, null);
  const mm = new MMap(fd, 0);
  mm.resize(20);
  mm.resize(8);
  mm.close();
  readSync(fd, two, 0, 2, null);
  assert.is(text(two), "23");
  assert.is(fstatSync(fd).size, 8);
  closeSync(fd);
});

described("new MMap() outlives the user's descriptor", () => {
  const fd = openSync(newFile("0123456789"), "r+");
  using mm = new MMap(fd, 0);
  closeSync(fd);
  assert.is(text(mm.read()), "0123456789");
  assert.is(mm.size(), 10);
  mm.resize(5);
  assert.is(mm.size(), 5);
});

described("new MMap() refuses an invalid descriptor, and a read-only one for writing", () => {
  const bad = refusal(() => new MMap(9999, 10));
  assert.equal([bad.code, bad.errno, bad.syscall], ["EBADF", 6, "uv_get_osfhandle"]);
  const fd = openSync(newFile("abc"), "r");
  const denied = refusal(() => new MMap(fd, 0));
  assert.equal([denied.code, denied.errno, denied.syscall], ["EACCES", 5, "CreateFileMappingW"]);
  assert.match(denied.message, /"r\+"/);
  closeSync(fd);
});

unless(WINDOWS && !withoutDescriptors && "descriptors can be read here", test)(
  "new MMap() says to map by path where descriptors have no handle",
  () => {
    const fd = openSync(newFile("abc"), "r");
    const error = refusal(() => new MMap(fd, 0, { access: "read" }));
    assert.equal([error.code, error.errno], ["ENOTSUP", 50]);
    assert.match(error.message, /MMap\.open\(path\)/);
    closeSync(fd);
  },
);

test("open(), resize() and close() leave no view and no handle", async () => {
  const path = newFile("x".repeat(100_000));
  const tagname = newName();
  const round = () => {
    using reader = MMap.open(path);
    using writer = MMap.open(path, { access: "write" });
    using named = MMap.anonymous(10, { tagname });
    if (DETACHES) for (const mm of [reader, writer, named]) mm.bytes[0] = 1;
    writer.resize(200_000);
    named.resize(20);
    thrown(() => MMap.open(path, { length: 300_000 }));
    thrown(() => MMap.anonymous(2 ** 46));
  };
  round();
  const before = resources();
  for (let count = 0; count < 20; count++) round();
  // Memory that was viewed is unmapped when its buffers have been collected; in Deno, when much more has been closed.
  await collectGarbage();
  const after = resources();
  const kept = process.versions.deno === undefined ? 5 : 5 * 20;
  assert.ok(after.maps <= before.maps + kept, `${before.maps} views before, ${after.maps} after`);
  assert.ok(
    after.descriptors <= before.descriptors + (kept === 5 ? 2 : kept),
    `${before.descriptors} handles before, ${after.descriptors} after`,
  );
});

test("maps that were garbage collected leave no view and no handle", () => {
  const printed = printedBy(
    `import { windowsResources } from ${JSON.stringify(new URL("../helpers/windows-resources.ts", import.meta.url).href)};
     import { setImmediate, setTimeout } from "node:timers/promises";
     const collect = globalThis.gc ?? (() => Bun.gc(true));
     const make = (count) => {
       for (let round = 0; round < count; round++) MMap.open(process.argv[2], { access: round % 2 ? "write" : "read" }).at(0);
     };
     const rest = async () => { for (let round = 0; round < 10; round++) { collect(); await setImmediate(); await setTimeout(5); } };
     make(10);
     await rest();
     const before = windowsResources();
     for (let batch = 0; batch < 5; batch++) { make(200); await rest(); }
     const after = windowsResources();
     console.log(after.maps - before.maps, after.descriptors - before.descriptors);`,
    { args: [newFile("x".repeat(100_000))] },
  );
  const [maps, handles] = printed.split(" ").map(Number) as [number, number];
  // The collector may be unsure about a few; without finalizers there would be 1000 and more of each.
  assert.ok(maps < 300 && handles < 300, printed);
});

if (WINDOWS) test.run();
else console.log("\nskipped: systems/windows: kernel32 is Windows's own");
