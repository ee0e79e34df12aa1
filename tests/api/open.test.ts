import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ACCESS_READ,
  ACCESS_WRITE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MMap,
  MMapError,
  type MMapOptions,
  PAGESIZE,
  PROT_READ,
  PROT_WRITE,
} from "../../lib/mod.ts";
import type { Platform } from "../../platform/types.ts";
import { recorded, withPlatform } from "../helpers/platform.ts";
import { holds, newFile, newPath, refuses, text, thrown, unless, WINDOWS, withoutReserve } from "../helpers/support.ts";
import { UNGUARDED } from "../helpers/truncation.ts";

const test = suite("api/open");

test("open() and anonymous() of a subclass return the subclass", () => {
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

test("open() maps a path for reading, and close() closes its descriptor", () => {
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

test("open() takes file URLs, a length and an offset", () => {
  using mm = MMap.open(pathToFileURL(newFile("0123456789")), { offset: 3, length: 4 });
  assert.is(text(mm.slice()), "3456");
  assert.is(mm.offset, 3);
});

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "it is about POSIX's flags, devices, modes, blocks or errors", test);

posix("open() throws errors with the path and the code, and leaves nothing open", () => {
  const missing = newPath();
  const error = thrown(() => MMap.open(missing)) as MMapError;
  assert.instance(error, MMapError);
  assert.equal([error.code, error.errno, error.syscall, error.path], ["ENOENT", 2, "open", missing]);
  assert.ok(error.message.includes(missing));
  assert.is(error.name, "MMapError");
  const folder = newPath();
  mkdirSync(folder);
  const notMapped = thrown(() => MMap.open(folder)) as MMapError;
  assert.equal([notMapped.code, notMapped.errno, notMapped.syscall, notMapped.path], ["EISDIR", 21, "mmap", folder]);
  assert.ok(notMapped.message.includes(folder));
  refuses("EISDIR", () => MMap.open(folder, { access: "write" }), folder);
  refuses("ENOTDIR", () => MMap.open(`${newFile("x")}/y`));
  const empty = newFile("");
  refuses(RangeError, () => MMap.open(empty, { length: 1 }), "length must be at most 0", JSON.stringify(empty));
  refuses(RangeError, () => MMap.open(empty, { offset: 1 }), "offset", JSON.stringify(empty));
  const short = newFile("abc");
  const named = JSON.stringify(short);
  refuses(RangeError, () => MMap.open(short, { length: 4 }), "length", "3", "4", named);
  refuses(RangeError, () => MMap.open(short, { offset: 3 }), "offset", "3", named);
  refuses(RangeError, () => MMap.open(short, { offset: 5, length: 1 }), "offset", "3", "5", named);
  refuses(RangeError, () => MMap.open("/dev/zero"), "length", '"/dev/zero"');
  if (existsSync("/proc/self/status")) {
    refuses("ENODEV", () => MMap.open("/proc/self/status"), '"/proc/self/status"', "no size", "readFileSync()");
  }
  for (const path of [folder, short]) holds(path, 0, 0);
});

posix("open() puts the path into the message, even where the message contains the same word", () => {
  const before = process.cwd();
  const folder = newPath();
  mkdirSync(join(folder, "dev"), { recursive: true });
  process.chdir(folder);
  try {
    refuses("EISDIR", () => MMap.open("dev"), ', "dev"');
    // node:fs has named it already.
    assert.is((thrown(() => MMap.open("no")) as MMapError).message.match(/no\b/g)?.length, 2);
  } finally {
    process.chdir(before);
  }
});

test("open() rethrows unchanged what a subclass's constructor throws", () => {
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

posix("open() with create makes a new file of the given size and mode, for writing", () => {
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

posix("open() with create gives a new file the mode 0o666 by default, less the umask", () => {
  const path = newPath();
  MMap.open(path, { create: true, length: 1 }).close();
  assert.is(statSync(path).mode & 0o777, 0o666 & ~process.umask());
});

test("open() with create opens an existing file, and extends one that is too short", () => {
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

posix("open() with create leaves no new file, and no longer one, when it throws", () => {
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

posix("open() keeps the descriptor that it opened; new MMap() keeps a duplicate", () => {
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

posix("open() within another open() gives each map its own descriptor", () => {
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

test("open() uses its descriptor for its own map, even if a subscriber or subclass maps the descriptor first", () => {
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

test("open() removes a new file that it could not map, even if the working directory changed", () => {
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

posix("open() of a subclass may map the descriptor twice, or throw", () => {
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

unless(process.platform !== "linux" && "they are Linux's", test)(
  "anonymous() refuses huge pages that are not reserved",
  () => {
    const flags = (MAP_PRIVATE as number) | (MAP_HUGETLB as number) | (MAP_NORESERVE as number);
    refuses(RangeError, () => MMap.anonymous(1, { flags }), "flags", "MAP_NORESERVE");
  },
);

test("open() takes options that its object inherits", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, Object.create({ access: "write", offset: 2 }));
  assert.equal([mm.access, mm.offset, text(mm.read())], ["write", 2, "cdef"]);
});

posix("anonymous() refuses flags that would replace other memory", () => {
  refuses(RangeError, () => MMap.anonymous(10, { flags: (MAP_FIXED as number) | (MAP_PRIVATE as number) }), "flags");
  const noReplace = 0x10_0000;
  refuses(RangeError, () => MMap.anonymous(10, { flags: noReplace | (MAP_PRIVATE as number) }), "flags");
});

posix("anonymous() returns zeros, shared or private", () => {
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

test("open() with trackfd: false keeps no descriptor", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, { trackfd: false });
  holds(path, 1, 0);
  assert.is(mm.fd, -1);
  assert.is(text(mm.read()), "abcdef");
  refuses(TypeError, () => mm.size(), "trackfd");
  using anonymous = MMap.anonymous(10, { trackfd: false });
  assert.is(anonymous.fd, -1);
  anonymous.write("works");
});

unless(WINDOWS && "anonymous memory needs no descriptor to be copied there", test)(
  "anonymous() with trackfd: false makes a map that cannot be resized",
  () => {
    using mm = MMap.anonymous(10, { trackfd: false });
    refuses(TypeError, () => mm.resize(20), "descriptor");
    assert.is(mm.length, 10);
  },
);

const allocated = (path: string) => statSync(path).blocks * 512;

const reserving = unless(withoutReserve, posix);

reserving("open() with reserve allocates every block of a new file, without it none", () => {
  const [reserved, sparse] = [newPath(), newPath()];
  MMap.open(reserved, { create: true, length: 40_000, reserve: true }).close();
  MMap.open(sparse, { create: true, length: 40_000 }).close();
  assert.is(statSync(reserved).size, 40_000);
  assert.ok(allocated(reserved) >= 40_000, `${allocated(reserved)} bytes are allocated`);
  assert.is(allocated(sparse), 0);
});

reserving("open() with reserve fills the holes of an existing file, and keeps its bytes", () => {
  const path = newFile("abc");
  {
    using mm = MMap.open(path, { create: true, length: 50_000 });
    mm[49_999] = 100;
  }
  using mm = MMap.open(path, { access: "write", reserve: true });
  assert.ok(allocated(path) >= 50_000);
  assert.is(text(mm.slice(0, 4)), "abc\0");
  assert.is(mm[-1], 100);
});

reserving("open() with reserve of more than the file has throws, and leaves the file as it was", () => {
  const path = newFile("abc");
  refuses(RangeError, () => MMap.open(path, { access: "write", length: 4096, reserve: true }), "length", "4096");
  assert.is(statSync(path).size, 3);
});

unless(WINDOWS && "it has no huge pages of this kind", test)("a map of huge pages is not guarded", () => {
  const change = ({ status }: Platform): Partial<Platform> => ({
    status: (descriptor) => ({ ...status(descriptor), hugePageSize: 2 * PAGESIZE }),
  });
  const path = newFile(new Uint8Array(4 * PAGESIZE));
  const guarded = withPlatform(change, () => {
    using mm = MMap.open(path, { access: "write" });
    return mm.guarded;
  });
  assert.is(guarded, false);
});

/** A case that needs the guard. */
const guarded = unless(UNGUARDED, test);

guarded("anonymous() leaves no descriptor if its memory cannot be sized", () => {
  const calls: string[] = [];
  const change = (real: Platform): Partial<Platform> => ({
    truncate: recorded(calls, "truncate", real.truncate, new Set(["truncate"])),
    closeDescriptor: recorded(calls, "closeDescriptor", real.closeDescriptor),
  });
  withPlatform(change, () => thrown(() => MMap.anonymous(10)));
  assert.equal(calls, ["truncate", "closeDescriptor"]);
});

unless(MAP_SHARED_VALIDATE === undefined && "this system has no MAP_SHARED_VALIDATE", test)(
  "open() opens the file for writing where the flags have MAP_SHARED in another way",
  () => {
    const path = newFile("abcdef");
    using mm = MMap.open(path, { flags: MAP_SHARED_VALIDATE });
    mm[0] = 65;
    assert.is(readFileSync(path, "latin1"), "Abcdef");
  },
);

unless(!existsSync("/proc/self/fdinfo") && "this system has no /proc/self/fdinfo", posix)(
  "open() with MAP_PRIVATE or without PROT_WRITE needs no right to write the file",
  () => {
    const path = newFile("abcdef");
    for (const options of [{ flags: MAP_PRIVATE }, { prot: PROT_READ }, { prot: PROT_READ, flags: MAP_SHARED }]) {
      using mm = MMap.open(path, options);
      const text = readFileSync(`/proc/self/fdinfo/${mm.fd}`, "latin1");
      // O_ACCMODE is 3, O_RDONLY 0.
      assert.is(Number.parseInt(/^flags:\s+(\d+)$/m.exec(text)?.[1] as string, 8) & 3, 0);
    }
  },
);

test("open() of the text of a URL says to pass a URL where there is no file of that name, and for no other error", () => {
  const missing = pathToFileURL(newPath()).href;
  refuses(TypeError, () => MMap.open(missing), "path must be a string or a file URL", missing, "pass new URL(path)");
  refuses("ENOENT", () => MMap.open(newPath()));
  if (!WINDOWS) refuses("ENAMETOOLONG", () => MMap.open(`file:${"x".repeat(1000)}`));
});

posix("open() with PROT_WRITE opens the file for writing", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, { prot: (PROT_READ as number) | (PROT_WRITE as number) });
  mm[0] = 65;
  assert.is(readFileSync(path, "latin1"), "Abcdef");
});

reserving("open() with reserve of an empty file makes an empty map, and asks for no blocks", () => {
  using mm = MMap.open(newFile(""), { access: "write", reserve: true });
  assert.is(mm.length, 0);
});

test.run();
