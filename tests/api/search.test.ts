import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { matches } from "../../lib/search/search.ts";
import { windowedRegExp } from "../../lib/search/windowed-regexp.ts";
import { Random } from "../fuzz/random.ts";
import { searched } from "../fuzz/regexp.ts";
import { bytes, newFile, refuses, text, thrown } from "../helpers/support.ts";

const test = suite("api/search");

test("find and rfind give the first and the last occurrence, or -1", () => {
  using mm = MMap.open(newFile("one two one two"));
  assert.is(mm.find("two"), 4);
  assert.is(mm.rfind("two"), 12);
  assert.is(mm.find("o"), 0);
  assert.is(mm.rfind("o"), 14);
  assert.is(mm.find("three"), -1);
  assert.is(mm.rfind("three"), -1);
  assert.is(mm.find("z"), -1);
  assert.is(mm.rfind("z"), -1);
  assert.is(mm.find("one two one two!"), -1);
  assert.is(mm.find("one two one two"), 0);
  assert.is(mm.rfind("one two one two"), 0);
  assert.is(mm.find(Uint8Array.of(116, 119)), 4);
  assert.is(mm.find(bytes("xtwo").buffer.slice(1) as ArrayBuffer), 4);
});

test("the whole map is searched, wherever the position is", () => {
  using mm = MMap.open(newFile("one two"));
  mm.seek(5);
  assert.is(mm.find("one"), 0);
  assert.is(mm.rfind("one"), 0);
  assert.is(mm.tell(), 5);
});

test("bounds follow the rules of slices", () => {
  using mm = MMap.open(newFile("abcabcabc"));
  assert.is(mm.find("abc", 1), 3);
  assert.is(mm.find("abc", 1, 5), -1);
  assert.is(mm.find("abc", 1, 6), 3);
  assert.is(mm.find("abc", -3), 6);
  assert.is(mm.find("abc", -2), -1);
  assert.is(mm.find("abc", -100, 100), 0);
  assert.is(mm.find("abc", 100), -1);
  assert.is(mm.rfind("abc", 0, 8), 3);
  assert.is(mm.rfind("abc", 0, -1), 3);
  assert.is(mm.rfind("abc", 4, 8), -1);
  assert.is(mm.rfind("c", 3, 5), -1);
  assert.is(mm.rfind("c", 3, 6), 5);
  assert.is(mm.find("a", 6, 3), -1);
});

test("an empty needle is found at start, and by rfind at end", () => {
  using mm = MMap.open(newFile("abc"));
  assert.equal([mm.find(""), mm.find("", 2), mm.find("", 9), mm.find("", 2, 1)], [0, 2, 3, -1]);
  assert.equal([mm.rfind(""), mm.rfind("", 0, 2), mm.rfind("", 9), mm.rfind("", 2, 1)], [3, 2, 3, -1]);
});

test("agrees with Buffer's own search on random bytes", () => {
  // A small alphabet gives many near misses and overlaps.
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const content = Buffer.from(Uint8Array.from({ length: 40_000 }, () => 97 + random(3)));
  using mm = MMap.open(newFile(content));
  for (let round = 0; round < 400; round++) {
    const length = 1 + random(round % 2 ? 4 : 14);
    const from = random(content.length - length);
    const needle = content.subarray(from, from + length);
    const start = random(content.length);
    assert.is(mm.find(needle), content.indexOf(needle));
    assert.is(mm.rfind(needle), content.lastIndexOf(needle));
    const part = content.subarray(start);
    const index = part.indexOf(needle);
    assert.is(mm.find(needle, start), index === -1 ? -1 : index + start);
    const last = content.subarray(0, start).lastIndexOf(needle);
    assert.is(mm.rfind(needle, 0, start), last);
  }
});

test("rfind finds occurrences across its blocks, and the last of very many", () => {
  const content = new Uint8Array(200_000).fill(97);
  using mm = MMap.open(newFile(content), { access: "copy" });
  assert.is(mm.rfind("aa"), 199_998);
  assert.is(mm.rfind("aa", 0, 100_000), 99_998);
  for (const at of [0, 1, 191_808, 195_904, 195_903, 199_990]) {
    mm.assign(new Uint8Array(200_000).fill(97));
    mm.assign("needle", at, at + 6);
    assert.is(mm.rfind("needle"), at);
    assert.is(mm.find("needle"), at);
  }
});

