/**
 * Makes the files that the examples of formats and their measurements read.
 *
 *     make.ts FOLDER small|large
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { tableFromArrays, tableToIPC } from "apache-arrow";
import { parquetWriteFile } from "hyparquet-writer";
import { database } from "./make-maxmind.ts";
import { archive } from "./make-pmtiles.ts";

const [folder = "", size = ""] = process.argv.slice(2);
const large = size === "large";
const encoder = new TextEncoder();

const write = (name: string, ...parts: Uint8Array[]) => writeFileSync(join(folder, name), Buffer.concat(parts));

/** The bytes of numbers. */
const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

const rows = large ? 10_000_000 : 1000;
const ids = Int32Array.from({ length: rows }, (_, row) => row);
/** Quarters, so that sums are exact. They differ, so that no dictionary is made of them. */
const prices = Float64Array.from(ids, (id) => id / 4);
const names = large ? {} : { name: Array.from(ids, (id) => `item ${id}`) };

function arrow(): void {
  write("table.arrow", tableToIPC(tableFromArrays({ id: ids, price: prices, ...names }), "file"));
}

function parquet(): void {
  const columns = [
    { name: "id", data: ids, type: "INT32" as const },
    { name: "price", data: prices, type: "DOUBLE" as const },
    ...(names.name === undefined ? [] : [{ name: "name", data: names.name, type: "STRING" as const }]),
  ];
  const filename = join(folder, "table.parquet");
  parquetWriteFile({ filename, columnData: columns, rowGroupSize: large ? 100_000 : 300 });
}

/** A header whose length is a multiple of 8, as the format's own library pads it, and the data. */
function safetensors(): void {
  const matrix = Float32Array.from({ length: large ? 32 * 2 ** 20 : 256 }, (_, index) => index / 8);
  const tensors = [
    { name: "embedding", dtype: "F32", shape: [matrix.length / 64, 64], data: matrix },
    { name: "ids", dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) },
    // 1, -2.5, 65504, 2 ** -24, infinity
    { name: "half", dtype: "F16", shape: [5], data: Uint16Array.of(0x3c00, 0xc100, 0x7bff, 1, 0x7c00) },
    // 1, -2.5, 3.140625, infinity
    { name: "brain", dtype: "BF16", shape: [4], data: Uint16Array.of(0x3f80, 0xc020, 0x4049, 0x7f80) },
    { name: "mask", dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) },
  ];
  let at = 0;
  const entries = tensors.map(({ name, dtype, shape, data }) => {
    const start = at;
    at += data.byteLength;
    return [name, { dtype, shape, data_offsets: [start, at] }];
  });
  const json = JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(entries) });
  const header = encoder.encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = bytesOf(BigUint64Array.of(BigInt(header.length)));
  write("model.safetensors", length, header, ...tensors.map(({ data }) => bytesOf(data)));
}

/** What NumPy's `save` writes. */
function npy(name: string, type: string, shape: string, data: ArrayBufferView): void {
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': ${shape}, }`;
  const header = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const start = Uint8Array.of(0x93, ...encoder.encode("NUMPY"), 1, 0, header.length & 255, header.length >> 8);
  write(name, start, encoder.encode(header), bytesOf(data));
}

/** Archives of two arrays, by Python: not compressed, as NumPy's `savez` makes them, and compressed. */
const ZIP = `
import sys, zipfile
for name, method in ("stored.npz", zipfile.ZIP_STORED), ("deflated.npz", zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(name, "w", method) as archive:
        for array in "x.npy", "y.npy":
            archive.write(array)
`;

function numpy(): void {
  const values = large ? 16 * 2 ** 20 : 24;
  npy(
    "x.npy",
    "<f8",
    `(${values / 8}, 8)`,
    Float64Array.from({ length: values }, (_, index) => index / 2),
  );
  if (large) return;
  npy("y.npy", "|i1", "(3,)", Int8Array.of(-1, 0, 1));
  execFileSync("python3", ["-c", ZIP], { cwd: folder });
}

arrow();
parquet();
safetensors();
numpy();
write("countries.mmdb", database(large ? 20 : 4));
write("tiles.pmtiles", archive(large ? 8 : 3, large ? 1536 : 0));
