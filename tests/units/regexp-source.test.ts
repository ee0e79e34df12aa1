/**
 * The parser of regular expressions: what it finds out about each part.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Alternatives, type Node, parseRegExp } from "../../lib/search/regexp-source.ts";
import { unknownSyntax } from "../fuzz/regexp-engine.ts";
import { unless } from "../helpers/support.ts";

const test = suite("units/regexp-source");

/** A tree as text. */
function shown(tree: Alternatives): string {
  return tree.map((sequence) => sequence.map(shownNode).join(" ")).join(" | ");
}

/** The source of a node, and after it what the parser has found out. A group that is referred to has a star. */
function shownNode(node: Node): string {
  switch (node.kind) {
    case "atom": {
      const { source, code, maxLength, flags } = node;
      return `${source}=${code ?? "class"}${maxLength === 1 ? "" : `,${maxLength}`}${flags && `/${flags}`}`;
    }
    case "assertion":
      return `assert ${node.source}`;
    case "reference":
      return `refer ${node.groups.map(({ index }) => index)}${node.ignoreCase ? "/i" : ""}`;
    case "group":
      return `${node.opening}${node.index ?? ""}${node.referenced ? "*" : ""} ${shown(node.body)})`;
    case "look": {
      const groups = `${node.groupsAfter}-${node.lastGroup}`;
      return `look ${node.ahead ? "ahead" : "behind"}${node.negative ? " not" : ""} ${groups}(${shown(node.body)})`;
    }
    case "repeat":
      return `${shownNode(node.node)} ${node.quantifier}[${node.min}-${node.max}]`;
  }
}

const PARSED: readonly [source: string, flags: string, tree: string][] = [
  // Sequences and quantifiers.
  ["", "", ""],
  ["ab.", "", "a=97 b=98 .=class"],
  ["a|b|", "", "a=97 | b=98 | "],
  ["a*b+c?d*?", "", "a=97 *[0-Infinity] b=98 +[1-Infinity] c=99 ?[0-1] d=100 *?[0-Infinity]"],
  ["a{2}b{3,}c{40,50}?", "", "a=97 {2}[2-2] b=98 {3,}[3-Infinity] c=99 {40,50}?[40-50]"],
  ["a{,2}", "", "a=97 {=123 ,=44 2=50 }=125"],
  ["^$\\b\\B", "", "assert ^ assert $ assert \\b assert \\B"],
  // Flags and modifiers: those that change what an atom matches.
  ["a", "dgimsy", "a=97/is"],
  ["a", "v", "a=97/v"],
  ["(?i:a(?-i:b)c)d", "", "(?i: a=97/i (?-i: b=98) c=99/i) d=100"],
  ["(?ims:a)", "", "(?ims: a=97/is)"],
  ["(?m-s:.)", "s", "(?m-s: .=class)"],
  // Groups and what refers to them.
  ["(?:a)", "", "(?: a=97)"],
  ["(a)(?<n>b)\\1\\k<n>\\2", "", "(1* a=97) (?<n>2* b=98) refer 1 refer 2 refer 2"],
  ["\\k<n>(?<n>a)|(?<n>b)", "", "refer 1,2 (?<n>1* a=97) | (?<n>2* b=98)"],
  ["(?<\\u0061>x)\\k<a>", "", "(?<\\u0061>1* x=120) refer 1"],
  ["(?<a\\u{62}>x)(?<b>y)\\k<ab>", "u", "(?<a\\u{62}>1* x=120/u) (?<b>2 y=121/u) refer 1"],
  ["(?<a>x)\\k<\\u{61}>", "u", "(?<a>1* x=120/u) refer 1"],
  ["(a)\\2\\1", "i", "(1* a=97/i) \\x02=2/i refer 1/i"],
  ["((a)\\1)", "", "(1* (2 a=97) refer 1)"],
  [
    "(a)(?=(b)c)(?<!(d)(e))f",
    "",
    "(1 a=97) look ahead 1-2((2 b=98) c=99) look behind not 2-4((3 d=100) (4 e=101)) f=102",
  ],
  ["(?!a)(?<=b)", "", "look ahead not 0-0(a=97) look behind 0-0(b=98)"],
  // Escapes.
  ["\\n\\t\\v\\f\\r", "", "\\n=10 \\t=9 \\v=11 \\f=12 \\r=13"],
  ["\\x41\\u0042\\cA\\cz\\0", "", "\\x41=65 \\u0042=66 \\cA=1 \\cz=26 \\x00=0"],
  ["\\c1\\c", "", "\\\\=92 c=99 1=49 \\\\=92 c=99"],
  ["\\12\\377\\400\\8\\k", "", "\\x0a=10 \\xff=255 \\x20=32 0=48 \\x38=56 k=107"],
  ["\\u{1f600}\\ud83d\\ude00\\u0041\\/", "v", "\\u{1f600}=128512/v \\ud83d\\ude00=128512/v \\u0041=65/v \\/=47/v"],
  ["\\ud83d\\ude00", "", "\\ud83d=55357 \\ude00=56832"],
  ["😀", "u", "😀=128512/u"],
  ["😀", "", "\ud83d=55357 \ude00=56832"],
  ["\\d\\D\\s\\S\\w\\W", "", "\\d=class \\D=class \\s=class \\S=class \\w=class \\W=class"],
  ["\\p{L}\\P{Lu}", "u", "\\p{L}=class/u \\P{Lu}=class/u"],
  ["\\p\\u\\u{2}\\x4", "", "\\p=112 \\u=117 \\u=117 {2}[2-2] \\x=120 4=52"],
  ["\\d\\dd", "", "\\d=class \\d=class d=100"],
  ["\\.\\^\\$", "u", "\\.=46/u \\^=94/u \\$=36/u"],
  // Classes.
  ["[a]][^\\]b]", "", "[a]=class ]=93 [^\\]b]=class"],
  ["[\\k]", "", "[k]=class"],
  ["[[a]b]", "", "[[a]=class b=98 ]=93"],
  ["[[a]b]", "v", "[[a]b]=class/v"],
  ["[\\q{ab|cde|f}\\q{g}]", "v", "[\\q{ab|cde|f}\\q{g}]=class,3/v"],
  ["[\\q{\\u{61}\\x62\\u0063\\cA\\n|a}]x", "v", "[\\q{\\u{61}\\x62\\u0063\\cA\\n|a}]=class,5/v x=120/v"],
  ["[\\q{a\\}b}]", "v", "[\\q{a\\}b}]=class,3/v"],
];

for (const [source, flags, tree] of PARSED) {
  unless(unknownSyntax(source, flags), test)(`/${source}/${flags} is parsed`, () => {
    const parsed = parseRegExp(source, flags);
    assert.is(parsed && shown(parsed), tree);
  });
}

test("what is nested too deeply, or has flags that are not known, is not parsed", () => {
  const nested = (depth: number) => parseRegExp(`${"(?:".repeat(depth)}a${")".repeat(depth)}`, "");
  assert.ok(nested(249));
  assert.is(nested(250), undefined);
  assert.is(parseRegExp("a", "x"), undefined);
  assert.is(parseRegExp("a", "gx"), undefined);
  assert.is(parseRegExp("a", "xg"), undefined);
});

test.run();
