/**
 * Rejects regular expressions with a character beyond U+00FF, which no byte can match.
 *
 * @module
 */

import { RegExpPrototypeExec } from "../../ffi/primordials.ts";
import { show } from "../errors.ts";
import { bytesOfAtom } from "./regexp-reach.ts";
import { type Alternatives, type Atom, codeOf, type Node, parseRegExp } from "./regexp-source.ts";

/** Whether a source may have such a character: only then is it parsed. */
const MAY_HAVE = /[^\0-\xff]|\\[upP]/;

const PAIR = /[\ud800-\udbff][\udc00-\udfff]/;

// The parts of a class: each is one character, a class of characters, or syntax.
const PART = /\\u[\da-fA-F]{4}|\\x..|\\c.|\\?[\s\S]/uy;
const UNICODE_PART = new RegExp(
  `\\\\[pP]\\{[^}]*\\}|\\\\u\\{[^}]*\\}|\\\\u[dD][89abAB]..\\\\u[dD][c-fC-F]..|${PART.source}`,
  "uy",
);

/** @throws {RangeError} The expression has a character that matches no byte. */
export function checkMatchesBytes(name: string, { source, flags }: { source: string; flags: string }): void {
  if (RegExpPrototypeExec(MAY_HAVE, source) === null) return;
  const tree = parseRegExp(source, flags);
  const found = tree && inAlternatives(tree);
  if (found === undefined) return;
  // Without the flags u and v, an expression has the halves of a character beyond U+FFFF.
  const isHalf = found.length === 1 && found >= "\ud800" && found <= "\udfff";
  const text = (isHalf && RegExpPrototypeExec(PAIR, source)?.[0]) || found;
  throw new RangeError(`${name} must match bytes, the characters up to U+00FF: got ${show(text)}${inUtf8(text)}`);
}

/** The bytes of a character, as they are written in an expression. */
function inUtf8(character: string): string {
  try {
    const bytes = encodeURIComponent(character).replaceAll("%", "\\x").toLowerCase();
    return character[0] === "\\" ? "" : `; write its bytes, ${bytes} in UTF-8`;
  } catch {
    // Half of a character.
    return "";
  }
}

/** The first part of an expression that matches no byte, if any. */
function inAlternatives(tree: Alternatives): string | undefined {
  for (const sequence of tree) {
    for (const node of sequence) {
      const found = inNode(node);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function inNode(node: Node): string | undefined {
  if (node.kind === "atom") return node.source[0] === "[" ? inClass(node) : inPart(node.source, node.flags);
  if (node.kind === "repeat") return inNode(node.node);
  return node.kind === "group" || node.kind === "look" ? inAlternatives(node.body) : undefined;
}

/** A range counts by its first character only: `[\x80-\uffff]` matches what is not ASCII in bytes too. */
function inClass({ source, flags }: Atom): string | undefined {
  const part = flags.includes("u") || flags.includes("v") ? UNICODE_PART : PART;
  for (part.lastIndex = 1; part.lastIndex < source.length; ) {
    const found = inPart(RegExpPrototypeExec(part, source)?.[0] as string, flags);
    if (found !== undefined) return found;
    if (RegExpPrototypeExec(/^-[^\]-]/, source.slice(part.lastIndex)) === null) continue;
    part.lastIndex++;
    RegExpPrototypeExec(part, source);
  }
  return undefined;
}

/** A character that matches no byte, or the class of characters `\p{…}`. */
function inPart(source: string, flags: string): string | undefined {
  const code = codeOf(source);
  const isProperty = RegExpPrototypeExec(/^\\[pP]\{/, source) !== null;
  if (code === undefined ? !isProperty : code < 256) return undefined;
  // With the flag i, a few characters have another case that is a byte.
  if (bytesOfAtom({ kind: "atom", source, code, maxLength: 1, flags }, new Map()).includes(1)) return undefined;
  return code === undefined ? source : String.fromCodePoint(code);
}
