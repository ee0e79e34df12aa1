/**
 * The steps of the differential fuzzer: what they are, and how they are made up.
 *
 * @module
 */

import * as library from "../../lib/mod.ts";
import type { Random } from "./random.ts";

/** Bytes travel as strings of the characters U+0000 to U+00FF; null stands for an argument that is not given. */
export type Argument = number | string | null | OpenArguments;

/** The options of an opening. */
export interface OpenArguments {
  access?: "read" | "write" | "copy";
  prot?: number;
  flags?: number;
  offset?: number;
  trackfd?: boolean;
}

/** One call, by the name that the library's side has for it. */
export interface Step {
  op: string;
  args: Argument[];
}

/** What the file has at first: a chunk, repeated, with single bytes here and there that differ. */
export interface Content {
  chunk: string;
  length: number;
  marks: [index: number, value: number][];
}

export interface Sequence {
  content: Content;
  steps: Step[];
}

/**
 * What a step gave; the position and the length then, both -1 where there is no open map; and what the file has then,
 * null where there is none.
 */
export type Outcome = [status: "ok" | "error", value: unknown, position: number, length: number, file: string | null];

/** What is known of the map before a step. */
export interface State {
  readonly open: boolean;
  readonly length: number;
  readonly position: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly mode: string;
  readonly options: OpenArguments;
}

export const PAGE: number = library.PAGESIZE;
const { PROT_READ = 0, PROT_WRITE = 0, MAP_SHARED = 0, MAP_PRIVATE = 0 } = library;
const ALPHABET = "aaaabbb\n\0A\xff\x80";

/** The expressions of `matchAll`, by their number; the other side has the same in its own words. */
export const PATTERNS: readonly RegExp[] = [
  /a/,
  /[ab]+/,
  /a*/,
  /(a)(b)?/,
  /\n/,
  /^[ab]/m,
  /b$/m,
  /(?:ab){2,}/,
  /[^a]b/,
  /(?<=a)b/,
  /a(?!b)/,
  /(a|b)\1/,
  /\xff[\x80-\xff]?/,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the bytes of a map are any.
  /(?<first>b)(?<second>\x00)?/,
  /.{1,3}/s,
  /A/i,
];

export function randomContent(random: Random): Content {
  const kind = random.below(20);
  const length =
    kind === 0
      ? 0
      : kind < 12
        ? 1 + random.below(300)
        : kind < 17
          ? 3000 + random.below(12_000)
          : 60_000 + random.below(80_000);
  const chunk = text(random, 1 + random.below(200));
  const marks = Array.from({ length: 4 }, (): [number, number] => [random.below(length + 1), anyByte(random)]);
  return { chunk, length, marks };
}

/** Any but a carriage return, which ends a line for JavaScript's expressions and not for Python's. */
function anyByte(random: Random): number {
  const value = random.below(255);
  return value < 13 ? value : value + 1;
}

function text(random: Random, length: number): string {
  let made = "";
  for (let index = 0; index < length; index++) made += ALPHABET[random.below(ALPHABET.length)];
  return made;
}

/** How often each step is made, while a map is open. */
const WEIGHTS = {
  open: 2,
  close: 1,
  read: 8,
  readByte: 6,
  readline: 8,
  lines: 2,
  write: 8,
  writeByte: 5,
  seek: 10,
  tell: 1,
  seekable: 1,
  find: 8,
  rfind: 8,
  matchAll: 3,
  move: 6,
  resize: 4,
  size: 2,
  index: 8,
  setIndex: 8,
  slice: 8,
  assign: 8,
  flush: 3,
  madvise: 2,
  iterate: 1,
  takeView: 3,
  viewSet: 4,
  poke: 2,
} as const;

export function randomStep(random: Random, state: State, fileLength: number): Step {
  // A closed map is tried now and then, and then opened again.
  const op = !state.open && !random.oneIn(4) ? "open" : random.weighted(WEIGHTS);
  const maker = MAKERS[op];
  if (maker === undefined) return { op, args: [] };
  const made = maker(random, state, fileLength);
  // Not every step can be made of every map.
  return made !== undefined && foreseeable(made, state, fileLength) ? made : { op: "tell", args: [] };
}

