/**
 * The hostile fuzzer: calls that no honest program makes. Each must throw a documented error or do what the model does; what
 * is a map's alone must never change another's bytes or a file, and the process must live.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { ACTIONS } from "./actions.ts";
import { Random } from "./random.ts";
import { World, Wrong } from "./world.ts";

/** How many actions a round has. */
const LENGTH = 40;

export interface HostileOptions {
  readonly steps: number;
  readonly seed: number;
  /** Is told each action before it is done: after a crash, the last one is the one that did it. */
  readonly trace?: (action: string) => void;
}

/** Does at least so many actions, until something is wrong: gives what. */
export async function hostile(folder: string, { steps, seed, trace }: HostileOptions): Promise<string | undefined> {
  for (let round = 0; round * LENGTH < steps; round++) {
    const done: string[] = [];
    const tell = (action: string) => {
      done.push(action);
      trace?.(action);
    };
    trace?.(`--seed ${seed + round}`);
    try {
      await playRound(folder, new Random(seed + round), tell);
    } catch (error) {
      const said = error instanceof Wrong ? error.message : ((error as Error)?.stack ?? String(error));
      return `${done.join("\n")}\n${said}\n(found with --seed ${seed + round})`;
    }
  }
  return undefined;
}

async function playRound(folder: string, random: Random, tell: (action: string) => void): Promise<void> {
  const world = new World(folder, random, tell);
  world.open();
  for (let count = 0; count < LENGTH; count++) {
    const action = random.weighted(WEIGHTS);
    tell(action);
    await ACTIONS[action]?.(world);
    world.check();
  }
  for (const victim of world.victims) victim.end();
  // Finalizers run between two turns.
  if (random.oneIn(20)) await setImmediate();
}

const WEIGHTS = Object.fromEntries(
  Object.keys(ACTIONS).map((name) => [name, name === "call" ? 30 : name === "collect" ? 1 : 3]),
);
