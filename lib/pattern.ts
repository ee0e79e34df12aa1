/**
 * Prepares a regular expression for text that is seen through a window: which of the matches found there would be the same
 * in the whole text?
 *
 * A match may depend on what lies behind the window's end: it could be longer, or another alternative could have matched.
 * The engine does not tell how far it looked, so a second expression, the probe, is derived from the first. It matches
 * wherever some way through the first reaches the end of the text: each atom `a` becomes `(?:a|END)`, and the whole is
 * followed by END, so that from a place where the text runs out the rest of the expression matches nothing. Matches that
 * begin before the probe's first match have not looked at the end, and are final.
 *
 * @module
 */

/** A regular expression, and how to run it over a window. */
export interface Pattern {
  /** A copy of the user's, with its own `lastIndex`. */
  readonly regexp: RegExp;
  /** How many characters before its start a match may look at. */
  readonly lookbehind: number;
  /** The index from which on matches may depend on what follows `text`; those from `from` up to it are final. */
  finalUpTo(text: string, from: number): number;
}

/** How far back a lookbehind sees, in bytes. */
export const MAX_LOOKBEHIND = 64 * 1024;

/** How long the group of a backreference may be for matches across the end of a window to be found, in bytes. */
export const MAX_BACKREFERENCE = 1000;

/** Prepares a regular expression. Its `lastIndex` is neither used nor changed. */
export function preparePattern({ source, flags }: { source: string; flags: string }): Pattern {
  const plain = [...flags].filter((flag) => !"dgy".includes(flag)).join("");
  const reader = new SourceReader(source, plain);
  const probeSource = reader.read();
  const sticky = flags.includes("y");
  const regexp = new RegExp(source, sticky ? `${plain}y` : `${plain}g`);
  const lookbehind = reader.hasLookbehind ? MAX_LOOKBEHIND : 1;
  // Within a line nothing looks further than its end, and the probe is not needed.
  if (!reader.matchesNewline) return { regexp, lookbehind, finalUpTo: (text) => text.lastIndexOf("\n") + 1 };
  const probe = new RegExp(`(?:${probeSource})${END}`, `${plain}${sticky ? "y" : "g"}`);
  return {
    regexp,
    lookbehind,
    finalUpTo(text, from) {
      probe.lastIndex = from;
      return exec.call(probe, text)?.index ?? text.length;
    },
  };
}

// The engine's own function, taken before any code could replace it.
const { exec } = RegExp.prototype;
const matches = (regexp: RegExp, text: string): boolean => exec.call(regexp, text) !== null;

/** Matches at the end of the text alone, whatever the flags. */
const END = "(?![^])";

/** Reads a regular expression that the engine has accepted, and writes the probe for it. */
class SourceReader {
  hasLookbehind = false;
  matchesNewline = false;

  readonly #source: string;
  readonly #flags: string;
  readonly #unicode: boolean;
  readonly #groups: number;
  readonly #named: boolean;
  #at = 0;
  /** Inside of a lookaround, where groups must not be numbered a second time. */
  #copying = false;

  constructor(source: string, flags: string) {
    this.#source = source;
    this.#flags = flags;
    this.#unicode = matches(/[uv]/, flags);
    this.#groups = (exec.call(new RegExp(`${source}|`, flags), "") as RegExpExecArray).length - 1;
    this.#named = matches(/\(\?<(?![=!])/, source);
  }

  read(): string {
    return this.#disjunction();
  }

  /** Everything up to the parenthesis that closes the current group, or the end. */
  #disjunction(): string {
    let probe = "";
    while (this.#at < this.#source.length && this.#source[this.#at] !== ")") probe += this.#term();
    return probe;
  }

  #term(): string {
    const first = this.#source[this.#at] as string;
    if (first === "|" || first === "^" || first === "$") {
      this.#at++;
      return first;
    }
    const term = first === "(" ? this.#group() : first === "\\" ? this.#escape() : this.#atom(this.#characterOrClass());
    return term + (this.#take(/(?:[*+?]|\{\d+(?:,\d*)?\})\??/y) ?? "");
  }

  #group(): string {
    const start = this.#at;
    if (this.#take(/\(\?<[=!]/y) !== undefined) {
      this.hasLookbehind = true;
      this.#closed();
      return this.#copying ? "" : this.#source.slice(start, this.#at);
    }
    if (this.#take(/\(\?[=!]/y) !== undefined) {
      // Where the lookahead itself can run into the end, go there: the match depends on what follows.
      const inside = this.#closed();
      const lookahead = this.#copying ? "" : this.#source.slice(start, this.#at);
      return `(?:${lookahead}|(?=${inside}${END})[^]*)`;
    }
    const named = this.#take(/\(\?<[^>]*>/y);
    const opening = named ?? this.#take(/\(\?[ims-]*:/y) ?? (this.#take(/\(/y) as string);
    // (?s:.) may match what the dot does not match elsewhere: take the slow way.
    if (matches(/^\(\?[ims-]/, opening)) this.matchesNewline = true;
    const captures = named !== undefined || opening === "(";
    const inside = this.#disjunction();
    this.#at++;
    return `${captures && this.#copying ? "(?:" : opening}${inside})`;
  }

  /** The inside of a lookaround, without numbered groups, up to behind its parenthesis. */
  #closed(): string {
    const copying = this.#copying;
    this.#copying = true;
    const inside = this.#disjunction();
    this.#copying = copying;
    this.#at++;
    return inside;
  }

  #escape(): string {
    const boundary = this.#take(/\\[bB]/y);
    if (boundary !== undefined) return `(?:${boundary}|${END})`;
    const reference = this.#backreference();
    // How much of the group is still to come is unknown: near the end, any of it may be.
    if (reference !== undefined) return `(?:${reference}|[^]{0,${MAX_BACKREFERENCE}}${END})`;
    const unicode = /\\(?:u\{[0-9a-fA-F]+\}|[pP]\{[^}]*\})/y;
    const octal = /\\(?:[0-3][0-7]{0,2}|[4-7][0-7]?)/y;
    const common = /\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[\s\S])/y;
    return this.#atom((this.#unicode ? this.#take(unicode) : this.#take(octal)) ?? (this.#take(common) as string));
  }

  #backreference(): string | undefined {
    if (this.#unicode || this.#named) {
      const named = this.#take(/\\k<[^>]*>/y);
      if (named !== undefined) return named;
    }
    const number = /\\([1-9]\d*)/y;
    number.lastIndex = this.#at;
    const match = exec.call(number, this.#source);
    if (match === null || Number(match[1]) > this.#groups) return undefined;
    this.#at = number.lastIndex;
    return match[0];
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

  /** The probe for what matches one character (or, of a class of strings, a few). */
  #atom(source: string): string {
    this.matchesNewline ||= matches(new RegExp(`^(?:${source})$`, this.#flags), "\n");
    return `(?:${source}|${END})`;
  }

  #take(token: RegExp): string | undefined {
    token.lastIndex = this.#at;
    const match = exec.call(token, this.#source);
    if (match === null) return undefined;
    this.#at = token.lastIndex;
    return match[0];
  }
}
