import { inspect } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { newFile, printedBy } from "../helpers/support.ts";

const test = suite("api/inspect");

const LETTERS = "abcdefghij";

test("inspect() prints one line: closed, access, length, pos, offset", () => {
  const mm = MMap.open(newFile(LETTERS), { offset: 2 });
  mm.seek(3);
  assert.is(inspect(mm), 'MMap { closed: false, access: "read", length: 8, pos: 3, offset: 2 }');
  mm.close();
  assert.is(inspect(mm), 'MMap { closed: true, access: "read" }');
});

test("inspect() names the map's class without calling its code", () => {
  const rest = ' { closed: false, access: "default", length: 1, pos: 0, offset: 0 }';
  class Words extends MMap {}
  class Sentences extends Words {
    static override get name(): string {
      throw new Error("asked for its name");
    }
  }
  for (const [kind, name] of [
    [Words, "Words"],
    [Sentences, "Words"],
    [class extends MMap {}, "MMap"],
  ] as const) {
    using mm = kind.anonymous(1);
    assert.is(inspect(mm), `${name}${rest}`);
  }
  using changed = Words.anonymous(1);
  Object.setPrototypeOf(changed, Object.create(MMap.prototype, { constructor: { get: () => assert.unreachable() } }));
  // Not by inspect, which asks for the constructor itself.
  const describe = Reflect.get(changed, Symbol.for("nodejs.util.inspect.custom")) as () => string;
  assert.is(describe.call(changed), `MMap${rest}`);
});

test("console.log() prints the line of inspect()", () => {
  const printed = printedBy("const mm = MMap.anonymous(10); console.log(mm); mm.close(); console.log(mm);");
  assert.is(
    printed,
    'MMap { closed: false, access: "default", length: 10, pos: 0, offset: 0 }\nMMap { closed: true, access: "default" }',
  );
});

test("the prototype is a plain object to Object.prototype.toString, by which Jest decides what it can mock", () => {
  const tagOf = (value: unknown) => Object.prototype.toString.call(value);
  using mm = MMap.anonymous(1);
  assert.equal([tagOf(mm), tagOf(MMap.prototype)], ["[object MMap]", "[object Object]"]);
});

test("inspect() of the prototype, or of an object that inherits from it, prints its name", () => {
  class Words extends MMap {}
  for (const object of [MMap.prototype, Words.prototype, Object.create(MMap.prototype)]) {
    const describe = Reflect.get(object, Symbol.for("nodejs.util.inspect.custom")) as () => string;
    assert.is(describe.call(object), "MMap {}");
  }
  // Node prints "Object [MMap] {}".
  assert.match(printedBy('console.log(MMap.prototype); console.log("on");'), /^.*MMap.*\{\}\non$/);
});

test.run();
