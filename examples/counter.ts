/**
 * Counters and a histogram that any number of workers and processes count in, and a metrics page that reads them.
 *
 *     node examples/counter.ts count FILE 1000    # counts 1000 requests; start as many as you like
 *     node examples/counter.ts page FILE          # prints the page once
 *     node examples/counter.ts serve FILE 9100    # serves it on http://localhost:9100/
 *
 * @module
 */

import { createServer } from "node:http";
import process from "node:process";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

/** The names of the counters, in the order in which they are in memory. */
const COUNTERS = ["requests", "failures", "bytes"] as const;

/** The upper bounds of the histogram's buckets, in milliseconds. The last one has what is slower. */
const BOUNDS = [1, 5, 25, 100, Number.POSITIVE_INFINITY];

export class Metrics {
  readonly #counters: BigInt64Array;
  readonly #buckets: BigInt64Array;

  constructor(mm: MMap) {
    // 64 bits, so that no counter overflows. Each is changed by Atomics alone: no count is lost.
    this.#counters = mm.view(BigInt64Array, 0, COUNTERS.length);
    this.#buckets = mm.view(BigInt64Array, 8 * COUNTERS.length, BOUNDS.length);
  }

  add(name: (typeof COUNTERS)[number], by = 1): void {
    Atomics.add(this.#counters, COUNTERS.indexOf(name), BigInt(by));
  }

  /** Counts a duration in its bucket. */
  observe(milliseconds: number): void {
    const bucket = BOUNDS.findIndex((bound) => milliseconds <= bound);
    Atomics.add(this.#buckets, bucket === -1 ? BOUNDS.length - 1 : bucket, 1n);
  }

  /** The page, in the format that Prometheus reads. */
  page(): string {
    const lines = COUNTERS.map((name, index) => `${name}_total ${Atomics.load(this.#counters, index)}`);
    let sum = 0n;
    for (const [index, bound] of BOUNDS.entries()) {
      sum += Atomics.load(this.#buckets, index);
      lines.push(`duration_ms_bucket{le="${bound === Number.POSITIVE_INFINITY ? "+Inf" : bound}"} ${sum}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

const [role, path = "metrics.bin", number = "1000"] = process.argv.slice(2);

if (role !== undefined) {
  const mm = MMap.open(path, { create: true, length: 4096 });
  const metrics = new Metrics(mm);
  if (role === "count") {
    for (let request = 0; request < Number(number); request++) {
      metrics.add("requests");
      metrics.add("bytes", 100);
      if (request % 10 === 0) metrics.add("failures");
      metrics.observe(request % 50);
    }
  } else if (role === "serve") {
    createServer((_, response) => response.end(metrics.page())).listen(Number(number));
  } else {
    process.stdout.write(metrics.page());
  }
}
