import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ACCESS_COPY,
  ACCESS_DEFAULT,
  ACCESS_READ,
  ACCESS_WRITE,
  MADV_DONTNEED,
  MADV_HWPOISON,
  MADV_NORMAL,
  MADV_PROTECT,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MMap,
  MMapError,
  PAGESIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../lib/mod.ts";
import {
  EMULATED,
  holds,
  newFile,
  newPath,
  refuses,
  runs,
  text,
  thrown,
  unless,
  WINDOWS,
  withoutDescriptors,
} from "../helpers/support.ts";

const test = suite("opening");

const described = unless(withoutDescriptors, test);

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "it is about POSIX's flags, advice, devices, modes or errors", test);

test("open maps a path for reading, and closes what it opened", () => {
  const path = newFile("content");
  const mm = MMap.open(path);
  assert.is(mm.access, ACCESS_READ);
  assert.is(mm.length, 7);
  assert.is(mm.offset, 0);
  assert.is(text(mm.slice()), "content");
  holds(path, 1, 1);
  mm.close();
  holds(path, 0, 0);
});

test("open takes file URLs, a length and an offset", () => {
  using mm = MMap.open(pathToFileURL(newFile("0123456789")), { offset: 3, length: 4 });
  assert.is(text(mm.slice()), "3456");
  assert.is(mm.offset, 3);
});

posix("open fails with the path and the code in the error, and leaves nothing open", () => {
  const missing = newPath();
  const error = thrown(() => MMap.open(missing)) as MMapError;
  assert.instance(error, MMapError);
  assert.equal([error.code, error.errno, error.syscall, error.path], ["ENOENT", 2, "open", missing]);
  assert.ok(error.message.includes(missing));
  assert.is(error.name, "MMapError");
  const folder = newPath();
  mkdirSync(folder);
  const notMapped = thrown(() => MMap.open(folder)) as MMapError;
  assert.equal([notMapped.code, notMapped.errno, notMapped.syscall, notMapped.path], ["ENODEV", 19, "mmap", folder]);
  assert.ok(notMapped.message.includes(folder));
  refuses("EISDIR", () => MMap.open(folder, { access: "write" }), folder);
  refuses("ENOTDIR", () => MMap.open(`${newFile("x")}/y`));
  const empty = newFile("");
  refuses(RangeError, () => MMap.open(empty), JSON.stringify(empty), "empty", "nothing to map", "create", "length");
  const short = newFile("abc");
  const named = JSON.stringify(short);
  refuses(RangeError, () => MMap.open(short, { length: 4 }), "length", "3", "4", named);
  refuses(RangeError, () => MMap.open(short, { offset: 3 }), "offset", "3", named);
  refuses(RangeError, () => MMap.open(short, { offset: 5, length: 1 }), "offset", "3", "5", named);
  refuses(RangeError, () => MMap.open("/dev/zero"), "length", '"/dev/zero"');
  refuses(RangeError, () => MMap.open("/proc/self/status"), "length", "empty");
  for (const path of [folder, short]) holds(path, 0, 0);
});

posix("the path is in the message, also where a part of the message is like it", () => {
  const before = process.cwd();
  const folder = newPath();
  mkdirSync(join(folder, "dev"), { recursive: true });
  process.chdir(folder);
  try {
    refuses("ENODEV", () => MMap.open("dev"), ', "dev"');
    // node:fs has named it already.
    assert.is((thrown(() => MMap.open("no")) as MMapError).message.match(/no\b/g)?.length, 2);
  } finally {
    process.chdir(before);
  }
});

test("what a class of one's own throws comes out of open as it was thrown", () => {
  for (const value of [null, undefined, 0, "text", {}]) {
    class Throwing extends MMap {
      constructor(...parameters: ConstructorParameters<typeof MMap>) {
        super(...parameters);
        this.close();
        throw value;
      }
    }
    assert.is(
      thrown(() => Throwing.open(newFile("abc"))),
      value,
    );
  }
});

