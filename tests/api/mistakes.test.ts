/**
 * Mistakes that people make, and the messages that they get: after one, nobody needs the documentation.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { EMULATED, newFile, newPath, refuses, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("api/mistakes");
const posix = unless(WINDOWS && "it is about files, descriptors and errors of POSIX systems", test);

type Kind = typeof TypeError | typeof RangeError | string;

/** What may be wrong in JavaScript: no types. */
// biome-ignore lint/suspicious/noExplicitAny: the mistakes are of wrong types
type Untyped = any;

const { open: openMap } = MMap as Untyped;
const opened = (path: unknown, options?: unknown): MMap => openMap.call(MMap, path, options);
const mapped = (...parameters: unknown[]): MMap => new (MMap as Untyped)(...parameters);

const FILE = newFile("0123456789");

const OPTIONS: [options: unknown, message: string][] = [
  [{ acess: "write" }, '"acess" is not an option of MMap.open(): did you mean "access"?'],
  [{ ACCESS: "write" }, '"ACCESS" is not an option of MMap.open(): did you mean "access"?'],
  [{ legnth: 4 }, '"legnth" is not an option of MMap.open(): did you mean "length"?'],
  [{ ofset: 4 }, '"ofset" is not an option of MMap.open(): did you mean "offset"?'],
  [{ creat: true }, '"creat" is not an option of MMap.open(): did you mean "create"?'],
  [{ trackFd: false }, '"trackFd" is not an option of MMap.open(): did you mean "trackfd"?'],
  [{ size: 4 }, '"size" is not an option of MMap.open(): did you mean "length"?'],
  [
    { shared: true },
    '"shared" is not an option of MMap.open(): access: "write" shares the map, and access: "copy" keeps its changes private',
  ],
  [{ sync: true }, '"sync" is not an option of MMap.open(): call flush() when writes must be on disk'],
  [{ protection: 1 }, '"protection" is not an option of MMap.open(): did you mean "prot", or "access"?'],
  [{ advise: 1 }, '"advise" is not an option of MMap.open(): call madvise()'],
  [{ flag: "r+" }, '"flag" is not an option of MMap.open(): did you mean "access", or "create"?'],
  [{ encoding: "utf8" }, '"encoding" is not an option of MMap.open(): a map has bytes, which TextDecoder decodes'],
  [{ start: 4 }, '"start" is not an option of MMap.open(): did you mean "offset"?'],
  [{ write: true }, '"write" is not an option of MMap.open(): did you mean access: "write"?'],
  [{ readOnly: true }, '"readOnly" is not an option of MMap.open(): did you mean access: "read"?'],
  [{ dtype: "f4" }, '"dtype" is not an option of MMap.open(): view() makes typed arrays'],
  [
    { foo: 1 },
    '"foo" is not an option of MMap.open(): it has access, flags, prot, offset, tagname, trackfd, guard, length, create, mode, reserve',
  ],
  [{ mode: "r+" }, 'mode must be an integer: got "r+"; did you mean access: "write"?'],
  [{ mode: "c" }, 'mode must be an integer: got "c"; did you mean access: "copy"?'],
  [{ flags: "r" }, 'flags must be an integer: got "r"; did you mean access: "read"?'],
  [{ access: "rw" }, 'access must be one of "default", "read", "write", "copy": got "rw"'],
  ["write", 'options must be an object: got "write"; did you mean { access: "write" }?'],
];

test("MMap.open() says which option was meant", () => {
  for (const [options, message] of OPTIONS) {
    assert.throws(
      () => opened(FILE, options),
      (error: Error) => error instanceof TypeError && error.message === message,
      `${JSON.stringify(options)}: ${message}`,
    );
  }
});

