/**
 * Runs a case of the fuzzer of regular expressions, which is the argument, in a process that has run no other.
 *
 * @module
 */

import process from "node:process";
import { resultOf } from "./regexp.ts";

const { wrong = "agrees" } = resultOf(JSON.parse(process.argv[2] as string));
console.log(wrong);