posix("create makes and sizes a new file, for writing", () => {
  const path = newPath();
  {
    using mm = MMap.open(path, { create: true, length: 5000, mode: 0o640 });
    assert.is(mm.access, ACCESS_WRITE);
    assert.is(mm.length, 5000);
    mm.write("made");
  }
  assert.is(statSync(path).size, 5000);
  assert.is(statSync(path).mode & 0o777, 0o640 & ~process.umask());
  assert.is(readFileSync(path, "latin1").slice(0, 5), "made\0");
});

test("create opens a file that exists, and extends one that is too short", () => {
  const path = newFile("abcdef");
  {
    using whole = MMap.open(path, { create: true });
    assert.is(text(whole.slice()), "abcdef");
    using part = MMap.open(path, { create: true, length: 3 });
    assert.is(part.size(), 6);
    using longer = MMap.open(path, { create: true, length: 10, offset: 2 });
    longer[9] = 122;
  }
  assert.is(readFileSync(path, "latin1"), "abcdef\0\0\0\0\0z");
});

posix("a create that fails leaves nothing behind", () => {
  const path = newPath();
  refuses(RangeError, () => MMap.open(path, { create: true }), "length", JSON.stringify(path));
  refuses(TypeError, () => MMap.open(path, { create: true, length: 10, tagname: "x" }), "tagname");
  refuses(RangeError, () => MMap.open(path, { create: true, length: 10, flags: MAP_FIXED }), "flags");
  assert.not.ok(existsSync(path));
  const present = newFile("abc");
  refuses(RangeError, () => MMap.open(present, { create: true, length: 10, flags: MAP_FIXED }), "flags");
  assert.is(statSync(present).size, 3);
  refuses("ENOENT", () => MMap.open(`${newPath()}/file`, { create: true, length: 10 }));
});

described("the constructor's default is shared, readable and writable", () => {
  const path = newFile("abcdef");
  const fd = openSync(path, "r+");
  using mm = new MMap(fd, 0);
  assert.is(mm.access, ACCESS_DEFAULT);
  mm[0] = 88;
  closeSync(fd);
  mm[1] = 89;
  assert.is(readFileSync(path, "latin1"), "XYcdef");
  assert.is(mm.size(), 6);
});

posix("the user's descriptor stays open", () => {
  const fd = openSync(newFile("abcdef"), "r");
  new MMap(fd, 0, { access: ACCESS_READ }).close();
  assert.is(fstatSync(fd).size, 6);
  refuses(TypeError, () => new MMap(fd, 0, { tagname: "x" }));
  assert.is(fstatSync(fd).size, 6);
  closeSync(fd);
});

posix("open keeps what it opened, and a map of an open descriptor keeps a duplicate", () => {
  const path = newFile("abcdef");
  const told: { fd: number }[] = [];
  const hear = (message: unknown) => void told.push(message as { fd: number });
  channel("mmap:open").subscribe(hear);
  try {
    using opened = MMap.open(path);
    assert.is(opened.fd, told[0]?.fd);
    using duplicated = new MMap(opened.fd, 0, { access: ACCESS_READ });
    assert.is.not(duplicated.fd, opened.fd);
    holds(path, 2, 2);
    using none = MMap.open(path, { trackfd: false });
    assert.is(none.fd, -1);
    holds(path, 3, 2);
  } finally {
    channel("mmap:open").unsubscribe(hear);
  }
  holds(path, 0, 0);
});

posix("maps that are opened while another one is have each its own descriptor", () => {
  const [outer, inner, refused] = [newFile("outer"), newFile("inner"), newFile("refused")];
  const opened: MMap[] = [];
  const hear = () => {
    channel("mmap:open").unsubscribe(hear);
    opened.push(MMap.open(inner));
    refuses(RangeError, () => MMap.open(refused, { length: 100 }), "length");
  };
  channel("mmap:open").subscribe(hear);
  opened.push(MMap.open(outer));
  assert.equal(
    opened.map((mm) => fstatSync(mm.fd).ino),
    [inner, outer].map((path) => statSync(path).ino),
  );
  for (const path of [outer, inner]) holds(path, 1, 1);
  holds(refused, 0, 0);
  for (const mm of opened) mm.close();
  for (const path of [outer, inner]) holds(path, 0, 0);
});

