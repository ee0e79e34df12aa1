/**
 * Regular expressions over a mapped region. No more than a window is copied at a time.
 *
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import { builtins } from "../../ffi/builtins.ts";
import {
  type ArrayBuffer,
  MathCeil,
  MathMax,
  MathMin,
  Object,
  RegExpPrototypeExec,
  Uint8Array,
} from "../../ffi/primordials.ts";
import { shortArray } from "../slab.ts";
import { find, findLast, type Searched } from "./find.ts";
import { loaded } from "./lines.ts";
import { Occurrences } from "./occurrences.ts";
import { decidedFrom, undecidedFrom } from "./regexp-reach.ts";
import { type WindowedRegExp, windowedRegExp } from "./windowed-regexp.ts";

const NEWLINES = Uint8Array.of(10);

/**
 * A match of a regular expression: an array of the matched bytes and those of the numbered groups, as
 * `RegExp.prototype.exec` returns for a string, with bytes instead of strings. Short ones may share their `buffer` with
 * others, as Node's small Buffers do.
 */
export interface ByteMatch extends globalThis.Array<globalThis.Uint8Array<globalThis.ArrayBuffer> | undefined> {
  /** The matched bytes, a copy. */
  0: globalThis.Uint8Array<globalThis.ArrayBuffer>;
  /** Where the match begins, in bytes from the start of the map. */
  index: number;
  /** Where it ends: the index of the first byte after it. */
  end: number;
  /** The matched bytes, a copy. The same as element 0. */
  bytes: globalThis.Uint8Array<globalThis.ArrayBuffer>;
  /** The bytes of the named groups, if the expression has any; those that took no part are `undefined`. */
  groups: Record<string, globalThis.Uint8Array<globalThis.ArrayBuffer> | undefined> | undefined;
}

/**
 * How much text a regular expression sees at first, in bytes. Engines allocate longer strings outside of the nursery, and
 * touching fresh memory costs more than matching.
 */
const WINDOW = 64 * 1024;

/** The longest string of every runtime: V8's has 2^29 - 24 characters. */
export const MAX_TEXT = 2 ** 29 - 24;

/** The window is divided by this for what is looked at first after skipping ahead to a literal, and for an unbounded lookbehind. */
const PARTS = 16;

/** Text on its way from the map to the engine passes through this buffer, which is made when it is first needed. */
let windowBuffer: Buffer<ArrayBuffer> | undefined;

/** The sizes of the window, for tests. */
export interface WindowSizes {
  readonly window: number;
  readonly maxText: number;
}

/**
 * The matches between `start` and `end`. Each byte is one character, U+0000 to U+00FF.
 *
 * `memoryOf` holds a reference to the map, so that it is not finalized during the iteration.
 */
export function matches(
  memoryOf: () => Searched,
  expression: { source: string; flags: string },
  start: number,
  end: number,
  sizes: WindowSizes = { window: WINDOW, maxText: MAX_TEXT },
): Generator<ByteMatch, void> {
  const pattern = windowedRegExp(expression, end - start <= sizes.window);
  const { literal } = pattern;
  if (literal?.isMatch) return literalMatches(memoryOf, literal.bytes, start, end);
  return windowMatches(memoryOf, pattern, start, end, sizes);
}

/** The matches of an expression that matches certain bytes only: no text is made of the map. */
function* literalMatches(
  memoryOf: () => Searched,
  literal: Uint8Array,
  start: number,
  end: number,
): Generator<ByteMatch, void> {
  const length = lengthOf(literal);
  const occurrences = new Occurrences(literal);
  for (let from = start; ; from += length) {
    const memory = memoryOf();
    from = occurrences.next(memory, from, MathMin(end, memory.length));
    if (from === -1) return;
    const bytes = shortArray(length);
    for (let index = 0; index < length; index++) bytes[index] = literal[index] as number;
    yield newMatch([bytes], from, from + length, undefined);
  }
}

/**
 * The expression sees the text through a window, which moves on when all attempts to match in it are decided, and grows if
 * one could look past its end.
 */
function* windowMatches(
  memoryOf: () => Searched,
  pattern: WindowedRegExp,
  start: number,
  end: number,
  { window, maxText }: WindowSizes,
): Generator<ByteMatch, void> {
  let size = window;
  let next = -1;
  windows: for (let from = start; ; ) {
    const memory = memoryOf();
    // The map may have been resized between two matches.
    const limit = MathMin(end, memory.length);
    if (from > limit) return;
    if (pattern.literal !== undefined && next < from) {
      next = find(memory, pattern.literal.bytes, from, limit);
      if (next === -1) return;
      const first = firstStart(memory, pattern, from, next, MathCeil(window / PARTS));
      if (first > from) {
        from = first;
        size = MathCeil(window / PARTS);
      }
    }
    const began = from;
    const left = leftEdge(memoryOf, pattern, start, from, { window, maxText });
    // What is read before `from` must not outweigh what is read after it.
    const right = MathMin(limit, from + MathMax(size, from - left), left + maxText);
    const view = viewOf(pattern, windowText(memoryOf, left, right), from - left, right === limit);
    for (;;) {
      const found = nextMatch(pattern, view, from - left);
      if (typeof found === "number") {
        if (found === Infinity) return;
        from = MathMax(from, left + found);
        break;
      }
      from = left + found.index + found[0].length + (found[0] === "" ? 1 : 0);
      yield byteMatch(found, left);
      if (memory !== memoryOf()) {
        // What is known of the text is that of a map that was resized since.
        next = -1;
        continue windows;
      }
    }
    if (from === began && right - left === maxText) throw tooLong(maxText, left);
    size = from === began ? size * 2 : MathMin(size * 4, window);
  }
}

