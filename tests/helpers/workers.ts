/**
 * Starts workers in every runtime.
 *
 * @module
 */

import process from "node:process";
import { Worker } from "node:worker_threads";

const { bun, deno, node } = process.versions;

/** Node 20 and 22 take TypeScript through tsx, which each worker must load. */
export const NEEDS_TSX: boolean = bun === undefined && deno === undefined && Number.parseInt(node, 10) < 24;

/** Runs a file in a worker. Returns a promise that resolves when the worker ends, and rejects if it fails. */
export function startWorker(file: URL, data: unknown): Promise<unknown> {
  const run = `register(); return import(${JSON.stringify(file.href)});`;
  const boot = `import("tsx/esm/api").then(({ register }) => { ${run} });`;
  const worker = NEEDS_TSX
    ? new Worker(boot, { eval: true, workerData: data })
    : new Worker(file, { workerData: data });
  return new Promise((resolve, reject) => {
    worker.on("exit", resolve);
    worker.on("error", reject);
  });
}
