/**
 * The files to measure with, made by a seeded generator. Those that are made of the project's documents and sources are
 * the same in every run of one commit, the others in every run. All runtimes share their folder; the first that needs a
 * file makes it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tests/helpers/runtimes.ts";

export const KiB = 2 ** 10;
export const MiB = 2 ** 20;
export const GiB = 2 ** 30;
export const TiB = 2 ** 40;

/** A generator of numbers from 0 to 2^32 - 1: George Marsaglia's xorshift32. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** The number of bytes that are generated; a longer file repeats them. */
const BLOCK = 8 * MiB;

const MAKERS = {
  /** Words of the project's documents, with the frequencies that they have there. */
  text: () => joined(words(), " ", 11),
  /** The project's source files, in random order. */
  source: () => joined(sources(), "\n", 12),
  /** Lines of 20 to 200 bytes: a time, a level, and words. */
  log: () => logLines(words()),
  /** The same, with words of other alphabets among the others: their letters have two, three or four bytes in UTF-8. */
  international: () => logLines([...words(), ...Array.from({ length: 200 }, () => INTERNATIONAL).flat()]),
  /** Random bytes. */
  random: () => {
    const next = generator(14);
    return Buffer.from(Uint32Array.from({ length: BLOCK / 4 }, next).buffer);
  },
  /** The four letters of DNA. */
  dna: () => {
    const next = generator(15);
    return Buffer.from(Uint8Array.from({ length: BLOCK }, () => "ACGT".charCodeAt(next() >>> 30)));
  },
  /** One letter, repeated. */
  same: () => Buffer.alloc(BLOCK, "A"),
} satisfies Record<string, () => Buffer>;

export type Kind = keyof typeof MAKERS;

function filesOf(folder: string, extension: string, recursive = false): string[] {
  const all = readdirSync(join(ROOT, folder), { recursive, encoding: "utf8" });
  const names = all.filter((name) => name.endsWith(extension));
  return names.sort().map((name) => readFileSync(join(ROOT, folder, name), "latin1"));
}

function words(): string[] {
  const documents = ["", "docs"].flatMap((folder) => filesOf(folder, ".md"));
  const found = documents.join(" ").match(/[A-Za-z]+[,.]?/g) ?? [];
  // Words in capitals are left out: a log's levels must appear only where the levels are.
  return found.filter((word) => /[a-z]/.test(word));
}

function sources(): string[] {
  return ["lib", "platform", "ffi"].flatMap((folder) => filesOf(folder, ".ts", true));
}

/** Randomly chosen parts, joined to a block. */
function joined(parts: readonly string[], separator: string, seed: number): Buffer {
  const next = generator(seed);
  const drawn: string[] = [];
  for (let length = 0; length < BLOCK; ) {
    const part = parts[next() % parts.length] as string;
    drawn.push(part);
    length += part.length + separator.length;
  }
  return Buffer.from(drawn.join(separator).slice(0, BLOCK), "latin1");
}

const LEVELS = ["INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR"];

const INTERNATIONAL = ["größe", "naïve", "façade", "żółty", "память", "ファイル", "内存映射", "😀"];

function logLines(vocabulary: readonly string[]): Buffer {
  const next = generator(13);
  const lines: string[] = [];
  for (let length = 0, time = 0; length < BLOCK; ) {
    const wanted = 20 + (next() % 181);
    time += next() % 1000;
    const begin = `${String(time).padStart(10, "0")} ${LEVELS[next() % LEVELS.length]} `;
    let line = begin;
    while (line.length < wanted - 1) line += `${vocabulary[next() % vocabulary.length]} `;
    line = line.slice(0, wanted - 1);
    lines.push(line);
    length += Buffer.byteLength(line) + 1;
  }
  // The next block begins with a line.
  return endingWithLine(Buffer.from(`${lines.join("\n")}\n`).subarray(0, BLOCK));
}

/**
 * Ends a part of a log with a line, in place of what may be a part of a character: the ways to read text differ in what they
 * make of that at the end.
 */
function endingWithLine(log: Buffer): Buffer {
  log.fill("x", log.length - 4);
  log[log.length - 1] = 10;
  return log;
}

/** The folder that the runtimes share, and its files. */
export class Data {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The path of a file of one kind and size. Makes the file if it does not exist. */
  file(kind: Kind, size: number): string {
    return this.#made(`${kind}-${size}`, (fd) => {
      const block = MAKERS[kind]();
      for (let done = 0; done < size; done += block.length) {
        const part = block.subarray(0, Math.min(block.length, size - done));
        writeSync(fd, kind === "log" || kind === "international" ? endingWithLine(part) : part);
      }
    });
  }

  /** A sparse file of zeros. */
  sparse(size: number): string {
    return this.#made(`sparse-${size}`, (fd) => ftruncateSync(fd, size));
  }

  /** The path of a file in the folder. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  #made(name: string, make: (fd: number) => void): string {
    const path = this.path(name);
    if (existsSync(path)) return path;
    const fd = openSync(`${path}.new`, "w");
    make(fd);
    closeSync(fd);
    renameSync(`${path}.new`, path);
    return path;
  }
}
