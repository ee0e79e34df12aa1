import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DIFFERENCES } from "./fuzz/differences.ts";
import { differential } from "./fuzz/differential.ts";
import { Peer, pythonMissing } from "./fuzz/peer.ts";
import { FOLDER, runs } from "./support.ts";

const test = suite("fuzzing against CPython");

if (runs("fuzzing against CPython", pythonMissing())) {
  test("the library and CPython's mmap agree about a few thousand random steps", async () => {
    const peer = new Peer(join(FOLDER, "theirs"));
    const { steps, failure } = await differential(peer, FOLDER, { steps: 4000, seed: 20_260 });
    await peer.close();
    assert.is(failure, undefined, failure);
    assert.ok(steps >= 4000);
  });
}

test("each deliberate difference has its reason", () => {
  for (const { what, reason } of DIFFERENCES) assert.ok(what.endsWith(".") && reason.endsWith("."), what);
});

test.run();
