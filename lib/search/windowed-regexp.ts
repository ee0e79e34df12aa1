/**
 * Regular expressions over text that is seen through a window, and which of the matches there are those of the whole text.
 *
 * An attempt to match is decided by the window if it cannot look past the edges: see `Reach`. If too many attempts may look
 * past the end, the expression is rewritten to find out which of them do: see `rewriteRegExp`.
 *
 * @module
 */

import { RegExpPrototypeExec } from "../../ffi/primordials.ts";
import { type Literal, literalOf, maxReach, type Reach, reachOf, UNKNOWN_REACH } from "./regexp-reach.ts";
import { rewriteRegExp } from "./regexp-rewriter.ts";
import { parseRegExp } from "./regexp-source.ts";

/** A regular expression, and how to run it over a window. */
export interface WindowedRegExp {
  /** The expression itself. An attempt to match that cannot look past the edges has the result that it has in the whole text. */
  readonly regexp: RegExp;
  /**
   * The expression rewritten to stop at the end of the text. A match that ends there says only that the attempt depends on what
   * follows; every other match, or that there is none, is final. undefined if it cannot be rewritten.
   */
  readonly stopping: RegExp | undefined;
  /** Whether its groups are those of the expression. */
  readonly sameGroups: boolean;
  /** How far an attempt may look ahead from where it begins, and back. */
  readonly ahead: Reach;
  readonly behind: Reach;
  /** How many characters before its beginning an attempt may look at; infinite if that depends on the text (`behind`). */
  readonly maxBehind: number;
  /** Whether no match contains a newline. */
  readonly withinLines: boolean;
  /** What every match contains, if anything is known. */
  readonly literal: Literal | undefined;
}

/** The flags for `exec` to begin where `lastIndex` says, without those for the form of its result. */
function stepping(flags: string): string {
  return `${flags.replace(/[dgy]/g, "")}${flags.includes("y") ? "y" : "g"}`;
}

/** Prepared expressions, because programs search with the same one again and again. */
const prepared = new Map<string, WindowedRegExp>();

const MAX_PREPARED = 16;

/** Prepares a regular expression. If the window shows all of the text, it is not analysed. */
export function windowedRegExp({ source, flags }: { source: string; flags: string }, seesAll = false): WindowedRegExp {
  if (seesAll) return unknown(new RegExp(source, stepping(flags)));
  const key = `${flags}/${source}`;
  let result = prepared.get(key);
  if (result === undefined) {
    if (prepared.size === MAX_PREPARED) prepared.clear();
    result = prepare(source, flags);
    prepared.set(key, result);
  }
  return result;
}

function prepare(source: string, flags: string): WindowedRegExp {
  const regexp = new RegExp(source, stepping(flags));
  const tree = parseRegExp(source, flags);
  if (tree === undefined) return unknown(regexp);
  const ahead = reachOf(tree, "forward");
  const behind = reachOf(tree, "backward");
  const rewritten = rewriteRegExp(tree);
  return {
    regexp,
    stopping: rewritten && compiled(rewritten.source, stepping(flags)),
    sameGroups: rewritten?.sameGroups ?? false,
    ahead,
    behind,
    // Assertions look at one more character.
    maxBehind: maxReach(behind) + 1,
    withinLines: ahead.possible[10] === 0,
    literal: regexp.sticky ? undefined : literalOf(tree),
  };
}

/** An expression of which nothing is known: its matches are right only if the window shows all of the text. */
function unknown(regexp: RegExp): WindowedRegExp {
  return {
    regexp,
    stopping: undefined,
    sameGroups: false,
    ahead: UNKNOWN_REACH,
    behind: UNKNOWN_REACH,
    maxBehind: Infinity,
    withinLines: false,
    literal: undefined,
  };
}

/** The regular expression, or undefined if the engine rejects it: some report that it is too large only when they run it. */
function compiled(source: string, flags: string): RegExp | undefined {
  try {
    const regexp = new RegExp(source, flags);
    RegExpPrototypeExec(regexp, "");
    return regexp;
  } catch {
    return undefined;
  }
}
