/**
 * The mutants of a source file, from StrykerJS's instrumenter, as texts of the whole file.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { ROOT } from "../helpers/runtimes.ts";

/** One change of one file. */
export interface Mutant {
  /** The file's path in the project. */
  readonly file: string;
  /** The line that it begins in, from 1. */
  readonly line: number;
  /** The kind of change, as StrykerJS names it. */
  readonly mutator: string;
  /** What stands there, and what takes its place. */
  readonly original: string;
  readonly replacement: string;
  /** The whole file with the change. */
  readonly source: string;
}

/** What StrykerJS gives; lines and columns count from 0. */
interface StrykerMutant {
  readonly mutatorName: string;
  readonly replacement: string;
  readonly location: Record<"start" | "end", { readonly line: number; readonly column: number }>;
}

/** Machine code in hexadecimal, and the built-ins that are captured at load. */
const LEFT_OUT = /^(platform\/sigbus\/(x64|arm64)|ffi\/primordials)\.ts$/;

/** The files that have mutants: the library's. */
export function sourceFiles(): string[] {
  const files = ["lib", "platform", "ffi"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`),
  );
  return files.filter((file) => file.endsWith(".ts") && !LEFT_OUT.test(file)).sort();
}

/** Instrumenters are told to say nothing. */
const SILENT = new Proxy({}, { get: () => () => false });

/** All mutants of a file. */
export async function mutantsOf(file: string): Promise<Mutant[]> {
  // By a variable: the types of a tool for this alone are not needed to check the project.
  const name = "@stryker-mutator/instrumenter";
  const { Instrumenter } = await import(name);
  const content = readFileSync(join(ROOT, file), "utf8");
  const options = { plugins: null, excludedMutations: [], ignorers: [] };
  const result = await new Instrumenter(SILENT).instrument([{ name: file, mutate: true, content }], options);
  const lines = content.split("\n");
  const starts = lines.map((_, index) => lines.slice(0, index).reduce((sum, { length }) => sum + length + 1, 0));
  const offset = ({ line, column }: { line: number; column: number }) => (starts[line] as number) + column;
  const found = (result.mutants as StrykerMutant[]).map(({ mutatorName, replacement, location }) => {
    const [start, end] = [offset(location.start), offset(location.end)];
    const original = content.slice(start, end);
    const source = content.slice(0, start) + inPlace(mutatorName, original, replacement) + content.slice(end);
    return { file, line: location.start.line + 1, mutator: mutatorName, original, replacement, source };
  });
  return found.filter((mutant) => !isMessage(mutant));
}

/** A replacement that is an expression is put in parentheses, for the operators around it. */
function inPlace(mutator: string, original: string, replacement: string): string {
  const operators = /^(Arithmetic|Equality|Logical|Unary)Operator$|^(ConditionalExpression|ArrowFunction)$/;
  const expression = operators.test(mutator) && !/^(case|default)\b/.test(original);
  return expression ? `(${replacement})` : replacement;
}

/** Whether a mutant is a program at all. A few are not: `??` and `||` need parentheses around each other. */
export function isValid({ source }: Mutant): boolean {
  return ts.transpileModule(source, { reportDiagnostics: true }).diagnostics?.length === 0;
}

/** Texts of several words are messages: tests assert what they must contain, and not how they say it. */
function isMessage({ mutator, original }: Mutant): boolean {
  return mutator === "StringLiteral" && / /.test(original);
}