/** Must both sides do the same at this step? No other is made, and none may come of making a sequence shorter. */
export function foreseeable({ op, args }: Step, state: State, fileLength: number): boolean {
  const { mode, options } = state;
  const { access = "write", flags, offset = 0 } = options;
  switch (op) {
    case "resize":
      // Python cannot resize private pages of a file that it may not write; whether this library must write depends on
      // sizes. And it has nothing behind shared anonymous memory that could grow: touching what it grew by kills it.
      return mode !== "r" && (mode !== "anonymous" || flags === MAP_PRIVATE || access === "copy");
    case "poke":
      // What a private page shows of a later change to its file depends on whether it was copied already.
      return (
        state.open &&
        mode !== "anonymous" &&
        access !== "copy" &&
        flags === undefined &&
        Number(args[0]) >= offset &&
        Number(args[0]) < fileLength
      );
    case "madvise":
      // Which pages a range touches is the same on both sides only where the map begins with one.
      return offset % PAGE === 0 || (args.length === 1 && ADVICE.includes(String(args[0])));
    default:
      return true;
  }
}

type Maker = (random: Random, state: State, fileLength: number) => Step | undefined;

/** A place in a map: mostly within, often near an edge, sometimes outside, rarely no place at all. */
function place(random: Random, length: number): number {
  switch (random.below(12)) {
    case 0:
      return length - 2 + random.below(4);
    case 1:
      return -length - 2 + random.below(4);
    case 2:
      return random.below(3) - 1;
    case 3:
      return PAGE * random.below(20) - 1 + random.below(3);
    case 4:
      return random.pick([
        2 ** 31,
        2 ** 32,
        2 ** 40,
        Number.MAX_SAFE_INTEGER,
        -(2 ** 31),
        -(2 ** 40),
        1.5,
        65_535,
        65_536,
      ]);
    case 5:
    case 6:
      return -random.below(length + 1);
    default:
      return random.below(length + 1);
  }
}

const bound = (random: Random, { length }: State) => (random.oneIn(3) ? null : place(random, length));

function bounds(random: Random, state: State): Argument[] {
  return [bound(random, state), bound(random, state)];
}

function step(random: Random): number | null {
  return random.oneIn(2) ? null : random.pick([1, 2, 3, -1, -2, -5, 7, 100, -4096, 65_536, 0, 1.5]);
}

/** Bytes to write: of a length that fits, mostly. */
function data(random: Random, room: number): string {
  const length = random.oneIn(8)
    ? room + random.below(2)
    : random.below(Math.min(room, random.oneIn(10) ? 70_000 : 30) + 1);
  if (length < 200) return text(random, length);
  return text(random, 50)
    .repeat(Math.ceil(length / 50))
    .slice(0, length);
}

const needle = (random: Random) => text(random, random.pick([0, 1, 1, 2, 2, 3, 4, 6]));

const size = (random: Random, { length }: State) =>
  random.pick([
    random.below(300),
    random.below(20_000),
    length,
    length + 1,
    length - 1,
    PAGE * random.below(20),
    65_536 + random.below(80_000),
    random.oneIn(5) ? -1 : 0,
  ]);

const byte = (random: Random) => (random.oneIn(12) ? random.pick([-1, 256, 1.5, 2 ** 32]) : anyByte(random));

