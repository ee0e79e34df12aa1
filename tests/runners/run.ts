/**
 * The matrix: runs the suite in every runtime, a few at once, and prints a table with a row for each.
 *
 *     npm test                        everything
 *     npm test -- --only bun,deno     these runtimes; also node24-copies, in which no memory can be viewed
 *     npm test -- search safety       the files whose names contain one of the words
 *
 * @module
 */

import process from "node:process";
import { NODE_WITHOUT_VIEWS, RUNTIMES } from "../helpers/runtimes.ts";
import { runMatrix } from "./matrix.ts";

const parameters = process.argv.slice(2);
const withoutViews = parameters[0] === "--only" && parameters[1]?.split(",").includes(NODE_WITHOUT_VIEWS.name);
await runMatrix(withoutViews ? [...RUNTIMES, NODE_WITHOUT_VIEWS] : RUNTIMES, parameters);
