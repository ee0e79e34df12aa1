/**
 * Searches over a mapped region: bytes, lines, regular expressions. None of them copies more than a window at a time.
 *
 * @module
 */

import { Buffers, Bytes, max, min } from "../ffi/engine.ts";
import { host } from "../ffi/host.ts";
import { lengthOf } from "../platform/bytes.ts";
import type { Mapping } from "./mapping.ts";
import { type Literal, openFrom, preparePattern } from "./pattern.ts";
import { shortArray } from "./pool.ts";

const NEWLINE = 10;
const NEWLINES = Uint8Array.of(NEWLINE);

// The engine's own, taken before any code could replace them. They are given text, and no memory.
const { indexOf: indexIn } = String.prototype;
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
  const newline = mapping.findByte(start, end, NEWLINE);
  return newline === -1 ? end : newline + 1;
}

/** A copy in memory of its own, which was not filled with zeros first. */
function loaded(mapping: Mapping, start: number, length: number): Buffer<ArrayBuffer> {
  const bytes = host().Buffer.allocUnsafeSlow(length);
  mapping.load(start, bytes);
  return bytes;
}

/** How much `Lines` copies at first and at most, in bytes: whoever keeps a line keeps what was copied with it. */
const FIRST_BLOCK = 1024;
const BLOCK = 32 * 1024;

/** What all iterators of the engine inherit from: `map`, `take` and their like, where it has them. */
const ITERATOR = Object.getPrototypeOf(Object.getPrototypeOf([].values()));

/** The lines between `start` and `end`, each with its newline. `mappingOf`: as for `matches`. */
export function lines(
  mappingOf: () => Mapping,
  start: number,
  end: number,
): IteratorObject<Uint8Array<ArrayBuffer>, undefined> {
  // What it is by its prototype.
  return new Lines(mappingOf, start, end) as unknown as IteratorObject<Uint8Array<ArrayBuffer>, undefined>;
}

/**
 * Engines take long to make memory for an array, and little to make one over a part of what there is; they find a character
 * in a string sooner than a byte in an array; and V8 takes longer to go on with a generator than to call a method.
 */
class Lines implements IterableIterator<Uint8Array<ArrayBuffer>> {
  /** Keeps the map, whose end as garbage would be the mapping's. */
  readonly #mappingOf: () => Mapping;
  readonly #mapping: Mapping;
  readonly #end: number;
  /** Where the block begins in the map, and what of it was given. */
  #start: number;
  #given = 0;
  #block = new Buffers(0);
  #text = "";
  /** `changes` of the mapping when the block was copied. */
  #changes = -1;
  #size = FIRST_BLOCK;
  #done = false;

  static {
    Object.setPrototypeOf(Lines.prototype, ITERATOR);
  }

  constructor(mappingOf: () => Mapping, start: number, end: number) {
    this.#mappingOf = mappingOf;
    this.#mapping = mappingOf();
    this.#start = start;
    this.#end = end;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    return this.#nextInBlock() ?? this.#nextBlock();
  }

  return(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    this.#done = true;
    this.#text = "";
    this.#block = new Buffers(0);
    return { done: true, value: undefined };
  }

  #nextInBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> | undefined {
    if (this.#changes !== this.#mapping.changes) return undefined;
    const from = this.#given;
    const newline = indexIn.call(this.#text, "\n", from);
    if (newline === -1) return undefined;
    try {
      const value = new Bytes(this.#block, from, newline + 1 - from);
      this.#given = newline + 1;
      return { done: false, value };
    } catch {
      // The block was transferred away with a line.
      return undefined;
    }
  }

  #nextBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    if (this.#done) return { done: true, value: undefined };
    // An error ends it, as it ends a generator.
    this.#done = true;
    const result = this.#copyBlock();
    this.#done = result.done === true;
    return result;
  }

  #copyBlock(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    const mapping = this.#mappingOf();
    this.#start += this.#given;
    this.#given = 0;
    this.#text = "";
    this.#changes = mapping.changes;
    const left = min(this.#end, mapping.length) - this.#start;
    if (left <= 0) return this.return();
    const bytes = loaded(mapping, this.#start, min(left, this.#size));
    this.#size = min(4 * this.#size, BLOCK);
    this.#block = bytes.buffer;
    this.#text = bytes.toString("latin1");
    return this.#nextInBlock() ?? this.#lineAlone();
  }

  /** The last line, or one that is longer than a block. */
  #lineAlone(): IteratorResult<Uint8Array<ArrayBuffer>, undefined> {
    // What made the text may have been replaced by code that resized the map, or closed it.
    if (this.#changes !== this.#mapping.changes) return this.#copyBlock();
    const end = lineEnd(this.#mapping, this.#start, min(this.#end, this.#mapping.length));
    const value = this.#mapping.read(this.#start, end);
    this.#given = end - this.#start;
    return { done: false, value };
  }
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
 * which grows where a match could reach beyond it. `mappingOf` keeps the map, whose end as garbage would be the mapping's.
 */
export function* matches(
  mappingOf: () => Mapping,
  expression: { source: string; flags: string },
  start: number,
  end: number,
): Generator<ByteMatch, void> {
  const { whole, cut, withinLines, lookbehind, reach, literal } = preparePattern(expression);
  let size = WINDOW;
  let next = -1;
  windows: for (let from = start; ; ) {
    const mapping = mappingOf();
    // The map may have been resized between two matches.
    const limit = min(end, mapping.length);
    if (from > limit) return;
    if (literal !== undefined && next < from) {
      next = find(mapping, literal.bytes, from, limit);
      if (next === -1) return;
      const first = firstStart(mapping, literal, withinLines, from, next);
      if (first - from > GLANCE) {
        from = first;
        size = GLANCE;
      }
    }
    const began = from;
    const left = max(start, from - lookbehind);
    const right = min(limit, from + size);
    const last = right === limit;
    const seen = textOf(mapping, left, right);
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
        from = max(from, left + open);
        break;
      }
      const matchEnd = match.index + match[0].length;
      if (!last && (match.index >= open || matchEnd === text.length)) {
        from = max(from, left + min(match.index, open));
        break;
      }
      from = left + matchEnd + (match[0] === "" ? 1 : 0);
      yield byteMatch(match, left);
      // The text is of a map that was resized since.
      if (limit !== min(end, mappingOf().length)) continue windows;
    }
    size = from === began ? size * 2 : min(size * 4, WINDOW);
  }
}

/** Where a match can begin at the earliest, from `from` on, when the bytes that it cannot do without are at `next`. */
function firstStart(mapping: Mapping, { before }: Literal, withinLines: boolean, from: number, next: number): number {
  if (before !== Number.POSITIVE_INFINITY) return next - before;
  // Not before the line that has those bytes.
  return withinLines && next - from > GLANCE ? findLast(mapping, NEWLINES, from, next) + 1 : from;
}

/** Bytes as text, one character a byte. */
function textOf(mapping: Mapping, start: number, end: number): string {
  if (end - start > MAX_TEXT) {
    throw new RangeError(
      `pattern needs more than ${MAX_TEXT} bytes at once, from index ${start}: bound what it repeats`,
    );
  }
  const length = end - start;
  if (length > WINDOW) return loaded(mapping, start, length).toString("latin1");
  passage ??= host().Buffer.allocUnsafeSlow(WINDOW);
  mapping.load(start, new Bytes(passage.buffer, 0, length));
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