/** Where a match can begin at the earliest if the literal is at `next`: `from`, or what lies more than `least` bytes after it. */
function firstStart(
  memory: Searched,
  { literal, withinLines }: WindowedRegExp,
  from: number,
  next: number,
  least: number,
): number {
  if (literal === undefined || next - from <= least) return from;
  const { before } = literal;
  let first = from;
  if (before !== Infinity) first = next - before;
  // Not before the line that contains the literal.
  else if (withinLines) first = findLast(memory, NEWLINES, from, next) + 1;
  return first - from > least ? first : from;
}

/** Where the window begins, so that no attempt to match at `from` looks at what is before. */
function leftEdge(
  memoryOf: () => Searched,
  { maxBehind, behind }: WindowedRegExp,
  start: number,
  from: number,
  { window, maxText }: WindowSizes,
): number {
  if (maxBehind !== Infinity) return MathMax(start, from - maxBehind);
  for (let size = MathCeil(window / PARTS); ; size *= 4) {
    const left = MathMax(start, from - size);
    if (left === start) return left;
    if (from - left >= maxText) throw tooLong(maxText, left);
    if (decidedFrom(windowText(memoryOf, left, from), behind) <= from - left) return left;
  }
}

/** The text in the window. */
interface View {
  readonly text: string;
  /** The index from which on an attempt to match may look past the end. */
  readonly undecided: number;
  /** Whether the rewritten expression is to find out which attempts do. */
  readonly stops: boolean;
}

function viewOf({ ahead, stopping }: WindowedRegExp, text: string, from: number, last: boolean): View {
  if (last) return { text, undecided: Infinity, stops: false };
  // The expression itself is faster, unless it leaves too much to be looked at again.
  const least = stopping === undefined ? 0 : MathCeil((from + text.length) / 2);
  const undecided = undecidedFrom(text, ahead, least);
  return { text, undecided, stops: undecided === least };
}

/**
 * The first match from an index of the text on. If there is none that is final: the index from which on more text is needed
 * to tell, which is infinite if no text can change it.
 */
function nextMatch({ regexp, stopping, sameGroups }: WindowedRegExp, { text, undecided, stops }: View, at: number) {
  if (stopping === undefined || !stops) {
    const match = execAt(regexp, text, at);
    if (match !== null && match.index < undecided) return match;
    return regexp.sticky && at < undecided ? Infinity : undecided;
  }
  const stopped = execAt(stopping, text, at);
  if (stopped === null) return stopping.sticky ? Infinity : text.length;
  if (endOf(stopped) === text.length) return stopped.index;
  if (sameGroups) return stopped;
  // The same match, with the groups of the expression itself.
  const match = execAt(regexp, text, stopped.index);
  return match !== null && endOf(match) < text.length ? match : stopped.index;
}

function execAt(regexp: RegExp, text: string, at: number): RegExpExecArray | null {
  regexp.lastIndex = at;
  return RegExpPrototypeExec(regexp, text) as RegExpExecArray | null;
}

function endOf(match: RegExpExecArray): number {
  return match.index + match[0].length;
}

/** Bytes as text, one character a byte. */
function windowText(memoryOf: () => Searched, start: number, end: number): string {
  const length = end - start;
  if (length > WINDOW) return loaded(memoryOf, start, length).toString("latin1");
  windowBuffer ??= builtins().Buffer.allocUnsafeSlow(WINDOW);
  memoryOf().load(start, new Uint8Array(windowBuffer.buffer, 0, length));
  return windowBuffer.toString("latin1", 0, length);
}

function tooLong(maxText: number, from: number): RangeError {
  return new RangeError(`pattern needs more than ${maxText} bytes at once, from index ${from}: bound what it repeats`);
}

function byteMatch(match: RegExpExecArray, left: number): ByteMatch {
  const groups: (Uint8Array<ArrayBuffer> | undefined)[] = [];
  for (let group = 0; group < match.length; group++) groups[group] = bytesOfText(match[group]);
  const index = left + match.index;
  return newMatch(groups, index, index + match[0].length, match.groups && namedGroups(match.groups));
}

function newMatch(groups: ByteMatch[number][], index: number, end: number, named: ByteMatch["groups"]): ByteMatch {
  const result = groups as ByteMatch;
  result.index = index;
  result.end = end;
  result.bytes = result[0];
  result.groups = named;
  return result;
}

function namedGroups(groups: Record<string, string>): Record<string, Uint8Array<ArrayBuffer> | undefined> {
  return Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, bytesOfText(group)]));
}

function bytesOfText(text: string | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (text === undefined) return undefined;
  const { length } = text;
  const bytes = shortArray(length);
  for (let index = 0; index < length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
