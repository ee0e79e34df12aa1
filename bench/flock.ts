/**
 * flock(2), the lock that programs use today.
 *
 * @module
 */

import process from "node:process";
import { openFfi } from "../ffi/mod.ts";
import { NUMBERS, SIGNATURES } from "../platform/file-lock.ts";
import { librariesFor } from "../platform/linux.ts";

export const { LOCK_EX, LOCK_UN } = NUMBERS;

export const { flock } = openFfi().open(librariesFor(process.arch), SIGNATURES);
