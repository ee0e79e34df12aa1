/**
 * The figures of `bench/results/results.json`, row by row, as the charts need them.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineLoader } from "vitepress";
import { ROOT } from "../../pages.ts";
import { type Results, type Summary, summaryOf } from "../../summary.ts";

/** A comparison, with the figure of each runtime that has one. */
export interface Row {
  readonly topic: string;
  readonly name: string;
  readonly peer: string;
  readonly unit: string;
  readonly target?: number;
  readonly values: Record<string, number>;
}

export interface Data {
  readonly machine: string;
  readonly runtimes: readonly { readonly name: string; readonly label: string }[];
  readonly rows: readonly Row[];
  readonly summary: Summary;
}

interface Run {
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly results: Results;
}

const FILE = join(ROOT, "bench/results/results.json");

/** "node26-ffi" becomes "Node 26.10.0, node:ffi". */
function labelOf(runtime: string, versions: Run["versions"]): string {
  const [base = "", ffi] = runtime.split("-");
  const word = base.replace(/\d+$/, "");
  const version = versions[base] ?? "";
  return `${word[0]?.toUpperCase()}${word.slice(1)} ${version}${ffi === undefined ? "" : ", node:ffi"}`.trim();
}

function rowsOf(results: Results): Row[] {
  const rows = new Map<string, Row>();
  for (const [runtime, figures] of Object.entries(results)) {
    for (const figure of figures) {
      if ("missing" in figure) continue;
      const { topic, name, peer = "", unit, target, value } = figure;
      const key = JSON.stringify([topic, name, peer]);
      const row = rows.get(key) ?? { topic, name, peer, unit, ...(target === undefined ? {} : { target }), values: {} };
      row.values[runtime] = value;
      rows.set(key, row);
    }
  }
  return [...rows.values()];
}

declare const data: Data;

export { data };

export default defineLoader({
  watch: [FILE],
  load: (): Data => {
    const { machine, versions, results } = JSON.parse(readFileSync(FILE, "utf8")) as Run;
    const runtimes = Object.keys(results).map((name) => ({ name, label: labelOf(name, versions) }));
    const labels = new Map(runtimes.map(({ name, label }) => [name, label]));
    return { machine, runtimes, rows: rowsOf(results), summary: summaryOf(results, labels) };
  },
});
