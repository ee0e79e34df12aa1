import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT, WITHOUT_VIEWS } from "../helpers/runtimes.ts";
import { FOLDER, repetitions, unless } from "../helpers/support.ts";
import { DIFFERENCES, NOT_RUN } from "./differences.ts";
import { type Asked, differential } from "./differential.ts";
import { Peer, pythonMissing } from "./peer.ts";
import { shrink } from "./shrink.ts";
import type { Outcome } from "./steps.ts";

const test = suite("fuzz/fuzz");

const compared = unless(WITHOUT_VIEWS ? "its steps use views" : pythonMissing(), test);

let peer: Peer;
test.before(() => {
  peer = new Peer(join(FOLDER, "theirs"));
});
test.after(() => peer.close());

compared("differential(): the library and CPython's mmap agree on many random steps", async () => {
  const wanted = repetitions(4000);
  const { steps, failure } = await differential(peer, FOLDER, { steps: wanted, seed: 20_260 });
  assert.is(failure, undefined, failure);
  assert.ok(steps >= wanted);
});

// --- The fuzzer finds what it is there for ---------------------------------------------------------------------------

/** A Python whose steps of one kind give something else. */
const liar = (kind: string, lie: (outcome: Outcome) => Outcome): Asked => ({
  async run(sequence) {
    const outcomes = await peer.run(sequence);
    return outcomes.map((outcome, index) => (sequence.steps[index]?.op === kind ? lie(outcome) : outcome));
  },
});

const LIES: [what: string, kind: string, lie: (outcome: Outcome) => Outcome][] = [
  ["value", "find", ([status, value, ...rest]) => [status, status === "ok" ? "found" : value, ...rest]],
  ["status", "seek", ([, value, ...rest]) => ["error", value, ...rest]],
  ["error", "readByte", ([status, value, ...rest]) => [status, status === "error" ? "EIO" : value, ...rest]],
  ["position", "write", ([status, value, position, ...rest]) => [status, value, position + 1, ...rest]],
  ["length", "move", ([status, value, position, length, file]) => [status, value, position, length + 1, file]],
  ["file", "flush", (outcome) => [outcome[0], outcome[1], outcome[2], outcome[3], `${outcome[4]}a`]],
  ["missing file", "tell", (outcome) => [outcome[0], outcome[1], outcome[2], outcome[3], null]],
];

/** The steps of a program that is a report. */
const stepsOf = (report: string): string[] => report.split("let mm, view, first;\n")[1]?.match(/^[^/\n].*$/gm) ?? [];

for (const [what, kind, lie] of LIES) {
  compared(`differential() finds a wrong ${what} after ${kind}, and reports the same few steps each time`, async () => {
    const { failure = "nothing found" } = await differential(liar(kind, lie), FOLDER, { steps: 4000, seed: 1 });
    const found = stepsOf(failure);
    assert.ok(found.length >= 1 && found.length <= 4, failure);
    assert.match(found.at(-1) ?? "", `mm.${kind}(`);
    const seed = Number(/found with --seed (\d+)/.exec(failure)?.[1]);
    const again = await differential(liar(kind, lie), FOLDER, { steps: 1, seed });
    assert.is(again.failure, failure);
  });
}

compared("differential() reports a sequence of which no step can be left out", async () => {
  const late: Asked = {
    async run(sequence) {
      const outcomes = await peer.run(sequence);
      return outcomes.map((outcome, index) => (index < 30 ? outcome : ["ok", "late", -2, -2, null]));
    },
  };
  const { failure = "nothing found" } = await differential(late, FOLDER, { steps: 100, seed: 1 });
  assert.is(stepsOf(failure).length, 31, failure);
  assert.match(failure, "found with --seed 1)");
});

compared("differential() reports a Python that ends, with its error and the seed, and starts another", async () => {
  const mortal: Asked = {
    run: ({ content, steps }) =>
      // A division by zero, outside of any step.
      peer.run({ content: steps.some(({ op }) => op === "rfind") ? { ...content, chunk: "" } : content, steps }),
  };
  const { failure = "nothing found" } = await differential(mortal, FOLDER, { steps: 4000, seed: 1 });
  assert.match(failure, /Python ended with 1\. ZeroDivisionError.*\n.*found with --seed \d+\)/);
  assert.ok(stepsOf(failure).length <= 2, failure);
  assert.is((await differential(peer, FOLDER, { steps: 100, seed: 1 })).failure, undefined);
});

const content = { chunk: "a", length: 100_000, marks: [] };

test("shrink() removes halves of a failing sequence before single steps", async () => {
  let tries = 0;
  const steps = [...Array(50).fill({ op: "tell", args: [] }), { op: "seek", args: [65_537] }];
  const short = await shrink({ content, steps }, async ({ content: { length }, steps }) => {
    tries++;
    const fails = length > 54_321 && Number(steps.at(-1)?.args[0]) > 43_210;
    return fails ? steps.length : undefined;
  });
  assert.equal(short, { content: { ...content, length: 54_322 }, steps: [{ op: "seek", args: [43_211] }] });
  assert.ok(tries < 200, `${tries} tries`);
});

test("shrink() gives up on a sequence that stays long", async () => {
  let ran = 0;
  const long = { content, steps: Array(2000).fill({ op: "tell", args: [] }) };
  const short = await shrink(long, async ({ steps }) => {
    ran += steps.length;
    return undefined;
  });
  assert.equal(short, long);
  assert.ok(ran > 0 && ran <= 20_000, `${ran} steps`);
});

// --- The deliberate differences --------------------------------------------------------------------------------------

test("DIFFERENCES each have a reason", () => {
  for (const { what, reason } of DIFFERENCES) assert.ok(what.endsWith(".") && reason.endsWith("."), what);
});

/** The tables of docs/python.md: what the third column says, by what the first does. */
function documentedRows(): Map<string, string> {
  const lines = readFileSync(join(ROOT, "docs", "python.md"), "utf8").split(/\r?\n/);
  const cells = lines
    .filter((line) => line.startsWith("| ") && !line.startsWith("| Python 3.") && !line.startsWith("| --"))
    .map((line) => line.split(" | ").map((cell) => cell.replace(/^\||\|$/g, "").trim()));
  return new Map(cells.map(([python = "", , differs = ""]) => [python, differs]));
}

test("docs/python.md describes each deliberate difference, and the fuzzer lists all that differs there", () => {
  const rows = documentedRows();
  assert.ok(rows.size > 40, `${rows.size} rows`);
  for (const { what, rows: named } of DIFFERENCES) {
    assert.ok(named.length > 0, what);
    for (const row of named) assert.ok(rows.get(row), `${what} No row ${row} of docs/python.md says so`);
  }
  const known = [...DIFFERENCES, ...NOT_RUN].flatMap((entry) => entry.rows);
  const differing = [...rows].flatMap(([row, differs]) => (differs === "" ? [] : [row]));
  assert.equal(
    differing.filter((row) => !known.includes(row)),
    [],
    "rows that no difference names",
  );
  assert.equal(
    known.filter((row) => !differing.includes(row)),
    [],
    "rows that have no difference",
  );
});

test.run();
