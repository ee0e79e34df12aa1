import { channel } from "node:diagnostics_channel";
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ACCESS_COPY,
  ACCESS_DEFAULT,
  ACCESS_READ,
  ACCESS_WRITE,
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MMap,
  PAGESIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from "../../lib/mod.ts";
import { newFile, newPath, refuses, text, thrown, unless, WINDOWS, withoutDescriptors } from "../helpers/support.ts";

const test = suite("api/constructor");

const described = unless(withoutDescriptors, test);

described("new MMap() maps shared memory to read and write by default", () => {
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

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "it is about POSIX's flags, devices, modes, blocks or errors", test);

posix("new MMap() calls a file whose path it does not know the file", () => {
  const fd = openSync(newFile("abcdef"), "r");
  const message = (length: number, offset: number) =>
    thrown(() => new MMap(fd, length, { access: ACCESS_READ, offset })).message;
  assert.is(message(0, 6), "offset must be less than the size of the file, 6: got 6");
  assert.is(message(1, 7), "offset must be at most the size of the file, 6: got 7");
  assert.is(message(6, 1), "length must be at most 5, what the file has from offset 1: got 6");
  closeSync(fd);
});

posix("new MMap() and close() leave the user's descriptor open", () => {
  const fd = openSync(newFile("abcdef"), "r");
  new MMap(fd, 0, { access: ACCESS_READ }).close();
  assert.is(fstatSync(fd).size, 6);
  refuses(TypeError, () => new MMap(fd, 0, { tagname: "x" }));
  assert.is(fstatSync(fd).size, 6);
  closeSync(fd);
});

posix("new MMap() maps a read-only descriptor for reading and copying, not for writing", () => {
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

posix("new MMap() passes flags and prot to the system", () => {
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

posix("new MMap() refuses MAP_ANONYMOUS with a file; anonymous() accepts it", () => {
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

posix("new MMap() without PROT_READ makes a map whose reads throw", () => {
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

posix("new MMap() refuses access together with flags or prot", () => {
  const fd = openSync(newFile("abcdef"), "r+");
  refuses(TypeError, () => new MMap(fd, 0, { access: "read", prot: PROT_READ }), "prot", "access");
  refuses(TypeError, () => new MMap(fd, 0, { access: "copy", flags: MAP_PRIVATE }), "flags", "access");
  using mm = new MMap(fd, 0, { access: "default", flags: MAP_PRIVATE });
  assert.is(mm.access, "default");
  closeSync(fd);
});

posix("new MMap() says that a write-only descriptor is not open for reading, and nothing of access", () => {
  const fd = openSync(newFile("abcdef"), "a");
  const { message } = thrown(() => new MMap(fd, 0, { access: ACCESS_READ }));
  closeSync(fd);
  assert.match(message, /EACCES\): the descriptor is not open for reading/);
  assert.not.match(message, /access/);
});

described("new MMap() refuses a length or an offset beyond the end of the file", () => {
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

posix("new MMap() maps a device by its length", () => {
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

described("new MMap() publishes to mmap:open before it maps", () => {
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

posix("new MMap() maps the descriptor of another map", () => {
  const path = newPath();
  writeFileSync(path, "abcdef");
  using mm = MMap.open(path, { access: "write" });
  mm[0] = 65;
  assert.is(mm.size(), 6);
  using again = new MMap(mm.fd, 0);
  assert.is(again[0], 65);
});

described("an offset need not be aligned", () => {
  const content = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251);
  const fd = openSync(newFile(content), "r");
  for (const offset of [0, 1, 4095, 4096, 4097, 19_999]) {
    using mm = new MMap(fd, 0, { access: "read", offset });
    assert.is(mm.offset, offset);
    assert.is(mm.length, 20_000 - offset);
    assert.equal(mm.read(), content.slice(offset));
    assert.equal(mm.bytes.slice(), content.slice(offset));
  }
  using part = new MMap(fd, 10, { access: "read", offset: 5000 });
  assert.equal(part.read(), content.slice(5000, 5010));
  closeSync(fd);
});

test.run();
