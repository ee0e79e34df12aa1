/**
 * How far an attempt to match may look, as far as the expression tells, and what every match contains.
 *
 * An attempt passes over at most `others` characters, plus any number of those that something repeated without a bound
 * matches, and it passes over none that nothing in the expression matches. So the characters before the edge of a text say
 * whether it may reach the edge.
 *
 * @module
 */

import { RegExpPrototypeExec } from "../../ffi/primordials.ts";
import type { Alternatives, Atom, Group, Node, Reference } from "./regexp-source.ts";

/** The characters that attempts may pass over in one direction. */
export interface Reach {
  /** For each character, whether something that is repeated without a bound matches it. */
  readonly unbounded: Uint8Array;
  /** For each character, whether anything matches it. */
  readonly possible: Uint8Array;
  /** The most characters that an attempt passes over besides the unbounded ones. */
  readonly others: number;
}

/** Bytes that follow each other in every match. */
export interface Literal {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The most bytes that a match can have before them. */
  readonly before: number;
  /** Whether they are the match, and the expression has nothing else. */
  readonly isMatch: boolean;
}

/** The reach of an expression of which nothing is known. */
export const UNKNOWN_REACH: Reach = { unbounded: allBytes(), possible: allBytes(), others: 0 };

/**
 * The index from which on an attempt to match may look past the end of the text. The search for it ends at `least`, which is
 * returned then.
 */
export function undecidedFrom(text: string, { unbounded, possible, others }: Reach, least: number): number {
  if (!unbounded.includes(0)) return least;
  let left = others;
  for (let at = text.length - 1; at >= least; at--) {
    const code = text.charCodeAt(at);
    if (possible[code] === 0 || (unbounded[code] === 0 && left-- === 0)) return at + 1;
  }
  return least;
}

/** The index from which on no attempt to match looks at what is before the text, for the reach backwards. */
export function decidedFrom(text: string, { unbounded, possible, others }: Reach): number {
  if (!unbounded.includes(0)) return Infinity;
  let left = others;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (possible[code] === 0 || (unbounded[code] === 0 && left-- === 0)) return at + 1;
  }
  return Infinity;
}

/** How many characters an attempt passes over at most. */
export function maxReach({ unbounded, others }: Reach): number {
  return unbounded.includes(1) ? Infinity : others;
}

/** Which atoms are counted: those that look forwards or backwards from where a match begins, or those that a match consists of. */
type Counted = "forward" | "backward" | "consumed";

/** How far attempts to match look in one direction. */
export function reachOf(tree: Alternatives, direction: "forward" | "backward"): Reach {
  return new Measure(direction).of(tree);
}

/** Adds up what the nodes of a tree pass over. */
class Measure {
  readonly #unbounded = new Uint8Array(256);
  readonly #possible = new Uint8Array(256);
  readonly #counted: Counted;
  /** The reach of each group that is referred to. */
  readonly #groups: Map<Group, Reach | undefined>;
  readonly #atoms: Map<string, Uint8Array>;

  constructor(counted: Counted, groups = new Map<Group, Reach | undefined>(), atoms = new Map<string, Uint8Array>()) {
    this.#counted = counted;
    this.#groups = groups;
    this.#atoms = atoms;
  }

  of(tree: Alternatives): Reach {
    const others = this.#alternatives(tree, "forward", false);
    return { unbounded: this.#unbounded, possible: this.#possible, others };
  }

  #alternatives(tree: Alternatives, direction: Counted, repeated: boolean): number {
    let most = 0;
    for (const sequence of tree) {
      let sum = 0;
      for (const node of sequence) sum += this.#node(node, direction, repeated);
      most = Math.max(most, sum);
    }
    return most;
  }

