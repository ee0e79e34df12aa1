/**
 * Regular expressions that are rewritten to stop at the end of the text.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rewriteRegExp } from "../../lib/search/regexp-rewriter.ts";
import { type Alternatives, parseRegExp } from "../../lib/search/regexp-source.ts";
import { unknownSyntax } from "../fuzz/regexp-engine.ts";
import { unless, WINDOWS } from "../helpers/support.ts";

const test = suite("units/regexp-rewriter");

const rewritten = (source: string, flags = "") => rewriteRegExp(parseRegExp(source, flags) as Alternatives);

/** In the results, Z stands for the end of the text, `(?![^])`. */
const SAME_GROUPS: readonly [source: string, flags: string, result: string][] = [
  ["ab|c", "", "(?:a|Z)(?:b|Z)|(?:c|Z)"],
  ["^.\\b", "", "(?:^|Z)(?:.|Z)(?:\\b|Z)"],
  ["(?i-s:a.)", "", "(?i-s:(?:a|Z)(?:.|Z))"],
  ["[\\q{a}]", "v", "(?:[\\q{a}]|Z)"],
  // Repetitions: what comes before the end is as much as there is.
  ["a*b??", "", "a*b??"],
  ["a+b+?", "", "(?:a+|Z)(?:b+?|Z)"],
  ["a{2,}b{3}", "", "(?:a{2,}|a{0,1}Z)(?:b{3}|b{0,2}Z)"],
  ["(?:ab)*(c)+?", "", "(?:(?:a|Z)(?:b|Z))*((?:c|Z))+?"],
  // References: the rest of the text may be the beginning of what was captured.
  ["\\1(a)", "", "(?:(?:\\1)|Z)((?:a|Z))"],
  ["(ab)\\1", "", "((?:a|Z)(?:b|Z))(?:(?:\\1)|(?!(?:\\1))[\\x61\\x62]{0,1}Z)"],
  ["(ab?c*)\\1", "", "((?:a|Z)b?c*)(?:(?:\\1)|(?!(?:\\1))[\\x61\\x62\\x63]{0,}Z)"],
  ["(a{2,3})\\1", "i", "((?:a{2,3}|a{0,1}Z))(?:(?:\\1)|(?!(?:\\1))[\\x41\\x61]{0,2}Z)"],
  ["(\\0\\xff)\\1", "", "((?:\\x00|Z)(?:\\xff|Z))(?:(?:\\1)|(?!(?:\\1))[\\x00\\xff]{0,1}Z)"],
  ["\\1{2}(ab)", "", "(?:(?:(?:\\1)|(?!(?:\\1))[\\x61\\x62]{0,1}Z)){2}((?:a|Z)(?:b|Z))"],
  ["(?<n>a)\\k<n>", "", "(?<n>(?:a|Z))(?:(?:\\1)|Z)"],
  [
    "(?<n>a)|(?<n>bc)|\\k<n>",
    "",
    "(?<n>(?:a|Z))|(?<n>(?:b|Z)(?:c|Z))|(?:(?:\\1(?:)\\2)|(?!(?:\\1(?:)\\2))[\\x61\\x62\\x63]{0,1}Z)",
  ],
  // A lookbehind has its text.
  ["(?<=a)(?<!b)", "", "(?:Z|(?<=a))(?:Z|(?<!b))"],
  ["(?<=(a)b\\1)", "", "(?:Z|(?<=(a)b(?:\\1)))"],
  ["(?<=(?:a|b{2})+^)", "", "(?:Z|(?<=(?:a|b{2})+^))"],
  ["(?<=(?<!a)b)", "", "(?:Z|(?<=(?<!a)b))"],
];

const OTHER_GROUPS: readonly [source: string, flags: string, result: string][] = [
  ["(?=a)", "", "(?=(?<l0>(?:a|Z)))(?:\\k<l0>Z|)"],
  ["(?!a)", "", "(?:(?!(?:a|Z))|(?=(?<l0>(?:a|Z)))(?:\\k<l0>Z))"],
  ["(?=a)*b", "", "(?:(?=(?<l0>(?:a|Z)))(?:\\k<l0>Z|))*(?:b|Z)"],
  // Groups that nothing refers to are dropped, and the others have names.
  ["(a)(?=b)", "", "(?:(?:a|Z))(?=(?<l0>(?:b|Z)))(?:\\k<l0>Z|)"],
  ["(a)(?=b\\1)", "", "(?<g1>(?:a|Z))(?=(?<l0>(?:b|Z)(?:(?:\\k<g1>)|Z)))(?:\\k<l0>Z|)"],
  ["(?=(a))\\1", "", "(?=(?<l0>(?<g1>(?:a|Z))))(?:\\k<l0>Z|)(?:(?:\\k<g1>)|Z)"],
  ["(a)(?<=\\1)(?=b)", "", "(?<g1>(?:a|Z))(?:Z|(?<=(?:\\k<g1>)))(?=(?<l0>(?:b|Z)))(?:\\k<l0>Z|)"],
  // What is written twice has groups of other names the second time.
  [
    "(?!(ab)\\1)(c)\\2",
    "",
    "(?:(?!(?<g1>(?:a|Z)(?:b|Z))(?:(?:\\k<g1>)|(?!(?:\\k<g1>))[\\x61\\x62]{0,1}Z))|" +
      "(?=(?<l1>(?<n0>(?:a|Z)(?:b|Z))(?:(?:\\k<n0>)|(?!(?:\\k<n0>))[\\x61\\x62]{0,1}Z)))(?:\\k<l1>Z))" +
      "(?<g2>(?:c|Z))(?:(?:\\k<g2>)|Z)",
  ],
];

for (const [rows, sameGroups] of [
  [SAME_GROUPS, true],
  [OTHER_GROUPS, false],
] as const) {
  for (const [source, flags, result] of rows) {
    unless(unknownSyntax(source, flags), test)(`/${source}/${flags} is rewritten to stop at the end`, () => {
      assert.equal(rewritten(source, flags), { source: result.replaceAll("Z", "(?![^])"), sameGroups });
    });
  }
}

const fits = (source: string, flags = "") => rewritten(source, flags) !== undefined;

test("what leads to the end in no way is not rewritten", () => {
  for (const source of ["(?<=(?=a))b", "(?<=(?!a)b)", "(?<=(?:(?=a)b)*)c"]) assert.is(fits(source), false, source);
  for (const source of ["[\\q{ab}]", "[\\q{ab}]*", "a[\\q{ab}c]{2}"]) assert.is(fits(source, "v"), false, source);
});

const long = unless(WINDOWS && "the engine's stack there is too small for expressions of this length", test);

long("what becomes too long is not rewritten", () => {
  // Each part counts as ten characters, and 65,536 are the most.
  for (const [part, parts] of [
    ["a", 1],
    ["(?:)", 1],
    ["a+", 1],
    ["(?<=a)", 3],
  ] as const) {
    const most = Math.floor(6553 / parts);
    assert.equal([fits(part.repeat(most)), fits(part.repeat(most + 1))], [true, false], part);
  }
  // The characters of a reference, each written with four, count too.
  const referring = (count: number) => fits(`([^]{2})${"\\1".repeat(count)}`);
  assert.equal([referring(64), referring(65)], [true, false]);
  // A negative lookahead is written twice.
  const nested = (depth: number) => fits(`${"(?!".repeat(depth)}a${")".repeat(depth)}`);
  assert.equal([nested(10), nested(13)], [true, false]);
});

test.run();
