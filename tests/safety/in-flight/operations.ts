/**
 * All operations of this runtime.
 *
 * @module
 */

import { BUN } from "./bun.ts";
import { COMPUTE } from "./compute.ts";
import { DENO } from "./deno.ts";
import { FILES } from "./files.ts";
import type { Operation } from "./harness.ts";
import { NETWORK } from "./network.ts";
import { isBun, isDeno } from "./streams.ts";

export const OPERATIONS: readonly Operation[] = [
  ...NETWORK,
  ...FILES,
  ...COMPUTE,
  ...(isBun ? BUN : []),
  ...(isDeno ? DENO : []),
];
