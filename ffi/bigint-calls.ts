/**
 * Calls with BigInt arguments for 64-bit types: Deno calls C faster with these than with numbers, and `node:ffi` takes
 * nothing else.
 *
 * @module
 */

import { BigInt, mapArray, mapValues, Number, ReflectApply } from "./primordials.ts";
import type { CType, Signature } from "./types.ts";

/** Any C function. */
export type Call = (...values: unknown[]) => unknown;

function isWide(type: CType): boolean {
  return type === "i64" || type === "usize" || type === "pointer";
}

function toC(wide: boolean | undefined, value: unknown): unknown {
  return wide ? BigInt(value as number) : value;
}

function fromC(wide: boolean, value: unknown): unknown {
  return wide ? Number(value) : value;
}

/**
 * The same function with numbers for 64-bit integers and addresses. There is one closure for each number of parameters,
 * because a rest parameter would create an array at each call.
 */
function withNumbers(call: Call, { parameters, result }: Signature): Call {
  const wide = mapArray(parameters, isWide);
  const { 0: first, 1: second, 2: third, 3: fourth, 4: fifth, 5: sixth } = wide;
  const back = isWide(result);
  switch (wide.length) {
    case 0:
      return () => fromC(back, call());
    case 1:
      return (a) => fromC(back, call(toC(first, a)));
    case 2:
      return (a, b) => fromC(back, call(toC(first, a), toC(second, b)));
    case 3:
      return (a, b, c) => fromC(back, call(toC(first, a), toC(second, b), toC(third, c)));
    case 4:
      return (a, b, c, d) => fromC(back, call(toC(first, a), toC(second, b), toC(third, c), toC(fourth, d)));
    case 5:
      return (a, b, c, d, e) =>
        fromC(back, call(toC(first, a), toC(second, b), toC(third, c), toC(fourth, d), toC(fifth, e)));
    case 6:
      return (a, b, c, d, e, f) =>
        fromC(back, call(toC(first, a), toC(second, b), toC(third, c), toC(fourth, d), toC(fifth, e), toC(sixth, f)));
    default:
      return (...values) => {
        for (let index = 0; index < values.length; index++) values[index] = toC(wide[index], values[index]);
        return fromC(back, ReflectApply(call, undefined, values));
      };
  }
}

/** All functions of a table, with numbers for 64-bit integers and addresses. */
export function withNumberArguments(calls: Record<string, Call>, signatures: Readonly<Record<string, Signature>>) {
  return mapValues(signatures, (signature, name) => withNumbers(calls[name] as Call, signature));
}
