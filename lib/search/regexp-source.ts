/**
 * Parses the source of a regular expression into a tree.
 *
 * The engine has accepted the source before, so nothing here reports errors, and what is valid only without the flags `u` and
 * `v` (Annex B of ECMAScript) is read as engines read it.
 *
 * @module
 */

import { RegExpPrototypeExec } from "../../ffi/primordials.ts";

/** Matches one character, or one of the strings of a class (flag `v`). */
export interface Atom {
  readonly kind: "atom";
  /** Its source, which means the same anywhere in an expression with the same flags and modifiers. */
  readonly source: string;
  /** The character that it stands for; undefined for classes and the dot. */
  readonly code: number | undefined;
  /** How many characters it matches at most. */
  readonly maxLength: number;
  /** The flags that apply to it: those of the expression, changed by the modifiers around it. */
  readonly flags: string;
}

/** `^`, `$`, `\b` or `\B`. */
export interface Assertion {
  readonly kind: "assertion";
  readonly source: string;
}

/** `\1` or `\k<name>`. Several groups may share a name; at most one of them has matched. */
export interface Reference {
  readonly kind: "reference";
  readonly groups: readonly Group[];
  readonly ignoreCase: boolean;
}

export interface Group {
  readonly kind: "group";
  /** The number of a capturing group. */
  readonly index: number | undefined;
  /** `(`, `(?<name>`, `(?:`, or `(?i-s:` and the like. */
  readonly opening: string;
  readonly body: Alternatives;
  /** Whether a reference to it exists. */
  referenced: boolean;
}

/** A lookahead or a lookbehind. */
export interface Look {
  readonly kind: "look";
  readonly ahead: boolean;
  readonly negative: boolean;
  readonly body: Alternatives;
  /** The capturing groups in it are those after the first number, up to the last. */
  readonly groupsAfter: number;
  readonly lastGroup: number;
}

/** What is repeated, with its quantifier. */
export interface Repeat {
  readonly kind: "repeat";
  readonly node: Node;
  readonly min: number;
  readonly max: number;
  readonly quantifier: string;
}

export type Node = Atom | Assertion | Reference | Group | Look | Repeat;

/** Sequences of nodes, separated by `|`. */
export type Alternatives = readonly (readonly Node[])[];

/** The deepest nesting that is parsed: the functions that walk the tree are recursive. */
const MAX_DEPTH = 250;

const KNOWN_FLAGS = /^[dgimsuvy]*$/;
const HEX = "[\\da-fA-F]";
const UNICODE_ESCAPE = new RegExp(
  `\\\\(?:u\\{${HEX}+\\}|u[dD][89abAB]${HEX}{2}\\\\u[dD][c-fC-F]${HEX}{2}|u${HEX}{4}|x${HEX}{2}|[pP]\\{[^}]*\\}|c[A-Za-z]|` +
    "[dDsSwWfnrtv0^$\\\\.*+?()[\\]{}|/-])",
  "y",
);
const LEGACY_ESCAPE = new RegExp(`\\\\(?:u${HEX}{4}|x${HEX}{2}|c[A-Za-z]|[0-3][0-7]{0,2}|[4-7][0-7]?|[^c])`, "y");

const matches = (regexp: RegExp, text: string): boolean => RegExpPrototypeExec(regexp, text) !== null;

/** The tree; undefined if the expression has syntax that is not known here, or is nested too deeply. */
export function parseRegExp(source: string, flags: string): Alternatives | undefined {
  return matches(KNOWN_FLAGS, flags) ? new Parser(source, flags).parse() : undefined;
}

