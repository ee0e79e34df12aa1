/**
 * Searches over a mapped region: bytes, lines, regular expressions. None of them copies more than a window at a time.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import { lengthOf } from "../platform/bytes.ts";
import type { Mapping } from "./mapping.ts";
import { preparePattern } from "./pattern.ts";

const NEWLINE = 10;

// The engine's own functions, taken before any code could replace them.
const { indexOf } = Uint8Array.prototype;
const { exec } = RegExp.prototype;

/**
 * A match of a regular expression: an array of the matched bytes and those of the numbered groups, as
 * `RegExp.prototype.exec` gives of a string, with bytes in the place of strings.
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
export function lineEnd(mapping: Mapping, start: number, end: number): number {
  if (start >= end) return end;
  // Most lines end within the window, where no call into C is needed to see it.
  const window = mapping.window(start, 1);
  const from = mapping.windowStart;
  const near = indexOf.call(window, NEWLINE, start - from);
  if (near !== -1) return Math.min(from + near + 1, end);
  const far = mapping.findByte(from + lengthOf(window), end, NEWLINE);
  return far === -1 ? end : far + 1;
}

/** The lines between `start` and `end`, each with its newline. */
export function* lines(mapping: Mapping, start: number, end: number): Generator<Uint8Array<ArrayBuffer>, void> {
  for (let from = start; from < Math.min(end, mapping.length); ) {
    const to = lineEnd(mapping, from, Math.min(end, mapping.length));
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
  const { whole, cut, withinLines, lookbehind } = preparePattern(expression);
  let size = WINDOW;
  windows: for (let from = start; ; ) {
    // The map may have been resized between two matches.
    const limit = Math.min(end, mapping.length);
    if (from > limit) return;
    const began = from;
    const left = Math.max(start, from - lookbehind);
    const right = Math.min(limit, from + size);
    const last = right === limit;
    const regexp = last ? whole : cut;
    const seen = textOf(mapping, left, right);
    const text = last || !withinLines ? seen : seen.slice(0, seen.lastIndexOf("\n") + 1);
    for (;;) {
      regexp.lastIndex = from - left;
      const match = exec.call(regexp, text);
      if (match === null) {
        if (last || (regexp.sticky && from - left < text.length)) return;
        from = Math.max(from, left + text.length);
        break;
      }
      const matchEnd = match.index + match[0].length;
      if (!last && matchEnd === text.length) {
        from = left + match.index;
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
  const buffer = Buffer.allocUnsafe(end - start);
  mapping.load(start, buffer);
  return buffer.toString("latin1");
}

/** The longest string of every runtime: V8's has 2^29 - 24 characters. */
const MAX_TEXT = 2 ** 29 - 24;

function byteMatch(match: RegExpExecArray, left: number): ByteMatch {
  const groups = match.map(bytesOfText);
  const named = match.groups && Object.entries(match.groups).map(([name, group]) => [name, bytesOfText(group)]);
  const bytes = groups[0] as Uint8Array;
  const index = left + match.index;
  return Object.assign(groups, {
    index,
    end: index + bytes.length,
    bytes,
    groups: named && (Object.fromEntries(named) as Record<string, Uint8Array | undefined>),
  });
}

function bytesOfText(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}
