import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { newFile } from "../helpers/support.ts";

const test = suite("api/find");

test("find() and rfind() find what indexOf() and lastIndexOf() do, between every two bounds", () => {
  const content = "abcabcaabbccabc";
  using mm = MMap.open(newFile(`xyz${content}`), { offset: 3 });
  for (const needle of ["a", "c", "ab", "bc", "abc", "cc", "z", "az", content]) {
    for (let start = 0; start <= content.length; start++) {
      for (let end = start; end <= content.length; end++) {
        const part = content.slice(start, end);
        const plus = (index: number) => (index === -1 ? -1 : start + index);
        const where = `${needle} from ${start} to ${end}`;
        assert.is(mm.find(needle, start, end), plus(part.indexOf(needle)), where);
        assert.is(mm.rfind(needle, start, end), plus(part.lastIndexOf(needle)), where);
      }
    }
  }
});

test("find() and rfind() find nothing where the bounds are too close, and the empty string at a bound", () => {
  using mm = MMap.open(newFile("abc"));
  assert.equal([mm.find("ab", 2), mm.rfind("ab", 2), mm.find("abcd"), mm.rfind("abcd")], [-1, -1, -1, -1]);
  assert.equal([mm.find("", 1, 2), mm.rfind("", 1, 2), mm.find("", 2, 1), mm.rfind("", 2, 1)], [1, 2, -1, -1]);
});

test.run();
