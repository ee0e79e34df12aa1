/**
 * The matrix: runs the suite in every runtime, a few at once, and prints a table with a row for each.
 *
 *     npm test                        everything
 *     npm test -- --only bun,deno     these runtimes
 *     npm test -- search safety       the files whose names contain one of the words
 *
 * @module
 */

import process from "node:process";
import { NODE_WITHOUT_VIEWS, RUNTIMES } from "../helpers/runtimes.ts";
import { runMatrix } from "./matrix.ts";

await runMatrix([...RUNTIMES, NODE_WITHOUT_VIEWS], process.argv.slice(2));
