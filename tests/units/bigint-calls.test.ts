import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withNumberArguments } from "../../ffi/bigint-calls.ts";
import type { CType } from "../../ffi/types.ts";

const test = suite("units/bigint-calls");

const KINDS: CType[] = ["pointer", "usize", "i64", "i32", "u32", "bytes"];
const isWide = (type: CType) => ["pointer", "usize", "i64"].includes(type);

test("withNumberArguments() passes 64-bit arguments as BigInts, in every place of up to nine", () => {
  for (let count = 0; count <= 9; count++) {
    for (const first of KINDS.keys()) {
      const parameters = Array.from({ length: count }, (_, index) => KINDS[(first + index) % KINDS.length] as CType);
      const values = parameters.map((type, index) => (type === "bytes" ? Uint8Array.of(index) : 100 + index));
      let got: unknown[] = [];
      const call = (...given: unknown[]) => {
        got = [...given];
        return 7;
      };
      const { f } = withNumberArguments({ f: call }, { f: { parameters, result: "i32" } });
      assert.is((f as (...all: unknown[]) => unknown)(...values), 7);
      const expected = values.map((value, index) =>
        isWide(parameters[index] as CType) ? BigInt(value as number) : value,
      );
      assert.equal(got, expected, parameters.join());
    }
  }
});

test("withNumberArguments() returns 64-bit results as numbers, and others as they are", () => {
  for (let count = 0; count <= 7; count++) {
    const parameters = Array.from({ length: count }, () => "i32" as const);
    for (const result of ["pointer", "usize", "i64"] as const) {
      const { f } = withNumberArguments({ f: () => 5n }, { f: { parameters, result } });
      assert.is((f as (...all: unknown[]) => unknown)(...parameters.map(() => 1)), 5);
    }
    for (const [result, value] of [
      ["i32", -1],
      ["u32", 1],
      ["void", undefined],
    ] as const) {
      const { f } = withNumberArguments({ f: () => value }, { f: { parameters, result } });
      assert.is((f as (...all: unknown[]) => unknown)(...parameters.map(() => 1)), value);
    }
  }
});

test("withNumberArguments() passes addresses beyond 32 bits", () => {
  const given: unknown[] = [];
  const { f } = withNumberArguments(
    { f: (value) => given.push(value) },
    { f: { parameters: ["pointer"], result: "i32" } },
  );
  (f as (value: number) => unknown)(2 ** 47 - 1);
  assert.equal(given, [2n ** 47n - 1n]);
});

test.run();
