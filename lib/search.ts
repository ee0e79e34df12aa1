/**
 * Searches over a mapped region: bytes, lines, regular expressions. None of them copies more than a window at a time.
 *
 * @module
 */

import { host } from "../ffi/host.ts";
import { lengthOf } from "../platform/bytes.ts";
import { isDetached, type Mapping } from "./mapping.ts";
import { openFrom, preparePattern } from "./pattern.ts";

const NEWLINE = 10;

// The engine's own functions, taken before any code could replace them.
const { indexOf } = Uint8Array.prototype;
const { indexOf: indexIn } = String.prototype;
const { exec } = RegExp.prototype;

/**
 * A match of a regular expression: an array of the matched bytes and those of the numbered groups, as
 * `RegExp.prototype.exec` gives of a string, with bytes in the place of strings. Short ones may share their `buffer` with
 * others, as Node's small Buffers do.
 */
export interface ByteMatch extends Array<Uint8Array | undefined> {
  /** Where the match begins, in bytes from the start of the map. */
  index: number;
  /** Where it ends: the index of the first byte behind it. */
  end: number;
  /** The matched bytes, a copy. The same as element 0. */
  bytes: Uint8Array;
  /** The bytes of the named groups, where the expression has any; those that took no part are `undefined`. */
  groups: Record<string, Uint8Array | undefined> | undefined;
}

/** The first occurrence of `needle` between `start` and `end`, or -1. */
export function find(mapping: Mapping, needle: Uint8Array, start: number, end: number): number {
  const length = lengthOf(needle);
  if (end - start < length) return -1;
  if (length === 0) return start;
  if (length === 1) return mapping.findByte(start, end, needle[0] as number);
  return mapping.findBytes(start, end, needle);
}

/** The last occurrence of `needle` between `start` and `end`, or -1. */
export function findLast(mapping: Mapping, needle: Uint8Array, start: number, end: number): number {
  const length = lengthOf(needle);
  if (end - start < length) return -1;
  if (length === 0) return end;
  return mapping.findLastBytes(start, end, needle);
}

/** Where the line that begins at `start` ends: behind its newline, or at `end`. */
function lineEnd(mapping: Mapping, start: number, end: number): number {
  if (start >= end) return end;
  let from = start;
  if (mapping.showsInWindow(start, 1)) {
    // Most lines end within the window, where no call into C is needed to see it.
    const { window, windowStart } = mapping;
    const near = indexOf.call(window, NEWLINE, start - windowStart);
    if (near !== -1) return Math.min(windowStart + near + 1, end);
    from = windowStart + lengthOf(window);
  }
  const far = mapping.findByte(from, end, NEWLINE);
  return far === -1 ? end : far + 1;
}

/** Where short arrays lie together, and how far it is taken. */
let pool = new ArrayBuffer(0);
let pooled = 0;

const POOL = 8 * 1024;

/** A new array of bytes. Short ones share their memory: most engines take long to make some for each. */
function shortArray(length: number): Uint8Array<ArrayBuffer> {
  if (length > POOL / 8) return new Uint8Array(length);
  if (pooled + length > POOL || isDetached(pool)) {
    pool = new ArrayBuffer(POOL);
    pooled = 0;
  }
  const array = new Uint8Array(pool, pooled, length);
  pooled += length;
  return array;
}

/** The line that begins at `start`. */
export function line(mapping: Mapping, start: number, end: number): Uint8Array<ArrayBuffer> {
  const to = lineEnd(mapping, start, end);
  const copy = shortArray(to - start);
  mapping.copy(start, to, copy);
  return copy;
}

/** How much `lines` copies at first and at most, in bytes: whoever keeps a line keeps what was copied with it. */
const FIRST_BLOCK = 1024;
const BLOCK = 16 * 1024;

