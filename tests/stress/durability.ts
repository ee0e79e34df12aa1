/**
 * A writer that is killed at a random moment, again and again: what it has written through its map must be in the file.
 *
 *     durability [kills: 1000]
 *
 * The file is a ring of records, each with its number and a checksum. The writer stores a record's bytes first and then its
 * number in the head; it marks the number that it has flushed; and it gives the file another size now and then. Whoever comes
 * after a kill finds every record up to the head's number whole: the next writer, which goes on from there, and the checker,
 * which reads the file without a map.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { MMap } from "../../lib/mod.ts";
import { commandFor, FOLDER, newPath } from "../helpers/support.ts";

const HEAD = 4096;
const RECORD = 256;
const RECORDS = 1000;
const SIZES = [HEAD + RECORDS * RECORD, HEAD + 3 * RECORDS * RECORD];

// The words of the head: the last record that was written, the last one that was flushed, and how many writers there were.
const WRITTEN = 0;
const FLUSHED = 1;
const WRITERS = 2;

/** What record `number` is: its number, bytes that follow from it, and their sum. */
function record(number: number): Int32Array {
  const words = new Int32Array(RECORD / 4);
  words[0] = number;
  let value = number;
  let sum = 0;
  for (let index = 1; index < words.length - 1; index++) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) | 0;
    words[index] = value;
    sum = (sum + value) | 0;
  }
  words[words.length - 1] = sum;
  return words;
}

const place = (number: number) => HEAD + (number % RECORDS) * RECORD;

/** What is wrong with the records up to the head's number. */
function check(bytes: Uint8Array): string | undefined {
  const head = new Int32Array(bytes.buffer, bytes.byteOffset, HEAD / 4);
  const [written, flushed] = [head[WRITTEN] as number, head[FLUSHED] as number];
  if (flushed > written) return `${flushed} is marked as flushed, and ${written} as written`;
  // The one after the last may be half written, in the place of the oldest.
  for (let number = Math.max(1, written - RECORDS + 2); number <= written; number++) {
    const found = new Int32Array(bytes.buffer, bytes.byteOffset + place(number), RECORD / 4);
    if (record(number).some((word, index) => word !== found[index])) return `record ${number} of ${written} is torn`;
  }
  return undefined;
}

/** Writes until it is killed. */
function write(path: string): void {
  const mm = MMap.open(path, { access: "write" });
  const trouble = check(mm.slice());
  if (trouble !== undefined) throw new Error(`the writer found that ${trouble}`);
  let head = mm.view(Int32Array, 0, HEAD / 4);
  Atomics.add(head, WRITERS, 1);
  process.stdout.write("ready\n");
  for (let number = Atomics.load(head, WRITTEN) + 1; ; number++) {
    mm.assign(record(number), place(number), place(number) + RECORD);
    Atomics.store(head, WRITTEN, number);
    if (number % 64 === 0) {
      mm.flush();
      Atomics.store(head, FLUSHED, number);
    }
    if (number % 500 === 0) {
      mm.resize(SIZES[(number / 500) % 2] as number);
      head = mm.view(Int32Array, 0, HEAD / 4);
    }
  }
}

/** Starts a writer, kills it at a random moment of its work, and gives what it had said by then. */
async function kill(path: string): Promise<string> {
  // Its own folder lies in this one's, which takes it along: who is killed cleans up nothing.
  const options = { args: ["write", path], env: { TMPDIR: FOLDER } };
  const { program, args, env } = commandFor(fileURLToPath(import.meta.url), options);
  const child: ChildProcess = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const ready = new Promise<void>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data) => {
        said += data;
        if (said.includes("ready")) resolve();
      });
    }
  });
  const ended = once(child, "exit");
  await Promise.race([ready, ended]);
  await setTimeout(30 * Math.random());
  child.kill("SIGKILL");
  const [code, signal] = await ended;
  return signal === "SIGKILL" ? said : `${said} ended with ${signal ?? code}`;
}

async function lead(kills: number): Promise<void> {
  // A second writer, of a file of its own, starts while the first one is at work.
  const paths = Array.from({ length: Math.min(2, kills) }, newPath);
  const left = { kills };
  const totals = { written: 0, flushed: 0 };
  const lives = paths.map(async (path) => {
    writeFileSync(path, new Uint8Array(SIZES[0] as number));
    let killed = 0;
    for (; left.kills > 0; killed++) {
      left.kills--;
      const said = await kill(path);
      if (said.trim() !== "ready") throw new Error(`a writer was not killed at its work: ${said}`);
      const trouble = check(readFileSync(path));
      if (trouble !== undefined) throw new Error(`after ${killed} kills, ${trouble}`);
      if (!SIZES.includes(statSync(path).size)) throw new Error(`the file has ${statSync(path).size} bytes`);
    }
    const head = new Int32Array(readFileSync(path).buffer, 0, HEAD / 4);
    if (head[WRITERS] !== killed) throw new Error(`${head[WRITERS]} writers of ${killed} were there`);
    totals.written += head[WRITTEN] as number;
    totals.flushed += head[FLUSHED] as number;
  });
  await Promise.all(lives);
  console.log(`${kills} kills: ${totals.written} records written, and marks of flushing up to ${totals.flushed}`);
  if (totals.written === 0) throw new Error("nothing was written");
}

const [, , first, second] = process.argv;
if (first === "write") write(second as string);
else await lead(Number(first ?? 1000));
