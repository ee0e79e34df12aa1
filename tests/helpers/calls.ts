/**
 * For programs that look at the handler of SIGBUS, or install one of their own.
 *
 * @module
 */

/** The module by which a program calls C itself. */
export const FFI: string = new URL("../../ffi/mod.ts", import.meta.url).href;

/**
 * The start of such a program: `c` has libc's functions, `handler` returns the address of the current handler, and `install`
 * replaces it.
 */
export const CALLS = `
const { openFfi } = await import(process.argv[3]);
const ffi = openFfi();
const libraries = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
const c = {
  ...ffi.open(libraries, {
    mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
    sigaction: { parameters: ["i32", "bytes", "bytes"], result: "i32" },
    prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  }),
  current: ffi.open(libraries, { sigaction: { parameters: ["i32", "pointer", "bytes"], result: "i32" } }).sigaction,
};
function handler() {
  const action = new Uint8Array(152);
  c.current(7, 0, action);
  return Number(new BigUint64Array(action.buffer)[0]);
}
function install(address, flags, mask = 0) {
  const action = new Uint8Array(152);
  action[8] = mask;
  new BigUint64Array(action.buffer)[0] = BigInt(address);
  new Uint32Array(action.buffer)[34] = flags;
  if (c.sigaction(7, action, new Uint8Array(152)) !== 0) throw new Error("sigaction failed");
}
`;
