/**
 * examples/serve.ts, which collects its garbage for each line that it reads, and answers with a line.
 *
 * @module
 */

import process from "node:process";
import { collectGarbage } from "../helpers/support.ts";
import "../../examples/serve.ts";

process.stdin.on("data", async () => {
  await collectGarbage();
  console.log("collected");
});
