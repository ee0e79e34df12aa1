/**
 * Lines of a log as bytes: `lines`, against Python and against the fastest known way.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { MMap } from "../lib/mod.ts";
import { type Data, GiB, KiB, MiB } from "./data.ts";
import { type Bench, here } from "./harness.ts";
import { python } from "./python.ts";

/** The number of lines. */
function ours(path: string): number {
  using mm = MMap.open(path);
  let count = 0;
  for (const line of mm.lines()) if (line.length > 0) count++;
  return count;
}

/** The limit for anything that returns a separate array per line: the memory copied once, and the arrays. */
function arrays(path: string, lengths: readonly number[]): number {
  using mm = MMap.open(path);
  let [count, from, block] = [0, BLOCK, new ArrayBuffer(0)];
  for (const length of lengths) {
    if (from + length > BLOCK) {
      block = mm.read(BLOCK).buffer;
      from = 0;
    }
    const line = new Uint8Array(block, from, Math.min(length, block.byteLength));
    from += line.length;
    if (line.length >= 0) count++;
  }
  return count;
}

const BLOCK = 32 * KiB;

/** The same, and finding the end of each line: no map, no iterator, no check. */
function cut(path: string): number {
  using mm = MMap.open(path);
  let count = 0;
  for (let start = 0, given = 0; start < mm.length; start += given) {
    const block = mm.slice(start, start + BLOCK).buffer;
    const text = Buffer.from(block).toString("latin1");
    given = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", given)) {
      const line = new Uint8Array(block, given, end + 1 - given);
      given = end + 1;
      if (line.length > 0) count++;
    }
    if (given > 0) continue;
    // The last line, which was cut off.
    given = block.byteLength;
    count++;
  }
  return count;
}

/** The length of each line. A line that begins near the end of a block is cut off there. */
function lengthsOf(path: string): number[] {
  using mm = MMap.open(path);
  return Array.from(mm.lines(), ({ length }) => length);
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const [small, large, name] = bench.quick ? [MiB, MiB, "1 MiB"] : [256 * MiB, GiB, "1 GiB"];
  const path = data.file("log", large);
  const setup = `
def lines():
    with map_file(${JSON.stringify(path)}) as m:
        return sum(1 for line in iter(m.readline, b""))
`;
  await bench.compare(
    `lines of a log, ${name}`,
    here(() => ours(path)),
    [python(setup, "lines()")],
    { long: true },
  );
  const part = data.file("log", small);
  const lengths = lengthsOf(part);
  const peers = [
    { name: "the arrays alone (the limit)", time: here(() => arrays(part, lengths)) },
    { name: "the arrays, and the ends found (the limit)", time: here(() => cut(part)) },
  ];
  await bench.compare(
    `lines of a log, ${small / MiB} MiB`,
    here(() => ours(part)),
    peers,
    { long: true },
  );
}
