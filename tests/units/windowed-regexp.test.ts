/**
 * Regular expressions over text that is seen through a window: random ones, those that were wrong once, and how much of the text is
 * looked at.
 *
 * @module
 */

import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAX_TEXT, matches } from "../../lib/search/search.ts";
import { windowedRegExp } from "../../lib/search/windowed-regexp.ts";
import { fuzzRegExps, resultOf, searched } from "../fuzz/regexp.ts";
import { type RegExpCase, unknownSyntax } from "../fuzz/regexp-engine.ts";
import { repetitions, thrown, unless } from "../helpers/support.ts";

const test = suite("units/windowed-regexp");

const MiB = 2 ** 20;
const WINDOW = 64 * 1024;

/** Where all matches of an expression are, and how much of the text was in memory at once. */
function found(source: string, flags: string, text: string, sizes?: { window: number; maxText: number }) {
  const map = searched(text);
  const indices: number[] = [];
  for (const { index } of matches(() => map, { source, flags }, 0, text.length, sizes)) indices.push(index);
  const lengths = map.reads.map(([start, end]) => end - start);
  const copied = lengths.reduce((sum, length) => sum + length, 0);
  return { indices, largest: Math.max(0, ...lengths), copied, reads: map.reads };
}

test("random expressions have the matches of the whole text, through windows of a few bytes", () => {
  const cases = repetitions(4000);
  const { matched, refused, contradictions, failure } = fuzzRegExps({ cases, seed: 20_261 });
  assert.is(failure, undefined, failure);
  assert.ok(matched > cases / 5, `only ${matched} cases had a match`);
  assert.ok(refused < cases / 2, `${refused} expressions were refused`);
  assert.ok(contradictions.length < 5, contradictions.join("\n"));
});

/** A smaller window, because some of these take an engine quadratic time. */
const SMALL = 1024;
const FAR = "-".repeat(SMALL / 2);

// Each found something else than JavaScript once.
const WRONG_ONCE: [source: string, flags: string, text: string][] = [
  ["[\\q{a\\nb}]x", "v", `${"-".repeat(SMALL - 2)}\n${FAR}a\nbx${"-".repeat(SMALL)}`],
  ["(?<=^a*)b\\W?", "", `x${"a".repeat(4 * SMALL)}b`],
  ["(?<=xa*)b\\W?", "", `x${"a".repeat(4 * SMALL)}b`],
  ["(?<=\\ba{3})b", "", `${"a".repeat(SMALL)}b aaab`],
  ["(?<=\\Ba{3})b", "", `${"a".repeat(SMALL)}b aaab`],
  ["(?<=^a{3})b", "m", `${"a".repeat(2 * SMALL)}b\naaab`],
  ["(?<=\\b\\w*)-", "", `${"a".repeat(2 * SMALL)}-`],
  ["(a)(\\1+)\\s\\2", "", `${"-\n".repeat(SMALL)}aaa aa`],
  ["^(`)(\\1{2,})\\n[^]*?\\n\\1\\2$", "m", `${"-\n".repeat(SMALL)}\`\`\`\nx\n\`\`\`\n`],
  ["(?<q>['\"])(?<w>a\\k<q>)\\s\\k<w>", "", `${"-\n".repeat(SMALL)}'a' a'`],
  ["[\\q{ab}]\\n", "v", `${"x".repeat(SMALL - 1)}ab\n`],
  ["[\\q{\\n\\n}]", "v", `${"x".repeat(SMALL - 1)}\n\n`],
  ["\\c1\\n", "", `${"x".repeat(SMALL - 2)}\\c1\nx`],
  ["a{,2}\\k", "", `${"x".repeat(SMALL - 2)}a{,2}kx`],
  ["(?=[^]*?b)a", "", `${"-".repeat(SMALL - 1)}a${"-".repeat(9)}b${"-".repeat(SMALL)}`],
  ["(|(?=(?:-){3,}))(?!\\2\\2)\\n", "", `${"-".repeat(SMALL - 2)}\n${"-".repeat(SMALL)}`],
  ["(?i:A)\\s+(?-i:b)", "", `${"-".repeat(SMALL - 2)}a\n\nb`],
  ["(?s:a.)+b", "", `${"-".repeat(SMALL - 2)}a\na\nb`],
];

for (const [source, flags, text] of WRONG_ONCE) {
  unless(unknownSyntax(source, flags), test)(`/${source}/${flags} has the matches of the whole text`, () => {
    const expected = Array.from(text.matchAll(new RegExp(source, `${flags}g`)), ({ index }) => index);
    assert.equal(found(source, flags, text, { window: SMALL, maxText: MiB }).indices, expected);
  });
}

