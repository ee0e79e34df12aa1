/**
 * The differential fuzzer: the library and CPython's `mmap` run the same random steps on twin files, and must give the same
 * results, positions, errors and files.
 *
 * @module
 */

import { join } from "node:path";
import { DIFFERENCES, STATE } from "./differences.ts";
import { lineOf, quoted, World } from "./ours.ts";
import type { Peer } from "./peer.ts";
import { Random } from "./random.ts";
import { type Outcome, randomContent, randomStep, type Sequence, type State, type Step } from "./steps.ts";

/** How many steps a sequence has. */
const LENGTH = 60;

/** Where the two do not agree. */
interface Disagreement {
  readonly index: number;
  /** What kind it is of: shrinking must not lead to another. */
  readonly kind: string;
  readonly ours: string;
  readonly theirs: string;
}

/** A sequence that our side has run, and what the other side is asked. */
interface Run {
  readonly sequence: Sequence;
  readonly before: State[];
  readonly ours: Outcome[];
  readonly asked: Step[];
}

export interface Report {
  readonly steps: number;
  /** The program of a failing sequence, shrunk. */
  readonly failure?: string;
}

/** Runs at least so many steps, until there is a disagreement. */
export async function differential(
  peer: Peer,
  folder: string,
  { steps, seed, progress }: { steps: number; seed: number; progress?: (done: number) => void },
): Promise<Report> {
  const path = join(folder, "ours");
  let done = 0;
  let waiting: { run: Run; theirs: Promise<Outcome[]> } | undefined;
  for (let round = 0; done < steps || waiting !== undefined; round++) {
    const run = done < steps ? generate(new Random(seed + round), path) : undefined;
    const next = run && { run, theirs: ask(peer, run) };
    if (waiting !== undefined) {
      // One sequence is under way in Python while the next one runs here.
      const found = compare(waiting.run, await waiting.theirs);
      if (found !== undefined) {
        await next?.theirs;
        return { steps: done, failure: await explain(peer, path, waiting.run.sequence, seed + round - 1) };
      }
    }
    waiting = next;
    done += run?.sequence.steps.length ?? 0;
    if (round % 200 === 0) progress?.(done);
  }
  return { steps: done };
}

function generate(random: Random, path: string): Run {
  const content = randomContent(random);
  return play(path, { content, steps: [] }, (index, world) => {
    if (index > LENGTH) return undefined;
    return index === LENGTH ? { op: "file", args: [] } : randomStep(random, world.state, world.fileLength);
  });
}

/** Runs a sequence on our side; `next` gives its steps. */
function play(path: string, { content }: Sequence, next: (index: number, world: World) => Step | undefined): Run {
  const world = new World(path, content);
  const run: Run = { sequence: { content, steps: [] }, before: [], ours: [], asked: [] };
  try {
    for (let step = next(0, world); step !== undefined; step = next(run.ours.length, world)) {
      const before = world.state;
      const ours = world.run(step);
      run.sequence.steps.push(step);
      run.before.push(before);
      run.ours.push(ours);
      run.asked.push(asked(step, before, ours));
    }
  } finally {
    world.close();
  }
  return run;
}

function ask(peer: Peer, { sequence: { content }, asked: steps }: Run): Promise<Outcome[]> {
  return peer.run({ content, steps });
}

function asked(step: Step, before: State, ours: Outcome): Step {
  if (DIFFERENCES.some(({ right }) => right?.(step, before, ours) !== undefined)) return STATE;
  for (const difference of DIFFERENCES) {
    const other = difference.asked?.(step, before, ours);
    if (other !== undefined) return other;
  }
  return step;
}

function compare({ sequence: { steps }, before, ours }: Run, theirs: Outcome[]): Disagreement | undefined {
  for (const [index, step] of steps.entries()) {
    const [mine, other] = [ours[index] as Outcome, theirs[index] as Outcome];
    if (agree(step, before[index] as State, mine, other)) continue;
    const kind = [step.op, mine[0], other[0], mine[0] === "error" && mine[1]].join();
    return { index, kind, ours: JSON.stringify(mine), theirs: JSON.stringify(other) };
  }
  return undefined;
}

