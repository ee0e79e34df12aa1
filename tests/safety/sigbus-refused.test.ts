/**
 * The guard if the system refuses what the handler of SIGBUS needs: nothing stays mapped, and maps are made without it.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CALLS, FFI } from "../helpers/calls.ts";
import { newPath, unless } from "../helpers/support.ts";
import { printed, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("safety/sigbus-refused");

const guarded = unless(UNGUARDED, test);

/**
 * What the programs begin with. `fail` makes the next call of a function of C fail, after so many that do not; or throw, if it is
 * given an error. `mapped` is what the calls of `mmap` have mapped, less what was unmapped.
 */
const FAILING = `${CALLS}
  const { sigbusGuard } = await import(process.argv[4]);
  const mapped = new Map();
  const calls = [];
  let failing;
  const fail = (name, after = 0, error = undefined) => { failing = { name, after, error }; };
  const recording = {
    ...ffi,
    open(names, signatures) {
      const functions = ffi.open(names, signatures);
      const query = signatures.sigaction?.parameters[1] === "pointer";
      const recorded = Object.entries(functions).map(([name, call]) => [name, (...all) => {
        const known = query ? "query" : name;
        calls.push(known);
        if (failing?.name === known && failing.after-- === 0) {
          const { error } = failing;
          failing = undefined;
          if (error !== undefined) throw error;
          return -1;
        }
        const result = call(...all);
        if (name === "mmap" && result !== -1) mapped.set(result, all[1]);
        if (name === "munmap" && mapped.get(all[0]) === all[1]) mapped.delete(all[0]);
        return result;
      }]);
      return Object.fromEntries(recorded);
    },
  };
  const memory = c.mmap(0, PAGE, 3, 0x22, -1, 0);
  const { guard } = sigbusGuard(recording, libraries, PAGE);
  /** Guards the memory; gives the outcome, whether the handler is another, and what stays mapped. */
  const attempt = () => {
    const before = handler();
    const outcome = failure(() => (guard(memory, PAGE) ? "guarded" : "unguarded"));
    return [outcome, handler() !== before, mapped.size];
  };
`;

const OPTIONS = { args: [newPath(), FFI, new URL("../../platform/sigbus/mod.ts", import.meta.url).href] };

const INSTALLED = ["guarded", true, 2];

guarded("a guard is missing once if a system call for it fails, and nothing stays mapped", () => {
  for (const [call, after] of [
    ["query", 0],
    ["mmap", 0],
    ["mmap", 1],
    ["sigaction", 0],
  ]) {
    const lines = printed(
      `${FAILING}
      fail(${JSON.stringify(call)}, ${after});
      print(...attempt());
      print(...attempt());
      const first = handler();
      // Once more, with the table of the handler before.
      install(0, 0);
      fail("mmap");
      print(...attempt());
      fail("sigaction");
      print(...attempt());
      print(...attempt());
      print(handler() !== first);`,
      OPTIONS,
    );
    const refused = ["unguarded", false, 0];
    const kept = ["unguarded", false, 2];
    assert.equal(lines, [refused, INSTALLED, kept, kept, ["guarded", true, 3], [true]], `${call} ${after}`);
  }
});

guarded("a system that allows no executable pages is not asked again", () => {
  const lines = printed(
    `${FAILING}
    fail("mprotect");
    print(...attempt());
    calls.length = 0;
    print(...attempt(), calls.length);`,
    OPTIONS,
  );
  assert.equal(lines, [
    ["unguarded", false, 0],
    ["unguarded", false, 0, 0],
  ]);
});

guarded(
  "what is thrown in the middle, such as a stack overflow, is thrown to the caller, and nothing stays mapped",
  () => {
    for (const call of ["query", "mprotect", "sigaction"]) {
      const lines = printed(
        `${FAILING}
      fail(${JSON.stringify(call)}, 0, new RangeError("Maximum call stack size exceeded"));
      print(...attempt());
      print(...attempt());`,
        OPTIONS,
      );
      assert.equal(lines, [["RangeError", false, 0], INSTALLED], call);
    }
  },
);

test.run();