test("zero bytes and high bytes are bytes like others", () => {
  using mm = MMap.open(newFile(Uint8Array.of(1, 0, 255, 0, 128)));
  assert.is(mm.find(Uint8Array.of(0, 255, 0)), 1);
  assert.is(mm.find(Uint8Array.of(128)), 4);
  assert.is(mm.rfind(Uint8Array.of(0)), 3);
});

test("a regular expression's match has its place, its bytes and its groups", () => {
  using mm = MMap.open(newFile("  key=value;"));
  const found = mm.search(/(?<name>\w+)=(\w+)(!)?/);
  assert.ok(found);
  assert.equal([found.index, found.end], [2, 11]);
  assert.is(text(found.bytes), "key=value");
  // No part of it is shared memory, to the compiler either.
  const whole: Uint8Array<ArrayBuffer> = found[0];
  const [, key]: (Uint8Array<ArrayBuffer> | undefined)[] = found;
  const named: Record<string, Uint8Array<ArrayBuffer> | undefined> | undefined = found.groups;
  assert.is(whole, found.bytes);
  assert.is(key, found[1]);
  assert.ok(named);
  assert.is(text(found[1]), "key");
  assert.is(text(found[2]), "value");
  assert.is(found[3], undefined);
  assert.is(found.length, 4);
  assert.is(text(found.groups?.name), "key");
  assert.is(mm.search(/nothing/), undefined);
});

test("each byte is one character from U+0000 to U+00FF", () => {
  using mm = MMap.open(newFile(Uint8Array.of(0, 0xe9, 0xc3, 0xa9, 0xff, 10)));
  assert.is(mm.search(/\xe9/)?.index, 1);
  assert.is(mm.search(/é/u)?.index, 1);
  assert.is(mm.search(/Ã©/)?.index, 2);
  assert.is(mm.search(/[^]$/)?.index, 5);
  assert.equal(mm.search(/[\x80-\xff]+/)?.bytes, Uint8Array.of(0xe9, 0xc3, 0xa9, 0xff));
});

test("matchAll gives every match, empty ones too, as String.prototype.matchAll does", () => {
  const content = "aaa bb\n\ncccc dd e\nf";
  using mm = MMap.open(newFile(content));
  for (const source of [
    "a",
    "b*",
    "",
    "\\w+",
    "(\\w)\\1",
    "^",
    "$",
    "^.*$",
    "\\b",
    "[^]",
    "c(?=c)",
    "(?<=c)c",
    "x",
    "\\s*",
  ]) {
    for (const flags of ["", "m", "i", "s", "u", "ms"]) {
      const expected = [...content.matchAll(new RegExp(source, `g${flags}`))].map((match) => [match.index, ...match]);
      const got = [...mm.matchAll(new RegExp(source, flags))].map((match) => [
        match.index,
        ...match.map((group) => group && text(group)),
      ]);
      assert.equal(got, expected, `/${source}/${flags}`);
    }
  }
});

test("lastIndex and g mean nothing, y wants the match at start", () => {
  using mm = MMap.open(newFile("xaab"));
  const global = /a/g;
  global.lastIndex = 3;
  assert.is(mm.search(global)?.index, 1);
  assert.is(global.lastIndex, 3);
  assert.is(mm.search(/a/y), undefined);
  assert.is(mm.search(/a/y, 1)?.index, 1);
  assert.equal(
    [...mm.matchAll(/a/y, 1)].map(({ index }) => index),
    [1, 2],
  );
});

test("^ and $ stand for the bounds", () => {
  using mm = MMap.open(newFile("abcabc"));
  assert.is(mm.search(/^abc$/, 3)?.index, 3);
  assert.is(mm.search(/^abc$/, 0, 3)?.index, 0);
  assert.is(mm.search(/^bc/, 1)?.index, 1);
  assert.is(mm.search(/c$/, 0, -3)?.index, 2);
  assert.is(mm.search(/c$/, 0, -2), undefined);
});

/** The size of the window that regular expressions look through. */
const WINDOW = 64 * 1024;

