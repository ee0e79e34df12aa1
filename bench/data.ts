/**
 * The files that are measured, made by a seeded generator, some of them from the project's own documents and sources: those
 * are the same in every run of one commit, the others in every run. They lie in a folder that all runtimes share, and are
 * made by the first that asks.
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

/** What is made of so many bytes; a longer file repeats them. */
const BLOCK = 8 * MiB;

const MAKERS = {
  /** Sentences of the words of the project's own documents, each word as likely as it is there. */
  text: () => joined(words(), " ", 11),
  /** The project's own source files, one after the other in random order. */
  source: () => joined(sources(), "\n", 12),
  /** Lines of 20 to 200 bytes: a time, a level, and words. */
  log: () => logLines(),
  /** Bytes that nothing can be told of. */
  random: () => {
    const next = generator(14);
    return Buffer.from(Uint32Array.from({ length: BLOCK / 4 }, next).buffer);
  },
  /** The four letters of DNA. */
  dna: () => {
    const next = generator(15);
    return Buffer.from(Uint8Array.from({ length: BLOCK }, () => "ACGT".charCodeAt(next() >>> 30)));
  },
  /** A single letter, again and again. */
  same: () => Buffer.alloc(BLOCK, "A"),
} satisfies Record<string, () => Buffer>;

export type Kind = keyof typeof MAKERS;

function filesOf(folder: string, extension: string): string[] {
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(extension));
  return names.sort().map((name) => readFileSync(join(ROOT, folder, name), "latin1"));
}

function words(): string[] {
  const documents = ["", "docs"].flatMap((folder) => filesOf(folder, ".md"));
  const found = documents.join(" ").match(/[A-Za-z]+[,.]?/g) ?? [];
  // A log's levels stand where the levels do, whatever the documents say of them.
  return found.filter((word) => /[a-z]/.test(word));
}

function sources(): string[] {
  return ["lib", "platform", "ffi"].flatMap((folder) => filesOf(folder, ".ts"));
}

/** Parts that are drawn by chance, joined to a block. */
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

function logLines(): Buffer {
  const next = generator(13);
  const vocabulary = words();
  const lines: string[] = [];
  for (let length = 0, time = 0; length < BLOCK; ) {
    const wanted = 20 + (next() % 181);
    time += next() % 1000;
    const begin = `${String(time).padStart(10, "0")} ${LEVELS[next() % LEVELS.length]} `;
    let line = begin;
    while (line.length < wanted - 1) line += `${vocabulary[next() % vocabulary.length]} `;
    lines.push(line.slice(0, wanted - 1));
    length += wanted;
  }
  // A block ends where a line does, so that the next one begins a line.
  const block = Buffer.from(`${lines.join("\n")}\n`, "latin1").subarray(0, BLOCK);
  block[BLOCK - 1] = 10;
  return block;
}

/** The folder that the runtimes share, and what lies in it. */
export class Data {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The path of a file of one kind and size, which is made where it is missing. */
  file(kind: Kind, size: number): string {
    return this.#made(`${kind}-${size}`, (fd) => {
      const block = MAKERS[kind]();
      for (let done = 0; done < size; done += block.length) {
        writeSync(fd, block, 0, Math.min(block.length, size - done));
      }
    });
  }

  /** A file of zeros that takes no room. */
  sparse(size: number): string {
    return this.#made(`sparse-${size}`, (fd) => ftruncateSync(fd, size));
  }

  /** Where a file of that name lies. */
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
