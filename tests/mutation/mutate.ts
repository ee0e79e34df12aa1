/**
 * Mutation testing: changes the library in one place at a time, and says which changes no test notices.
 *
 *     npm run mutate -- lib/slab.ts                      all mutants of one or more files
 *     npm run mutate -- --sample 300 --seed 7            that many of all files, chosen by the seed
 *     npm run mutate -- --sample 50 lib/mapping/*.ts     that many of these files
 *     npm run mutate -- --list lib/slab.ts               prints the mutants and runs nothing
 *
 * `--jobs N` runs N at once (2), `--report FILE` writes all outcomes as JSON. Mutants whose tests take too long or too much memory
 * are stopped, and count as killed; on a busy machine, run those once more by their file. Survivors that make no difference to any
 * program are listed in equivalent.json, with the reason, and do not count.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Random } from "../fuzz/random.ts";
import { isValid, type Mutant, mutantsOf, sourceFiles } from "./mutants.ts";
import { groupsOf } from "./suites.ts";
import { type Outcome, Workbench } from "./workbench.ts";

const { values, positionals: named } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: "string" },
    seed: { type: "string" },
    jobs: { type: "string", default: "2" },
    report: { type: "string" },
    list: { type: "boolean", default: false },
  },
});

/** One entry of equivalent.json. */
interface Equivalent {
  readonly file: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

const EQUIVALENT: readonly Equivalent[] = JSON.parse(readFileSync(new URL("equivalent.json", import.meta.url), "utf8"));

const same = (one: Equivalent, { file, original, replacement }: Mutant): boolean =>
  one.file === file && one.original === original && one.replacement === replacement;

const isEquivalent = (mutant: Mutant): boolean => EQUIVALENT.some((one) => same(one, mutant));

/** So many of the mutants: of each file its share, and at least one. */
function sampled(mutants: Mutant[], size: number, random: Random): Mutant[] {
  const shuffled = mutants.map((mutant) => ({ mutant, key: random.next() })).sort((one, other) => one.key - other.key);
  const taken = new Map<string, number>();
  const share = size / mutants.length;
  const total = (file: string) => mutants.filter((mutant) => mutant.file === file).length;
  const most = new Map(
    [...new Set(mutants.map(({ file }) => file))].map((file) => [file, Math.ceil(share * total(file))]),
  );
  const chosen = shuffled.filter(({ mutant: { file } }) => {
    const count = (taken.get(file) ?? 0) + 1;
    taken.set(file, count);
    return count <= (most.get(file) as number);
  });
  return chosen.slice(0, size).map(({ mutant }) => mutant);
}

const inOneLine = (source: string): string => source.replace(/\s+/g, " ").slice(0, 90);

const written = ({ file, line, mutator, original, replacement }: Mutant): string =>
  `${file}:${line} ${mutator}: ${inOneLine(original)} -> ${inOneLine(replacement)}`;

async function chooseMutants(): Promise<Mutant[]> {
  const files = (named.length > 0 ? named : sourceFiles()).filter((file) => groupsOf(file).length > 0);
  const all: Mutant[] = [];
  for (const file of files) all.push(...(await mutantsOf(file)));
  const counted = all.filter((mutant) => !isEquivalent(mutant));
  for (const one of EQUIVALENT) {
    if (!files.includes(one.file) || all.some((mutant) => same(one, mutant))) continue;
    console.log(`equivalent.json lists a mutant that ${one.file} does not have: ${one.original} -> ${one.replacement}`);
  }
  console.log(`${all.length} mutants of ${files.length} files, ${all.length - counted.length} known as equivalent`);
  if (values.sample === undefined) return counted;
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  console.log(`a sample of ${values.sample} with --seed ${seed}`);
  return sampled(counted, Number(values.sample), new Random(seed));
}

async function runAll(mutants: Mutant[], folder: string): Promise<Map<Mutant, Outcome>> {
  const benches = Array.from({ length: Number(values.jobs) }, (_, index) => new Workbench(join(folder, String(index))));
  for (const file of new Set(mutants.map((mutant) => mutant.file))) await benches[0]?.prepare(file);
  const outcomes = new Map<Mutant, Outcome>();
  const left = [...mutants];
  const work = async (bench: Workbench) => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const outcome = await bench.try(mutant);
      outcomes.set(mutant, outcome);
      if (outcome !== "killed") console.log(`${outcome}: ${written(mutant)}`);
      if (outcomes.size % 10 === 0) console.log(`${outcomes.size} of ${mutants.length}`);
    }
  };
  await Promise.all(benches.map(work));
  return outcomes;
}

const chosen = await chooseMutants();
const mutants = chosen.filter(isValid);
if (mutants.length < chosen.length) console.log(`${chosen.length - mutants.length} are no programs, and are left out`);
if (values.list) {
  for (const mutant of mutants) console.log(written(mutant));
} else {
  const folder = mkdtempSync(join(tmpdir(), "mmap-ffi-mutants-"));
  try {
    const began = Date.now();
    const outcomes = await runAll(mutants, folder);
    const count = (wanted: Outcome) => [...outcomes.values()].filter((outcome) => outcome === wanted).length;
    const [killed, stopped, survived] = [count("killed"), count("stopped"), count("survived")];
    const seconds = Math.round((Date.now() - began) / 1000);
    const score = ((100 * (killed + stopped)) / Math.max(1, outcomes.size)).toFixed(1);
    console.log(`\n${killed} killed, ${stopped} stopped, ${survived} survived: ${score} % in ${seconds} s`);
    if (values.report !== undefined) {
      const rows = [...outcomes].map(([{ source: _, ...mutant }, outcome]) => ({ ...mutant, outcome }));
      writeFileSync(values.report, `${JSON.stringify(rows, undefined, 2)}\n`);
    }
    process.exitCode = survived > 0 ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