test("what open opened is for its own map, though others are made of it before", () => {
  const [path, other] = [newFile("file A"), newFile("file B")];
  const taken: number[] = [];
  const listen = (message: unknown) => {
    unsubscribe("mmap:open", listen);
    new MMap((message as { fd: number }).fd, 0, { access: "read" }).close();
    taken.push(openSync(other, "r"));
  };
  subscribe("mmap:open", listen);
  class Twice extends MMap {
    constructor(...parameters: ConstructorParameters<typeof MMap>) {
      new MMap(parameters[0], 0, { access: "read" }).close();
      taken.push(openSync(other, "r"));
      super(...parameters);
    }
  }
  for (const mm of [MMap.open(path), Twice.open(path)]) {
    assert.is(text(mm.read()), "file A");
    mm.close();
  }
  assert.is(taken.length, 2);
  for (const fd of taken) closeSync(fd);
  holds(path, 0, 0);
  holds(other, 0, 0);
});

test("a new file that could not be mapped is removed where it was made, wherever the program works by then", () => {
  const [here, there] = [newPath(), newPath()];
  for (const folder of [here, there]) mkdirSync(folder);
  writeFileSync(join(there, "file"), "precious");
  const before = process.cwd();
  class Moving extends MMap {
    constructor(...parameters: ConstructorParameters<typeof MMap>) {
      super(...parameters);
      process.chdir(there);
      this.close();
      throw new RangeError("not wanted");
    }
  }
  process.chdir(here);
  try {
    refuses(RangeError, () => Moving.open("file", { create: true, length: 10 }), "not wanted");
  } finally {
    process.chdir(before);
  }
  assert.is(existsSync(join(here, "file")), false);
  assert.is(readFileSync(join(there, "file"), "utf8"), "precious");
});

posix("a class of one's own may map what open opened twice, or not at all", () => {
  class Twice extends MMap {
    readonly again: MMap;
    constructor(...parameters: ConstructorParameters<typeof MMap>) {
      super(...parameters);
      this.again = new MMap(...parameters);
    }
  }
  const path = newFile("abc");
  const mm = Twice.open(path);
  assert.is.not(mm.fd, mm.again.fd);
  mm.close();
  assert.is(text(mm.again.read()), "abc");
  mm.again.close();
  class Failing extends MMap {
    constructor(...parameters: ConstructorParameters<typeof MMap>) {
      super(...parameters);
      this.close();
      throw new RangeError("not wanted");
    }
  }
  refuses(RangeError, () => Failing.open(path, { create: true, length: 10 }), "not wanted");
  assert.is(statSync(path).size, 3);
  holds(path, 0, 0);
});

posix("a file that is open for reading only maps for reading and copying, not for writing", () => {
  const fd = openSync(newFile("abcdef"), "r");
  using read = new MMap(fd, 0, { access: ACCESS_READ });
  using copy = new MMap(fd, 0, { access: ACCESS_COPY });
  copy[0] = 88;
  assert.is(read[0], 97);
  refuses("EACCES", () => new MMap(fd, 0, { access: ACCESS_WRITE }), "mmap", '"r+"', 'access be "read"');
  refuses("EACCES", () => new MMap(fd, 0), "mmap", '"r+"', 'access be "read"');
  closeSync(fd);
  refuses("EBADF", () => new MMap(fd, 0));
  refuses("EBADF", () => new MMap(2 ** 31 - 1, 0));
});

