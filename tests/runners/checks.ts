/**
 * Runs programs and compares what they print, for the runners that test the published package.
 *
 * @module
 */

import { execFile } from "node:child_process";
import process from "node:process";

export interface Check {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  readonly cwd: string;
  /** What the output must contain. */
  readonly expected: RegExp;
  /** What no line of the output may contain. */
  readonly unwanted?: RegExp;
  /** Variables that are added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Counts the checks that passed and failed, and prints a line for each. */
export class Checks {
  #passed = 0;
  #failed = 0;

  /** Counts one check. `detail` is printed if it failed. */
  count(name: string, good: boolean, detail: string): boolean {
    if (good) this.#passed++;
    else this.#failed++;
    console.log(`${good ? "ok  " : "FAIL"} ${name}`);
    if (!good) console.log(detail);
    return good;
  }

  /** Runs a program, which must exit with 0 and print what is expected. Returns whether it did. */
  run({ name, command: [program, ...args], cwd, expected, unwanted, env }: Check): Promise<boolean> {
    return new Promise((resolve) => {
      const options = { cwd, env: { ...process.env, ...env }, timeout: 180_000, maxBuffer: 2 ** 26 };
      const child = execFile(program, args, options, (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`;
        const bad = output.split("\n").filter((line) => unwanted?.test(line));
        const good = error === null && expected.test(output) && bad.length === 0;
        const ended = error === null ? "exited with 0" : `ended with ${error.signal ?? error.code}`;
        const unwantedLines = bad.length === 0 ? "" : `; unwanted: ${bad.join("; ")}`;
        resolve(this.count(name, good, `${ended}, expected ${expected}${unwantedLines}:\n${output}`));
      });
      child.stdin?.end();
    });
  }

  /** Prints how many passed and failed, and sets the exit code. */
  end(): void {
    console.log(`\n${this.#passed} passed, ${this.#failed} failed`);
    process.exitCode = this.#failed > 0 ? 1 : 0;
  }
}
