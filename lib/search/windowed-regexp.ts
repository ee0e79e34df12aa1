/**
 * Prepares a regular expression for text that is seen through a window: which of the matches found there would be the same
 * in the whole text?
 *
 * A match may depend on what lies behind the window's end: it could be longer, or another way through the expression could
 * have matched first. The engine does not tell how far it looked, so the expression is rewritten to stop where the text
 * runs out: each atom `a` becomes `(?:a|END)`, so that the first way that reaches the end of the text matches nothing from
 * there on, and is the match. A match that does not end there is the one that the whole text has, for the ways are tried
 * in the same order and none before it has seen the end.
 *
 * Engines search faster for the expression as it is. So where it can be told how far from the end every attempt runs out of
 * what it may match, the rewritten one is not needed: see `Reach`.
 *
 * @module
 */

/** A regular expression, and how to run it over a window. */
export interface Pattern {
  /** The expression for text that nothing follows. */
  readonly whole: RegExp;
  /**
   * The expression for text that goes on behind its end. A match that ends where the text does says only from where on
   * more text is needed; every other match is final. There is none of an expression with a lookahead within a lookbehind,
   * where nothing can take a match to the end: `reach` alone tells which of its matches are final.
   */
  readonly cut: RegExp | undefined;
  /** No match reaches beyond its line: text must be cut behind a newline. */
  readonly withinLines: boolean;
  /** How many characters before its start a match may look at. */
  readonly lookbehind: number;
  /** How far an attempt to match may look, where that can be told. */
  readonly reach: Reach | undefined;
  /** What every match has in it, where such is known. */
  readonly literal: Literal | undefined;
}

/** Bytes in a row that every match of an expression has in it. */
export interface Literal {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many bytes a match has before them at most. */
  readonly before: number;
}

/**
 * What an attempt to match may pass on its way: as many as it likes of the characters that something repeated without a
 * bound matches, and of others no more than the rest of the expression matches.
 */
interface Reach {
  /** Is it one of them, by the character's code? */
  readonly unbounded: Uint8Array;
  /** How many others. */
  readonly others: number;
}

/** From which index on an attempt to match may depend on what follows the text. */
export function openFrom(text: string, { unbounded, others }: Reach): number {
  let left = others;
  for (let at = text.length - 1; at >= 0; at--) {
    if (unbounded[codeAt.call(text, at)] === 0 && left-- === 0) return at + 1;
  }
  return 0;
}

/** How far back a lookbehind sees, in bytes. */
export const MAX_LOOKBEHIND = 64 * 1024;

/** Prepares a regular expression. Its `lastIndex` is neither used nor changed. */
export function preparePattern({ source, flags }: { source: string; flags: string }): Pattern {
  const plain = [...flags].filter((flag) => !"dgy".includes(flag)).join("");
  const stepping = `${plain}${flags.includes("y") ? "y" : "g"}`;
  const whole = new RegExp(source, stepping);
  const first = new SourceReader(source, plain);
  first.read();
  const lookbehind = first.hasLookbehind ? MAX_LOOKBEHIND : 1;
  const literal = whole.sticky ? undefined : first.literal();
  // Within a line nothing looks further than its end, and the expression can stay as it is.
  if (!first.matchesNewline) return { whole, cut: whole, withinLines: true, lookbehind, reach: undefined, literal };
  const cut = first.looksAheadBehind ? undefined : rewrite(source, plain, first.groups);
  const reach = whole.sticky ? undefined : first.reach();
  const compiled = cut === undefined ? undefined : new RegExp(cut, stepping);
  return { whole, cut: compiled, withinLines: false, lookbehind, reach, literal };
}

/** The source rewritten to stop at the end of the text; undefined where it would get so long that no engine takes it. */
function rewrite(source: string, flags: string, groups: readonly Group[]): string | undefined {
  const reader = new SourceReader(source, flags, groups);
  const result = reader.read();
  return reader.tooLong || result.length > longest(source) ? undefined : result;
}

/** How long a rewritten source may get. An atom becomes some ten characters longer; lookaheads double what is in them. */
function longest(source: string): number {
  return 64 * 1024 + 20 * source.length;
}

// The engine's own function, taken before any code could replace it.
const { exec } = RegExp.prototype;
const { charCodeAt: codeAt } = String.prototype;
const matches = (regexp: RegExp, text: string): boolean => exec.call(regexp, text) !== null;

