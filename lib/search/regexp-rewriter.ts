/**
 * Rewrites a regular expression so that it stops where the text runs out.
 *
 * A match may depend on what follows the text: it could be longer, or another way through the expression could have matched
 * first. The engine does not tell how far it looked. In the rewritten expression every part matches the empty string at the end
 * of the text, before anything else is tried there. So the first way through the expression that looks past the end is the match,
 * and it ends at the end of the text. Any other match is the one that the whole text has, because the ways are tried in the
 * same order, and none of those before it has looked past the end.
 *
 * @module
 */

import { captureOf, withBothCases } from "./regexp-reach.ts";
import type { Alternatives, Atom, Group, Look, Node, Reference, Repeat } from "./regexp-source.ts";

/** Matches at the end of the text alone, whatever the flags. */
const END = "(?![^])";

/** The longest result in characters: engines reject longer ones, and nested negative lookaheads double it at each level. */
const MAX_LENGTH = 64 * 1024;

/**
 * The rewritten source; undefined if it cannot be rewritten: because it has a lookahead within a lookbehind, from where nothing
 * leads to the end of the text; because it has a class of strings, which Node 20 (V8 11) loses in alternatives that are
 * repeated; or because the result would be too long.
 */
export function rewriteRegExp(tree: Alternatives): Rewritten | undefined {
  const rewriter = new RegExpRewriter(false);
  const source = rewriter.rewrite(tree);
  if (rewriter.failed) return undefined;
  if (!rewriter.needsGroups) return { source, sameGroups: true };
  const renaming = new RegExpRewriter(true);
  const renamed = renaming.rewrite(tree);
  return renaming.failed ? undefined : { source: renamed, sameGroups: false };
}

interface Rewritten {
  readonly source: string;
  /** Whether it has the groups of the original. */
  readonly sameGroups: boolean;
}

class RegExpRewriter {
  failed = false;
  /** Whether there is a lookahead, for which a group is added: then all groups must have names. */
  needsGroups = false;
  readonly #named: boolean;
  /** The names of the original's groups by their numbers, while they are not `g1`, `g2` and so on. */
  readonly #names: string[] = [];
  #added = 0;
  #written = 0;

  constructor(named: boolean) {
    this.#named = named;
  }

  rewrite(tree: Alternatives): string {
    return tree.map((sequence) => sequence.map((node) => this.#node(node)).join("")).join("|");
  }

  #node(node: Node): string {
    this.#written += 10;
    if (this.#written > MAX_LENGTH) this.failed = true;
    if (this.failed) return "";
    switch (node.kind) {
      case "atom":
        return this.#atom(node);
      case "assertion":
        return `(?:${node.source}|${END})`;
      case "reference":
        return this.#reference(node);
      case "group":
        return `${this.#opening(node)}${this.rewrite(node.body)})`;
      case "look":
        return this.#look(node);
      case "repeat":
        return this.#repeat(node);
    }
  }

  #atom({ source, maxLength }: Atom): string {
    // One of its strings may continue past the end.
    if (maxLength > 1) this.failed = true;
    return `(?:${source}|${END})`;
  }

  #repeat({ node, min, quantifier }: Repeat): string {
    if (node.kind !== "atom") {
      const repeated = this.#node(node);
      return `${node.kind === "group" ? repeated : `(?:${repeated})`}${quantifier}`;
    }
    // If it may match nothing, it stops at the end of the text without being rewritten. Engines are fast with repeated characters.
    if (node.maxLength > 1) this.failed = true;
    const repeated = node.source + quantifier;
    if (min === 0) return repeated;
    return `(?:${repeated}|${min === 1 ? "" : `${node.source}{0,${min - 1}}`}${END})`;
  }

  /** A reference may continue past the end if the rest of the text can be the beginning of what its group has matched. */
  #reference({ groups, ignoreCase }: Reference): string {
    if (groups.length === 0) return "(?:)";
    const reference = this.#referenceTo(groups);
    const captures = groups.map(captureOf);
    const longest = Math.max(...captures.map(({ maxLength }) => maxLength));
    if (longest <= 1) return `(?:${reference}|${END})`;
    let characters = "";
    for (let byte = 0; byte < 256; byte++) {
      const hex = `\\x${byte.toString(16).padStart(2, "0")}`;
      const captured = ({ possible }: { possible: Uint8Array }) =>
        (ignoreCase ? withBothCases(possible) : possible)[byte];
      if (captures.some(captured)) characters += hex;
    }
    this.#written += characters.length;
    const limit = longest === Infinity ? "" : longest - 1;
    return `(?:${reference}|(?!${reference})[${characters}]{0,${limit}}${END})`;
  }

  #opening({ index, opening, referenced }: Group): string {
    if (index === undefined || !this.#named) return opening;
    return referenced ? `(?<${this.#nameOf(index)}>` : "(?:";
  }

  /** A reference to groups of one name. At most one of them has matched, and the others match the empty string. */
  #referenceTo(groups: readonly Group[]): string {
    const references = groups.map(({ index = 0 }) => (this.#named ? `\\k<${this.#nameOf(index)}>` : `\\${index}`));
    return `(?:${references.join("(?:)")})`;
  }

  #nameOf(index: number): string {
    return this.#names[index] ?? `g${index}`;
  }

  #look(look: Look): string {
    if (!look.ahead) {
      // It looks past the end only by a lookahead in it, which `#unchanged` rejects.
      return `(?:${END}|${this.#unchanged(look)})`;
    }
    this.needsGroups = true;
    // If a lookahead stops at the end of the text, the match continues there.
    if (!look.negative) return `${this.#stopping(look)}|)`;
    const negative = `(?!${this.rewrite(look.body)})`;
    const names = [...this.#names];
    for (let index = look.groupsAfter + 1; index <= look.lastGroup; index++) this.#names[index] = `n${this.#added++}`;
    const stopping = this.#stopping(look);
    this.#names.length = 0;
    this.#names.push(...names);
    return `(?:${negative}|${stopping}))`;
  }

  /** The lookahead, and a reference that moves to its end if that is the end of the text. The caller adds the last parenthesis. */
  #stopping({ body }: Look): string {
    const name = `l${this.#added++}`;
    return `(?=(?<${name}>${this.rewrite(body)}))(?:\\k<${name}>${END}`;
  }

  /** A lookbehind, unchanged except for the names of its groups. */
  #unchanged(node: Node): string {
    this.#written += 10;
    if (this.#written > MAX_LENGTH) this.failed = true;
    if (this.failed) return "";
    switch (node.kind) {
      case "atom":
      case "assertion":
        return node.source;
      case "reference":
        return this.#referenceTo(node.groups);
      case "repeat":
        return this.#unchanged(node.node) + node.quantifier;
    }
    const body = node.body.map((sequence) => sequence.map((inner) => this.#unchanged(inner)).join("")).join("|");
    if (node.kind === "group") return `${this.#opening(node)}${body})`;
    if (node.ahead) this.failed = true;
    return `(?<${node.negative ? "!" : "="}${body})`;
  }
}
