/**
 * The old place of array-buffer.ts, until lib/mapping.ts and lib/search.ts have moved.
 *
 * @module
 */

export { isDetached, lengthOf } from "../ffi/array-buffer.ts";
