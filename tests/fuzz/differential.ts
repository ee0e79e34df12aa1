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
import { shrink } from "./shrink.ts";
import { foreseeable, type Outcome, randomContent, randomStep, type Sequence, type State, type Step } from "./steps.ts";

/** How many steps a sequence has. */
const LENGTH = 60;

/** Who is asked what Python does. */
export type Asked = Pick<Peer, "run">;

/** Where the two do not agree. */
interface Disagreement {
  readonly index: number;
  /** What kind it is of: shrinking must not lead to another. */
  readonly kind: string;
  readonly ours: string;
  readonly theirs: string;
}

/** The kind where Python has ended: to start it takes as long as many steps. */
const ENDED = "ended";

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
  peer: Asked,
  folder: string,
  { steps, seed, progress }: { steps: number; seed: number; progress?: (done: number) => void },
): Promise<Report> {
  const path = join(folder, "ours");
  let done = 0;
  let waiting: { run: Run; theirs: Promise<Answer> } | undefined;
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
    return index === LENGTH ? { op: "close", args: [] } : randomStep(random, world.state, world.fileLength);
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

/** What Python gave, or why it gave nothing: some calls end it. */
type Answer = Outcome[] | Error;

function ask(peer: Asked, { sequence: { content }, asked: steps }: Run): Promise<Answer> {
  return peer.run({ content, steps }).catch((error: Error) => error);
}

function asked(step: Step, before: State, ours: Outcome): Step {
  if (DIFFERENCES.some(({ right }) => right?.(step, before, ours) !== undefined)) return STATE;
  for (const difference of DIFFERENCES) {
    const other = difference.asked?.(step, before, ours);
    if (other !== undefined) return other;
  }
  return step;
}

function compare({ sequence: { steps }, before, ours }: Run, theirs: Answer): Disagreement | undefined {
  if (theirs instanceof Error) {
    const index = steps.length - 1;
    return { index, kind: ENDED, ours: JSON.stringify(ours[index]), theirs: theirs.message };
  }
  for (const [index, step] of steps.entries()) {
    const [mine, other] = [ours[index] as Outcome, theirs[index] as Outcome];
    if (agree(step, before[index] as State, mine, other)) continue;
    const kind = [step.op, mine[0], other[0], mine[0] === "error" && mine[1]].join();
    return { index, kind, ours: JSON.stringify(mine), theirs: JSON.stringify(other) };
  }
  return undefined;
}

function agree(step: Step, before: State, ours: Outcome, theirs: Outcome): boolean {
  // Whatever the step gave: the position, the length and the file.
  if ([2, 3, 4].some((part) => ours[part] !== theirs[part])) return false;
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

/** The program of a failing sequence, as short as it was made, and what the two gave at its last step. */
async function explain(peer: Asked, path: string, sequence: Sequence, seed: number): Promise<string> {
  const disagreement = async (candidate: Sequence) => {
    const run = replay(path, candidate);
    return run && compare(run, await ask(peer, run));
  };
  const first = await disagreement(sequence);
  if (first === undefined) {
    return `${programOf(sequence)}\n// The two disagreed once, and not again: found with --seed ${seed}`;
  }
  const fails = async (candidate: Sequence) => {
    const found = await disagreement(candidate);
    return found?.kind === first.kind ? found.index + 1 : undefined;
  };
  const upToIt = { ...sequence, steps: sequence.steps.slice(0, first.index + 1) };
  const short = await shrink(upToIt, fails, first.kind === ENDED ? 500 : undefined);
  const found = (await disagreement(short)) ?? first;
  return (
    `${programOf(short)}\n// here:   ${found.ours}\n// Python: ${found.theirs}\n` +
    `// (outcome, position, length, file; found with --seed ${seed})`
  );
}

/** Runs a sequence again; undefined where it has a step of which it cannot be told what it must do. */
function replay(path: string, { content, steps }: Sequence): Run | undefined {
  const run = play(path, { content, steps }, (index, { state, fileLength }) => {
    const step = steps[index];
    return step !== undefined && foreseeable(step, state, fileLength) ? step : undefined;
  });
  return run.ours.length === steps.length ? run : undefined;
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
