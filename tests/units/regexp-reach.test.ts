/**
 * How far regular expressions look: what is counted, and where in a text attempts to match are decided.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  captureOf,
  decidedFrom,
  maxReach,
  type Reach,
  reachOf,
  UNKNOWN_REACH,
  undecidedFrom,
  withBothCases,
} from "../../lib/search/regexp-reach.ts";
import { type Alternatives, type Group, parseRegExp } from "../../lib/search/regexp-source.ts";
import { unknownSyntax } from "../fuzz/regexp-engine.ts";
import { unless } from "../helpers/support.ts";

const test = suite("units/regexp-reach");

const parse = (source: string, flags = "") => parseRegExp(source, flags) as Alternatives;

/** The characters of a set; "all" of a full one. */
function characters(bytes: Uint8Array): string {
  if (!bytes.includes(0)) return "all";
  return String.fromCharCode(...[...bytes.keys()].filter((byte) => bytes[byte] !== 0));
}

type Shown = readonly [others: number, possible: string, unbounded: string];

const shown = ({ others, possible, unbounded }: Reach): Shown => [others, characters(possible), characters(unbounded)];

const NONE: Shown = [0, "", ""];

const REACHES: readonly [source: string, flags: string, ahead: Shown, behind: Shown][] = [
  ["", "", NONE, NONE],
  ["abc", "", [3, "abc", ""], NONE],
  ["a|bcd|ef", "", [3, "abcdef", ""], NONE],
  ["^a$\\b", "", [1, "a", ""], NONE],
  ["ab*c", "", [2, "abc", "b"], NONE],
  ["a{3}b{1,2}", "", [5, "ab", ""], NONE],
  ["a{2,}b", "", [1, "ab", "a"], NONE],
  ["a{0}b", "", [1, "b", ""], NONE],
  ["(?:ab){3}", "", [6, "ab", ""], NONE],
  ["(?:ab)*c", "", [1, "abc", "ab"], NONE],
  ["(?:a{2}){2,}", "", [0, "a", "a"], NONE],
  ["(?:a*b){2}", "", [2, "ab", "a"], NONE],
  ["a(?=b)c", "", [3, "abc", ""], NONE],
  ["a(?!bc)", "", [3, "abc", ""], NONE],
  ["(?<=ab)c", "", [1, "c", ""], [2, "ab", ""]],
  ["(?<!a+)c", "", [1, "c", ""], [0, "a", "a"]],
  ["(?<=a(?=bc)d)e", "", [3, "bce", ""], [2, "ad", ""]],
  ["(?=a(?<=b)c)", "", [2, "ac", ""], [1, "b", ""]],
  ["(?=ab)*c", "", [1, "abc", "ab"], NONE],
  ["(ab)\\1", "", [4, "ab", ""], NONE],
  ["(ab)\\1*", "", [2, "ab", "ab"], NONE],
  ["(a)\\1{2}", "", [3, "a", ""], NONE],
  ["(a+b)\\1", "", [2, "ab", "a"], NONE],
  ["(a)\\1", "i", [2, "Aa", ""], NONE],
  ["(a*)\\1", "i", [0, "Aa", "Aa"], NONE],
  // What looks ahead within a group is not captured.
  ["(a(?=b))\\1c", "", [4, "abc", ""], NONE],
  ["(a\\1)", "", [2, "all", "all"], NONE],
  ["(?<n>a)|(?<n>bc)\\k<n>", "", [4, "abc", ""], NONE],
  ["(?<=(ab)\\1)c", "", [1, "c", ""], [4, "ab", ""]],
  ["[ab]\\x63", "", [2, "abc", ""], NONE],
  ["[^\\s\\S]", "", [1, "", ""], NONE],
  ["\u0100\u0101", "", [2, "", ""], NONE],
  ["\xff", "", [1, "\xff", ""], NONE],
  ["k", "iu", [1, "Kk", ""], NONE],
  ["é", "i", [1, "Éé", ""], NONE],
  ["[^]", "", [1, "all", ""], NONE],
  ["[\\q{abc}d]", "v", [3, "all", ""], NONE],
  ["[\\q{abc}d]+", "v", [0, "all", "all"], NONE],
];

