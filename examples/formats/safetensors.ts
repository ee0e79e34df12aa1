/**
 * A reader of safetensors files: each tensor is a view of the file, without a copy, so a model that is larger than memory
 * loads at once. float16 is a `Float16Array` if the runtime has it, else its bits, as those of bfloat16 are; `numberAt`
 * converts one value. Close the map when nobody uses the tensors any more: `close` detaches them.
 *
 *     safetensors.ts FILE
 *
 * @module
 */

import process from "node:process";
import { MMap } from "../../lib/mod.ts"; // in your program: from "mmap-ffi"

const Half = globalThis.Float16Array ?? Uint16Array;
const FLOATS = { F64: Float64Array, F32: Float32Array, F16: Half, BF16: Uint16Array };
const SIGNED = { I64: BigInt64Array, I32: Int32Array, I16: Int16Array, I8: Int8Array };
const UNSIGNED = { U64: BigUint64Array, U32: Uint32Array, U16: Uint16Array, U8: Uint8Array, BOOL: Uint8Array };
const TYPES = { ...FLOATS, ...SIGNED, ...UNSIGNED };

type Entry = { dtype: keyof typeof TYPES; shape: number[]; data_offsets: [number, number] };

/** The tensors of a file: a header in JSON, whose length is in the first 8 bytes, and then the data. */
function tensorsOf(mm: MMap) {
  const start = 8 + Number(mm.view(DataView, 0, 8).getBigUint64(0, true));
  const { __metadata__, ...entries } = JSON.parse(mm.text(8, start));
  const tensors = Object.entries(entries as Record<string, Entry>).map(([name, { dtype, shape, data_offsets }]) => {
    const Type = TYPES[dtype];
    if (Type === undefined) throw new TypeError(`${name} has the type ${dtype}, which this reader does not know`);
    const [from, to] = data_offsets.map((offset) => start + offset) as [number, number];
    const count = (to - from) / Type.BYTES_PER_ELEMENT;
    const aligned = from % Type.BYTES_PER_ELEMENT === 0; // as the format's own library writes them
    const data = aligned ? mm.view(Type, from, count) : new Type(mm.slice(from, to).buffer);
    return [name, { dtype, shape, data }] as const;
  });
  return new Map(tensors);
}

const bits = new DataView(new ArrayBuffer(4));

/** One value of a tensor as a number. */
function numberAt({ dtype, data }: { dtype: string; data: ArrayLike<number | bigint> }, index: number): number {
  const value = Number(data[index]);
  const isHalf = dtype === "F16" && data instanceof Uint16Array;
  if (!isHalf && dtype !== "BF16") return value;
  // bfloat16 is the upper half of a float32. float16 has 5 bits of exponent, biased by 15: 2 ** 112 makes up for 127.
  if (isHalf && (value & 0x7c00) === 0x7c00) return value & 0x3ff ? Number.NaN : value >> 15 ? -Infinity : Infinity;
  bits.setUint32(0, isHalf ? ((value & 0x8000) << 16) | ((value & 0x7fff) << 13) : value << 16);
  return bits.getFloat32(0) * (isHalf ? 2 ** 112 : 1);
}

if (process.argv[2] === undefined) {
  console.error("usage: safetensors.ts FILE");
  process.exit(1);
}
using mm = MMap.open(process.argv[2]);
for (const [name, tensor] of tensorsOf(mm)) {
  const first = Array.from({ length: Math.min(5, tensor.data.length) }, (_, index) => numberAt(tensor, index));
  console.log(`${name}: ${tensor.dtype} [${tensor.shape}] ${first.join(" ")}`);
}
