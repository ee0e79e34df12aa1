/**
 * Lines of a log as strings: `textLines`, against other ways to get them. All return strings and count their characters.
 *
 * @module
 */

import { createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { MMap } from "../lib/mod.ts";
import { type Data, KiB, type Kind, MiB } from "./data.ts";
import { type Bench, here } from "./harness.ts";

/** The number of characters, without newlines. */
function ours(path: string): number {
  using mm = MMap.open(path);
  let count = 0;
  for (const line of mm.textLines()) count += line.length;
  return count;
}

async function readline(path: string): Promise<number> {
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    count += line.length;
  }
  return count;
}

function split(path: string): number {
  let count = 0;
  for (const line of readFileSync(path, "utf8").split("\n")) count += line.length;
  return count;
}

function decoded(path: string): number {
  using mm = MMap.open(path);
  const decoder = new TextDecoder();
  let count = 0;
  for (const line of mm.lines()) count += decoder.decode(line).replace("\n", "").length;
  return count;
}

/** Makes the text of one block after the other, and no lines of it. Returns nothing: the text has newlines, which lines have not. */
function blocks(path: string): void {
  using mm = MMap.open(path);
  const size = 64 * KiB;
  for (let at = 0; at < mm.length; at += size) mm.text(at, at + size);
}

function all(path: string): number {
  using mm = MMap.open(path);
  return mm.text().length;
}

const KINDS: readonly [kind: Kind, name: string][] = [
  ["log", "ASCII"],
  ["international", "with other letters"],
];

export default async function (bench: Bench, data: Data): Promise<void> {
  const size = bench.quick ? MiB : 128 * MiB;
  for (const [kind, name] of KINDS) {
    const path = data.file(kind, size);
    const nodes = { name: "node:readline", time: here(() => readline(path)) };
    const peers = [
      { ...nodes, target: 0.4 },
      { name: "readFileSync, split", target: 0.5, time: here(() => split(path)) },
      { name: "lines() and TextDecoder", target: 0.5, time: here(() => decoded(path)) },
      { name: "the text of its blocks alone (the limit)", time: here(() => blocks(path)) },
    ];
    await bench.compare(
      `text lines of a log, ${name}, ${size / MiB} MiB`,
      here(() => ours(path)),
      peers,
      { long: true },
    );
    // Text against text: node:readline returns strings.
    await bench.compare(
      `lines() and TextDecoder of a log, ${name}, ${size / MiB} MiB`,
      here(() => decoded(path)),
      [{ ...nodes, target: 1 }],
      { long: true },
    );
    await bench.compare(
      `text of a log, ${name}, ${size / MiB} MiB`,
      here(() => all(path)),
      [{ name: "readFileSync", time: here(() => readFileSync(path, "utf8").length) }],
      { long: true },
    );
  }
}
