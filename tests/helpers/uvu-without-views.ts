/**
 * uvu, but a test that fails because the library has no views is skipped, with a line that says so.
 *
 * @module
 */

import type { Callback, Context, Test } from "uvu";
// The file, because the package's name stands for this module. TypeScript finds no types for it, and Deno does.
// biome-ignore lint/suspicious/noTsIgnore: no error is expected in Deno
// @ts-ignore
import * as uvu from "../../node_modules/uvu/dist/index.mjs";

// biome-ignore lint/suspicious/noTsIgnore: as above
// @ts-ignore
export * from "../../node_modules/uvu/dist/index.mjs";

const NO_VIEWS = /forbids ArrayBuffers over mapped memory/;

const USE_VIEWS = "its workers and child processes use views";
const ABOUT_VIEWS = "it is about views";

/** Why suites and tests are left out, by their names. */
const LEFT_OUT = new Map([
  ["api/wait", USE_VIEWS],
  ["in flight", ABOUT_VIEWS],
  ["files after the close", ABOUT_VIEWS],
  ["closed before and during a call", ABOUT_VIEWS],
  ["transferred after the close", ABOUT_VIEWS],
  ["safety/refused-calls", "it sets errno through a view"],
  ["chunks() covers the bytes in order, without a copy; the last may be shorter", ABOUT_VIEWS],
  ["close() and resize() detach every chunk that the program kept, and none is passed over", ABOUT_VIEWS],
  ["bytes of a map with prot: PROT_READ are protected by the hardware: a write ends the process", ABOUT_VIEWS],
  ["replaced built-in functions do not decide where memory begins and ends", USE_VIEWS],
  [
    "open() with create, by threads and processes at once and with several lengths, maps one file and loses no byte",
    USE_VIEWS,
  ],
  [
    "open() in Node under --permission calls no C function that is not allowed",
    "what replaces koffi's view is not allowed to load koffi",
  ],
]);

/** Whether the library's error is the cause, here or in a child process whose output was compared. */
function needsViews(error: unknown): boolean {
  const { message, details, actual, cause } = error as Record<string, unknown>;
  return NO_VIEWS.test(`${message} ${details} ${JSON.stringify(actual)}`) || (cause !== undefined && needsViews(cause));
}

export function suite(name: string): Test<Context> {
  const test = (uvu as typeof import("uvu")).suite(name);
  const add = (title: string, run: Callback<Context>) => {
    const reason = LEFT_OUT.get(name) ?? LEFT_OUT.get(title);
    if (reason !== undefined) {
      console.log(`\nskipped: ${title}: ${reason}`);
      return;
    }
    test(title, async (context) => {
      try {
        await run(context);
      } catch (error) {
        if (!needsViews(error)) throw error;
        console.log(`\nskipped late: ${title}: it needs a view`);
      }
    });
  };
  return Object.assign(add, test) as Test<Context>;
}
