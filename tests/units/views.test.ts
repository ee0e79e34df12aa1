/**
 * What a map keeps of the buffers that it has handed out, over memory that is none.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { List } from "../../ffi/list.ts";
import { ChunkBuffers } from "../../lib/mapping/chunk-buffers.ts";
import type { Memory } from "../../lib/mapping/memory.ts";
import { Views } from "../../lib/mapping/views.ts";
import { collectGarbage } from "../helpers/support.ts";

const test = suite("units/views");

/** Transfers a buffer to a new owner. */
const transfer = (buffer: ArrayBuffer): ArrayBuffer => structuredClone(buffer, { transfer: [buffer] });

const inArray = (list: List<ArrayBuffer> | undefined): ArrayBuffer[] => {
  const buffers: ArrayBuffer[] = [];
  list?.each((buffer) => {
    buffers.push(buffer);
  });
  return buffers;
};

/** Memory of a map of `length` bytes, as far as its views look at it. */
const memoryOf = (length: number): Memory =>
  ({
    length,
    offset: 0,
    start: 4096,
    protection: { writable: true },
    platform: {
      canView: true,
      maxViewLength: 2 ** 40,
      view: (_address: number, size: number) => new ArrayBuffer(size),
    },
    checkRange() {},
  }) as unknown as Memory;

test("a buffer that was transferred is no longer listed, and the others are", () => {
  const views = new Views(memoryOf(1_000_000));
  assert.is(views.buffers, undefined);
  const { buffer: part } = views.part(500_000, 8);
  for (let round = 0; round < 3; round++) transfer(views.whole().buffer);
  assert.is(views.whole(), views.whole());
  assert.is(views.transferred, true);
  const listed = inArray(views.buffers);
  assert.ok(listed.length === 2 && listed.includes(part) && listed.includes(views.whole().buffer));
});

test("a part that was transferred is made anew, and no longer listed", () => {
  const views = new Views(memoryOf(1_000_000));
  const whole = views.whole();
  for (let round = 0; round < 3; round++) transfer(views.part(8, 8).buffer);
  const { buffer, byteOffset } = views.part(8, 8);
  assert.is(byteOffset, 8);
  assert.is(views.part(8, 8).buffer, buffer);
  assert.is(views.transferred, true);
  const listed = inArray(views.buffers);
  assert.ok(listed.length === 2 && listed.includes(whole.buffer) && listed.includes(buffer));
});

test("a chunk that was transferred while it was new is known later, when nothing tells of it", () => {
  const chunks = new ChunkBuffers();
  const first = new ArrayBuffer(8);
  chunks.add(first);
  transfer(first);
  const others = Array.from({ length: 7 }, () => new ArrayBuffer(8));
  for (const other of others) chunks.add(other);
  assert.equal([chunks.transferred, chunks.untraced], [false, false], "it is still held");
  chunks.add(new ArrayBuffer(8));
  assert.equal([chunks.transferred, chunks.untraced], [true, false], "it is not, and is not held weakly");
  const list = new List<ArrayBuffer>();
  chunks.addTo(list);
  assert.ok(others.every((other) => inArray(list).includes(other)));
  assert.is(inArray(list).length, 8);
});

test("a chunk that is held weakly may be transferred without a trace, and is known while it lives", async () => {
  const chunks = new ChunkBuffers();
  const first = new ArrayBuffer(8);
  chunks.add(first);
  for (let more = 0; more < 8; more++) chunks.add(new ArrayBuffer(8));
  assert.equal([chunks.transferred, chunks.untraced], [false, true]);
  transfer(first);
  // It is looked at when the list is swept.
  for (let more = 0; more < 15; more++) chunks.add(new ArrayBuffer(8));
  await collectGarbage();
  assert.is(first.byteLength, 0);
  assert.is(chunks.transferred, true);
});

test.run();
