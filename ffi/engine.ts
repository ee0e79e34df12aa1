/**
 * The old names of primordials.ts, until lib/mapping.ts and lib/search.ts have moved.
 *
 * @module
 */

export {
  ArrayBuffer as Buffers,
  define,
  ensureStackSpace as needStack,
  getterOf,
  Int32Array as Words,
  MathCeil as ceil,
  MathFloor as floor,
  MathLog2 as log2,
  MathMax as max,
  MathMin as min,
  NO_ARGUMENTS as NONE,
  Number as toNumber,
  NumberIsInteger as isInteger,
  ReflectApply as apply,
  Uint8Array as Bytes,
} from "./primordials.ts";
