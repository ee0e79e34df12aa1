/**
 * 64-bit values for the runtimes that want them as BigInt: Deno, which calls C sooner with these than with numbers, and
 * `node:ffi`, which takes nothing else.
 *
 * @module
 */

import { mapped, mapValues, toBigInt, toNumber } from "./engine.ts";
import type { CType, Signature } from "./types.ts";

/** A function of C, whatever it takes. */
export type Call = (...values: unknown[]) => unknown;

function isWide(type: CType): boolean {
  return type === "i64" || type === "usize" || type === "pointer";
}

function given(wide: boolean | undefined, value: unknown): unknown {
  return wide ? toBigInt(value as number) : value;
}

function got(wide: boolean, value: unknown): unknown {
  return wide ? toNumber(value) : value;
}

/**
 * The same function with numbers for 64-bit integers and addresses. One closure a count of parameters: a rest parameter
 * would cost an array a call.
 */
function withNumbers(call: Call, { parameters, result }: Signature): Call {
  const wide = mapped(parameters, isWide);
  const { 0: first, 1: second, 2: third, 3: fourth, 4: fifth, 5: sixth } = wide;
  const back = isWide(result);
  switch (wide.length) {
    case 0:
      return () => got(back, call());
    case 1:
      return (a) => got(back, call(given(first, a)));
    case 2:
      return (a, b) => got(back, call(given(first, a), given(second, b)));
    case 3:
      return (a, b, c) => got(back, call(given(first, a), given(second, b), given(third, c)));
    case 4:
      return (a, b, c, d) => got(back, call(given(first, a), given(second, b), given(third, c), given(fourth, d)));
    case 5:
      return (a, b, c, d, e) =>
        got(back, call(given(first, a), given(second, b), given(third, c), given(fourth, d), given(fifth, e)));
    case 6:
      return (a, b, c, d, e, f) =>
        got(
          back,
          call(given(first, a), given(second, b), given(third, c), given(fourth, d), given(fifth, e), given(sixth, f)),
        );
    default:
      return (...values) => got(back, call(...values.map((value, index) => given(wide[index], value))));
  }
}

/** All functions of a table, with numbers. */
export function allWithNumbers(calls: Record<string, Call>, signatures: Readonly<Record<string, Signature>>) {
  return mapValues(signatures, (signature, name) => withNumbers(calls[name] as Call, signature));
}