/** Matches at the end of the text alone, whatever the flags. */
const END = "(?![^])";

/** A numbered group: the text between its parentheses. */
interface Group {
  readonly name: string | undefined;
  source: string;
}

/** What matches one character, and how many at most one attempt to match passes with it. */
interface Atom {
  readonly source: string;
  most: number;
}

/** Reads a regular expression that the engine has accepted, and rewrites it to stop at the end of the text. */
class SourceReader {
  hasLookbehind = false;
  /** Is there a lookahead within a lookbehind, or what could be one? */
  looksAheadBehind = false;
  matchesNewline = false;
  /** Was something left out, for it would have got too long? */
  tooLong = false;
  readonly groups: Group[] = [];
  readonly #atoms: Atom[] = [];
  /** Is there something of which the atoms do not tell how much it matches? */
  #unknown = false;
  /** In how many groups that is which is read now. */
  #depth = 0;
  /** Outside of all groups: the characters that must match one behind the other, up to here, and the most of them so far. */
  #row = "";
  #longest = "";
  /** How many characters a match may have before each of the two. */
  #beforeRow = 0;
  #beforeLongest = 0;
  #hasChoice = false;
  /** How long the sources are together that stand for backreferences. */
  #referred = 0;

  readonly #source: string;
  readonly #flags: string;
  readonly #unicode: boolean;
  readonly #groupCount: number;
  /** The groups as another reader found them: a backreference may come before its group. */
  readonly #known: readonly Group[];
  /** "loose" leaves assertions out, for text that was matched in another place. "copy" and it number no groups. */
  #mode: "full" | "copy" | "loose";
  #at = 0;

  constructor(source: string, flags: string, known: readonly Group[] = [], mode: "full" | "loose" = "full") {
    this.#source = source;
    this.#flags = flags;
    this.#unicode = matches(/[uv]/, flags);
    this.#groupCount = known.length || (exec.call(new RegExp(`${source}|`, flags), "") as RegExpExecArray).length - 1;
    this.#known = known;
    this.#mode = mode;
  }

