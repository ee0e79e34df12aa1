/**
 * The child process: runs cases one after the other, and prints a line before and after each. A crash ends it.
 *
 *     child '[{"operation": "http: end", "ending": "close", "garbage": "forced"}]'
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { type Case, runCase, uncaught } from "./harness.ts";
import { OPERATIONS } from "./operations.ts";

process.on("uncaughtException", uncaught);
process.on("unhandledRejection", uncaught);

for (const one of JSON.parse(process.argv[2] as string) as Case[]) {
  const operation = OPERATIONS.find(({ name }) => name === one.operation);
  if (operation === undefined) throw new Error(`there is no operation ${one.operation}`);
  writeSync(1, "begins\n");
  const outcome = await runCase(operation, one).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
  writeSync(1, `${JSON.stringify(outcome)}\n`);
}
process.exit(0);