/** Of 30,000 random cases, the two that were wrong in Bun alone, when windows were introduced. */
const WRONG_IN_BUN: readonly RegExpCase[] = [
  {
    // The quantifier of an escaped surrogate pair was given to its second half. V8 matches elsewhere: it ignores no case in \q{a}.
    source: "\\1{2,}?[\\q{a|ab|\\n}b]{1,2}? {1,3}(?<n0>()\\ud83d\\ude00*[a-z]|\\S{0,}?\\bA|[^\\p{Ll}])",
    flags: "dgiv",
    text: `b- \xb5-11A ab \\cA${"\n".repeat(19)}${"\xe9".repeat(60)}`,
  },
  {
    // A group that refers to itself, in a lookahead: what was rewritten for the window's edge matched nothing. V8 took forever.
    source:
      "\\n|(?=.{1,}?\\1{1,}\\c{0,})(?<!(?:)[\\]a]{0}a)(?<=)b|\\b(?=.(\\1|)|()a{,2}{1}\\t)(?![^\\S\\n]{0,4}\\ta{0})",
    flags: "giy",
    text: `abaabb\x00\xe9A-a\xc9\xc9b\xe9bbbb111\r\r\rab1${"A".repeat(15)}b\n${"\xc9".repeat(6)} \nba\naabba${"ba".repeat(16)}`,
  },
].map((one) => ({ ...one, start: 0, end: one.text.length, window: 64 }));

for (const one of WRONG_IN_BUN) {
  unless(unknownSyntax(one.source, one.flags), test)(`/${one.source}/ has the groups of the whole text`, () => {
    const { wrong, matched } = resultOf(one);
    assert.is(wrong, undefined);
    assert.is(matched, true);
  });
}

// One byte in many, without newlines; what is bounded in the expression may be thousands of characters.
const BOUNDED: [source: string, flags: string, found: string][] = [
  ["foo", "", "foo"],
  ["foo", "i", "FOO"],
  ["f[ao]o", "", "fao"],
  ["[fg]o{2,3}\\b", "", "goo"],
  [`(["'])[^]{1,3}\\1`, "", "'it'"],
  ["f(?<=x.{0,1000}f)(?=oo.{0,2000}$|oo)", "s", "xfoo"],
  ["f.{0,30000}o", "", "foo"],
  ["(f)(o)\\2|bar", "", "foo"],
  ["(?:fo|oo){2,9}", "", "fooo"],
  ["^foo|(?<!^)fo{2}", "", "foo"],
];

for (const [source, flags, word] of BOUNDED) {
  test(`/${source}/${flags} needs no more than a few windows at once, whatever the text`, () => {
    for (const filling of ["-", "it's\n"]) {
      const before = filling.repeat((1.9 * MiB) / filling.length);
      const text = `${before}${word}${filling.repeat(MiB / 8)}`;
      const regexp = new RegExp(source, `${flags}g`);
      const { indices, largest, copied } = found(source, flags, text);
      assert.equal(
        indices,
        Array.from(text.matchAll(regexp), ({ index }) => index),
      );
      assert.ok(largest <= 4 * WINDOW, `${largest} bytes at once`);
      assert.ok(copied <= 4 * text.length, `${copied} bytes copied`);
    }
  });
}

const dashes = (count: number) => "-".repeat(count);

/** What is read of a text through a window of 64 bytes, of which a 16th is seen first after skipping ahead. */
const READS: [what: string, source: string, flags: string, text: string, reads: [number, number][]][] = [
  ["no text, if the expression is a literal", "needle", "", `${dashes(100)}needle`, []],
  ["the whole text, if the window shows it", "[ab]", "", dashes(64), [[0, 64]]],
  [
    "the text from the first attempt that is undecided, and the character before it",
    "[ab]",
    "",
    dashes(200),
    [
      [0, 64],
      [63, 128],
      [127, 192],
      [191, 200],
    ],
  ],
  [
    "twice as much, if an attempt goes on after the window",
    "a+b",
    "",
    `${dashes(60)}${"a".repeat(100)}b${dashes(30)}`,
    [
      [0, 64],
      [59, 124],
      [59, 188],
    ],
  ],
  ["the window, if a literal is near", "needle\\b", "", `${dashes(4)}needle${dashes(200)}`, [[0, 64]]],
  [
    "little at first, if a literal is far, then more, up to the window",
    "needle\\b",
    "",
    `${dashes(5)}needle${dashes(200)}needle${dashes(60)}`,
    [
      [4, 9],
      [4, 13],
      [210, 215],
      [210, 219],
    ],
  ],
  [
    "from the first place where a match with the literal can begin",
    "a{3}needle",
    "",
    `${dashes(200)}aaaneedle${dashes(200)}`,
    [
      [199, 204],
      [199, 208],
      [199, 216],
    ],
  ],
  [
    "from the line with the literal, if no match has a newline",
    "a*needle",
    "",
    `${dashes(30)}\n${dashes(50)}aaaneedle${dashes(200)}`,
    [
      [30, 35],
      [34, 51],
      [50, 115],
    ],
  ],
  [
    "everything, if a match may begin anywhere before the literal",
    "[^]*needle",
    "",
    `${dashes(80)}needle${dashes(100)}`,
    [
      [0, 64],
      [0, 128],
      [0, 186],
    ],
  ],
  ["what a lookbehind looks at", "(?<=x.{3})a", "", `${dashes(300)}x---a${dashes(10)}`, [[299, 309]]],
  [
    "what an unbounded lookbehind looks at: four times as much until it is decided",
    "(?<=y-*)[ab]",
    "",
    `${dashes(10)}\n${dashes(69)}a`,
    [
      [0, 64],
      [60, 64],
      [48, 64],
      [0, 81],
    ],
  ],
  ["nothing after the first attempt, if it is sticky", "a", "y", dashes(300), [[0, 64]]],
  [
    "the text up to where a sticky expression no longer matches",
    "-",
    "y",
    `${dashes(70)}a${dashes(300)}`,
    [
      [0, 64],
      [62, 127],
    ],
  ],
];