  /** How far an attempt to match may look, where what was read tells. */
  reach(): Reach | undefined {
    // With the flag v, a class may match more than one character.
    if (this.#unknown || matches(/v/, this.#flags)) return undefined;
    const unbounded = new Uint8Array(256);
    let others = 0;
    for (const { source, most } of this.#atoms) {
      if (most !== Number.POSITIVE_INFINITY) {
        others += most;
        continue;
      }
      const one = new RegExp(`^(?:${source})$`, this.#flags);
      for (let code = 0; code < 256; code++) if (matches(one, String.fromCharCode(code))) unbounded[code] = 1;
    }
    return { unbounded, others };
  }

  /** The longest row of characters that every match has in it. Where the case does not matter, none is taken to be one. */
  literal(): Literal | undefined {
    this.#endRow();
    if (this.#hasChoice || this.#longest === "" || matches(/i/, this.#flags)) return undefined;
    const bytes = Uint8Array.from({ length: this.#longest.length }, (_, at) => codeAt.call(this.#longest, at));
    const known = !this.#unknown && !matches(/v/, this.#flags);
    return { bytes, before: known ? this.#beforeLongest : Number.POSITIVE_INFINITY };
  }

  #endRow(): void {
    if (this.#row.length > this.#longest.length) {
      this.#longest = this.#row;
      this.#beforeLongest = this.#beforeRow;
    }
    this.#row = "";
  }

  /** Everything up to the parenthesis that closes the current group, or the end. */
  read(): string {
    let rewritten = "";
    while (this.#at < this.#source.length && this.#source[this.#at] !== ")") rewritten += this.#term();
    return rewritten;
  }

  #term(): string {
    const alternative = this.#take(/\|/y);
    this.#hasChoice ||= alternative !== undefined && this.#depth === 0;
    if (alternative !== undefined) return alternative;
    const assertion = this.#take(/[$^]|\\[bB]/y);
    if (assertion !== undefined) return this.#orEnd(assertion);
    if (this.#source[this.#at] === "(") return this.#repeatedGroup();
    const start = this.#at;
    const references = this.#references();
    if (references !== undefined && this.#depth === 0) this.#endRow();
    this.#unknown ||= references !== undefined;
    if (references !== undefined) return this.#backreference(start, references) + (this.#quantifier() ?? "");
    return this.#atom();
  }

  /** An assertion: at the end of the text, what follows would decide. */
  #orEnd(assertion: string): string {
    return this.#mode === "loose" ? "" : `(?:${assertion}|${END})`;
  }

  #repeatedGroup(): string {
    if (this.#depth === 0) this.#endRow();
    const first = this.#atoms.length;
    const group = this.#group();
    const quantifier = this.#quantifier() ?? "";
    for (const atom of this.#atoms.slice(first)) atom.most *= mostOf(quantifier);
    return group + quantifier;
  }

  #group(): string {
    const start = this.#at;
    if (this.#take(/\(\?<[=!]/y) !== undefined) {
      this.hasLookbehind = true;
      const before = this.#atoms.length;
      this.#inside();
      const lookbehind = this.#source.slice(start, this.#at);
      const looksAhead = matches(/\(\?[=!]/, lookbehind);
      this.looksAheadBehind ||= looksAhead;
      // What it passes on its way back takes no attempt further, but for a lookahead in it.
      if (!looksAhead) this.#atoms.length = before;
      return this.#orEnd(this.#mode === "full" ? lookbehind : withoutGroups(lookbehind));
    }
    if (this.#take(/\(\?[=!]/y) !== undefined) return this.#lookahead(start);
    const modifiers = this.#take(/\(\?[ims-]*:/y);
    // (?s:.) may match what the dot does not match elsewhere: take the slow way.
    if (modifiers !== undefined && modifiers !== "(?:") this.matchesNewline = this.#unknown = true;
    if (modifiers !== undefined) return `${modifiers}${this.#inside()})`;
    const opening = this.#take(/\((?:\?<[^>]*>)?/y) as string;
    const group: Group = { name: opening === "(" ? undefined : opening.slice(3, -1), source: "" };
    this.groups.push(group);
    const from = this.#at;
    const inside = this.#inside();
    group.source = this.#source.slice(from, this.#at - 1);
    return `${this.#mode === "full" ? opening : "(?:"}${inside})`;
  }

  /** A lookahead: where it can itself run into the end, that is where the match goes. */
  #lookahead(start: number): string {
    const inside = this.#at;
    const mode = this.#mode;
    const rewritten = this.#inside();
    if (mode === "loose") return "(?:)";
    const copy = mode === "copy" ? rewritten : this.#copied(inside);
    if (copy.length > longest(this.#source)) {
      this.tooLong = true;
      return "(?:)";
    }
    const negative = this.#source[start + 2] === "!";
    const full = negative ? this.#source.slice(inside, this.#at - 1) : rewritten;
    const lookahead = `(?${negative ? "!" : "="}${mode === "full" ? full : copy})`;
    return `(?:(?=(?:${copy})${END})[^]*|${lookahead})`;
  }

  /** The inside of a lookahead that was read already, as it is: its groups count once. */
  #copied(inside: number): string {
    const mode = this.#mode;
    const found = this.groups.length;
    this.#at = inside;
    this.#mode = "copy";
    const copy = this.#inside();
    this.groups.length = found;
    this.#mode = mode;
    return copy;
  }

  /** The inside of a group, rewritten, up to behind its parenthesis. */
  #inside(): string {
    this.#depth++;
    const inside = this.read();
    this.#depth--;
    this.#at++;
    return inside;
  }

  /** The groups that a backreference at this place stands for; undefined where there is none. */
  #references(): readonly Group[] | undefined {
    const named = this.#unicode || matches(/\(\?<(?![=!])/, this.#source);
    const name = named ? this.#take(/\\k<[^>]*>/y) : undefined;
    if (name !== undefined) return this.#known.filter((group) => group.name === name.slice(3, -1));
    const number = /\\([1-9]\d*)/y;
    number.lastIndex = this.#at;
    const match = exec.call(number, this.#source);
    if (match === null || Number(match[1]) > this.#groupCount) return undefined;
    this.#at = number.lastIndex;
    const group = this.#known[Number(match[1]) - 1];
    return group === undefined ? [] : [group];
  }

  /** A backreference: its beginning may be at the end of the text. It is something that its group's source matches. */
  #backreference(start: number, groups: readonly Group[]): string {
    const reference = this.#source.slice(start, this.#at);
    // Within a group that is referred to, anything.
    if (this.#mode === "loose") return "[^]*";
    const sources = groups.map(({ source }) => new SourceReader(source, this.#flags, this.#known, "loose").read());
    this.#referred += sources.join("").length;
    if (this.#referred > longest(this.#source)) {
      this.tooLong = true;
      return "(?:)";
    }
    return `(?:${reference}|(?=(?:${sources.join("|") || END})${END})[^]*)`;
  }

  /** What matches one character (of a class of strings: a few), with its quantifier. */
  #atom(): string {
    const atom = this.#source[this.#at] === "\\" ? this.#escape() : this.#characterOrClass();
    this.matchesNewline ||= matches(new RegExp(`^(?:${atom})$`, this.#flags), "\n");
    const quantifier = this.#quantifier();
    if (this.#depth === 0) this.#lengthenRow(quantifier === undefined ? characterOf(atom) : undefined);
    this.#atoms.push({ source: atom, most: mostOf(quantifier ?? "") });
    if (quantifier === undefined) return `(?:${atom}|${END})`;
    // What may be repeated no times can end at the end of the text as it is.
    if (matches(/^(?:[*?]|\{0*[,}])/, quantifier)) return atom + quantifier;
    return `(?:${atom}${quantifier}|${atom}*${END})`;
  }

  #lengthenRow(character: string | undefined): void {
    if (character === undefined) {
      this.#endRow();
      return;
    }
    if (this.#row === "") this.#beforeRow = this.#atoms.reduce((sum, { most }) => sum + most, 0);
    this.#row += character;
  }

  #escape(): string {
    const unicode = /\\(?:u\{[0-9a-fA-F]+\}|[pP]\{[^}]*\})/y;
    const octal = /\\(?:[0-3][0-7]{0,2}|[4-7][0-7]?)/y;
    const common = /\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[\s\S])/y;
    return (this.#unicode ? this.#take(unicode) : this.#take(octal)) ?? (this.#take(common) as string);
  }

  #characterOrClass(): string {
    if (this.#source[this.#at] !== "[") return this.#take(this.#unicode ? /[\s\S]/uy : /[\s\S]/y) as string;
    const start = this.#at++;
    for (let depth = 1; depth > 0; this.#at++) {
      const character = this.#source[this.#at];
      if (character === "\\") this.#at++;
      else if (character === "]") depth--;
      else if (character === "[" && this.#flags.includes("v")) depth++;
    }
    return this.#source.slice(start, this.#at);
  }

  #quantifier(): string | undefined {
    return this.#take(/(?:[*+?]|\{\d+(?:,\d*)?\})\??/y);
  }

  #take(token: RegExp): string | undefined {
    token.lastIndex = this.#at;
    const match = exec.call(token, this.#source);
    if (match === null) return undefined;
    this.#at = token.lastIndex;
    return match[0];
  }
}

/** The one character that an atom matches, if it is a byte's and written as itself, as `\.` or as `\x2e`. */
function characterOf(atom: string): string | undefined {
  const escaped = exec.call(/^\\(?:x([0-9a-fA-F]{2})|([^0-9A-Za-z]))$/, atom);
  if (escaped?.[1] !== undefined) return String.fromCharCode(Number.parseInt(escaped[1], 16));
  if (escaped === null && (atom.length !== 1 || atom === ".")) return undefined;
  const character = escaped?.[2] ?? atom;
  return codeAt.call(character, 0) < 256 ? character : undefined;
}

/** How often a quantifier lets something match at most; never 0, for a group in it may be repeated without a bound. */
function mostOf(quantifier: string): number {
  const range = exec.call(/^\{(\d+)(,?)(\d*)/, quantifier);
  if (range === null) return matches(/^[*+]/, quantifier) ? Number.POSITIVE_INFINITY : 1;
  const [, least, comma, most] = range;
  if (comma !== "" && most === "") return Number.POSITIVE_INFINITY;
  return Math.max(1, Number(most || least));
}

/** A lookbehind for a place where groups are not numbered; one that has groups, or refers to one, is left out there. */
function withoutGroups(lookbehind: string): string {
  return matches(/\\[1-9k]|\((?!\?(?:[:=!]|<[=!]))/, lookbehind) ? "(?:)" : lookbehind;
}
