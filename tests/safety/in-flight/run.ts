/**
 * Runs cases in child processes: one for all of them, and another one for those after a crash.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type ChildOptions, runFile } from "../../helpers/support.ts";
import { type Case, LIMIT, type Operation } from "./harness.ts";

/** What a case came to, or the signal or code by which it ended its process. */
export interface Result extends Case {
  readonly outcome: string;
  /** What the child said of it on its standard error, if it ended. */
  readonly stderr: string;
}

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));

/** How many cases a child runs. */
const AT_ONCE = 30;

export function runCases(cases: readonly Case[], options: ChildOptions = {}): Result[] {
  const results: Result[] = [];
  while (results.length < cases.length) {
    const some = cases.slice(results.length, results.length + AT_ONCE);
    const args = [JSON.stringify(some), ...(options.args ?? [])];
    // Each case has its own limit, and all of them may meet it.
    const limit = 2 * LIMIT * some.length;
    const { code, signal, stdout, stderr } = runFile(CHILD, { ...options, args, limit });
    let began = 0;
    const first = results.length;
    for (const line of stdout.split("\n")) {
      if (line === "begins") began++;
      else if (line.startsWith('"')) {
        results.push({ ...(cases[results.length] as Case), outcome: JSON.parse(line) as string, stderr });
      }
    }
    const ended = results.length - first;
    if (ended === some.length) continue;
    if (began === ended && ended === 0) throw new Error(`no case began: ${signal ?? code}: ${stderr}`);
    results.push({ ...(cases[results.length] as Case), outcome: `died ${signal ?? code}`, stderr });
  }
  return results;
}

/** The first word of an outcome. */
export const kindOf = (outcome: string): string => outcome.split(" ")[0] as string;

/** Is this outcome no bug of the library? */
export function isSafe({ ending, outcome }: Result, { also = [], stalls, waits }: Operation): boolean {
  const kind = kindOf(outcome);
  if (waits) return outcome === "right";
  const allowed = ["right", "error", ...also];
  if (stalls) allowed.push("hang");
  // A file that was cut has no more to give, and neither has memory that was released.
  if (ending === "shrink" || ending === "release") allowed.push("zeros", "cut", "wrong", "hang", "uncaught");
  return allowed.includes(kind);
}