for (const [what, source, flags, text, reads] of READS) {
  test(`/${source}/${flags} reads ${what}`, () => {
    const result = found(source, flags, text, { window: 64, maxText: MiB });
    assert.equal(result.reads, reads);
    const expected = Array.from(text.matchAll(new RegExp(source, `${flags}g`)), ({ index }) => index);
    assert.equal(result.indices, expected);
  });
}

test("what an expression repeats without a bound ends with the lines, the words or the match", () => {
  const text = 'it\'s a line of "words", x=1; and a few more\n'.repeat(30_000);
  for (const source of [
    "^.*zzz",
    "\\w+\\s+zzz",
    "(['\"])[^]*?\\1",
    "[^,]+zzz",
    "(?=\\w*z)a",
    "(?<=^.*)zzz",
    "(?<=\\s+)\\w\\s",
  ]) {
    const { largest } = found(source, "m", text);
    assert.ok(largest <= 4 * WINDOW, `/${source}/: ${largest} bytes at once`);
  }
});

test("a lookbehind without a bound sees all that is before it, and little is read more than a few times", () => {
  const text = `foo${"-".repeat(MiB)}bar${"-".repeat(MiB)}bar`;
  const { indices, copied } = found("bar(?<=^foo.*bar)", "", text);
  assert.equal(indices, [3 + MiB, 6 + 2 * MiB]);
  assert.ok(copied <= 8 * text.length, `${copied} bytes copied`);
});

test("an expression that needs more than a string holds throws, and one that needs all of it does not", () => {
  const sizes = { window: 16, maxText: 1000 };
  const long = (length: number) => `${"a".repeat(length)}b${"-".repeat(100)}`;
  assert.equal(found("a+b", "", long(998), sizes).indices, [0]);
  const error = thrown(() => found("a+b", "", long(1000), sizes));
  assert.instance(error, RangeError);
  assert.match(error.message, "pattern needs more than 1000 bytes at once, from index 0: bound what it repeats");
  // The same for what is looked at before a match.
  assert.equal(found("(?<=^a*)b", "", `${"a".repeat(900)}b${"-".repeat(2000)}`, sizes).indices, [900]);
  assert.match(thrown(() => found("(?<=^a*)b", "", long(3000), sizes)).message, "pattern needs more than 1000 bytes");
});

test("the most text at once is the longest string of every runtime", () => {
  // Made of parts that are shared: a flat string takes as much memory.
  const ofLength = (length: number): string => {
    if (length === 0) return "";
    const half = ofLength(length >> 1);
    return half + half + (length & 1 ? "a" : "");
  };
  assert.is(ofLength(MAX_TEXT).length, MAX_TEXT);
  if (process.versions.bun === undefined)
    assert.instance(
      thrown(() => ofLength(MAX_TEXT + 1)),
      RangeError,
    );
});

test("an expression with unknown flags or syntax is right, with all of the text", () => {
  const { stopping, maxBehind, literal } = windowedRegExp({ source: "(".repeat(300) + ")".repeat(300), flags: "" });
  assert.equal([stopping, maxBehind, literal], [undefined, Number.POSITIVE_INFINITY, undefined]);
  const nested = `${"(?:".repeat(300)}a\\n${")".repeat(300)}`;
  assert.equal(found(nested, "", `${"-".repeat(3 * WINDOW)}a\n-`).indices, [3 * WINDOW]);
});

test("as many expressions as are prepared at a time stay so", () => {
  const first = windowedRegExp({ source: "first", flags: "" });
  assert.is(windowedRegExp({ source: "first", flags: "" }), first);
  assert.is.not(windowedRegExp({ source: "first", flags: "i" }), first);
  for (let index = 0; index < 100; index++) windowedRegExp({ source: `next${index}`, flags: "" });
  assert.is.not(windowedRegExp({ source: "first", flags: "" }), first);
});

test("a match is reported once no more text can change it, though other attempts could need all of the text", () => {
  const sizes = { window: 16, maxText: 1000 };
  assert.equal(found("a(?=b|[^]*z)", "", `${"-".repeat(50)}ab${"-".repeat(5000)}ab`, sizes).indices, [50, 5052]);
});

test("an expression that needs more than a string holds throws wherever it begins", () => {
  const sizes = { window: 16, maxText: 1000 };
  for (const before of [1, 17, 500, 5000]) {
    const text = `${"-".repeat(before)}b${"a".repeat(2000)}`;
    const error = thrown(() => found("(?<=-)b[a]+", "", text, sizes));
    assert.instance(error, RangeError);
    assert.match(error.message, /pattern needs more than 1000 bytes at once, from index \d+/);
  }
});

test.run();
