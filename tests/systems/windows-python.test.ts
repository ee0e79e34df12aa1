/**
 * The tests that CPython's test_mmap.py has for Windows alone. Two of the ten have no equivalent: test_sizeof is about objects
 * of Python, and test_access_violations about a C compiler's handler of exceptions, which no function that is called through an
 * FFI has (docs/python.md).
 *
 * @module
 */

import { closeSync, openSync, statSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapError, PAGESIZE } from "../../lib/mod.ts";
import { newFile, newPath, printedBy, text, thrown, unless, WINDOWS, withoutDescriptors } from "../helpers/support.ts";

const test = suite("systems/windows-python");

let names = 0;
const newName = () => `mmap-ffi-python-${process.pid}-${Math.random()}-${names++}`;

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

test("test_tagname: the same name is the same memory, and another name is not", () => {
  const tagname = newName();
  for (const [second, seen] of [
    [tagname, "abcdefghij"],
    [newName(), "0123456789"],
  ] as const) {
    using m1 = MMap.anonymous(10, { tagname });
    m1.assign("0123456789");
    using m2 = MMap.anonymous(10, { tagname: second });
    m2.assign("abcdefghij");
    assert.is(text(m1.slice()), seen);
    assert.is(text(m2.slice()), "abcdefghij");
  }
});

test("test_crasher_on_windows: a longer map of the same name is an error, and resize(0) changes nothing", () => {
  const printed = printedBy(
    `const tagname = process.argv[2];
     const small = MMap.anonymous(1000, { tagname });
     try { MMap.anonymous(5000, { tagname }).slice(); console.log("mapped"); }
     catch (error) { console.log(error instanceof MMapError, error.syscall); }
     small[999] = 7;
     console.log(small[999]);
     small.close();
     const mm = MMap.open(process.argv[3], { access: "write" });
     try { mm.resize(0); } catch (error) { console.log(error.name); }
     console.log(new TextDecoder().decode(mm.slice()));
     mm.close();`,
    { args: [newName(), newFile("x".repeat(10))] },
  );
  assert.equal(printed.split("\n"), ["true MapViewOfFile3", "7", "RangeError", "xxxxxxxxxx"]);
});

unless(withoutDescriptors, test)("test_invalid_descriptor: what is no descriptor of a file is an error", () => {
  // Sockets, which Python's test has, are no descriptors in these runtimes.
  const closed = openSync(newFile("abc"), "r");
  closeSync(closed);
  for (const wrong of [closed, 1000, 2047, 2048, 1_000_000]) {
    const error = thrown(() => new MMap(wrong, 10)) as MMapError;
    assert.is(error.code, "EBADF", `${wrong}: ${error.message}`);
  }
});

test("test_resize_up_when_mapped_to_pagefile, test_resize_down_when_mapped_to_pagefile", () => {
  for (const length of [2 * PAGESIZE, PAGESIZE / 2]) {
    const data = random(PAGESIZE);
    using mm = MMap.anonymous(PAGESIZE);
    mm.assign(data);
    mm.resize(length);
    assert.is(mm.length, length);
    const kept = Math.min(length, PAGESIZE);
    assert.equal(mm.slice(0, kept), data.slice(0, kept));
  }
});

test("test_resize_fails_if_mapping_held_elsewhere: of two maps of a file none is shortened, until one is closed", () => {
  const path = newPath();
  using m1 = MMap.open(path, { create: true, length: 2 * PAGESIZE });
  const m2 = MMap.open(path, { access: "write" });
  for (const mm of [m1, m2]) assert.is((thrown(() => mm.resize(PAGESIZE)) as MMapError).code, "EBUSY");
  m2.close();
  m1.resize(PAGESIZE);
  assert.is(m1.size(), PAGESIZE);
  assert.is(statSync(path).size, PAGESIZE);
});

test("test_resize_succeeds_with_error_for_second_named_mapping: the original mapping stays intact", () => {
  const tagname = newName();
  const data = random(8);
  using m1 = MMap.anonymous(2 * PAGESIZE, { tagname });
  using m2 = MMap.anonymous(2 * PAGESIZE, { tagname });
  m1.assign(data, 0, 8);
  assert.equal(m2.slice(0, 8), data);
  assert.is((thrown(() => m1.resize(PAGESIZE)) as MMapError).code, "EBUSY");
  assert.is(m1.size(), 2 * PAGESIZE);
  assert.equal(m1.slice(0, 8), data);
  assert.equal(m2.slice(0, 8), data);
});

if (WINDOWS) test.run();
else console.log("\nskipped: systems/windows-python: kernel32 is Windows's own");