posix("flags and prot are the system's own", () => {
  const path = newFile("abcdef");
  const fd = openSync(path, "r+");
  using privately = new MMap(fd, 0, { flags: MAP_PRIVATE });
  privately[0] = 88;
  using populated = new MMap(fd, 0, { flags: (MAP_SHARED as number) | (MAP_POPULATE as number), prot: PROT_READ });
  assert.is(populated[0], 97);
  using both = new MMap(fd, 0, { prot: (PROT_READ as number) | (PROT_WRITE as number) });
  both[1] = 89;
  assert.is(readFileSync(path, "latin1"), "aYcdef");
  using reserved = MMap.anonymous(2 ** 40, { flags: (MAP_PRIVATE as number) | (MAP_NORESERVE as number) });
  assert.is(reserved.at(-1), 0);
  refuses("EINVAL", () => new MMap(fd, 0, { flags: 0 }), "mmap");
  closeSync(fd);
});

posix("MAP_ANONYMOUS is for maps without a file, and takes nothing away from them", () => {
  const flags = (MAP_SHARED as number) | (MAP_ANONYMOUS as number);
  const fd = openSync(newFile("abcdef"), "r+");
  refuses(TypeError, () => new MMap(fd, 0, { flags }), "flags", "MAP_ANONYMOUS");
  closeSync(fd);
  using mm = MMap.anonymous(10, { flags });
  mm.write("abc");
  mm.bytes;
  mm.resize(2 * PAGESIZE);
  assert.is(text(mm.slice(0, 4)), "abc\0");
  assert.is(mm.at(-1), 0);
  using same = new MMap(mm.fd, 3);
  assert.is(text(same.slice()), "abc");
});

unless(process.platform !== "linux" && "they are Linux's", test)(
  "huge pages that nobody has reserved are refused",
  () => {
    const flags = (MAP_PRIVATE as number) | (MAP_HUGETLB as number) | (MAP_NORESERVE as number);
    refuses(RangeError, () => MMap.anonymous(1, { flags }), "flags", "MAP_NORESERVE");
  },
);

test("open takes options that its object inherits", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, Object.create({ access: "write", offset: 2 }));
  assert.equal([mm.access, mm.offset, text(mm.read())], ["write", 2, "cdef"]);
});

unless(MADV_REMOVE === undefined && "this system has no MADV_REMOVE", posix)(
  "MADV_REMOVE, which writes to the file, is for maps that may be written",
  () => {
    const path = newFile(new Uint8Array(2 * PAGESIZE).fill(97));
    const fd = openSync(path, "r+");
    using mm = new MMap(fd, 0, { prot: PROT_READ });
    closeSync(fd);
    refuses(TypeError, () => mm.madvise(MADV_REMOVE), "PROT_WRITE");
    assert.is(readFileSync(path)[0], 97);
  },
);

posix("a map without PROT_READ cannot be read", () => {
  const fd = openSync(newFile("abcdef"), "r+");
  using none = new MMap(fd, 0, { prot: PROT_NONE });
  using writeOnly = new MMap(fd, 0, { prot: PROT_WRITE });
  closeSync(fd);
  for (const mm of [none, writeOnly]) {
    const reads = [
      () => mm[0],
      () => mm.at(0),
      () => mm.slice(),
      () => mm.read(),
      () => mm.readByte(),
      () => mm.readline(),
      () => mm.lines(),
      () => mm.find("a"),
      () => mm.rfind("a"),
      () => mm.search(/a/),
      () => mm.bytes,
      () => mm.buffer,
      () => mm.view(Uint8Array),
      () => [...mm],
    ];
    for (const read of reads) refuses(TypeError, read, "cannot be read", "PROT_READ");
    assert.is(mm.length, 6);
    assert.is(mm.tell(), 0);
  }
  refuses(TypeError, () => none.write("x"), "PROT_WRITE");
  writeOnly.write("xy");
  assert.is(writeOnly.tell(), 2);
});

