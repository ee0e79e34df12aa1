import { suite } from "uvu";
import * as assert from "uvu/assert";
import { List } from "../../ffi/list.ts";

const test = suite("units/list");

function elements<T>(list: List<T>): T[] {
  const seen: T[] = [];
  list.each((value) => seen.push(value));
  return seen;
}

test("each visits the elements from the newest to the oldest", () => {
  const list = new List<number>();
  assert.equal(elements(list), []);
  for (const value of [1, 2, 3]) list.add(value);
  assert.equal(elements(list), [3, 2, 1]);
});

test("each does not visit what is added meanwhile", () => {
  const list = new List<number>();
  list.add(1);
  list.each((value) => list.add(value + 1));
  assert.equal(elements(list), [2, 1]);
});

test("take removes the newest element, and returns undefined once the list is empty", () => {
  const list = new List<number>();
  assert.is(list.isEmpty, true);
  list.add(1);
  list.add(2);
  assert.is(list.isEmpty, false);
  assert.is(list.take(), 2);
  list.add(3);
  assert.equal([list.take(), list.take(), list.take()], [3, 1, undefined]);
  assert.is(list.isEmpty, true);
});

test("some stops at the first element that passes the test", () => {
  const list = new List<number>();
  assert.is(
    list.some(() => true),
    false,
  );
  for (const value of [1, 2, 3]) list.add(value);
  const tested: number[] = [];
  const isTwo = (value: number) => {
    tested.push(value);
    return value === 2;
  };
  assert.is(list.some(isTwo), true);
  assert.equal(tested, [3, 2]);
  assert.is(
    list.some((value) => value > 3),
    false,
  );
});

test("a replaced built-in sees nothing of it", () => {
  const { push } = Array.prototype;
  const iterate = Array.prototype[Symbol.iterator];
  const seen: unknown[] = [];
  const list = new List<string>();
  Array.prototype.push = Array.prototype[Symbol.iterator] = function (this: unknown) {
    seen[seen.length] = this;
    return undefined as never;
  };
  try {
    list.add("address");
    list.each(() => undefined);
    list.some(() => false);
    list.take();
  } finally {
    Array.prototype.push = push;
    Array.prototype[Symbol.iterator] = iterate;
  }
  assert.is(seen.length, 0);
});

test.run();
