/**
 * The results of a run of the benchmarks, as tables, as JSON and as charts.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Figure, Growth, Missing } from "./harness.ts";
import { barChart, type Group, type Line, lineChart } from "./svg.ts";

/** `commit`: what was measured. Results may be of several runs. */
export type Outcome = { topic: string; commit: string } & (Figure | Missing);

/** The outcomes of each runtime. */
export type Results = ReadonlyMap<string, readonly Outcome[]>;

/** The machine, the command and the versions. */
export interface Head {
  readonly machine: string;
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** The rows of a topic, the first of them its head, and the reasons why figures are missing. */
interface Table {
  readonly rows: readonly (readonly string[])[];
  readonly reasons: readonly string[];
}

/** Three significant digits. */
function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function cell(outcome: Outcome | undefined, marked: boolean): string {
  if (outcome === undefined) return "";
  if ("missing" in outcome) return "–";
  const mark = !marked || outcome.target === undefined ? "" : outcome.value <= outcome.target ? " ✓" : " ✗";
  return `${digits(outcome.value)}${mark}`;
}

/** The name of a row; the same in every runtime. */
function rowOf({ name, peer }: Outcome): string {
  return peer === undefined ? name : `${name} / ${peer}`;
}

/** The table of a topic. `marked`: with marks that say whether targets are met, which small sizes do not show. */
export function tableOf(topic: string, results: Results, marked: boolean): Table {
  const columns = [...results.keys()];
  const all = [...results].flatMap(([runtime, outcomes]) => outcomes.map((outcome) => ({ runtime, outcome })));
  const own = all.filter(({ outcome }) => outcome.topic === topic);
  const names = [...new Set(own.map(({ outcome }) => rowOf(outcome)))];
  const rows = names.map((row) => {
    const found = own.filter(({ outcome }) => rowOf(outcome) === row);
    const figure = found.map(({ outcome }) => outcome).find((outcome) => "unit" in outcome);
    const target = figure === undefined ? "" : `${figure.target ?? ""} ${figure.unit}`.trim();
    const commits = [...new Set(found.map(({ outcome }) => outcome.commit))];
    return [
      row,
      commits.join(" "),
      target,
      ...columns.map((name) => cell(found.find((one) => one.runtime === name)?.outcome, marked)),
    ];
  });
  const reasons = own.flatMap(({ runtime, outcome }) => reasonOf(runtime, outcome));
  return { rows: [[topic, "commit", "at most", ...columns], ...rows], reasons: [...new Set(reasons)] };
}

function reasonOf(runtime: string, outcome: Outcome): string[] {
  return "missing" in outcome ? [`– ${runtime}: ${rowOf(outcome)}: ${outcome.missing}`] : [];
}

/** A table as text for a terminal. */
export function textOf({ rows, reasons }: Table): string {
  const width = Math.max(...rows.map(([name = ""]) => name.length)) + 2;
  const lines = rows.map((cells) =>
    cells.map((text, at) => (at === 0 ? text.padEnd(width) : text.padStart(12))).join(""),
  );
  return [...lines, ...reasons].join("\n");
}

function markdownOf({ rows, reasons }: Table): string {
  const [head = [], ...rest] = rows.map((cells) => `| ${cells.join(" | ")} |`);
  const line = `|${rows[0]?.map((_, at) => (at === 0 ? " --- " : " ---: ")).join("|")}|`;
  return [head, line, ...rest, ...reasons.map((reason) => `\n${reason}`)].join("\n");
}

/** The figures of a topic, row by row. */
function groupsOf(topic: string, results: Results): Group[] {
  const groups = new Map<string, { name: string; unit: string; target?: number; bars: Group["bars"][number][] }>();
  for (const [runtime, outcomes] of results) {
    for (const outcome of outcomes) {
      if (outcome.topic !== topic || "missing" in outcome) continue;
      const name = rowOf(outcome);
      const { unit, target } = outcome;
      const group = groups.get(name) ?? { name, unit, ...(target === undefined ? {} : { target }), bars: [] };
      group.bars.push({ runtime, value: outcome.value });
      groups.set(name, group);
    }
  }
  return [...groups.values()];
}

/** Our times, by the quantity on which they may depend, and CPython's. */
function growthOf(what: Growth["with"], results: Results): Line[] {
  const lines: Line[] = [];
  for (const [name, outcomes] of results) {
    const all = outcomes.flatMap((outcome) =>
      "growth" in outcome && outcome.growth?.with === what ? [{ ...outcome, at: outcome.growth.to }] : [],
    );
    const [first] = all;
    const own = all.filter(({ peer }) => peer === first?.peer);
    lines.push({ name, points: own.map(({ at, ours = 0 }) => ({ at, value: ours / 1000 })) });
    const python = all.filter(({ peer }) => peer === "CPython");
    if (lines.length > 1 || python.length === 0) continue;
    lines.unshift({ name: "CPython", points: python.map(({ at, theirs = 0 }) => ({ at, value: theirs / 1000 })) });
  }
  return lines;
}

/** Writes the results of a whole run: the figures, the tables and the charts. */
export function write(into: string, head: Head, topics: readonly string[], results: Results): void {
  mkdirSync(into, { recursive: true });
  const written = JSON.stringify({ ...head, results: Object.fromEntries(results) }, null, 2);
  writeFileSync(join(into, "results.json"), `${written}\n`);
  const tables = topics.map(
    (topic) => `## ${topic}\n\n![](${topic}.svg)\n\n${markdownOf(tableOf(topic, results, true))}\n`,
  );
  const { machine, command, versions } = head;
  const used = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const text = ["# Results", `\`${command}\` on ${machine}.`, `${used.join(", ")}.`, ...tables];
  writeFileSync(join(into, "README.md"), text.join("\n\n"));
  for (const topic of topics) {
    writeFileSync(join(into, `${topic}.svg`), barChart(groupsOf(topic, results), [...results.keys()]));
  }
  const what = "open, read a byte, close: µs";
  writeFileSync(join(into, "size.svg"), lineChart(`${what}, by the file's bytes`, growthOf("bytes", results)));
  writeFileSync(join(into, "maps.svg"), lineChart(`${what}, by the maps that are open`, growthOf("maps", results)));
}