class Parser {
  readonly #source: string;
  readonly #unicode: boolean;
  readonly #sets: boolean;
  /** How many capturing groups there are, and whether any has a name: both decide what an escape means. */
  readonly #groupCount: number;
  readonly #hasNames: boolean;
  readonly #groups: Group[] = [];
  readonly #names = new Map<string, Group[]>();
  /** References, to be resolved when all groups are known. */
  readonly #references: { groups: Group[]; to: number | string }[] = [];
  #at = 0;
  #depth = 0;
  #opened = 0;
  #flags: string;
  #unknown = false;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags.replace(/[dgmy]/g, "");
    this.#unicode = matches(/[uv]/, flags);
    this.#sets = flags.includes("v");
    const empty = RegExpPrototypeExec(new RegExp(`${source}|`, this.#flags), "") as RegExpExecArray;
    this.#groupCount = empty.length - 1;
    this.#hasNames = empty.groups !== undefined;
  }

  parse(): Alternatives | undefined {
    const tree = this.#alternatives();
    if (this.#unknown || this.#at < this.#source.length) return undefined;
    for (const { groups, to } of this.#references) {
      const found = typeof to === "string" ? this.#names.get(to) : this.#groups.filter(({ index }) => index === to);
      for (const group of found ?? []) {
        group.referenced = true;
        groups.push(group);
      }
    }
    return tree;
  }

  /** Everything up to the parenthesis that closes the current group, or to the end. */
  #alternatives(): Alternatives {
    let sequence: Node[] = [];
    const alternatives = [sequence];
    if (++this.#depth > MAX_DEPTH) this.#unknown = true;
    while (!this.#unknown && this.#at < this.#source.length && this.#source[this.#at] !== ")") {
      if (this.#take(/\|/y) === undefined) {
        sequence.push(this.#repeated(this.#term()));
      } else {
        sequence = [];
        alternatives.push(sequence);
      }
    }
    this.#depth--;
    return alternatives;
  }

  #repeated(node: Node): Node {
    const match = this.#take(/(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/y);
    if (match === undefined) return node;
    const [quantifier, least, comma, most] = match;
    if (least !== undefined) {
      const min = Number(least);
      const max = comma === undefined ? min : most === "" ? Infinity : Number(most);
      return { kind: "repeat", node, min, max, quantifier };
    }
    const max = quantifier[0] === "?" ? 1 : Infinity;
    return { kind: "repeat", node, min: quantifier[0] === "+" ? 1 : 0, max, quantifier };
  }

  #term(): Node {
    const assertion = this.#take(/[$^]|\\[bB]/y);
    if (assertion !== undefined) return { kind: "assertion", source: assertion[0] };
    switch (this.#source[this.#at]) {
      case "(":
        return this.#parenthesis();
      case "[":
        return this.#class();
      case "\\":
        return this.#reference() ?? this.#escape();
    }
    const [character] = this.#take(this.#unicode ? /[\s\S]/uy : /[\s\S]/y) as RegExpExecArray;
    return this.#atom(character, character === "." ? undefined : character.codePointAt(0));
  }

  #atom(source: string, code: number | undefined, maxLength = 1): Atom {
    return { kind: "atom", source, code, maxLength, flags: this.#flags };
  }

  #parenthesis(): Node {
    const look = this.#take(/\(\?<?[=!]/y);
    if (look !== undefined) return this.#look(look[0]);
    const plain = this.#take(/\(\?([ims]*)-?([ims]*):/y);
    if (plain !== undefined) {
      const [opening, added = "", removed = ""] = plain;
      const flags = this.#flags;
      // The flag m does not matter here: it changes no atom.
      this.#flags = [...new Set(flags + added)].filter((flag) => flag !== "m" && !removed.includes(flag)).join("");
      const body = this.#inside();
      this.#flags = flags;
      return { kind: "group", index: undefined, opening, body, referenced: false };
    }
    const capturing = this.#take(/\((?:\?<([^>]*)>|(?!\?))/y);
    if (capturing === undefined) return this.#giveUp();
    const index = ++this.#opened;
    const [opening, name] = capturing;
    const group: Group = { kind: "group", index, opening, body: this.#inside(), referenced: false };
    this.#groups.push(group);
    if (name !== undefined) this.#names.set(nameOf(name), [...(this.#names.get(nameOf(name)) ?? []), group]);
    return group;
  }

  #look(opening: string): Look {
    const groupsAfter = this.#opened;
    const body = this.#inside();
    const ahead = !opening.includes("<");
    return { kind: "look", ahead, negative: opening.endsWith("!"), body, groupsAfter, lastGroup: this.#opened };
  }

  /** The inside of a group, up to its closing parenthesis, which is passed. */
  #inside(): Alternatives {
    const body = this.#alternatives();
    this.#at++;
    return body;
  }