posix("access excludes flags and prot", () => {
  const fd = openSync(newFile("abcdef"), "r+");
  refuses(TypeError, () => new MMap(fd, 0, { access: "read", prot: PROT_READ }), "prot", "access");
  refuses(TypeError, () => new MMap(fd, 0, { access: "copy", flags: MAP_PRIVATE }), "flags", "access");
  using mm = new MMap(fd, 0, { access: "default", flags: MAP_PRIVATE });
  assert.is(mm.access, "default");
  closeSync(fd);
});

posix("flags that would replace other memory are refused", () => {
  refuses(RangeError, () => MMap.anonymous(10, { flags: (MAP_FIXED as number) | (MAP_PRIVATE as number) }), "flags");
  const noReplace = 0x10_0000;
  refuses(RangeError, () => MMap.anonymous(10, { flags: noReplace | (MAP_PRIVATE as number) }), "flags");
});

posix("anonymous maps begin as zeros, shared or private", () => {
  for (const mm of [MMap.anonymous(5000), MMap.anonymous(5000, { access: "copy" }), new MMap(-1, 5000)]) {
    assert.equal(mm.slice(), new Uint8Array(5000));
    mm.write("hello");
    assert.is(text(mm.slice(0, 5)), "hello");
    mm.close();
  }
  using read = MMap.anonymous(10, { access: "read" });
  assert.equal(read.slice(), new Uint8Array(10));
  using explicit = new MMap(-1, 10, { flags: (MAP_PRIVATE as number) | (MAP_ANONYMOUS as number) });
  explicit[0] = 1;
  assert.is(explicit.fd, -1);
  refuses(RangeError, () => MMap.anonymous(0), "length", "0");
});

posix("what is open for writing only is not told to be mapped for reading", () => {
  const fd = openSync(newFile("abcdef"), "a");
  const { message } = thrown(() => new MMap(fd, 0, { access: ACCESS_READ }));
  closeSync(fd);
  assert.match(message, /EACCES\)$/);
});

described("length must fit the file, and offset lie within it", () => {
  const fd = openSync(newFile("0123456789"), "r");
  const access = "read";
  refuses(RangeError, () => new MMap(fd, 11, { access }), "length", "10", "11");
  refuses(RangeError, () => new MMap(fd, 8, { access, offset: 3 }), "length", "7", "8");
  refuses(RangeError, () => new MMap(fd, 0, { access, offset: 10 }), "offset", "10");
  refuses(RangeError, () => new MMap(fd, 1, { access, offset: 11 }), "offset", "11");
  refuses(RangeError, () => new MMap(fd, 0, { access, offset: 2 ** 52 }), "offset");
  using last = new MMap(fd, 0, { access, offset: 9 });
  assert.is(text(last.slice()), "9");
  closeSync(fd);
});

posix("devices map by length", () => {
  const fd = openSync("/dev/zero", "r+");
  using mm = new MMap(fd, 100, { access: "write" });
  assert.equal(mm.slice(), new Uint8Array(100));
  refuses(RangeError, () => new MMap(fd, 0), "length");
  closeSync(fd);
  const nothing = openSync("/dev/null", "r");
  refuses("ENODEV", () => new MMap(nothing, 100, { access: "read" }), "mmap");
  refuses("ENODEV", () => new MMap(nothing, 0, { access: "read" }), "mmap");
  closeSync(nothing);
});

test("trackfd: false keeps no descriptor", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, { trackfd: false });
  holds(path, 1, 0);
  assert.is(mm.fd, -1);
  assert.is(text(mm.read()), "abcdef");
  refuses(TypeError, () => mm.size(), "trackfd");
  using anonymous = MMap.anonymous(10, { trackfd: false });
  assert.is(anonymous.fd, -1);
  anonymous.write("works");
  if (!runs("resize without a descriptor", WINDOWS && "anonymous memory needs none to be copied there")) return;
  refuses(TypeError, () => anonymous.resize(20), "descriptor");
});

