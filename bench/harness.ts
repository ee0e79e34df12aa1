/**
 * How a figure is taken: ours and its peers run alternately, in rounds, in one process. The figure is the median over
 * the rounds of our time divided by the peer's in the same round, so that a change in the machine's speed affects both.
 *
 * @module
 */

/** Something to be timed: runs `count` times, and returns the time in nanoseconds and the result of the last run. */
export type Timed = (count: number) => Promise<{ nanoseconds: number; value: unknown }>;

/** What the library is compared with. */
export interface Peer {
  readonly name: string;
  /**
   * The target: the largest ratio of our time to the peer's. Absent if the peer shows a limit, or is only for
   * information.
   */
  readonly target?: number;
  readonly time: Timed;
}

/** One row of the table, in one runtime. */
export interface Figure {
  /** What was measured, and the peer: with a peer, the value is a ratio of times. */
  readonly name: string;
  readonly peer?: string;
  /** The ratio, or a value in `unit`. */
  readonly value: number;
  readonly unit: string;
  /** The largest value that meets the target, if there is one. */
  readonly target?: number;
  /** Both times in nanoseconds, in the round with the median ratio. */
  readonly ours?: number;
  readonly theirs?: number;
  /** The quantity on which the cost may depend: `growth.to` bytes, or open maps. */
  readonly growth?: Growth;
}

export interface Growth {
  readonly with: "bytes" | "maps";
  readonly to: number;
}

/** What could not be measured, and why. */
export interface Missing {
  readonly name: string;
  readonly peer?: string;
  readonly missing: string;
}

interface Options {
  /** How many operations one run does: times are reported per operation. */
  readonly per?: number;
  /** It takes a tenth of a second or more: there is no first run to warm up, and garbage is collected before each run. */
  readonly long?: boolean;
  /** It takes so long that it runs in one round. */
  readonly once?: boolean;
  readonly growth?: Growth;
  /** Its time varies, so that more rounds are needed. */
  readonly noisy?: boolean;
}

export interface Effort {
  readonly rounds: number;
  /** The shortest sample, in nanoseconds: short calls are repeated. */
  readonly sample: number;
  /** How long short calls run before they are timed, in nanoseconds: engines recompile code that has run more often. */
  readonly warmUp: number;
}

/** A call that runs more often than this in a sample is short. */
const MANY = 100;

/** Keeps results alive: an engine removes code whose result is unused. */
let last: unknown;

export function collectGarbage(): void {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  if (gc !== undefined) gc();
  else Bun?.gc(true);
}

/** Times a function of this process. A promise that it returns is awaited. */
export function here(run: () => unknown): Timed {
  return async (count) => {
    const began = performance.now();
    for (let done = 0; done < count; done++) {
      last = run();
      if (last instanceof Promise) last = await last;
    }
    return { nanoseconds: (performance.now() - began) * 1e6, value: last };
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[sorted.length >> 1] as number;
}

/** The bench of one topic in one runtime. */
export class Bench {
  readonly quick: boolean;
  readonly #effort: Effort;
  readonly #report: (figure: Figure | Missing) => void;

  constructor(quick: boolean, effort: Effort, report: (figure: Figure | Missing) => void) {
    this.quick = quick;
    this.#effort = effort;
    this.#report = report;
  }

  /**
   * Compares ours with peers. If they return numbers, these must be equal, because all must do the same work.
   *
   * @returns How much longer ours took than each peer, in nanoseconds: the median over the rounds, as for the ratio.
   */
  async compare(name: string, ours: Timed, peers: readonly Peer[], options: Options = {}): Promise<number[]> {
    const { once = false, long = once, noisy = false } = options;
    const { rounds: usual } = this.#effort;
    const rounds = once ? 1 : noisy ? 3 * usual : usual;
    // Short calls run with one peer at a time, so that each runs right after the other, which left its data in the
    // caches.
    const groups = long ? [peers] : peers.map((peer) => [peer]);
    const differences: number[] = [];
    for (const group of groups)
      differences.push(...(await this.#turns(name, ours, group, rounds, { ...options, long })));
    return differences;
  }

  /** Times ours and these peers alternately, and reports a figure for each. */
  async #turns(
    name: string,
    ours: Timed,
    peers: readonly Peer[],
    rounds: number,
    { per = 1, long = false, growth }: Options,
  ): Promise<number[]> {
    const ways = [ours, ...peers.map(({ time }) => time)];
    const counts: number[] = [];
    for (const way of ways) counts.push(long ? 1 : await this.#count(way));
    const times: number[][] = ways.map(() => []);
    for (let round = 0; round < rounds; round++) {
      const values: unknown[] = [];
      for (const [index, way] of ways.entries()) {
        // Else the garbage of one is collected in the next one's time, which can take as long as the run itself.
        if (long) collectGarbage();
        const { nanoseconds, value } = await way(counts[index] as number);
        times[index]?.push(nanoseconds / (counts[index] as number) / per);
        values.push(value);
      }
      checkSame(name, values);
    }
    const [own, ...theirs] = times as [number[], ...number[][]];
    for (const [index, { name: peer, target }] of peers.entries()) {
      const other = theirs[index] as number[];
      const ratios = own.map((time, round) => time / (other[round] as number));
      const value = median(ratios);
      // Those of the round with that ratio: their medians may be of different rounds, of which one was slow for both.
      const round = ratios.indexOf(value);
      const times = { ours: own[round] as number, theirs: other[round] as number };
      const wanted = target === undefined ? {} : { target };
      this.#report({ name, peer, value, unit: "×", ...wanted, ...times, ...(growth && { growth }) });
    }
    return theirs.map((other) => median(own.map((time, round) => time - (other[round] as number))));
  }

  /** The number of runs for a sample of the wanted length. Also warms up. */
  async #count(way: Timed): Promise<number> {
    const { sample, warmUp } = this.#effort;
    let ran = 0;
    // The first run of all may take many times as long: 1 TiB was then measured by single calls.
    await way(1);
    for (let count = 1; ; ) {
      const { nanoseconds } = await way(count);
      ran += nanoseconds;
      if (nanoseconds < sample) count *= nanoseconds * 8 < sample ? 4 : 2;
      else if (count < MANY || ran >= warmUp) return count;
    }
  }

  /** Reports a value that is not a ratio of times. */
  tell(name: string, value: number, unit: string, target?: number): void {
    this.#report({ name, value, unit, ...(target === undefined ? {} : { target }) });
  }

  /** Reports that something cannot be measured here. */
  miss(name: string, peer: string | undefined, why: string): void {
    this.#report({ name, ...(peer === undefined ? {} : { peer }), missing: why });
  }
}

function checkSame(name: string, values: readonly unknown[]): void {
  const numbers = new Set(values.filter((value) => typeof value === "number"));
  if (numbers.size > 1) throw new Error(`${name}: the results differ: ${[...numbers].join(", ")}`);
}
