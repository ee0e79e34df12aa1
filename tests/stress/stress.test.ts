import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runFile, unless, WINDOWS, withoutMappings } from "../helpers/support.ts";

const test = suite("stress/stress");

/** The programs, each with sizes for a few seconds, and the last line that it prints. */
const PROGRAMS: [name: string, sizes: string[], last: RegExp][] = [
  ["cycles", ["2800"], /^2800 cycles, and the curve is flat$/],
  ["maps", ["2000"], /^2000 maps, twice$/],
  ["share", ["4", "2", "1"], /^\d+ descriptors before, \d+ after; 1 mappings of the file$/],
  ["interrupted", ["20"], /^everything was refused, and nothing stays open$/],
  ["viewed", ["20000"], /^20000 maps were viewed and closed, and little is held$/],
  ["serve", ["300"], /^300 requests, and the curve is flat$/],
  ["tokens", ["2000"], /^\d+ rings, and no token was lost$/],
  ["mutex", ["8"], /^8 kills, and the mutex was never held twice$/],
  ["atomics", ["100000"], /^every operation was atomic$/],
  ["durability", ["3"], /^3 kills: \d+ records written/],
];

const counting = unless(withoutMappings ?? (WINDOWS && "they read what Linux lists in /proc"), test);

for (const [name, sizes, last] of PROGRAMS) {
  counting(name, () => {
    const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
    const { code, signal, stdout, stderr } = runFile(file, { args: sizes });
    assert.is(signal ?? code, 0, stdout + stderr);
    assert.match(stdout.trim().split("\n").at(-1) as string, last);
  });
}

test.run();
