/**
 * The old names of builtins.ts, until lib/mapping.ts and lib/search.ts have moved.
 *
 * @module
 */

export { builtins as host } from "./builtins.ts";
