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

process.exitCode = await run(process.argv.slice(2));
