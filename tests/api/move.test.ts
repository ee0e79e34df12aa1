import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { refuses, text } from "../helpers/support.ts";

const test = suite("api/move");

test("move() copies within the map, also between overlapping ranges", () => {
  using mm = MMap.anonymous(8);
  mm.write("abcdefgh");
  mm.move(2, 0, 4);
  assert.is(text(mm.slice()), "ababcdgh");
  mm.move(0, 1, 7);
  assert.is(text(mm.slice()), "babcdghh");
  mm.move(8, 0, 0);
  refuses(RangeError, () => mm.move(0, 6, 3), "src", "6", "3");
  refuses(RangeError, () => mm.move(6, 0, 3), "dest", "6", "3");
  refuses(RangeError, () => mm.move(-1, 0, 3), "dest", "-1");
  assert.is(text(mm.slice()), "babcdghh");
});

test.run();
