/**
 * The table through which the handler of SIGBUS finds the guarded maps, without the handler.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Ffi } from "../../ffi/types.ts";
import { Table } from "../../platform/sigbus/table.ts";
import type { Guard } from "../../platform/types.ts";

const test = suite("units/sigbus-table");

/** A table in memory that is nobody's, as two threads see it. */
function twoTables(): [Table, Table] {
  const memory = new ArrayBuffer(Table.size(4096));
  const ffi = { view: () => memory } as unknown as Ffi;
  return [new Table(ffi, 0, 4096), new Table(ffi, 0)];
}

test("claim() gives two threads different slots", () => {
  const [one, other] = twoTables();
  const [first, second, third] = [one.claim(4096, 4096), other.claim(8192, 4096), one.claim(12_288, 4096)];
  assert.is(new Set([first?.index, second?.index, third?.index]).size, 3);
});

test("claim() of a slot that was released changes its version", () => {
  const [one] = twoTables();
  const first = one.claim(4096, 4096);
  const { faults, index } = first as { faults: Int32Array; index: number };
  const before = faults[index - 1] as number;
  first?.release();
  assert.is((faults[index - 1] as number) & 3, 0);
  const again = one.claim(8192, 8192);
  assert.is(again?.index, index);
  assert.ok((faults[index - 1] as number) > before);
  assert.is(again?.lowest(), 16_384);
});

test("share() gives all threads the first descriptor", () => {
  const [one, other] = twoTables();
  assert.is(other.descriptor, -1);
  assert.is(one.share(0), 0);
  assert.is(other.descriptor, 0);
  assert.is(other.share(7), 0);
  assert.is(one.descriptor, 0);
});

test("claim() scans rarely while every slot is in use, and finds a released one", () => {
  const memory = new ArrayBuffer(Table.size(4096));
  const ffi = { view: () => memory } as unknown as Ffi;
  const [own, others] = [new Table(ffi, 0, 4096), new Table(ffi, 0)];
  const guards: Guard[] = [];
  for (let guard = own.claim(4096, 4096); guard !== undefined; guard = own.claim(4096, 4096)) guards.push(guard);
  assert.is(guards.length, 65_536);
  const { load } = Atomics;
  let looks = 0;
  Atomics.load = ((...parameters: Parameters<typeof load>) => {
    looks++;
    return load(...parameters);
  }) as typeof load;
  try {
    for (let count = 0; count < 500; count++) assert.is(own.claim(4096, 4096), undefined);
  } finally {
    Atomics.load = load;
  }
  assert.is(looks, 0);
  // Its own is found at once.
  guards.pop()?.release();
  guards.push(own.claim(4096, 4096) as Guard);
  assert.is.not(guards.at(-1), undefined);
  // So is, by the next look, what another thread gave back.
  assert.is(others.claim(4096, 4096), undefined);
  guards.pop()?.release();
  let tried = 0;
  let found: Guard | undefined;
  while (found === undefined && tried < 2000) {
    found = others.claim(4096, 4096);
    tried++;
  }
  assert.is(tried, 1001);
});

test.run();
