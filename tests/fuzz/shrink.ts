/**
 * Makes a failing sequence shorter: steps, content and arguments that need not be there for it to fail.
 *
 * @module
 */

import type { Argument, Content, OpenArguments, Sequence, Step } from "./steps.ts";

/**
 * How many steps may be run for it: a few seconds' worth. Steps and not seconds, so that a seed leads to the same
 * report whenever it is run.
 */
const BUDGET = 20_000;

/** Gives how many steps of a sequence it takes to fail as it should, or undefined where it does not. */
export type Fails = (candidate: Sequence) => Promise<number | undefined>;

/** The shortest sequence that is found within the budget. A try takes as long as its steps and `overhead` more. */
export async function shrink(sequence: Sequence, fails: Fails, overhead = 10): Promise<Sequence> {
  const tries = new Tries(sequence, fails, overhead);
  for (let before = ""; before !== JSON.stringify(tries.best); ) {
    before = JSON.stringify(tries.best);
    await fewerSteps(tries);
    await simplerContent(tries);
    for (let index = 0; index < tries.best.steps.length; index++) await simplerArguments(tries, index);
  }
  return tries.best;
}

class Tries {
  best: Sequence;
  readonly #fails: Fails;
  readonly #overhead: number;
  #left = BUDGET;

  constructor(sequence: Sequence, fails: Fails, overhead: number) {
    this.best = sequence;
    this.#fails = fails;
    this.#overhead = overhead;
  }

  /** Keeps the candidate if it fails, up to the step that does. */
  async sequence(candidate: Sequence): Promise<boolean> {
    this.#left -= candidate.steps.length + this.#overhead;
    const length = this.#left < 0 ? undefined : await this.#fails(candidate);
    if (length === undefined) return false;
    this.best = { content: candidate.content, steps: candidate.steps.slice(0, length) };
    return true;
  }

  content(change: Partial<Content>): Promise<boolean> {
    const { content, steps } = this.best;
    return this.sequence({ content: { ...content, ...change }, steps });
  }

  argument(index: number, place: number, value: Argument): Promise<boolean> {
    const { content, steps } = this.best;
    const { op, args } = steps[index] as Step;
    return this.sequence({ content, steps: steps.with(index, { op, args: args.with(place, value) }) });
  }
}

/** Leaves out halves, quarters and so on, from the back, where the step is that fails. */
async function fewerSteps(tries: Tries): Promise<void> {
  for (let size = tries.best.steps.length; size >= 1; size = Math.floor(size / 2)) {
    for (let at = tries.best.steps.length - 1 - size; at >= 0; at -= size) {
      const { content, steps } = tries.best;
      await tries.sequence({ content, steps: steps.filter((_, index) => index < at || index >= at + size) });
    }
  }
}

async function simplerContent(tries: Tries): Promise<void> {
  const { length, chunk, marks } = tries.best.content;
  if (marks.length > 0) await tries.content({ marks: [] });
  await nearerToZero(length, (smaller) => tries.content({ length: smaller }));
  await simplerText(chunk, async (simpler) => simpler !== "" && tries.content({ chunk: simpler }));
}

async function simplerArguments(tries: Tries, index: number): Promise<void> {
  const { op, args } = tries.best.steps[index] as Step;
  for (const [place, value] of args.entries()) {
    const attempt = (simpler: Argument) => tries.argument(index, place, simpler);
    if (typeof value === "number") await nearerToZero(value, attempt);
    else if (typeof value === "object") await fewerOptions(value ?? {}, attempt);
    else if (op !== "open" && op !== "madvise") await simplerText(value, attempt);
  }
}

/** A carriage return means something else to JavaScript's expressions: no step writes one. */
const CARRIAGE_RETURN = 13;

/** Halves the way to zero until there is none left, for a number that is tried one by one may take a day. */
async function nearerToZero(value: number, works: (smaller: number) => Promise<boolean>): Promise<void> {
  if (!Number.isInteger(value) || value === 0 || (await works(0))) return;
  let least = value;
  for (let cut = Math.trunc(value / 2); cut !== 0; cut = Math.trunc(cut / 2)) {
    if (least - cut !== CARRIAGE_RETURN && (await works(least - cut))) least -= cut;
  }
}

async function simplerText(value: string, works: (simpler: string) => Promise<boolean>): Promise<void> {
  let best = value;
  const keep = async (simpler: string) => {
    const kept = simpler.length < best.length && (await works(simpler));
    if (kept) best = simpler;
    return kept;
  };
  await nearerToZero(value.length, (length) => keep(value.slice(0, length)));
  const shorter = best;
  await nearerToZero(shorter.length, (length) => keep(shorter.slice(shorter.length - length)));
  const plain = "a".repeat(best.length);
  if (plain !== best) await works(plain);
}

async function fewerOptions(options: OpenArguments, works: (fewer: OpenArguments) => Promise<boolean>): Promise<void> {
  let best = options;
  for (const name of Object.keys(options) as (keyof OpenArguments)[]) {
    const { [name]: _left, ...fewer } = best;
    if (await works(fewer)) best = fewer;
  }
}