  /** How many characters are passed over besides the unbounded ones: 0 in what is `repeated` without a bound. */
  #node(node: Node, direction: Counted, repeated: boolean): number {
    switch (node.kind) {
      case "assertion":
        return 0;
      case "group":
        return this.#alternatives(node.body, direction, repeated);
      case "look":
        // A lookbehind may have a lookahead in it, and the other way round.
        if (this.#counted === "consumed") return 0;
        return this.#alternatives(node.body, node.ahead ? "forward" : "backward", repeated);
      case "repeat": {
        const { max } = node;
        if (max === 0) return 0;
        const unbounded = repeated || max === Infinity;
        return this.#node(node.node, direction, unbounded) * (unbounded ? 1 : max);
      }
    }
    if (this.#counted !== "consumed" && this.#counted !== direction) return 0;
    if (node.kind === "reference") return this.#reference(node, repeated);
    const bytes = bytesOfAtom(node, this.#atoms);
    add(this.#possible, bytes);
    if (repeated) add(this.#unbounded, bytes);
    return repeated ? 0 : node.maxLength;
  }

  /** A reference matches what its group has matched. */
  #reference({ groups, ignoreCase }: Reference, repeated: boolean): number {
    let most = 0;
    for (const group of groups) {
      const reach = this.#ofGroup(group);
      const possible = ignoreCase ? withBothCases(reach.possible) : reach.possible;
      add(this.#possible, possible);
      add(this.#unbounded, repeated ? possible : ignoreCase ? withBothCases(reach.unbounded) : reach.unbounded);
      most = Math.max(most, reach.others);
    }
    return repeated ? 0 : most;
  }

  #ofGroup(group: Group): Reach {
    // A group that refers to itself, or two that refer to each other: nothing is known of them.
    if (this.#groups.has(group)) return this.#groups.get(group) ?? UNKNOWN_REACH;
    this.#groups.set(group, undefined);
    const reach = new Measure("consumed", this.#groups, this.#atoms).of(group.body);
    this.#groups.set(group, reach);
    return reach;
  }
}

/** What a group can capture: the most characters, and which. */
export function captureOf({ body }: Group): { possible: Uint8Array; maxLength: number } {
  const reach = new Measure("consumed").of(body);
  return { possible: reach.possible, maxLength: maxReach(reach) };
}

/** For each byte, whether an atom matches it, or a part of it. */
export function bytesOfAtom({ source, code, maxLength, flags }: Atom, known: Map<string, Uint8Array>): Uint8Array {
  if (maxLength > 1) return allBytes();
  const key = `${flags}/${source}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const bytes = new Uint8Array(256);
  known.set(key, bytes);
  if (code !== undefined && !flags.includes("i")) {
    if (code < 256) bytes[code] = 1;
    return bytes;
  }
  const regexp = new RegExp(`^(?:${source})$`, flags);
  for (let byte = 0; byte < 256; byte++)
    if (RegExpPrototypeExec(regexp, String.fromCharCode(byte)) !== null) bytes[byte] = 1;
  return bytes;
}

function add(target: Uint8Array, source: Uint8Array): void {
  for (let byte = 0; byte < 256; byte++) target[byte] = (target[byte] as number) | (source[byte] as number);
}

/** The same bytes, and the other case of those that are letters (or `×` and `÷`, which does no harm). */
export function withBothCases(bytes: Uint8Array): Uint8Array {
  return bytes.map((own, byte) => {
    const upper = byte & 0xdf;
    const letter = (upper >= 0x41 && upper <= 0x5a) || upper >= 0xc0;
    return letter ? own | (bytes[byte ^ 0x20] as number) : own;
  });
}

function allBytes(): Uint8Array {
  return new Uint8Array(256).fill(1);
}

/** The longest run of characters that every match contains, outside of groups. Those that match in either case do not count. */
export function literalOf(tree: Alternatives): Literal | undefined {
  const [sequence = [], ...others] = tree;
  if (others.length > 0) return undefined;
  let best: number[] = [];
  let run: number[] = [];
  let runAt = 0;
  let bestAt = 0;
  for (const [index, node] of sequence.entries()) {
    // What matches no character does not end a run.
    if (node.kind === "assertion") continue;
    const code = node.kind === "atom" && !node.flags.includes("i") ? node.code : undefined;
    if (code === undefined || code > 255) {
      run = [];
      continue;
    }
    if (run.length === 0) runAt = index;
    run.push(code);
    if (run.length > best.length) [best, bestAt] = [[...run], runAt];
  }
  if (best.length === 0) return undefined;
  const before = maxReach(new Measure("consumed").of([sequence.slice(0, bestAt)]));
  return { bytes: Uint8Array.from(best), before, isMatch: best.length === sequence.length };
}
