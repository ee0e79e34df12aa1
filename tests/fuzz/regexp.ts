/**
 * The fuzzer of regular expressions: random ones over random texts that are seen through a window of a few bytes must have the
 * matches that the engine finds in the whole text.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import type { Searched } from "../../lib/search/find.ts";
import { matches } from "../../lib/search/search.ts";
import { runFile } from "../helpers/support.ts";
import { Random } from "./random.ts";
import { expectedMatches, expectedOtherwise, type Plain, type RegExpCase } from "./regexp-engine.ts";
import { RandomPattern } from "./regexp-patterns.ts";

export interface RegExpReport {
  /** How many cases were compared, how many of the expressions the engine does not know, and how many cases had a match. */
  readonly cases: number;
  readonly refused: number;
  readonly matched: number;
  /** The cases in which the engine does not agree with itself. */
  readonly contradictions: readonly string[];
  /** A case that failed, shrunk. */
  readonly failure?: string;
}

/** A text as what `matches` searches, and which parts of it were read: where each begins and ends. */
export function searched(text: string): Searched & { reads: [start: number, end: number][] } {
  const bytes = Buffer.from(text, "latin1");
  const indexIn = (at: number, start: number, end: number, length: number) =>
    at === -1 || start + at + length > end ? -1 : start + at;
  return {
    length: bytes.length,
    reads: [],
    load(start, target) {
      if (start < 0 || start + target.length > bytes.length) throw new Error("a window reaches past the text");
      this.reads.push([start, start + target.length]);
      target.set(bytes.subarray(start, start + target.length));
    },
    findByte: (start, end, byte) => indexIn(bytes.subarray(start, end).indexOf(byte), start, end, 1),
    findBytes: (start, end, needle) => indexIn(bytes.subarray(start, end).indexOf(needle), start, end, needle.length),
    findLastBytes: (start, end, needle) =>
      indexIn(bytes.subarray(start, end).lastIndexOf(needle), start, end, needle.length),
    listBytes(start, end, needle, found) {
      const text = bytes.subarray(start, end);
      let count = 0;
      for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + 1)) {
        if (count === found.length) return -1;
        found[count++] = at;
      }
      return count;
    },
  };
}

const latin1 = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("latin1");

/** The matches that the library finds. */
function foundMatches({ source, flags, text, start, end, window }: RegExpCase): Plain[] {
  const mapping = searched(text);
  const { source: escaped } = new RegExp(source, flags);
  const found = matches(() => mapping, { source: escaped, flags }, start, end, { window, maxText: 2 ** 20 });
  return Array.from(found, (match) => [
    match.index,
    match.end,
    Array.from(match, latin1),
    JSON.stringify(Object.entries(match.groups ?? {}).map(([name, group]) => [name, latin1(group)])),
  ]);
}

interface Result {
  /** What is wrong with a case. */
  readonly wrong?: string;
  /** Whether the engine does not take the expression. */
  readonly refused?: boolean;
  readonly matched?: boolean;
}

export function resultOf(one: RegExpCase): Result {
  let expected: Plain[];
  try {
    expected = expectedMatches(one);
  } catch {
    return { refused: true };
  }
  let found: Plain[];
  try {
    found = foundMatches(one);
  } catch (error) {
    return { wrong: `${error}` };
  }
  const at = Array.from({ length: Math.max(expected.length, found.length) }, (_, index) => index).find(
    (index) => JSON.stringify(expected[index]) !== JSON.stringify(found[index]),
  );
  if (at === undefined) return { matched: expected.length > 0 };
  return { wrong: `match ${at}: ${JSON.stringify(found[at])}, the engine has ${JSON.stringify(expected[at])}` };
}

/** Whether an `i` in modifiers has an effect after its group, which is a fault of V8 (13.6 and 14.6): no letter here is upper case. */
function modifiersLeak(flags = "v"): boolean {
  try {
    return new RegExp(String.raw`(?:(a\D(?i:[]||0>[]))[^])\p{Lu}{4}`, flags).test("aaaébbbbbb\n\n\n\n");
  } catch {
    return false;
  }
}

/** Whether a quantifier of `[^]` has no effect with flag `v`, which is a fault of V8 (11.3). */
function repeatsAnyOnce(flags = "v"): boolean {
  return new RegExp("[^]{2}", flags).test("a");
}

