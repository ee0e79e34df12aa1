/**
 * The matches that the engine itself finds in a text.
 *
 * @module
 */

/** An expression, a text of Latin-1 characters with the bounds to search within, and the size of the window. */
export interface RegExpCase {
  readonly source: string;
  readonly flags: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly window: number;
}

/** A match in a form that can be compared: its bounds, groups and named groups. */
export type Plain = [index: number, end: number, groups: (string | undefined)[], named: string];

/** Why an expression cannot be tested here. */
export function unknownSyntax(source: string, flags: string): string | undefined {
  try {
    new RegExp(source, flags);
    return undefined;
  } catch {
    return "the engine does not know this syntax";
  }
}

/** The matches in the text, by the engine alone. */
export function expectedMatches({ source, flags, text, start, end }: RegExpCase): Plain[] {
  // A flat string of one byte a character, as the library has it.
  const part = Buffer.from(text.slice(start, end), "latin1").toString("latin1");
  const regexp = new RegExp(source, flags.includes("g") ? flags : `${flags}g`);
  return Array.from(part.matchAll(regexp), (match) => plainMatch(match, start));
}

/** The matches in the text, by the engine in other ways: an expression in a group, and attempts at one index after the other. */
export function expectedOtherwise(one: RegExpCase): Plain[][] {
  const grouped = expectedMatches({ ...one, source: `(?:${one.source})` });
  const stepped: Plain[] = [];
  const sticky = one.flags.includes("y");
  const part = Buffer.from(one.text.slice(one.start, one.end), "latin1").toString("latin1");
  const regexp = new RegExp(one.source, `${one.flags.replace("y", "")}y`);
  for (let at = 0; at <= part.length; ) {
    regexp.lastIndex = at;
    const match = regexp.exec(part);
    if (match !== null) stepped.push(plainMatch(match, one.start));
    else if (sticky) break;
    at += match?.[0].length || 1;
  }
  return [grouped, stepped];
}

const plainMatch = (match: RegExpExecArray, start: number): Plain => [
  start + match.index,
  start + match.index + match[0].length,
  [...match],
  JSON.stringify(Object.entries(match.groups ?? {})),
];