  #reference(): Reference | undefined {
    const name = this.#unicode || this.#hasNames ? this.#take(/\\k<([^>]*)>/y)?.[1] : undefined;
    const number = /\\([1-9]\d*)/y;
    number.lastIndex = this.#at;
    const to = name === undefined ? Number(RegExpPrototypeExec(number, this.#source)?.[1] ?? 0) : nameOf(name);
    if (typeof to === "number" && (to === 0 || to > this.#groupCount)) return undefined;
    if (typeof to === "number") this.#at = number.lastIndex;
    const groups: Group[] = [];
    this.#references.push({ groups, to });
    return { kind: "reference", groups, ignoreCase: this.#flags.includes("i") };
  }

  #escape(): Node {
    const escaped = this.#take(this.#unicode ? UNICODE_ESCAPE : LEGACY_ESCAPE)?.[0];
    if (escaped !== undefined) {
      const code = codeOf(escaped);
      // The rewritten expression may have more groups: no digits that become a reference.
      const octal = matches(/^\\\d/, escaped) && code !== undefined;
      return this.#atom(octal ? `\\x${code.toString(16).padStart(2, "0")}` : withoutNamelessK(escaped), code);
    }
    // A backslash before a c that is not followed by a letter stands for itself.
    if (!this.#unicode && this.#take(/\\(?=c)/y) !== undefined) return this.#atom("\\\\", 92);
    return this.#giveUp();
  }

  #class(): Atom {
    const start = this.#at++;
    let maxLength = 1;
    for (let depth = 1; depth > 0 && this.#at < this.#source.length; ) {
      const strings = this.#sets ? this.#take(/\\q\{((?:\\u\{[^}]*\}|\\[\s\S]|[^}\\])*)\}/y)?.[1] : undefined;
      if (strings !== undefined) {
        for (const string of strings.split("|")) maxLength = Math.max(maxLength, lengthOfString(string));
        continue;
      }
      const [token] = this.#take(/\\?[\s\S]/y) as RegExpExecArray;
      if (token === "]") depth--;
      else if (token === "[" && this.#sets) depth++;
    }
    const source = this.#source.slice(start, this.#at);
    return this.#atom(this.#unicode ? source : withoutNamelessK(source), undefined, maxLength);
  }

  #giveUp(): Atom {
    this.#unknown = true;
    return this.#atom("", undefined);
  }

  #take(token: RegExp): RegExpExecArray | undefined {
    token.lastIndex = this.#at;
    const match = RegExpPrototypeExec(token, this.#source);
    if (match === null) return undefined;
    this.#at = token.lastIndex;
    return match;
  }
}

/** `\k` stands for a k only as long as no group has a name, and the rewritten expression names some. */
function withoutNamelessK(source: string): string {
  return source.replace(/\\([\s\S])/g, (escaped, character) => (character === "k" ? "k" : escaped));
}

/** How many characters one of the strings of `\q{…}` has, at most. */
function lengthOfString(string: string): number {
  return string.replace(/\\(?:u\{[^}]*\}|u[\s\S]{4}|x[\s\S]{2}|c[\s\S]|[\s\S])/g, "x").length;
}

/** The name of a group without its escapes. */
function nameOf(name: string): string {
  return name.replace(/\\u(?:\{([^}]*)\}|([\s\S]{4}))/g, (_, long, short) => {
    const code = Number.parseInt(long ?? short, 16);
    return long === undefined ? String.fromCharCode(code) : String.fromCodePoint(code);
  });
}

const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** The character that an escape, or a character itself, stands for; undefined for classes such as `\d`. */
export function codeOf(source: string): number | undefined {
  if (source[0] !== "\\") return source.codePointAt(0);
  const pair = RegExpPrototypeExec(/^\\u(.{4})\\u(.{4})$/, source);
  const units = pair?.slice(1).map((unit) => Number.parseInt(unit, 16));
  if (units !== undefined) return String.fromCharCode(...units).codePointAt(0);
  const hex = RegExpPrototypeExec(/^\\[ux]\{?([\da-fA-F]+)\}?$/, source)?.[1];
  if (hex !== undefined) return Number.parseInt(hex, 16);
  const octal = RegExpPrototypeExec(/^\\([0-7]+)$/, source)?.[1];
  if (octal !== undefined) return Number.parseInt(octal, 8);
  const control = RegExpPrototypeExec(/^\\c(.)$/, source)?.[1];
  if (control !== undefined) return control.charCodeAt(0) % 32;
  const letter = source.slice(1);
  if (matches(/^(?:[dDsSwW]$|[pP]\{)/, letter)) return undefined;
  return CONTROLS[letter] ?? letter.codePointAt(0);
}