/**
 * Whether the engine contradicts itself: by another way to the same matches, or because the case does not fail in a process that has
 * run no other, or by what it is known to get wrong.
 */
function contradicted(one: RegExpCase): boolean {
  if (/\(\?[ms]*-?[ms]*i[ims-]*:/.test(one.source) && modifiersLeak()) return true;
  if (one.flags.includes("v") && one.source.includes("[^]") && repeatsAnyOnce()) return true;
  const expected = JSON.stringify(expectedMatches(one));
  if (expectedOtherwise(one).some((other) => JSON.stringify(other) !== expected)) return true;
  const fresh = fileURLToPath(new URL("regexp-fresh.ts", import.meta.url));
  return runFile(fresh, { args: [JSON.stringify(one)] }).stdout.trim() === "agrees";
}

interface RegExpOptions {
  readonly cases: number;
  readonly seed: number;
  /** Is given the seed of each case before it runs: an engine may take very long for one. */
  readonly trace?: (seed: string) => void;
}

/** Compares random cases until one fails. */
export function fuzzRegExps({ cases, seed, trace }: RegExpOptions): RegExpReport {
  let refused = 0;
  let matched = 0;
  const contradictions: string[] = [];
  for (let index = 0; index < cases; index++) {
    trace?.(`${seed + index}`);
    const one = randomCase(new Random(seed + index));
    const result = resultOf(one);
    if (result.refused) refused++;
    if (result.matched) matched++;
    if (result.wrong === undefined) continue;
    if (contradicted(one)) {
      contradictions.push(JSON.stringify(one));
      continue;
    }
    const least = shrunk(one, (candidate) => resultOf(candidate).wrong !== undefined);
    const failure = `${JSON.stringify(least)}\n${resultOf(least).wrong}\nfound with --seed ${seed + index}`;
    return { cases: index + 1, refused, matched, contradictions, failure };
  }
  return { cases, refused, matched, contradictions };
}

function randomCase(random: Random): RegExpCase {
  const { source, flags } = new RandomPattern(random);
  const text = randomText(random);
  const bounded = random.oneIn(5);
  const start = bounded ? random.below(text.length + 1) : 0;
  const end = bounded ? start + random.below(text.length - start + 1) : text.length;
  return { source, flags, text, start, end, window: 16 + random.below(49) };
}

/** Runs of a few characters, some of which expressions treat specially. */
function randomText(random: Random): string {
  const length = 10 + random.below(random.oneIn(4) ? 250 : 90);
  let text = "";
  while (text.length < length) {
    const piece = random.pick(["a", "b", "a", "b", "ab", "A", "ba", "\n", "\n", " ", "-", "1", "é", "É", "\r", "_"]);
    text += piece.repeat(random.oneIn(3) ? 1 + random.below(random.oneIn(8) ? 60 : 6) : 1);
    if (random.oneIn(12))
      text += random.pick(["k", "c1", "\\c", "{2}", "u12", "\x01", "\0", "ß", "ÿ", "\xb5", "]", "B"]);
  }
  return text.slice(0, length);
}

/** The shortest case that still fails, of those that are tried. */
function shrunk(first: RegExpCase, fails: (candidate: RegExpCase) => boolean): RegExpCase {
  let best = first;
  let tries = 5000;
  const attempt = (change: Partial<RegExpCase>) => {
    const candidate = { ...best, ...change };
    const smaller = tries-- > 0 && fails(candidate);
    if (smaller) best = candidate;
    return smaller;
  };
  for (let before = ""; before !== JSON.stringify(best); ) {
    before = JSON.stringify(best);
    for (const flag of best.flags) attempt({ flags: best.flags.replace(flag, "") });
    for (const field of ["source", "text"] as const) {
      for (let size = best[field].length; size >= 1; size >>= 1) {
        for (let at = 0; at + size <= best[field].length; ) {
          const shorter = best[field].slice(0, at) + best[field].slice(at + size);
          const bounds = field === "text" ? { start: 0, end: shorter.length } : {};
          if (!attempt({ [field]: shorter, ...bounds })) at += size;
        }
      }
    }
  }
  return best;
}