/** Compares with the engine's own matches over the whole text. */
function sameAsWhole(mm: MMap, content: string, pattern: RegExp): void {
  const expected = [...content.matchAll(new RegExp(pattern.source, `${pattern.flags}g`))];
  let index = 0;
  for (const match of mm.matchAll(pattern)) {
    const whole = expected[index++];
    // Not an assertion for each: there are hundreds of thousands.
    const same =
      match.index === whole?.index &&
      match.end - match.index === whole[0].length &&
      match.every((group, number) => (group && text(group)) === whole[number]);
    if (!same)
      assert.equal([match.index, ...match.map((group) => group && text(group))], [whole?.index, ...(whole ?? [])]);
  }
  assert.is(index, expected.length, `${pattern}`);
}

test("matches across the windows' edges are those of the whole text", () => {
  // Around each edge of the window, something of every kind that could go wrong there.
  const unit = 'word another "quoted text" x=1, BEGIN some\nlines here END 12345 aaaab\r\n\r\n';
  const content = unit.repeat(Math.ceil((2.3 * WINDOW) / unit.length));
  using mm = MMap.open(newFile(content));
  const patterns = [
    /BEGIN[^]*?END/,
    /[^,]+,/,
    /\d+/,
    /\s+/,
    /\w+\s+\w+/,
    /(["'])[^]*?\1/,
    /^.*$/m,
    /x=1(?=, BEGIN)/,
    /END(?! 12345)/,
    /(?<=BEGIN )some\n\w+/,
    /\r\n\r\n/,
    /a+b/,
    /aaaab\r\n\r\nword|aaaa/,
    /\bEND\b/,
    /[^a-z]+$/m,
    /(?:word|another)[\s"]+(?<next>quoted|another)/,
    /BEGIN.{1,40}END/s,
    /(?:(?!END)[^])+END/,
  ];
  for (const pattern of patterns) sameAsWhole(mm, content, pattern);
});

test("edges are right at every distance from them", () => {
  const patterns = [
    /needle\nin[^]*?stack/,
    /needle\nin(?=[^]*stack)/,
    /e\nin\s\w+|needle/,
    /needle$/m,
    /e\b\s/,
    /(?<=need(?=le\nin))l/,
    /(?<=(n)(?!eedle\nin a\nhay))e\1?/,
    /(e)\1d\w+\s|needle\s*/,
  ];
  const tokens = "needle\nin a\nhaystack\n";
  // So often that no window begins at one of them, because what comes before has none.
  const unit = tokens + "-".repeat(1024 - tokens.length);
  const text = unit.repeat(1 + WINDOW / unit.length) + tokens;
  for (let distance = 0; distance < tokens.length + 2; distance++) {
    const content = text.slice(distance);
    using mm = MMap.open(newFile(content));
    for (const pattern of patterns) {
      sameAsWhole(mm, content, pattern);
      const map = searched(content);
      Array.from(matches(() => map, pattern, 0, content.length));
      assert.equal(map.reads[0], [0, WINDOW], `the first window of ${pattern} has an edge ${distance} before a token`);
    }
  }
});

test("an attempt that runs on to the edge is begun again, however far it came from", () => {
  const random = new Random(7);
  const patterns = [/a\s+b/, /a[^b]*\n?b/, /(?:a\s){2,9}b/, /a(?:\s|c)*b/, /a(?=\s*b)/, /a(?!\s*b)\s/, /(?<=b\s+)a/];
  for (let round = 0; round < 3; round++) {
    // Runs of what some of them repeat, at and around the edge.
    let runs = "";
    while (runs.length < 8000) {
      const length = 1 + random.below(random.oneIn(4) ? 500 : 4);
      runs += random.pick(["a", "b", " ", "\n", "c"]).repeat(length);
    }
    const content = `${"-".repeat(WINDOW - 4000)}${runs}`;
    using mm = MMap.open(newFile(content));
    for (const pattern of patterns) sameAsWhole(mm, content, pattern);
  }
});

test("matches longer than any window come out whole", () => {
  const content = `a${"x".repeat(3 * WINDOW)}b\n${"y\n".repeat(2 * WINDOW)}z`;
  using mm = MMap.open(newFile(content));
  assert.is(mm.search(/x+/)?.bytes.length, 3 * WINDOW);
  assert.is(mm.search(/ax*b/)?.bytes.length, 3 * WINDOW + 2);
  assert.is(mm.search(/[^]*/)?.bytes.length, content.length);
  assert.is(mm.search(/[y\n]+z/)?.bytes.length, 4 * WINDOW + 2);
  assert.is(mm.search(/x(?=x*b)/)?.index, 1);
  assert.is(mm.search(/a(?!x*b)/), undefined);
});

test("a backreference is found across an edge, however long its group is", () => {
  const quoted = `<${"q".repeat(5000)}>`;
  for (const distance of [1, 500, 5010, 9000]) {
    const content = `${"-\n".repeat((WINDOW - distance) >> 1)}${quoted}\n${quoted}${"-".repeat(20_000)}`;
    using mm = MMap.open(newFile(content));
    assert.is(mm.search(/(<q*>)\s\1/)?.bytes.length, 2 * quoted.length + 1);
    assert.is(mm.search(/(<q*>)\s\1\x2d/)?.bytes.length, 2 * quoted.length + 2);
    assert.is(mm.search(/(?<it><q*>)\s\k<it>-/)?.bytes.length, 2 * quoted.length + 2);
    assert.is(mm.search(/(\B<q*>\b|<(q)*>)\s\1/)?.bytes.length, 2 * quoted.length + 1);
  }
});

test("the bytes that every match has in it are found in an expression, and no others", () => {
  const rows: [source: string, flags: string, literal: string | undefined, before?: number][] = [
    ["99[0-9]{3}77 ERROR", "", "77 ERROR", 5],
    ["ERROR", "gm", "ERROR"],
    ["ERROR", "y", undefined],
    ["ERROR", "i", undefined],
    ["a?bc", "", "bc", 1],
    ["abc?", "", "ab"],
    ["abc*d", "", "ab"],
    ["ab{0}c", "", "a"],
    ["ab+cde", "", "cde", Number.POSITIVE_INFINITY],
    ["abc|abd", "", undefined],
    ["|abc", "", undefined],
    ["(?:abc|abd)e", "", "e", 3],
    ["(abc)?d", "", "d", 3],
    ["x(abc)", "", "x"],
    ["(?=abc)d", "", "d"],
    ["(?!abc)d", "", "d"],
    ["(?<=abc)d", "", "d"],
    ["(?<name>a)bc\\k<name>d", "", "bc", 1],
    ["(a)bc\\1d", "", "bc", 1],
    ["(a)\\1bc", "", "bc", 2],
    ["(a+)\\1bc", "", "bc", Number.POSITIVE_INFINITY],
    ["\\bfoo\\b", "", "foo"],
    ["^foo$", "m", "foo"],
    ["a.bc", "", "bc", 2],
    ["a\\.bc", "", "a.bc"],
    ["\\x41\\x0a\\/", "", "A\n/"],
    ["\\u{41}bc", "u", "Abc"],
    ["\\u0041bc", "", "Abc"],
    ["\\d\\wab", "", "ab", 2],
    ["[a]bc", "", "bc", 1],
    ["a\u{1f600}bc", "u", "bc", 2],
    ["a\u{1f600}bc", "", "bc", 3],
    ["\u00e9\u0100", "", "\u00e9"],
    ["a{,2}", "", "a{,2}"],
    ["[abc]+", "", undefined],
    ["", "", undefined],
  ];
  for (const [source, flags, literal, before = 0] of rows) {
    const found = windowedRegExp({ source, flags }).literal;
    assert.is(found && Buffer.from(found.bytes).toString("latin1"), literal, `/${source}/${flags}`);
    assert.is(found?.before ?? 0, before, `/${source}/${flags}`);
  }
});

test("matches that are far apart are those of the whole text, by a literal in them or without one", () => {
  const random = new Random(11);
  const patterns = [
    ...[
      /needle/,
      /^.*needle/m,
      /needle.*$/m,
      /\w+ needle \w*/,
      /needle(?=.*hay)/,
      /(?<=hay\W.{0,50})needle/,
      /a*needle|x/,
    ],
    ...[/needle\n/, /^\nneedle/m, /needle[^]*?hay/, /[^]needle/, /n(?:ee)dle/, /(n)eedle\1?/, /needle$/],
  ];
  for (let round = 0; round < 6; round++) {
    let content = "";
    while (content.length < 4 * WINDOW) {
      // Lines of nothing, short and long ones, and now and then longer than the window.
      const gap = random.oneIn(8) ? 3000 + random.below(2 * WINDOW) : random.below(300);
      content += random.oneIn(3) ? "- \n".repeat(gap / 3) : "-".repeat(gap);
      content += random.pick([
        "needle",
        "hay\n",
        "a needle b\n",
        "\n",
        "\n\nneedle",
        "\0needle\n",
        "hay. needle",
        "need",
      ]);
    }
    using mm = MMap.open(newFile(content));
    for (const pattern of patterns) sameAsWhole(mm, content, pattern);
  }
});

const PIECES = [
  "a",
  "b",
  "ab",
  "\\n",
  ".",
  "[ab]",
  "[^b]",
  "\\s",
  "^",
  "$",
  "\\b",
  "(?=a)",
  "(?!b)",
  "(?<=a)",
  "\\x61",
  "\\.",
] as const;

/** An expression by chance. */
function anyPattern(random: Random, depth = 0): string {
  let source = "";
  for (let count = 1 + random.below(4); count > 0; count--) {
    const group = depth < 2 && random.oneIn(4);
    const piece = group ? `${random.pick(["(", "(?:"])}${anyPattern(random, depth + 1)})` : random.pick(PIECES);
    const repeats = group || /^(?:\w|\.|\[.*|\\[ns.].*)$/.test(piece);
    source += piece + (repeats && random.oneIn(3) ? random.pick(["*", "+", "?", "{2}", "{0,1}", "*?", "{0}"]) : "");
  }
  return random.oneIn(5) ? `${source}|${random.pick(PIECES)}` : source;
}

test("random expressions match as in the whole text", () => {
  const random = new Random(12);
  for (let round = 0; round < 60; round++) {
    const length = random.pick([0, 10, 1000, WINDOW + random.below(5000)]);
    let content = "";
    while (content.length < length) {
      content += random.pick([
        "a",
        "b",
        "ab",
        "\n",
        " ",
        ".",
        "-".repeat(random.below(300)),
        "\n".repeat(random.below(20)),
      ]);
    }
    using mm = MMap.open(newFile(`${content}a`));
    for (let count = 0; count < 5; count++) {
      sameAsWhole(mm, `${content}a`, new RegExp(anyPattern(random), random.pick(["", "m", "s"])));
    }
  }
});

test("every kind of syntax survives being prepared", () => {
  const content = `${"-\n".repeat(WINDOW)}aA1_{}]\u0001\u00e9é(x)/\\k<a> b8\n`;
  using mm = MMap.open(newFile(Buffer.from(content, "latin1")));
  const patterns: [source: string, flags?: string][] = [
    ["[\\]\\\\a-c[]{1,2}"],
    ["[]|a"],
    ["\\cA|\\x01|\\u0001|\\u{1}"],
    ["\\u{1}|\\p{Lu}\\d", "u"],
    ["[\\p{L}--[a-z]]\\d", "v"],
    ["[[a-z]&&[aeiou]]A", "v"],
    ["\\(x\\)/\\\\"],
    ["a{1,2}?A{1}1{0,}_"],
    ["{}]"],
    ["\\k<a>"],
    ["(?<a>a)(?<b>A)\\k<a>?"],
    ["b\\8|b\\08|b(?:8)"],
    ["(a)(A)(1)(_)\\5|\\1"],
    ["(?:a|b(?:A|c(d)))*1"],
    ["(?=a(?<in>A))a|(?!b)z"],
    ["(?<!A)1|(?<=A(1))_"],
    ["\\D\\W\\S\\B_|\\b1"],
    ["é.$|^-", "m"],
  ];
  for (const [source, flags = ""] of patterns) {
    // v came with Node 20; a runtime that lacks a syntax would say so here.
    const later = new RegExp(`\\n(?:${source})`, flags);
    assert.is(mm.search(later)?.index, later.exec(content)?.index, String(later));
    const own = new RegExp(source, flags);
    const tail = own.exec(content.slice(2 * WINDOW));
    assert.is(mm.search(own, 2 * WINDOW)?.index, tail === null ? undefined : tail.index + 2 * WINDOW, String(own));
  }
});

test("a search goes on over a resize, and stops at a close", () => {
  const mm = MMap.anonymous(100);
  mm.assign("ab".repeat(50));
  const matches = mm.matchAll(/a/);
  assert.is(matches.next().value?.index, 0);
  mm.resize(10);
  assert.ok([...mm.matchAll(/a/)].length === 5);
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => matches.next());
  using lines = MMap.anonymous(10);
  lines.assign("a\nb\nc\nd\ne\n");
  const iterator = lines.lines();
  assert.is(text(iterator.next().value), "a\n");
  lines.resize(3);
  assert.is(text(iterator.next().value), "b");
  assert.is(iterator.next().done, true);
});

test("a pattern with a character beyond U+00FF throws, and says how to write it", () => {
  using mm = MMap.open(newFile("5 €, ÿ, Kelvin"));
  const got = (what: string) => `pattern must match bytes, the characters up to U+00FF: got "${what}"`;
  const rows: [source: string, flags: string, message: string][] = [
    ["€", "", `${got("€")}; write its bytes, \\xe2\\x82\\xac in UTF-8`],
    ["a|b(?:c|\\u20ac+)?", "", `${got("€")}; write its bytes, \\xe2\\x82\\xac in UTF-8`],
    ["\\u{20ac}", "u", `${got("€")}; write its bytes, \\xe2\\x82\\xac in UTF-8`],
    ["日本", "g", `${got("日")}; write its bytes, \\xe6\\x97\\xa5 in UTF-8`],
    ["x(?!😀)", "", `${got("😀")}; write its bytes, \\xf0\\x9f\\x98\\x80 in UTF-8`],
    ["[a-z😀]", "", `${got("😀")}; write its bytes, \\xf0\\x9f\\x98\\x80 in UTF-8`],
    ["[^€]", "", `${got("€")}; write its bytes, \\xe2\\x82\\xac in UTF-8`],
    ["[-€]", "", `${got("€")}; write its bytes, \\xe2\\x82\\xac in UTF-8`],
    ["[a-b€]", "i", `${got("€")}; write its bytes, \\xe2\\x82\\xac in UTF-8`],
    ["[一-龥]", "", `${got("一")}; write its bytes, \\xe4\\xb8\\x80 in UTF-8`],
    ["[\\q{a|€}]", "v", `${got("€")}; write its bytes, \\xe2\\x82\\xac in UTF-8`],
    ["\\ud83d", "", got("\\ud83d")],
    ["\\p{Script=Han}", "u", got("\\\\p{Script=Han}")],
    ["[\\w\\p{Script=Han}]", "u", got("\\\\p{Script=Han}")],
  ];
  for (const [source, flags, message] of rows) {
    const pattern = expression(source, flags);
    if (pattern === undefined) continue;
    for (const search of [() => mm.search(pattern), () => mm.matchAll(pattern)]) {
      const error = thrown(search);
      assert.instance(error, RangeError);
      assert.is(error.message, message);
    }
  }
});

/** A regular expression, if the engine knows its flags. */
function expression(source: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    assert.ok(flags === "v", `${error}`);
    return undefined;
  }
}

test("a pattern that can match bytes is accepted, whatever else it has", () => {
  using mm = MMap.open(newFile(Uint8Array.of(32, 0xff, 0xb5, 107)));
  const rows: [source: string, flags: string, index: number | undefined][] = [
    ["[\\x80-\\uffff]", "", 1],
    ["[^\\0-\\u{7f}]", "u", 1],
    ["[^\\0-\\uffff]", "", undefined],
    ["\\u0178", "i", 1],
    ["\\u212a", "iu", 3],
    ["[\\u212a]", "iu", 3],
    // Without the flag u, a letter and a number of times.
    ["\\u{1}|\\u{20ac}", "", undefined],
    ["[\\u{20ac}]", "", undefined],
    ["\\p{Script=Han}", "", undefined],
    ["\\p{L}", "u", 1],
    ["(?<größe_名>k)", "", 3],
    ["(?<名>k)\\k<名>?", "", 3],
  ];
  for (const [source, flags, index] of rows) {
    assert.is(mm.search(new RegExp(source, flags))?.index, index, `/${source}/${flags}`);
  }
});

test("a pattern of literal characters only has the matches of the same text", () => {
  const content = "session token, sess\xe9 (x) a.b aab aaab".repeat(3000);
  using mm = MMap.open(newFile(Uint8Array.from(content, (character) => character.charCodeAt(0))));
  for (const pattern of [/token/, /a/g, /aa/, /sess\xe9/, /\(x\)/, /a\.b/u, /zz/, /session token, s/dg]) {
    assert.is(windowedRegExp(pattern).literal?.isMatch, true, `${pattern}`);
    const expected = [...content.matchAll(new RegExp(pattern, `${pattern.flags.replace("g", "")}g`))];
    const found = [...mm.matchAll(pattern)];
    assert.equal(
      found.map(({ index, end, length, groups }) => [index, end, length, groups]),
      expected.map(({ 0: { length }, index }) => [index, index + length, 1, undefined]),
      `${pattern}`,
    );
    for (const { 0: first, bytes: matched } of found) {
      assert.is(first, matched);
      assert.is(String.fromCharCode(...matched), expected[0]?.[0]);
    }
  }
  for (const pattern of [/token/i, /token/y, /tokens?/, /^token/, /(token)/, /token|a/, /tok.n/, /$/])
    assert.is.not(windowedRegExp(pattern).literal?.isMatch, true, `${pattern}`);
  const within = [...content.slice(39, 80_000).matchAll(/session/g)].map(({ index }) => 39 + index);
  assert.equal(
    [...mm.matchAll(/session/, 39, 80_000)].map(({ index }) => index),
    within,
  );
});

test("matches of literal characters are all found where they are near each other, and where they get far or too near", () => {
  const random = new Random(5);
  const word = "needle needle";
  let content = "";
  // Each stretch of some blocks has matches about so far apart, some across the edges of the blocks. The last overlap.
  for (const gap of [3000, 9000, 40_000, 20, 3000, 400_000, 3000]) {
    for (const end = content.length + 400_000; content.length < end; ) {
      content += `${"-".repeat(random.below(2 * gap))}${word}${random.below(2) === 0 ? " needle".repeat(random.below(4)) : ""}`;
    }
  }
  content += `${"needle ".repeat(20_000)}--${word}`;
  using mm = MMap.open(newFile(content));
  const expected = [...content.matchAll(/needle needle/g)].map(({ index }) => index);
  assert.ok(expected.length > 20_000, `${expected.length} matches`);
  assert.equal(
    Array.from(mm.matchAll(/needle needle/), ({ index }) => index),
    expected,
  );
});

test("matches of literal characters are found across the edge of what is searched at once", () => {
  const word = "session token";
  for (let before = 0; before <= word.length + 1; before++) {
    const content = Buffer.alloc(300_000, "-");
    // 64 KiB that begin after the first match end `before` bytes after the beginning of the fourth.
    const places = [100, 5000, 20_000, 100 + word.length + 64 * 1024 - before, 70_000, 290_000];
    for (const at of places) content.write(word, at, "latin1");
    using mm = MMap.open(newFile(content));
    const found = Array.from(mm.matchAll(/session token/), ({ index }) => index);
    assert.equal(found, places, `${before} bytes before the edge`);
  }
});

test("matches of literal characters that are near each other are those of the map as resize leaves it", () => {
  const line = `${"-".repeat(1000)}session token\n`;
  using mm = MMap.open(newFile(line.repeat(1000)), { access: "write" });
  const found: number[] = [];
  for (const { index } of mm.matchAll(/session token/)) {
    found.push(index);
    if (found.length === 500) {
      // The next line moves, and only ten lines follow it.
      mm.move(500 * line.length, 500 * line.length + 5, line.length);
      mm.resize(510 * line.length);
    }
  }
  const expected = Array.from({ length: 510 }, (_, index) => 1000 + index * line.length);
  expected[500] = (expected[500] as number) - 5;
  assert.equal(found, expected);
});

test("expressions that would get too long to be cut at a window's edge are run over all of the text", () => {
  using mm = MMap.anonymous(300_000);
  mm.bytes.fill(97);
  mm[-1] = 10;
  const nested = new RegExp(`${"(?=".repeat(40)}a\\s${")".repeat(40)}`);
  assert.is(mm.search(nested)?.index, 299_998);
  const repeated = new RegExp(`(${"[ab\\n]".repeat(300)})${"\\1".repeat(300)}`);
  assert.equal([mm.search(repeated)?.index, mm.search(repeated)?.end], [0, 90_300]);
});

test.run();