const CONSTRUCTOR: [parameters: unknown[], message: string][] = [
  [[-1, 10, { acces: "copy" }], '"acces" is not an option of new MMap(): did you mean "access"?'],
  [[-1, 10, { length: 4 }], '"length" is not an option of new MMap(): it is the argument before the options'],
  [[-1, 10, { create: true }], '"create" is not an option of new MMap(): MMap.open() has it'],
  [[-1, 10, "copy"], 'options must be an object: got "copy"; did you mean { access: "copy" }?'],
  [
    ["file.bin", 0],
    'fd must be an integer, the descriptor of an open file: got "file.bin"; MMap.open(path) maps a file by its path',
  ],
  [
    [new URL("file:///file.bin"), 0],
    "fd must be an integer, the descriptor of an open file: got a URL; MMap.open(path) maps a file by its path",
  ],
  [
    [Buffer.from("file.bin"), 0],
    "fd must be an integer, the descriptor of an open file: got a Buffer; MMap.open(path) maps a file by its path",
  ],
  [
    [new Blob([]), 0],
    "fd must be an integer, the descriptor of an open file: got a Blob; MMap.open(path) maps a file by its path",
  ],
];

test("new MMap() says which option was meant, and what to do with a path", () => {
  for (const [parameters, message] of CONSTRUCTOR) {
    assert.throws(
      () => mapped(...parameters),
      (error: Error) => error instanceof TypeError && error.message === message,
      message,
    );
  }
});

test("resize() and prefault() say which option was meant", () => {
  using mm: Untyped = MMap.open(FILE, { access: "write" });
  refuses(TypeError, () => mm.resize(20, { reserved: true }), '"reserved"', 'resize(): did you mean "reserve"?');
  refuses(TypeError, () => mm.resize(20, { force: true }), '"force"', "resize(): it has only reserve");
  refuses(TypeError, () => mm.prefault(0, 1, { wirte: true }), '"wirte"', 'prefault(): did you mean "write"?');
  assert.is(mm.length, 10);
});

test("MMap.open() ignores unknown options that an object inherits, so that a polluted prototype breaks nothing", () => {
  using mm = opened(FILE, Object.create({ acess: "write", access: "copy" }));
  assert.is(mm.access, "copy");
});

test("open files and classes that stand for one get an advice", async () => {
  const handle = await open(FILE);
  refuses(TypeError, () => mapped(handle, 0), "got a FileHandle; pass its fd");
  refuses(TypeError, () => opened(handle), "got a FileHandle; new MMap(file.fd, 0) maps an open file");
  await handle.close();
  refuses(TypeError, () => opened(Buffer.from("x")), "path must be", "got a Buffer; decode it with toString()");
  refuses(
    TypeError,
    () => opened(3),
    "path must be",
    "got 3; new MMap(fd, length) maps an open file by its descriptor",
  );
  refuses(TypeError, () => opened(new URL("https://localhost/x")), 'got "https://localhost/x"');
  const { Bun, Deno } = globalThis as Untyped;
  if (Bun !== undefined) refuses(TypeError, () => opened(Bun.file(FILE)), "a Blob; pass the path");
  if (Deno !== undefined) {
    using file = Deno.openSync(FILE);
    refuses(TypeError, () => opened(file), "a FsFile; pass the path");
    refuses(TypeError, () => mapped(file, 0), "a FsFile; MMap.open(path)");
  }
});

posix("MMap.open() of the text of a file URL says to pass a URL", () => {
  refuses(TypeError, () => opened(`file://${FILE}`), `got "file://${FILE}"; pass new URL(path)`);
});

posix("MMap.open() says why a file of another kind cannot be mapped", () => {
  const [folder, fifo] = [newPath(), newPath()];
  mkdirSync(folder);
  execFileSync("mkfifo", [fifo]);
  const rows: [path: string, code: string, ...parts: string[]][] = [
    [folder, "EISDIR", "is a directory", JSON.stringify(folder)],
    [fifo, "ENODEV", "a FIFO cannot be mapped: read it with node:fs", JSON.stringify(fifo)],
    ["/dev/null", "ENODEV", "a character device of this kind cannot be mapped"],
  ];
  if (process.platform === "linux") {
    // QEMU puts a regular file in the place of /proc/cpuinfo.
    const proc = EMULATED ? "/proc/version" : "/proc/cpuinfo";
    rows.push([proc, "ENODEV", `"${proc}": the file has no size`, "read it with readFileSync()"]);
    rows.push([
      "/sys/kernel/profiling",
      "ENODEV",
      "the file cannot be mapped, like those of /proc and /sys",
      "readFileSync",
    ]);
  }
  for (const [path, code, ...parts] of rows) {
    refuses(code, () => opened(path), ...parts);
    refuses(code, () => opened(path, { length: 10 }), ...parts);
  }
});

