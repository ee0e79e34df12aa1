/**
 * NumPy's .npy files, and .npz archives of them, as typed arrays over a map. Compressed and unaligned arrays (most of
 * `np.savez`) are copied. float16 is its bits without Float16Array. Close the map when nobody uses the arrays any more.
 *
 *     numpy.ts FILE      .npy or .npz
 *
 * @module
 */

import process from "node:process";
import { inflateRawSync } from "node:zlib";
import { MMap } from "../../lib/mod.ts"; // in your program: from "mmap-ffi"

const FLOATS = { f8: Float64Array, f4: Float32Array, f2: globalThis.Float16Array ?? Uint16Array };
const LONG = { i8: BigInt64Array, u8: BigUint64Array, i4: Int32Array, u4: Uint32Array };
const TYPES = { ...FLOATS, ...LONG, i2: Int16Array, u2: Uint16Array, i1: Int8Array, u1: Uint8Array, b1: Uint8Array };

/** An array from the bytes of a .npy file: magic, version, the header's length, the header, the data. */
function arrayOf(bytes: Uint8Array<ArrayBuffer>) {
  const start = 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(10, start));
  const [, order, type = ""] = /'descr': '([<>|])(\w+)'/.exec(header) ?? [];
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1]?.match(/\d+/g) ?? []).map(Number);
  const Type = TYPES[type as keyof typeof TYPES];
  const known = bytes[6] === 1 && Type !== undefined && order !== ">" && header.includes("'fortran_order': False");
  if (!known) throw new TypeError(`this reader does not know such arrays: ${header}`);
  const count = shape.reduce((product, size) => product * size, 1);
  const data = bytes.subarray(start, start + count * Type.BYTES_PER_ELEMENT);
  const isAligned = data.byteOffset % Type.BYTES_PER_ELEMENT === 0;
  const array = isAligned ? new Type(data.buffer, data.byteOffset, count) : new Type(data.slice().buffer);
  return { type, shape, array };
}

/** The names and bytes of the files in a .npz archive, which is a zip file. */
function* filesOf(mm: MMap): Generator<[string, Uint8Array<ArrayBuffer>]> {
  const zip = new DataView(mm.buffer);
  const end = mm.rfind("PK\x05\x06");
  let entry = zip.getUint32(end + 16, true);
  for (let left = zip.getUint16(end + 10, true); left > 0; left--) {
    const name = entry + 46 + zip.getUint16(entry + 28, true);
    const local = zip.getUint32(entry + 42, true);
    const start = local + 30 + zip.getUint16(local + 26, true) + zip.getUint16(local + 28, true);
    const stored = mm.bytes.subarray(start, start + zip.getUint32(entry + 20, true));
    const isDeflated = zip.getUint16(entry + 10, true) === 8;
    yield [mm.text(entry + 46, name), isDeflated ? new Uint8Array(inflateRawSync(stored)) : stored];
    entry = name + zip.getUint16(entry + 30, true) + zip.getUint16(entry + 32, true);
  }
}

if (process.argv[2] === undefined) {
  console.error("usage: numpy.ts FILE");
  process.exit(1);
}
using mm = MMap.open(process.argv[2]);
for (const [name, bytes] of mm.text(0, 2) === "PK" ? filesOf(mm) : [["array", mm.bytes] as const]) {
  const { type, shape, array } = arrayOf(bytes);
  const kind = array.buffer === mm.buffer ? "a view" : "a copy";
  console.log(`${name}: ${type} [${shape}], ${kind}: ${array.slice(0, 4).join(" ")}`);
}
