/**
 * A PMTiles archive whose tiles are text, with a root directory and leaves.
 *
 * @see https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
 * @module
 */

import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { tileIdToZxy } from "pmtiles";

interface Entry {
  id: number;
  offset: number;
  length: number;
  /** The number of tiles; 0 of a leaf. */
  run: number;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

function directory(entries: Entry[]): Buffer {
  const ids = entries.map(({ id }, index) => id - (entries[index - 1]?.id ?? 0));
  const runs = entries.map(({ run }) => run);
  const lengths = entries.map(({ length }) => length);
  const offsets = entries.map(({ offset }) => offset + 1);
  return gzipSync(Buffer.from([entries.length, ...ids, ...runs, ...lengths, ...offsets].flatMap(varint)));
}

/** Entries one after the other, of parts that lie so too. */
function entriesOf(parts: Buffer[], first: number, run: number, step: number): Entry[] {
  let offset = 0;
  return parts.map(({ length }, index) => {
    offset += length;
    return { id: first + index * step, offset: offset - length, length, run };
  });
}

const TILES_PER_LEAF = 1000;

/** An archive of all tiles up to a zoom; each is at least `size` bytes long before it is compressed. */
export function archive(maxZoom: number, size: number): Buffer {
  const count = (4 ** (maxZoom + 1) - 1) / 3;
  const tiles = Array.from({ length: count }, (_, id) => {
    const text = Buffer.from(`tile ${tileIdToZxy(id).join("/")}`.padEnd(size));
    return size > 0 ? text : gzipSync(text);
  });
  const entries = entriesOf(tiles, 0, 1, 1);
  const leaves: Buffer[] = [];
  for (let at = 0; at < count; at += TILES_PER_LEAF) leaves.push(directory(entries.slice(at, at + TILES_PER_LEAF)));
  const root = directory(entriesOf(leaves, 0, 0, TILES_PER_LEAF));
  const metadata = gzipSync("{}");
  const parts = [root, metadata, Buffer.concat(leaves), Buffer.concat(tiles)];
  const header = Buffer.alloc(127);
  header.write("PMTiles\x03");
  let offset = header.length;
  for (const [index, { length }] of parts.entries()) {
    header.writeBigUInt64LE(BigInt(offset), 8 + 16 * index);
    header.writeBigUInt64LE(BigInt(length), 16 + 16 * index);
    offset += length;
  }
  for (const index of [0, 1, 2]) header.writeBigUInt64LE(BigInt(count), 72 + 8 * index);
  // Clustered; directories by gzip, tiles by gzip or not compressed, of a type of their own; the zooms.
  header.set([1, 2, size > 0 ? 1 : 2, 0, 0, maxZoom], 96);
  return Buffer.concat([header, ...parts]);
}