posix("new MMap() says what is wrong with a descriptor", () => {
  for (const flags of ["w", "a"]) {
    const fd = openSync(flags === "w" ? newPath() : FILE, flags);
    const advice =
      'the descriptor is not open for reading, which every map needs: open the file with "r", or with "r+"';
    if (flags === "a") {
      refuses("EACCES", () => mapped(fd, 0, { access: "read" }), advice);
      refuses("EACCES", () => mapped(fd, 0), advice);
    }
    closeSync(fd);
    refuses("EBADF", () => mapped(fd, 0), `descriptor ${fd} is not open`);
  }
});

posix("MMap.open() of a file that cannot be so large fails with a code and the path", () => {
  const path = newPath();
  assert.throws(
    () => opened(path, { create: true, length: 2 ** 52 }),
    (error: Untyped) =>
      error.name === "MMapError" &&
      ["EFBIG", "ENOMEM", "EINVAL", "EOVERFLOW"].includes(error.code) &&
      error.path === path,
  );
  assert.throws(() => readFileSync(path), /ENOENT/);
});

test("methods say what to call instead, or first", () => {
  using read: Untyped = MMap.open(FILE);
  using mm: Untyped = MMap.open(FILE, { access: "write" });
  using copy: Untyped = MMap.open(FILE, { access: "copy" });
  const rows: [act: () => unknown, kind: Kind, message: string][] = [
    [() => read.write("x"), TypeError, 'the map cannot be written: its access is "read"; use access: "write"'],
    [() => (read[0] = 1), TypeError, 'the map cannot be written: its access is "read"; use access: "write"'],
    [
      () => [mm.seek(8), mm.write("abc")],
      RangeError,
      "bytes must fit between the position 8 and the end: got 3 for 2 bytes; resize() the map first",
    ],
    [
      () => [mm.seek(10), mm.writeByte(1)],
      RangeError,
      "the position is at the end, 10: no room for value; resize() the map first",
    ],
    [() => mm.assign("abc", 8), RangeError, "bytes must have the slice's length, 2: got 3; resize() the map first"],
    [() => mm.assign("abc", 8, 10), RangeError, "bytes must have the slice's length, 2: got 3"],
    [() => copy.assign("abc", 8), RangeError, "bytes must have the slice's length, 2: got 3"],
    [() => (mm[10] = 1), RangeError, "index must be from -10 to 9: got 10; resize() the map first"],
    [
      () => mm.find(/x/),
      TypeError,
      "sub must be a string, an ArrayBuffer or a view of one: got a RegExp; search() and matchAll() take a RegExp",
    ],
    [() => mm.search("x"), TypeError, 'pattern must be a RegExp: got "x"; find() takes a string'],
    [
      () => mm.write([1, 2]),
      TypeError,
      "bytes must be a string, an ArrayBuffer or a view of one: got an array; Uint8Array.from() makes bytes of an array of numbers",
    ],
    [
      () => mm.write(65),
      TypeError,
      "bytes must be a string, an ArrayBuffer or a view of one: got 65; Uint8Array.of() makes bytes of numbers, and writeByte() writes one",
    ],
    [
      () => mm.write(read),
      TypeError,
      "bytes must be a string, an ArrayBuffer or a view of one: got an MMap; pass its bytes",
    ],
    [
      () => mm.write(new SharedArrayBuffer(4)),
      TypeError,
      "bytes must be a string, an ArrayBuffer or a view of one: got a SharedArrayBuffer; pass a Uint8Array over it",
    ],
  ];
  for (const [act, kind, message] of rows) {
    assert.throws(act, (error: Error) => error.constructor === kind && error.message === message, message);
  }
  assert.is(readFileSync(FILE, "latin1"), "0123456789");
});

test.run();