for (const [source, flags, ahead, behind] of REACHES) {
  unless(unknownSyntax(source, flags), test)(`the reach of /${source}/${flags} is known`, () => {
    const tree = parse(source, flags);
    assert.equal(shown(reachOf(tree, "forward")), ahead);
    assert.equal(shown(reachOf(tree, "backward")), behind);
  });
}

test("maxReach() is the number of characters, if nothing is unbounded", () => {
  const most = (source: string) => maxReach(reachOf(parse(source), "forward"));
  assert.equal([most(""), most("abc"), most("a{3}b?"), most("ab*")], [0, 3, 4, Number.POSITIVE_INFINITY]);
  assert.is(maxReach(UNKNOWN_REACH), Number.POSITIVE_INFINITY);
});

test("captureOf() is what a group can match, without what is around it", () => {
  const capture = (source: string) => {
    const { possible, maxLength } = captureOf((parse(source)[0] as readonly unknown[])[0] as Group);
    return [characters(possible), maxLength];
  };
  assert.equal(capture("(ab?)c"), ["ab", 2]);
  assert.equal(capture("(a+b|cde)f"), ["abcde", Number.POSITIVE_INFINITY]);
  assert.equal(capture("(a(?=b)(?<=c))"), ["a", 1]);
});

test("withBothCases() adds the other case of letters alone", () => {
  const both = (text: string) => {
    const bytes = new Uint8Array(256);
    for (const character of text) bytes[character.charCodeAt(0)] = 1;
    return characters(withBothCases(bytes));
  };
  assert.is(both("aZ"), "AZaz");
  assert.is(both("@[`{1!"), "!1@[`{");
  assert.is(both("\xe9\xc0\xfe"), "\xc0\xc9\xde\xe0\xe9\xfe");
  assert.is(both("\x8a\xbf"), "\x8a\xbf");
});

test("attempts are undecided from after the last character that ends them all", () => {
  const from = (source: string, text: string, least = 0) =>
    undecidedFrom(text, reachOf(parse(source), "forward"), least);
  // As many characters as the expression has.
  assert.equal([from("aaa", "aaaaaa"), from("a", "aa"), from("aaa", "aa")], [3, 1, 0]);
  // None of them may be before one that nothing matches.
  assert.equal([from("aaa", "aa-aa"), from("aaa", "aaaa-"), from("a*", "-a--aa")], [3, 5, 4]);
  assert.equal([from("a*b", "-aaabaaabaaa"), from("a*b", "-aaa"), from("a*b", "aaaa")], [5, 1, 0]);
  assert.equal([from("aaa", "aaaaaa", 4), from("a*", "-a--aa", 5), from("a*", "aaaa", 2)], [4, 5, 2]);
  // An expression that matches no character looks no further than its own place.
  assert.equal([from("", "abc"), from("^$", "abc")], [3, 3]);
  assert.equal([undecidedFrom("abc", UNKNOWN_REACH, 0), undecidedFrom("abc", UNKNOWN_REACH, 2)], [0, 2]);
});

test("attempts are decided from after the first character that none of them passes backwards", () => {
  const from = (source: string, text: string) => decidedFrom(text, reachOf(parse(`(?<=${source})`), "backward"));
  const never = Number.POSITIVE_INFINITY;
  assert.equal([from("aaa", "aaaaaa"), from("aaa", "aaa"), from("aaa", "aa-aa")], [4, never, 3]);
  assert.equal([from("a*", "-aaa"), from("a*", "aa-a"), from("a*", "aaaa")], [1, 3, never]);
  assert.equal([from("a*b", "abaaba"), from("a*b", "aaba")], [5, never]);
  assert.is(decidedFrom("abc", UNKNOWN_REACH), never);
});

test.run();
