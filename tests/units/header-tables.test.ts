/**
 * The compiler that compares the tables in `platform/` with C headers (`npm run test:headers`) is not run here, but what it is
 * given is looked at.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { uncompared } from "../headers/coverage.ts";

const test = suite("units/header-tables");

test("each function that platform/ calls is in an exported table, which tests/headers/tables.ts compares with headers", async () => {
  assert.equal(await uncompared(), []);
});

test.run();
