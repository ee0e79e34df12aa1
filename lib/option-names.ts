/**
 * Rejects options that do not exist, and says which one was meant.
 *
 * @module
 */

import { show } from "./errors.ts";

/** The names of a call's options. */
export type OptionNames = Readonly<Record<string, true>>;

const { create, keys } = Object;

/** Makes the set of a call's option names. Without a prototype, whose properties would count as options. */
export function optionNames(...names: string[]): OptionNames {
  const set = create(null);
  for (let index = 0; index < names.length; index++) set[names[index] as string] = true;
  return set;
}

/** Options of Bun.mmap, mmap-io, node:fs, Deno.open, numpy.memmap and memmap2, and what they are called here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  __proto__: null as never,
  shared: 'access: "write" shares the map, and access: "copy" keeps its changes private',
  private: 'access: "copy" keeps changes private',
  sync: "call flush() when writes must be on disk",
  size: 'did you mean "length"?',
  len: 'did you mean "length"?',
  byteLength: 'did you mean "length"?',
  end: '"length" counts from "offset"',
  start: 'did you mean "offset"?',
  position: 'did you mean "offset"?',
  byteOffset: 'did you mean "offset"?',
  protection: 'did you mean "prot", or "access"?',
  advise: "call madvise()",
  advice: "call madvise()",
  populate: "call prefault()",
  flag: 'did you mean "access", or "create"?',
  read: 'did you mean access: "read"?',
  readonly: 'did you mean access: "read"?',
  readOnly: 'did you mean access: "read"?',
  write: 'did you mean access: "write"?',
  writable: 'did you mean access: "write"?',
  append: 'access: "write" and resize() make a file longer',
  truncate: "resize() the map, or truncate the file first",
  encoding: "a map has bytes, which TextDecoder decodes",
  dtype: "view() makes typed arrays",
  shape: "view() makes typed arrays",
  name: 'did you mean "tagname"?',
  fd: "it is the first argument of new MMap()",
  fileno: "it is the first argument of new MMap()",
  path: "it is the first argument of MMap.open()",
  filename: "it is the first argument of MMap.open()",
};

/** The options that only `MMap.open` has. */
const OF_OPEN: Readonly<Record<string, string>> = {
  __proto__: null as never,
  length: "it is the argument before the options",
  create: "MMap.open() has it",
  mode: "MMap.open() has it",
  reserve: "MMap.open() has it",
};

/**
 * Own properties only: what other code has put into `Object.prototype` is no mistake of the caller.
 *
 * @throws {TypeError} An option that does not exist.
 */
export function rejectUnknown(options: object, names: OptionNames, call: string): void {
  const given = keys(options);
  for (let index = 0; index < given.length; index++) {
    const name = given[index] as string;
    if (names[name]) continue;
    throw new TypeError(`${show(name)} is not an option of ${call}: ${advice(name, names)}`);
  }
}

function advice(name: string, names: OptionNames): string {
  const opens = names.access === true;
  const known = opens ? (OF_OPEN[name] ?? ELSEWHERE[name]) : undefined;
  if (known !== undefined) return known;
  let [best, least] = ["", 3];
  for (const candidate of keys(names)) {
    const edits = distance(name.toLowerCase(), candidate);
    if (edits < least) [best, least] = [candidate, edits];
  }
  if (best !== "" && name.length > 2) return `did you mean ${show(best)}?`;
  return keys(names).length === 1 ? `it has only ${keys(names)}` : `it has ${keys(names).join(", ")}`;
}

/** The number of letters to insert, delete, replace or swap with their neighbour to turn one word into the other. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const cost = Math.min(
        (last[column - 1] as number) + (same ? 0 : 1),
        (last[column] as number) + 1,
        (next[column - 1] as number) + 1,
      );
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      next[column] = row > 1 && swapped ? Math.min(cost, (before[column - 2] as number) + 1) : cost;
    }
    [before, last] = [last, next];
  }
  return last[to.length] as number;
}
