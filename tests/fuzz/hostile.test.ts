import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { repetitions, runFile, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("fuzz/hostile");

const posix = unless(WINDOWS && "the fuzzer expects a stray write to a read map to be seen through the map", test);

posix("hostile calls: none ends the process, gives a wrong answer or throws what is not documented", () => {
  const main = fileURLToPath(new URL("main.ts", import.meta.url));
  const steps = repetitions(2000);
  const args = ["--hostile", "--seed", "20260", "--steps", String(steps)];
  const { code, signal, stdout, stderr } = runFile(main, { args });
  assert.is(
    signal ?? code,
    0,
    `the fuzzer ended with ${signal ?? code}:\n${stdout.slice(-3000)}${stderr.slice(-3000)}`,
  );
  assert.match(stdout, new RegExp(`${steps} steps in .* nothing found`));
});

test.run();