described("each map is told to the diagnostics channel before it is made", () => {
  const told: unknown[] = [];
  const listen = (message: unknown) => told.push(message);
  channel("mmap:open").subscribe(listen);
  const fd = openSync(newFile("0123456789"), "r");
  try {
    new MMap(fd, 4, { access: ACCESS_READ, offset: 2 }).close();
    new MMap(-1, 10).close();
    thrown(() => new MMap(fd, 100, { access: ACCESS_READ }));
  } finally {
    channel("mmap:open").unsubscribe(listen);
    closeSync(fd);
  }
  assert.equal(told, [
    { fd, length: 4, access: "read", offset: 2 },
    { fd: -1, length: 10, access: "default", offset: 0 },
    { fd, length: 100, access: "read", offset: 0 },
  ]);
  new MMap(-1, 10).close();
  assert.is(told.length, 3);
});

posix("madvise takes the system's advice, for the whole map or a part", () => {
  const path = newFile(new Uint8Array(PAGESIZE * 4).fill(1));
  using mm = MMap.open(path);
  for (const advice of [MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED]) {
    mm.madvise(advice);
    mm.madvise(advice, PAGESIZE);
    mm.madvise(advice, PAGESIZE, 100);
    mm.madvise(advice, 0, PAGESIZE * 100);
  }
  assert.is(mm[PAGESIZE], 1);
});

posix("madvise discards no more than what is asked for", () => {
  const path = newFile(new Uint8Array(PAGESIZE * 4).fill(1));
  using mm = MMap.open(path, { access: "copy" });
  mm.bytes.fill(2);
  mm.madvise(MADV_DONTNEED, PAGESIZE, PAGESIZE);
  assert.equal([mm[PAGESIZE - 1], mm[PAGESIZE], mm[2 * PAGESIZE - 1], mm[2 * PAGESIZE]], [2, 1, 1, 2]);
  refuses(RangeError, () => mm.madvise(MADV_DONTNEED, 1), "start", "1", "PAGESIZE");
  refuses(RangeError, () => mm.madvise(MADV_DONTNEED, PAGESIZE * 4), "start");
  assert.equal([mm[0], mm[2 * PAGESIZE]], [2, 2]);
});

posix("madvise counts pages in the file where the offset is odd", () => {
  const path = newFile(new Uint8Array(PAGESIZE * 4));
  using mm = MMap.open(path, { offset: 100 });
  mm.madvise(MADV_RANDOM);
  mm.madvise(MADV_RANDOM, PAGESIZE - 100, PAGESIZE);
  refuses(RangeError, () => mm.madvise(MADV_RANDOM, PAGESIZE), "start", String(PAGESIZE));
});

posix("madvise refuses what the system lacks, and what would make memory deadly", () => {
  using mm = MMap.open(newFile(new Uint8Array(PAGESIZE)));
  assert.is(MADV_PROTECT, undefined);
  refuses(TypeError, () => mm.madvise(MADV_PROTECT), "option", "undefined");
  refuses(RangeError, () => mm.madvise(12345), "option", "12345");
  // MADV_GUARD_INSTALL, after which a touch is a SIGSEGV.
  refuses(RangeError, () => mm.madvise(102), "option", "102");
  refuses(RangeError, () => mm.madvise(MADV_HWPOISON), "option", "MADV_HWPOISON");
});

unless(EMULATED && "QEMU answers advice itself, most of it by doing nothing", posix)(
  "advice that the system refuses is an error",
  () => {
    using anonymous = MMap.anonymous(PAGESIZE);
    // MADV_FREE is for private memory.
    refuses("EINVAL", () => anonymous.madvise(8), "madvise");
  },
);

posix("a file without a name, and one that is deleted, map as others do", () => {
  const path = newPath();
  writeFileSync(path, "abcdef");
  using mm = MMap.open(path, { access: "write" });
  mm[0] = 65;
  assert.is(mm.size(), 6);
  using again = new MMap(mm.fd, 0);
  assert.is(again[0], 65);
});

test.run();
