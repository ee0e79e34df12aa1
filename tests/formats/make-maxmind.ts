/**
 * A MaxMind database of IPv4 networks, all of the same size: a perfect binary tree, and a record per network.
 *
 * @see https://maxmind.github.io/MaxMind-DB/
 * @module
 */

import { Buffer } from "node:buffer";

type Value = string | number | { [key: string]: Value };

/** A value as the format has it: a byte with the type and the length, and the contents. */
function encode(value: Value): Buffer {
  if (typeof value === "string") return Buffer.concat([head(2, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === "number") {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(value);
    return Buffer.concat([head(6, 4), number]);
  }
  const entries = Object.entries(value);
  return Buffer.concat([head(7, entries.length), ...entries.flat().map(encode)]);
}

/** Lengths up to 284. */
const head = (type: number, length: number) =>
  length < 29 ? Buffer.of((type << 5) | length) : Buffer.of((type << 5) | 29, length - 29);

/** The record of a network. All have one length. */
const record = (network: number) => {
  const code = `${String.fromCharCode(65 + (network % 26))}${String.fromCharCode(65 + ((network >> 5) % 26))}`;
  const name = `Country of network ${String(network).padStart(8, "0")}`;
  return encode({ country: { geoname_id: network, iso_code: code, names: { en: name } } });
};

/** A database of 2 ** `depth` networks. */
export function database(depth: number): Buffer {
  const networks = 2 ** depth;
  const nodes = networks - 1;
  const size = record(0).length;
  // Two records of 32 bits per node. Node n's children are the nodes 2n + 1 and 2n + 2; past the last node, a record.
  const tree = Buffer.alloc(8 * nodes);
  for (let node = 0; node < nodes; node++) {
    for (const side of [0, 1]) {
      const child = 2 * node + 1 + side;
      tree.writeUInt32BE(child < nodes ? child : nodes + 16 + (child - nodes) * size, 8 * node + 4 * side);
    }
  }
  const data = Buffer.alloc(networks * size);
  for (let network = 0; network < networks; network++) record(network).copy(data, network * size);
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 0,
    database_type: "Test-Country",
    ip_version: 4,
    node_count: nodes,
    record_size: 32,
  });
  return Buffer.concat([tree, Buffer.alloc(16), data, Buffer.from("\xab\xcd\xefMaxMind.com", "latin1"), metadata]);
}