function agree(step: Step, before: State, ours: Outcome, theirs: Outcome): boolean {
  if (ours[2] !== theirs[2] || ours[3] !== theirs[3]) return false;
  for (const { right } of DIFFERENCES) {
    const answer = right?.(step, before, ours);
    if (answer !== undefined) return answer;
  }
  if (ours[0] !== theirs[0]) return false;
  if (ours[0] === "error") {
    return DIFFERENCES.some(({ same }) => same?.(step, before, String(ours[1]), String(theirs[1])));
  }
  // A write through a view has no result to compare.
  return step.op === "viewSet" || JSON.stringify(ours[1]) === JSON.stringify(theirs[1]);
}

// --- A failing sequence ----------------------------------------------------------------------------------------------

async function explain(peer: Peer, path: string, sequence: Sequence, seed: number): Promise<string> {
  const disagreement = async (candidate: Sequence) => {
    const run = replay(path, candidate);
    return compare(run, await ask(peer, run));
  };
  const kind = (await disagreement(sequence))?.kind;
  if (kind === undefined) return `seed ${seed}: the two disagreed once, and not again:\n${programOf(sequence)}`;
  const short = await shrink(sequence, async (candidate) => (await disagreement(candidate))?.kind === kind);
  const found = (await disagreement(short)) as Disagreement;
  return (
    `${programOf({ ...short, steps: short.steps.slice(0, found.index + 1) })}\n` +
    `// here:   ${found.ours}\n// Python: ${found.theirs}\n// (outcome, position, length; found with --seed ${seed})`
  );
}

function replay(path: string, { content, steps }: Sequence): Run {
  return play(path, { content, steps }, (index) => steps[index]);
}

/** Leaves out what need not be there for the sequence to fail. */
async function shrink(sequence: Sequence, fails: (candidate: Sequence) => Promise<boolean>): Promise<Sequence> {
  let best = sequence;
  const attempt = async (candidate: Sequence) => {
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let before = ""; before !== JSON.stringify(best); ) {
    before = JSON.stringify(best);
    for (let size = best.steps.length; size >= 1; size = Math.floor(size / 2)) {
      for (let at = best.steps.length - size; at >= 0; at--) {
        const steps = best.steps.filter((_, index) => index < at || index >= at + size);
        await attempt({ ...best, steps });
      }
    }
    for (const candidate of smallerContents(best)) await attempt(candidate);
    for (let index = 0; index < best.steps.length; index++) {
      for (let argument = 0; argument < (best.steps[index]?.args.length ?? 0); argument++) {
        for (const smaller of smallerArguments(best, index, argument)) if (await attempt(smaller)) break;
      }
    }
  }
  return best;
}

function smallerContents({ content, steps }: Sequence): Sequence[] {
  const contents = [
    { ...content, marks: [] },
    { ...content, chunk: "ab" },
    { ...content, chunk: "a" },
    ...[content.length - 1, Math.floor(content.length / 2), 100, 10]
      .filter((length) => length >= 0 && length < content.length)
      .reverse()
      .map((length) => ({ ...content, length })),
  ];
  return contents.map((smaller) => ({ content: smaller, steps }));
}

function smallerArguments({ content, steps }: Sequence, index: number, argument: number): Sequence[] {
  const step = steps[index] as Step;
  const value = step.args[argument];
  const values =
    typeof value === "number"
      ? [0, 1, Math.floor(value / 2), value - 1].filter((smaller) => Math.abs(smaller) < Math.abs(value))
      : typeof value === "string" && !["open", "madvise"].includes(step.op)
        ? ["a", value.slice(0, value.length / 2), value.slice(1)].filter((smaller) => smaller.length < value.length)
        : [];
  return values.map((smaller) => {
    const args = step.args.map((old, place) => (place === argument ? smaller : old));
    return { content, steps: steps.map((old, place) => (place === index ? { op: step.op, args } : old)) };
  });
}

function programOf({ content, steps }: Sequence): string {
  return [
    "const bytes = (text) => Buffer.from(text, 'latin1');",
    `const content = Buffer.alloc(${content.length}, bytes(${quoted(content.chunk)}));`,
    ...content.marks
      .filter(([index]) => index < content.length)
      .map(([index, value]) => `content[${index}] = ${value};`),
    "writeFileSync(path, content);",
    "let mm, view, first;",
    ...steps.map(lineOf),
  ].join("\n");
}
