#!/usr/bin/env node
/**
 * The command-line tool: shows which pages of files are in memory, and what memory-mapped files need on this system.
 *
 *     npx mmap-ffi residency access.log
 *
 * @module
 */

import process from "node:process";
import { run } from "./commands.ts";

// Whoever reads the output has seen enough: `mmap-ffi residency --watch . | head`. Windows calls that EOF.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE" && error.code !== "EOF") throw error;
  process.exit(0);
});
process.exitCode = await run(process.argv.slice(2));
