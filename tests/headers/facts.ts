/**
 * Statements about C headers, as C++ that a compiler checks: the value of a constant, the place of a field in its structure, the
 * size of a structure, the types of a function.
 *
 * @module
 */

import type { CType, Signatures } from "../../ffi/types.ts";
import type { Field } from "../../platform/status.ts";

/** What is compared: for the report. */
type Kind = "constants" | "fields" | "sizes" | "functions";

/** One statement, and the same with a wrong value, which the compiler must reject. */
export interface Fact {
  readonly kind: Kind;
  readonly name: string;
  readonly condition: string;
  readonly wrong: string;
}

/** Definitions that the statements need. */
export const PRELUDE = `
template <class T> struct Of {
  static constexpr bool integer = __is_integral(T) || __is_enum(T);
  static constexpr bool isSigned = __is_signed(T) || __is_enum(T);
  static constexpr bool isVoid = false, isPointer = __is_pointer(T);
  static constexpr bool i32 = integer && isSigned && sizeof(T) == 4;
  static constexpr bool u32 = integer && !__is_signed(T) && sizeof(T) <= 4;
  static constexpr bool i64 = sizeof(T) == 8 && ((integer && isSigned) || (isWindows && isPointer));
  static constexpr bool i64Unsigned = sizeof(T) == 8 && integer;
};
template <> struct Of<void> {
  static constexpr bool isVoid = true, isPointer = false, i32 = false, u32 = false, i64 = false, i64Unsigned = false;
};
enum class C { Void, I32, U32, I64, Usize, Pointer, Bytes };
template <class T> constexpr bool fits(C type) {
  return type == C::Void ? Of<T>::isVoid : type == C::I32 ? Of<T>::i32 : type == C::U32 ? Of<T>::u32
    : type == C::I64 ? Of<T>::i64 || (isWindows && Of<T>::i64Unsigned) : type == C::Usize ? Of<T>::i64Unsigned
    : Of<T>::isPointer;
}
template <C... Given> struct Types {};
// What is passed for a function's "..." has no type there.
template <bool Variadic, class Parameters, class Given> struct Match { static constexpr bool value = false; };
template <class... P> struct List {};
template <bool Variadic> struct Match<Variadic, List<>, Types<>> { static constexpr bool value = true; };
template <C First, C... Rest> struct Match<true, List<>, Types<First, Rest...>> {
  static constexpr bool value = passesVariadic;
};
template <bool Variadic, class P, class... Others, C First, C... Rest>
struct Match<Variadic, List<P, Others...>, Types<First, Rest...>> {
  static constexpr bool value = fits<P>(First) && Match<Variadic, List<Others...>, Types<Rest...>>::value;
};
template <class F> struct Function;
template <class R, class... P> struct Function<R(P...)> {
  template <C Result, C... Given> static constexpr bool is() {
    return fits<R>(Result) && Match<false, List<P...>, Types<Given...>>::value;
  }
};
template <class R, class... P> struct Function<R(P..., ...)> {
  template <C Result, C... Given> static constexpr bool is() {
    return fits<R>(Result) && Match<true, List<P...>, Types<Given...>>::value;
  }
};
// The compiler folds what is a pointer in the header, like SIG_IGN.
#define INTEGER(x) (__builtin_constant_p((long long)(x)) ? (long long)(x) : (long long)(x))
`;

const TYPES: Record<CType, string> = {
  void: "C::Void",
  i32: "C::I32",
  u32: "C::U32",
  i64: "C::I64",
  usize: "C::Usize",
  pointer: "C::Pointer",
  bytes: "C::Bytes",
};

/** For each type, one that it is not. */
const OTHER: Record<CType, CType> = {
  void: "i32",
  i32: "u32",
  u32: "i32",
  i64: "i32",
  usize: "u32",
  pointer: "i32",
  bytes: "i32",
};

export function constant(name: string, value: number): Fact {
  const equals = (expected: number) => `INTEGER(${name}) == ${expected}LL`;
  return { kind: "constants", name, condition: equals(value), wrong: equals(value + 1) };
}

export function constants(values: Readonly<Record<string, number>>): Fact[] {
  return Object.entries(values).map(([name, value]) => constant(name, value));
}

/** `bytes` is left out if the field is known by its place alone. */
export function field(struct: string, name: string, { at, bytes }: { at: number; bytes?: Field["bytes"] }): Fact {
  const size = bytes === undefined ? "" : ` && sizeof(((${struct} *)0)->${name}) == ${bytes}`;
  const lies = (offset: number) => `__builtin_offsetof(${struct}, ${name}) == ${offset}${size}`;
  return { kind: "fields", name: `${struct}.${name}`, condition: lies(at), wrong: lies(at + 4) };
}

/** The structure fits into `length` bytes. */
export function size(struct: string, length: number): Fact {
  const fits = (bytes: number) => `sizeof(${struct}) <= ${bytes}`;
  return { kind: "sizes", name: struct, condition: fits(length), wrong: fits(1) };
}

/** The functions' types. `wrong`: the first parameter has another type; the result, if there is no parameter. */
export function functions(signatures: Signatures): Fact[] {
  return Object.entries(signatures).map(([name, { parameters, result }]) => {
    const has = (types: readonly CType[]) =>
      `Function<decltype(${name})>::is<${types.map((type) => TYPES[type]).join(", ")}>()`;
    const types = [result, ...parameters];
    const changed = parameters.length === 0 ? 0 : 1;
    return {
      kind: "functions" as const,
      name: `${name}(${parameters.join(", ")})`,
      condition: has(types),
      wrong: has(types.map((type, index) => (index === changed ? OTHER[type] : type))),
    };
  });
}
