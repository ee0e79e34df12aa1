#!/usr/bin/env node
/**
 * The command-line tool: which pages of files are in memory, and what this system gives to memory-mapped files.
 *
 *     npx mmap-ffi residency access.log
 *
 * @module
 */

import process from "node:process";
import { run } from "./commands.ts";

process.exitCode = await run(process.argv.slice(2));
