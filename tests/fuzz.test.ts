import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DIFFERENCES } from "./fuzz/differences.ts";
import { differential } from "./fuzz/differential.ts";
import { Peer, pythonMissing } from "./fuzz/peer.ts";
import { FOLDER, repetitions, runs } from "./support.ts";

const test = suite("fuzzing against CPython");

if (runs("fuzzing against CPython", pythonMissing())) {
  test("the library and CPython's mmap agree about many random steps", async () => {
    const peer = new Peer(join(FOLDER, "theirs"));
    const wanted = repetitions(4000);
    const { steps, failure } = await differential(peer, FOLDER, { steps: wanted, seed: 20_260 });
    await peer.close();
    assert.is(failure, undefined, failure);
    assert.ok(steps >= wanted);
  });
}

test("each deliberate difference has its reason", () => {
  for (const { what, reason } of DIFFERENCES) assert.ok(what.endsWith(".") && reason.endsWith("."), what);
});

test.run();
