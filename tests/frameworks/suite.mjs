/**
 * Uses the packed library in Jest. tests/runners/frameworks.ts also makes a CommonJS module of it, and a suite of Vitest.
 *
 * @module
 */

import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, jest as framework, test } from "@jest/globals";
import { MMap, MMapError } from "mmap-ffi";

const file = join(tmpdir(), `mmap-ffi-frameworks-${Math.random()}`);

beforeEach(() => writeFileSync(file, "one\ntwo\nthree\n"));
afterEach(() => rmSync(file));

function caught(act) {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

test("open() takes a path, and a URL of the environment", () => {
  for (const place of [file, new URL(pathToFileURL(file).href)]) {
    const mm = MMap.open(place);
    expect([mm.find("two"), mm[-1], mm.readline().length, mm.text(4, 7)]).toEqual([4, 10, 4, "two"]);
    mm.close();
  }
});

test("regular expressions, buffers and typed arrays may be those of the environment", () => {
  const mm = MMap.open(file, { access: "write" });
  expect(Array.from(mm.matchAll(/t\w+/g), ({ index }) => index)).toEqual([4, 8]);
  expect(mm.find(new Uint8Array([116, 104]))).toBe(8);
  expect(mm.view(DataView, 0, 4).getUint8(1)).toBe(110);
  mm.assign(new Uint8Array([79]).buffer, 0, 1);
  mm.seek(4);
  mm.write("T");
  expect([...mm.textLines()]).toEqual(["One", "Two", "three"]);
  mm.close();
});

test("close() detaches views, and later calls throw", () => {
  const mm = MMap.open(file);
  const { bytes } = mm;
  expect(bytes).toHaveLength(14);
  mm.close();
  expect(bytes).toHaveLength(0);
  expect(caught(() => mm.read())).toMatchObject({ code: "ERR_MMAP_CLOSED" });
});

test("errors are of the environment's classes", () => {
  expect(caught(() => MMap.open(3.5))).toBeInstanceOf(TypeError);
  expect(caught(() => MMap.open(file, { offset: 100 }))).toBeInstanceOf(RangeError);
  const missing = caught(() => MMap.open(`${file}-missing`));
  expect(missing).toBeInstanceOf(MMapError);
  expect(missing).toMatchObject({ code: "ENOENT", path: `${file}-missing` });
});

test("flushAsync() ends while the framework's timers are in place of the environment's", async () => {
  const mm = MMap.open(file, { access: "write" });
  framework.useFakeTimers();
  try {
    await mm.flushAsync();
  } finally {
    framework.useRealTimers();
    mm.close();
  }
});

test("a file that another program truncates is an error, and not the end of the process", () => {
  writeFileSync(file, new Uint8Array(20_000).fill(1));
  const mm = MMap.open(file);
  truncateSync(file, 0);
  expect(caught(() => mm.at(15_000))).toMatchObject({ code: "ERR_MMAP_TRUNCATED" });
  mm.close();
});
