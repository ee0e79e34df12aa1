/**
 * Which tests belong to a source file: words for tests/all.ts, in groups that are run one after the other until one fails. The
 * first groups are the fastest and the likeliest to notice a change.
 *
 * @module
 */

/** The tests of the methods, without those that start many processes or search long texts. */
const METHODS = [
  ...["open", "constructor", "close", "read", "write", "lines", "index", "views", "move", "resize", "flush"],
  ...["madvise", "residency", "errors", "inspect"],
].map((name) => `api/${name}.test`);

const SYSTEMS = ["systems/"];
const REFUSED = ["safety/refused-calls", "safety/full-disk", "safety/sigbus-methods"];
const CRASHES = ["safety/views-outlive", "safety/lies"];
const BACKEND = ["units/backend", "units/import", "units/list", "units/constants"];

type Groups = readonly (readonly string[])[];

const GROUPS: readonly [files: RegExp, groups: Groups][] = [
  [/^lib\/search\/lines/, [["api/lines"], ["api/search"]]],
  [/^lib\/search\//, [["units/windowed"], ["api/search"]]],
  [/^lib\/slab/, [["units/slab", "api/lines", "api/read"]]],
  [/^lib\/validate/, [["units/validate", "api/errors"], METHODS]],
  [/^lib\/(open|extend)\./, [["api/open", "api/create"], ["api/errors"], REFUSED]],
  [/^lib\/mapping\/retention/, [["safety/retention"], ["safety/views-outlive"]]],
  [/^lib\/finalizer/, [["api/close"], ["safety/collected"]]],
  [/^lib\/mapping\/(faults|region)/, [["safety/sigbus-methods"], METHODS, SYSTEMS, REFUSED, CRASHES]],
  [/^lib\/mapping\//, [METHODS, SYSTEMS, REFUSED, CRASHES]],
  [/^lib\//, [METHODS, [...SYSTEMS, "safety/sigbus-methods"]]],
  [/^platform\/windows\//, [["systems/windows-calls"]]],
  [/^platform\/memmem/, [["units/memmem"]]],
  [/^platform\/sigbus\/table/, [["units/sigbus-table", "safety/sigbus-methods"]]],
  [/^platform\/sigbus\//, [["units/sigbus-table", "safety/sigbus-methods"], ["safety/sigbus-handler"]]],
  [/^platform\//, [[...SYSTEMS, ...BACKEND, "safety/sigbus-methods"], METHODS, REFUSED]],
  [
    /^ffi\//,
    [
      [...BACKEND, "api/read", "api/write", "api/open"],
      ["api/views", "api/resize", "safety/lies"],
    ],
  ],
];

/** The groups of tests that belong to a file. */
export function groupsOf(file: string): Groups {
  return GROUPS.find(([files]) => files.test(file))?.[1] ?? [];
}

/** The runtime that runs a file: the fastest, or the one that the file is for. */
export function runtimeOf(file: string): string {
  const own: Record<string, string> = { "ffi/koffi.ts": "node24", "ffi/node.ts": "node26-ffi", "ffi/deno.ts": "deno" };
  return own[file] ?? "bun";
}
