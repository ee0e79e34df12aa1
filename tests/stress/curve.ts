/**
 * What a process holds as its work goes on, as a curve, and whether that curve is flat.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { descriptorTargets } from "../helpers/resources.ts";
import { collectGarbage, EMULATED, FOLDER, resources } from "../helpers/support.ts";

interface Sample {
  readonly done: number;
  readonly descriptors: number;
  /** All mappings of the process, and those of the library's files and shared memory. */
  readonly maps: number;
  readonly own: number;
  /** Resident, in bytes. */
  readonly memory: number;
}

/** Where the collection of a view does not prove that nothing uses its memory (Deno), so many regions stay mapped. */
const KEPT_REGIONS = process.versions.deno === undefined ? 0 : 1024;

/** How much more may be held at the end than before: a runtime opens some for itself as it goes, and its heap breathes. */
const SLACK = { descriptors: 4, maps: 200 + KEPT_REGIONS, own: 4 + KEPT_REGIONS, memory: 16 * 2 ** 20 };

/** How many mappings of a process are the library's, of files in the tests' folder and of memory that it named. */
export function ownMappings(pid: number | "self" = "self"): number {
  const lines = readFileSync(`/proc/${pid}/maps`, "latin1").split("\n");
  return lines.filter((line) => line.includes(FOLDER) || line.includes("memfd:mmap-ffi")).length;
}

/** How many descriptors are the library's, of files in the tests' folder and of memory that it named. */
export function ownDescriptors(): number {
  return descriptorTargets().filter((target) => target.includes(FOLDER) || target.includes("memfd:mmap-ffi")).length;
}

/** What another process holds. */
export function heldBy(pid: number): Omit<Sample, "done"> {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    maps: readFileSync(`/proc/${pid}/maps`, "latin1").split("\n").length - 1,
    own: ownMappings(pid),
    memory: Number(kibibytes) * 1024,
  };
}

function held(): Omit<Sample, "done"> {
  return { ...resources(), own: ownMappings(), memory: process.memoryUsage().rss };
}

export class Curve {
  readonly #samples: Sample[] = [];
  readonly #held: () => Omit<Sample, "done">;

  /** By default of what this process holds. */
  constructor(counted = held) {
    this.#held = counted;
  }

  /** Takes a sample, without garbage, and prints it. */
  async sample(done: number): Promise<void> {
    await collectGarbage();
    const one = { done, ...this.#held() };
    this.#samples.push(one);
    const mebibytes = (one.memory / 2 ** 20).toFixed(0);
    console.log(
      `${done}: ${one.descriptors} descriptors, ${one.maps} mappings, ${one.own} of them of maps, ${mebibytes} MiB`,
    );
  }

  /** In what the curve is not flat: there, the last quarter never came down to what the second quarter had. */
  rises(): string[] {
    const quarter = Math.floor(this.#samples.length / 4);
    const early = this.#samples.slice(quarter, 2 * quarter);
    const late = this.#samples.slice(-quarter);
    // Under QEMU, what it has translated lies in the process's own memory, and becomes more as the engine compiles.
    const names = EMULATED
      ? (["descriptors", "maps", "own"] as const)
      : (["descriptors", "maps", "own", "memory"] as const);
    if (EMULATED) console.log("memory is not judged: QEMU's own is in it");
    return names.flatMap((name) => {
      const highest = Math.max(...early.map((one) => one[name]));
      const lowest = Math.min(...late.map((one) => one[name]));
      return lowest > highest + SLACK[name] ? [`${name} rose from ${highest} to ${lowest}`] : [];
    });
  }
}