/** The lines between `start` and `end`, each with its newline. */
export function* lines(mapping: Mapping, start: number, end: number): Generator<Uint8Array<ArrayBuffer>, void> {
  const { Buffer } = host();
  let size = FIRST_BLOCK;
  for (let from = start; ; size = Math.min(4 * size, BLOCK)) {
    // The map may have been resized between two lines.
    const limit = Math.min(end, mapping.length);
    if (from >= limit) return;
    // Engines take long to make memory for an array, and little to make one over a part of what there is; and they find a
    // character in a string sooner than a byte in an array.
    const block = new ArrayBuffer(Math.min(limit - from, size));
    mapping.copy(from, from + block.byteLength, new Uint8Array(block));
    const text = Buffer.from(block).toString("latin1");
    let at = 0;
    for (let newline = indexIn.call(text, "\n"); newline !== -1; newline = indexIn.call(text, "\n", at)) {
      const copy = new Uint8Array(block, at, newline + 1 - at);
      at = newline + 1;
      yield copy;
      if (isDetached(block) || limit !== Math.min(end, mapping.length)) break;
    }
    from += at;
    if (at > 0) continue;
    // The last line, or one that is longer than a block.
    const to = lineEnd(mapping, from, limit);
    yield mapping.read(from, to);
    from = to;
  }
}

/** How much text a regular expression sees at first, in bytes. */
const WINDOW = 1024 * 1024;

/**
 * The matches between `start` and `end`. Each byte is one character, U+0000 to U+00FF. The text is seen through a window,
 * which grows where a match could reach beyond it.
 */
export function* matches(
  mapping: Mapping,
  expression: { source: string; flags: string },
  start: number,
  end: number,
): Generator<ByteMatch, void> {
  const { whole, cut, withinLines, lookbehind, reach } = preparePattern(expression);
  let size = WINDOW;
  windows: for (let from = start; ; ) {
    // The map may have been resized between two matches.
    const limit = Math.min(end, mapping.length);
    if (from > limit) return;
    const began = from;
    const left = Math.max(start, from - lookbehind);
    const right = Math.min(limit, from + size);
    const last = right === limit;
    const seen = textOf(mapping, left, right);
    const text = last || !withinLines ? seen : seen.slice(0, seen.lastIndexOf("\n") + 1);
    // Where little of the text is left open, the expression itself is the faster way to what is not.
    const tail = last || reach === undefined ? 0 : openFrom(text, reach);
    const settled = last || tail > text.length / 2;
    const regexp = settled ? whole : cut;
    const open = settled && !last ? tail : text.length;
    for (;;) {
      regexp.lastIndex = from - left;
      const match = exec.call(regexp, text);
      if (match === null) {
        if (last || (regexp.sticky && from - left < text.length)) return;
        from = Math.max(from, left + open);
        break;
      }
      const matchEnd = match.index + match[0].length;
      if (!last && (match.index >= open || matchEnd === text.length)) {
        from = Math.max(from, left + Math.min(match.index, open));
        break;
      }
      from = left + matchEnd + (match[0] === "" ? 1 : 0);
      yield byteMatch(match, left);
      // The text is of a map that was resized since.
      if (limit !== Math.min(end, mapping.length)) continue windows;
    }
    size = from === began ? size * 2 : WINDOW;
  }
}

/** Bytes as text, one character a byte. */
function textOf(mapping: Mapping, start: number, end: number): string {
  if (end - start > MAX_TEXT) {
    throw new RangeError(
      `pattern needs more than ${MAX_TEXT} bytes at once, from index ${start}: bound what it repeats`,
    );
  }
  const buffer = host().Buffer.allocUnsafe(end - start);
  // Other code may have replaced what makes it, and C would believe its length.
  if (lengthOf(buffer) !== end - start) throw new TypeError("Buffer.allocUnsafe was replaced, and gave another length");
  mapping.load(start, buffer);
  return buffer.toString("latin1");
}

/** The longest string of every runtime: V8's has 2^29 - 24 characters. */
const MAX_TEXT = 2 ** 29 - 24;

function byteMatch(match: RegExpExecArray, left: number): ByteMatch {
  const result = [] as unknown as ByteMatch;
  for (let group = 0; group < match.length; group++) result[group] = bytesOfText(match[group]);
  result.index = left + match.index;
  result.end = result.index + (match[0] as string).length;
  result.bytes = result[0] as Uint8Array;
  result.groups = match.groups && namedGroups(match.groups);
  return result;
}

function namedGroups(groups: Record<string, string>): Record<string, Uint8Array | undefined> {
  return Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, bytesOfText(group)]));
}

function bytesOfText(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const { length } = text;
  const bytes = shortArray(length);
  for (let index = 0; index < length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
