/**
 * Searches over a mapped region: bytes and regular expressions. Neither copies more than a window at a time.
 *
 * @module
 */

import { lengthOf } from "../../ffi/array-buffer.ts";
import { builtins } from "../../ffi/builtins.ts";
import { MathMax, MathMin, Uint8Array } from "../../ffi/primordials.ts";
import type { Memory } from "../mapping/memory.ts";
import { shortArray } from "../slab.ts";
import { loaded } from "./lines.ts";
import { type Literal, openFrom, preparePattern } from "./windowed-regexp.ts";

const NEWLINES = Uint8Array.of(10);

// The engine's own, taken before any code could replace it. It is given text, and no memory.
const { exec } = RegExp.prototype;

/**
 * A match of a regular expression: an array of the matched bytes and those of the numbered groups, as
 * `RegExp.prototype.exec` gives of a string, with bytes in the place of strings. Short ones may share their `buffer` with
 * others, as Node's small Buffers do.
 */
export interface ByteMatch extends Array<Uint8Array<ArrayBuffer> | undefined> {
  /** The matched bytes, a copy. */
  0: Uint8Array<ArrayBuffer>;
  /** Where the match begins, in bytes from the start of the map. */
  index: number;
  /** Where it ends: the index of the first byte behind it. */
  end: number;
  /** The matched bytes, a copy. The same as element 0. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The bytes of the named groups, where the expression has any; those that took no part are `undefined`. */
  groups: Record<string, Uint8Array<ArrayBuffer> | undefined> | undefined;
}

/** The first occurrence of `needle` between `start` and `end`, or -1. */
export function find(memory: Memory, needle: Uint8Array, start: number, end: number): number {
  const length = lengthOf(needle);
  if (end - start < length) return -1;
  if (length === 0) return start;
  if (length === 1) return memory.findByte(start, end, needle[0] as number);
  return memory.findBytes(start, end, needle);
}

/** The last occurrence of `needle` between `start` and `end`, or -1. */
export function findLast(memory: Memory, needle: Uint8Array, start: number, end: number): number {
  const length = lengthOf(needle);
  if (end - start < length) return -1;
  if (length === 0) return end;
  return memory.findLastBytes(start, end, needle);
}

/**
 * How much text a regular expression sees at first, in bytes. Engines make longer strings outside of the memory that they
 * use again and again, and fresh memory takes longer to fill than a regular expression to run over it.
 */
const WINDOW = 64 * 1024;

/** Less text is looked at where a match is known to be far, and what comes is not yet known to be worth more, in bytes. */
const GLANCE = 4 * 1024;

/** Where text is on its way from the map to the engine. Made when it is first needed. */
let passage: Buffer<ArrayBuffer> | undefined;

/**
 * The matches between `start` and `end`. Each byte is one character, U+0000 to U+00FF. The text is seen through a window,
 * which grows where a match could reach beyond it. `memoryOf` keeps the map, whose end as garbage would be the mapping's.
 */
export function* matches(
  memoryOf: () => Memory,
  expression: { source: string; flags: string },
  start: number,
  end: number,
): Generator<ByteMatch, void> {
  const { whole, cut, withinLines, lookbehind, reach, literal } = preparePattern(expression);
  let size = WINDOW;
  let next = -1;
  windows: for (let from = start; ; ) {
    const memory = memoryOf();
    // The map may have been resized between two matches.
    const limit = MathMin(end, memory.length);
    if (from > limit) return;
    if (literal !== undefined && next < from) {
      next = find(memory, literal.bytes, from, limit);
      if (next === -1) return;
      const first = firstStart(memory, literal, withinLines, from, next);
      if (first - from > GLANCE) {
        from = first;
        size = GLANCE;
      }
    }
    const began = from;
    const left = MathMax(start, from - lookbehind);
    const right = MathMin(limit, from + size);
    const last = right === limit;
    const seen = textOf(memoryOf, left, right);
    const text = last || !withinLines ? seen : seen.slice(0, seen.lastIndexOf("\n") + 1);
    // Where little of the text is left open, the expression itself is the faster way to what is not.
    const tail = last || reach === undefined ? 0 : openFrom(text, reach);
    const settled = last || cut === undefined || tail > text.length / 2;
    const regexp = settled ? whole : cut;
    const open = settled && !last ? tail : text.length;
    for (;;) {
      regexp.lastIndex = from - left;
      const match = exec.call(regexp, text);
      if (match === null) {
        if (last || (regexp.sticky && from - left < open)) return;
        from = MathMax(from, left + open);
        break;
      }
      const matchEnd = match.index + match[0].length;
      if (!last && (match.index >= open || matchEnd === text.length)) {
        from = MathMax(from, left + MathMin(match.index, open));
        break;
      }
      from = left + matchEnd + (match[0] === "" ? 1 : 0);
      yield byteMatch(match, left);
      // The text is of a map that was resized since.
      if (limit !== MathMin(end, memoryOf().length)) continue windows;
    }
    size = from === began ? size * 2 : MathMin(size * 4, WINDOW);
  }
}

/** Where a match can begin at the earliest, from `from` on, when the bytes that it cannot do without are at `next`. */
function firstStart(memory: Memory, { before }: Literal, withinLines: boolean, from: number, next: number): number {
  if (before !== Number.POSITIVE_INFINITY) return next - before;
  // Not before the line that has those bytes.
  return withinLines && next - from > GLANCE ? findLast(memory, NEWLINES, from, next) + 1 : from;
}

/** Bytes as text, one character a byte. */
function textOf(memoryOf: () => Memory, start: number, end: number): string {
  if (end - start > MAX_TEXT) {
    throw new RangeError(
      `pattern needs more than ${MAX_TEXT} bytes at once, from index ${start}: bound what it repeats`,
    );
  }
  const length = end - start;
  if (length > WINDOW) return loaded(memoryOf, start, length).toString("latin1");
  passage ??= builtins().Buffer.allocUnsafeSlow(WINDOW);
  memoryOf().load(start, new Uint8Array(passage.buffer, 0, length));
  return passage.toString("latin1", 0, length);
}

/** The longest string of every runtime: V8's has 2^29 - 24 characters. */
const MAX_TEXT = 2 ** 29 - 24;

function byteMatch(match: RegExpExecArray, left: number): ByteMatch {
  const result = [] as unknown as ByteMatch;
  for (let group = 0; group < match.length; group++) result[group] = bytesOfText(match[group]);
  result.index = left + match.index;
  result.end = result.index + (match[0] as string).length;
  result.bytes = result[0];
  result.groups = match.groups && namedGroups(match.groups);
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
