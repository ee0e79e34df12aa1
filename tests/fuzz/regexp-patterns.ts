/**
 * Random regular expressions, with all of the syntax.
 *
 * @module
 */

import type { Random } from "./random.ts";

const ATOMS = [
  ...["a", "b", "ab", "A", "a", "b", "\\n", ".", ".", "[ab]", "[^b]", "[^a]", "\\s", "\\S", "\\w", "\\W", "\\d", "\\D"],
  ...[
    "\\x61",
    "\\u0061",
    "\\r",
    "\\t",
    "\\cJ",
    "\\0",
    "é",
    "\\xe9",
    "[^]",
    "[]",
    "[a-z]",
    "[^a-c\\n]",
    "\\.",
    "\\/",
    "-",
  ],
  ...["1", "_", " ", "[\\w-]", "[\\]a]", "[^\\S\\n]", "\u0101", "[\\x80-\\xff]", "\\u0101"],
] as const;

/** Valid without the flags u and v only. */
const LEGACY = [
  ...[
    "\\c1",
    "\\c",
    "\\1",
    "\\7",
    "\\012",
    "\\8",
    "\\k",
    "\\k<a>",
    "\\u12",
    "\\x4",
    "a{,2}",
    "{",
    "}",
    "]",
    "\\p",
    "\\u{2}",
  ],
  ...["[\\c1]", "[\\k]", "\\-", "\\a", "[\\1]", "[\\b]", "x{1", "{a}", "\\_"],
] as const;

const UNICODE = [
  "\\u{61}",
  "\\p{L}",
  "\\P{L}",
  "\\p{Lu}",
  "😀",
  "\\u{1f600}",
  "\\ud83d\\ude00",
  "[😀a]",
  "\\{",
  "[^\\p{Ll}]",
] as const;

const SETS = [
  ...[
    "[\\q{ab}]",
    "[\\q{a|ab|\\n}b]",
    "[[a-z]--[b]]",
    "[[a-c]&&[ab]]",
    "[^[ab]]",
    "[\\p{L}--a]",
    "[\\q{a\\nb}--\\q{ab}]",
  ],
  ...["[\\q{\\n\\n}]", "[\\q{}a]", "[\\q{bab|\\x61\\u{62}}\\s]", "[[\\q{ab}a]&&\\q{ab}]"],
] as const;

/** For what matches the same in more than one way: repeated more often, it takes exponential time. */
const FEW = ["?", "{2}", "{0}", "{0,1}", "{1}", "{1,2}"] as const;
const QUANTIFIERS = ["?", "{2}", "{0}", "{1,3}", "{0,1}", "{0,4}", "{2,3}", "{1}"] as const;
const UNBOUNDED = ["*", "+", "{2,}", "{1,}", "{0,}", "{3,}"] as const;
const MODIFIERS = ["(?i:", "(?s:", "(?m:", "(?-i:", "(?i-s:", "(?ms-i:"] as const;

/** Those of FEW that repeat nothing more than once. */
const ONCE = ["?", "{0}", "{0,1}", "{1}"] as const;

/**
 * How many parts may be repeated without a bound: each multiplies how long an engine may take. V8 tries all ways to match, JSC
 * gives up.
 */
const MAX_UNBOUNDED = 3;

const MAX_DEPTH = 3;

export class RandomPattern {
  readonly source: string;
  readonly flags: string;
  readonly #random: Random;
  readonly #mode: "" | "u" | "v";
  #unbounded = 0;
  #groups = 0;
  readonly #names: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#mode = random.pick(["", "", "u", "v"]);
    this.flags = [..."dgimsy"].filter((flag) => random.oneIn(flag === "y" ? 12 : 4)).join("") + this.#mode;
    this.source = this.#alternatives(0);
  }

  #alternatives(depth: number): string {
    let source = this.#sequence(depth);
    while (this.#random.oneIn(depth === 0 ? 6 : 3)) source += `|${this.#sequence(depth)}`;
    return source;
  }

  #sequence(depth: number): string {
    let source = "";
    for (let count = this.#random.below(4) + (depth === 0 ? 1 : 0); count > 0; count--) source += this.#term(depth);
    return source;
  }

  #term(depth: number): string {
    const random = this.#random;
    const kind = random.weighted({
      atom: 12,
      assertion: 2,
      reference: 2,
      group: depth < MAX_DEPTH ? 4 : 0,
      look: depth < MAX_DEPTH ? 2 : 0,
    });
    if (kind === "assertion") return random.pick(["^", "$", "\\b", "\\B"]);
    if (kind === "atom") {
      const atom = this.#atom();
      // Several strings match in more than one way: "ab" is "a" and "b" too.
      return /\\q\{[^}]*\|/.test(atom) ? this.#ambiguous(atom, 0) : this.#quantified(atom);
    }
    if (kind === "reference") return this.#quantified(this.#reference());
    const before = this.#unbounded;
    const open = kind === "look" ? random.pick(["(?=", "(?!", "(?<=", "(?<!"]) : this.#opening();
    const group = `${open}${this.#alternatives(depth + 1)})`;
    const unbounded = this.#unbounded - before;
    if (kind === "look")
      return this.#mode === "" && !open.includes("<") && random.oneIn(6) ? this.#ambiguous(group, unbounded) : group;
    const ambiguous = unbounded > 0 || /[|?{*]/.test(group.slice(open.length));
    return ambiguous ? this.#ambiguous(group, unbounded) : this.#quantified(group);
  }

  #atom(): string {
    const random = this.#random;
    if (random.oneIn(4)) {
      if (this.#mode === "") return random.pick(LEGACY);
      return random.pick(this.#mode === "v" && !random.oneIn(3) ? SETS : UNICODE);
    }
    return random.pick(ATOMS);
  }

  #reference(): string {
    const name = this.#random.oneIn(2) ? this.#names.at(-1) : undefined;
    return name === undefined ? `\\${1 + this.#random.below(this.#groups + 1)}` : `\\k<${name}>`;
  }

  #opening(): string {
    const random = this.#random;
    const kind = random.weighted({ capturing: 4, named: 2, plain: 3, modifiers: 2 });
    if (kind === "plain") return "(?:";
    if (kind === "modifiers") return random.pick(MODIFIERS);
    this.#groups++;
    if (kind === "capturing") return "(";
    // Sometimes a name twice, which is valid in different alternatives.
    const name = random.oneIn(8) ? "n" : `n${this.#names.length}`;
    this.#names.push(name);
    return `(?<${name}>`;
  }

  /** Repeats what matches the same in more than one way, and has so many parts that are repeated without a bound. */
  #ambiguous(source: string, unbounded: number): string {
    const random = this.#random;
    if (!random.oneIn(3)) return source;
    const lazy = random.oneIn(3) ? "?" : "";
    // Twice the group is twice its parts.
    if (this.#unbounded + unbounded > MAX_UNBOUNDED) return source + random.pick(ONCE) + lazy;
    const quantifier = random.pick(FEW);
    if (quantifier.includes("2")) this.#unbounded += unbounded;
    return source + quantifier + lazy;
  }

  #quantified(source: string): string {
    const random = this.#random;
    if (!random.oneIn(3)) return source;
    const lazy = random.oneIn(3) ? "?" : "";
    if (this.#unbounded >= MAX_UNBOUNDED || random.oneIn(3)) return source + random.pick(QUANTIFIERS) + lazy;
    this.#unbounded++;
    return source + random.pick(UNBOUNDED) + lazy;
  }
}