const MAKERS: Record<string, Maker> = {
  open,
  read: (random, state) => ({ op: "read", args: [random.oneIn(6) ? bound(random, state) : random.below(20)] }),
  lines: (random, state) => ({ op: "lines", args: bounds(random, state) }),
  write: (random, { length, position }) => ({ op: "write", args: [data(random, Math.max(0, length - position))] }),
  writeByte: (random) => ({ op: "writeByte", args: [byte(random)] }),
  seek: (random, { length }) => ({
    op: "seek",
    args: random.oneIn(3) ? [place(random, length), random.pick([0, 1, 2, 1, 2, 3, -1])] : [random.below(length + 1)],
  }),
  find: (random, state) => ({ op: "find", args: [needle(random), ...bounds(random, state)] }),
  rfind: (random, state) => ({ op: "rfind", args: [needle(random), ...bounds(random, state)] }),
  matchAll: (random, state) => ({ op: "matchAll", args: [random.below(PATTERNS.length), ...bounds(random, state)] }),
  move: (random, { length }) => ({ op: "move", args: moved(random, length) }),
  resize: (random, state) => ({ op: "resize", args: [size(random, state)] }),
  index: (random, { length }) => ({ op: "index", args: [place(random, length)] }),
  setIndex: (random, { length }) => ({ op: "setIndex", args: [place(random, length), byte(random)] }),
  slice: (random, state) => ({ op: "slice", args: [...bounds(random, state), step(random)] }),
  assign,
  flush: (random, { length }) =>
    random.oneIn(3)
      ? { op: "flush", args: [] }
      : { op: "flush", args: [place(random, length), random.oneIn(2) ? null : place(random, length)] },
  madvise,
  takeView: (random, { length }) => ({ op: "takeView", args: random.oneIn(2) ? [0] : [random.below(length + 1)] }),
  viewSet: (random) => ({ op: "viewSet", args: [random.below(150_000), anyByte(random)] }),
  poke: (random, state, fileLength) => {
    const first = state.options.offset ?? 0;
    if (first >= fileLength) return undefined;
    return { op: "poke", args: [first + random.below(fileLength - first), anyByte(random)] };
  },
};

function open(random: Random, _state: State, fileLength: number): Step {
  const options: OpenArguments = {};
  let mode: string = random.pick(["r+", "r+", "r+", "r"]);
  const kind = random.below(10);
  if (kind < 6) options.access = random.pick(["read", "write", "write", "copy"]);
  if (kind === 6 || kind === 7) {
    if (!random.oneIn(3)) options.flags = random.pick([MAP_SHARED, MAP_PRIVATE, MAP_PRIVATE]);
    if (random.oneIn(2)) options.prot = random.pick([PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE]);
  }
  if (random.oneIn(40)) Object.assign(options, { access: "read", prot: PROT_READ });
  if (random.oneIn(30)) mode = random.pick(["w", "bad"]);
  if (random.oneIn(8)) mode = "anonymous";
  if (mode !== "anonymous" && random.oneIn(3)) options.offset = openOffset(random, fileLength);
  if (random.oneIn(15)) options.trackfd = false;
  const rest = Math.max(0, fileLength - (options.offset ?? 0));
  const length = mode === "anonymous" ? random.below(20_000) : random.oneIn(3) ? random.below(rest + 2) : 0;
  return { op: "open", args: [mode, random.oneIn(50) ? -1 : length, options] };
}

function openOffset(random: Random, fileLength: number): number {
  if (random.oneIn(20)) return random.pick([-1, 2 ** 40, 1.5, fileLength, fileLength + 1]);
  return random.oneIn(2) ? PAGE * random.below(fileLength / PAGE + 1) : random.below(fileLength + 1);
}

function moved(random: Random, length: number): Argument[] {
  if (random.oneIn(5)) return [place(random, length), place(random, length), place(random, length)];
  const count = random.below(length + 1);
  return [random.below(length - count + 1), random.below(length - count + 1), count];
}

function assign(random: Random, state: State): Step {
  const { length } = state;
  const start = random.below(length + 1);
  if (random.oneIn(3)) return { op: "assign", args: [data(random, 10), ...bounds(random, state), step(random)] };
  const by = random.pick([1, 1, 1, 2, 3, -1, -2, 1000]);
  const made = data(random, Math.floor((by > 0 ? length - start : start) / Math.abs(by)));
  // Exactly what the slice has room for; one that runs backwards to the start has no end to name.
  const end = start + made.length * by;
  return { op: "assign", args: [made, start, end < 0 ? null : end, by === 1 ? null : by] };
}

/** Advice that can be given to any map without leaving to the system what the memory has afterwards. */
const ADVICE = ["MADV_NORMAL", "MADV_RANDOM", "MADV_SEQUENTIAL", "MADV_WILLNEED"];

function madvise(random: Random, state: State): Step {
  if ((state.options.offset ?? 0) % PAGE !== 0) return { op: "madvise", args: [random.pick(ADVICE)] };
  const option = random.pick([...ADVICE, "MADV_DONTNEED", "MADV_DONTNEED"]);
  const start = random.oneIn(2) ? place(random, state.length) : PAGE * random.below(state.length / PAGE + 1);
  return { op: "madvise", args: random.oneIn(3) ? [option] : [option, start, bound(random, state)] };
}
