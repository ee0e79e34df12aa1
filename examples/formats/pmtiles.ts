/**
 * A map as the source of a PMTiles archive: a tile server without a file handle, a thread pool or a read per tile.
 *
 *     pmtiles.ts FILE Z X Y
 *
 * The library takes ArrayBuffers, so each range is copied. The map may be closed after the last `await`: tiles and
 * directories that the library keeps are copies.
 *
 * @module
 */

import process from "node:process";
import { PMTiles, type Source, TileType } from "pmtiles";
import { MMap } from "../../lib/mod.ts"; // in your program: from "mmap-ffi"

/** A source over a map. `key` names the archive in the library's cache. */
const sourceOf = (mm: MMap, key: string): Source => ({
  getKey: () => key,
  getBytes: async (offset, length) => ({ data: mm.slice(offset, offset + length).buffer }),
});

const [path, ...numbers] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: pmtiles.ts FILE Z X Y");
  process.exit(1);
}
const [z = 0, x = 0, y = 0] = numbers.map(Number);

const mm = MMap.open(path);
const archive = new PMTiles(sourceOf(mm, path));
const { tileType, minZoom, maxZoom, numTileEntries } = await archive.getHeader();
console.log(`${numTileEntries} tiles of type ${TileType[tileType]}, zoom ${minZoom} to ${maxZoom}`);

const tile = await archive.getZxy(z, x, y);
mm.close();
console.log(tile === undefined ? "no such tile" : new TextDecoder().decode(tile.data));
