/**
 * Which tests belong to a source file: words for tests/all.ts, in groups that are run one after the other until one fails. The
 * first groups are the fastest and the likeliest to notice a change.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../helpers/runtimes.ts";

/** Start many processes, or search long texts. */
const SLOW = /^(search|processes|create|large)\./;

/** The tests of the methods that are fast. */
const METHODS = readdirSync(join(ROOT, "tests", "api"))
  .filter((file) => file.endsWith(".test.ts") && !SLOW.test(file))
  .map((file) => `api/${file}`);

const SYSTEMS = ["systems/"];
const REFUSED = ["safety/refused-calls", "safety/resize-refused", "safety/full-disk", "safety/sigbus-methods"];
const CRASHES = ["safety/views-outlive", "safety/lies", "safety/retention"];
const BACKEND = ["units/backend", "units/import", "units/list", "units/constants"];

/** The checks of arguments, and what they say. */
const ARGUMENTS = ["units/validate", "units/option-names", "api/errors", "api/mistakes", "api/realms", "api/inspect"];

type Groups = readonly (readonly string[])[];

const GROUPS: readonly [files: RegExp, groups: Groups][] = [
  [/^lib\/search\/lines/, [["api/lines"], ["api/search"]]],
  [/^lib\/search\//, [["units/regexp", "api/find"], ["units/windowed"], ["api/search"]]],
  [/^lib\/text\//, [["api/text"], ["api/lines"]]],
  [/^lib\/slab/, [["units/slab", "api/lines", "api/read"]]],
  [/^lib\/(validate|errors|explain|option)/, [ARGUMENTS, METHODS, SYSTEMS]],
  [/^lib\/(open|extend)\./, [["api/open", "api/create"], ["api/errors"], REFUSED]],
  [/^lib\/platform/, [BACKEND, METHODS]],
  [/^lib\/(sync\/|mapping\/mirror)/, [["api/wait", "api/mutex", "api/shared"], ["systems/"], ["safety/waiting"]]],
  [/^lib\/mapping\/retention/, [["safety/retention"], ["safety/views-outlive"], ["safety/collected"]]],
  [/^lib\/finalizer/, [["api/close"], ["safety/collected"]]],
  [/^lib\/mapping\/(faults|region)/, [["safety/sigbus-methods"], METHODS, SYSTEMS, REFUSED, CRASHES]],
  [/^lib\/mapping\/memory/, [METHODS, SYSTEMS, REFUSED, ["safety/collected"]]],
  [
    /^lib\/mapping\/(views|chunk-buffers)/,
    [["units/views", "api/views", "api/chunks"], METHODS, SYSTEMS, REFUSED, CRASHES],
  ],
  [/^lib\/mapping\//, [METHODS, SYSTEMS, REFUSED, CRASHES]],
  [/^lib\//, [METHODS, [...SYSTEMS, "safety/sigbus-methods"]]],
  [/^platform\/windows\//, [["systems/windows-calls", "systems/windows-maps"]]],
  [/^platform\/file-lock/, [["api/create"]]],
  [/^platform\/lock-files/, [["systems/lock-files"]]],
  [/^platform\/memmem/, [["units/memmem", "api/find"]]],
  [/^platform\/word-search/, [["units/word-search"]]],
  [/^platform\/(proc|android)/, [["units/proc", "units/backend", "systems/"], METHODS]],
  [/^platform\/sigbus\/table/, [["units/sigbus-table", "safety/sigbus-methods"]]],
  [
    /^platform\/sigbus\//,
    [
      ["units/sigbus-table", "safety/sigbus-methods"],
      ["safety/sigbus-refused", "safety/sigbus-handler"],
    ],
  ],
  [/^platform\//, [[...SYSTEMS, ...BACKEND, "safety/sigbus-methods"], METHODS, REFUSED]],
  [
    /^ffi\//,
    [
      [...BACKEND, "units/bigint-calls", "api/read", "api/write", "api/open"],
      ["api/views", "api/resize", "api/wait", "safety/lies", "safety/sandbox"],
    ],
  ],
];

/** The groups of tests that belong to a file. */
export function groupsOf(file: string): Groups {
  return GROUPS.find(([files]) => files.test(file))?.[1] ?? [];
}

/** The runtimes that run a file: the fastest, or those that the file is for. */
export function runtimesOf(file: string): readonly string[] {
  const own: Record<string, readonly string[]> = {
    // In Node 20, the longest view is another.
    "ffi/koffi.ts": ["node24", "node20"],
    "ffi/koffi-package.ts": ["node24"],
    "ffi/mod.ts": ["bun", "deno", "node24"],
    "ffi/node.ts": ["node26-ffi"],
    "ffi/deno.ts": ["deno"],
    "ffi/bigint-calls.ts": ["deno"],
    // How a descriptor is closed matters in Deno, and in Node's workers.
    "lib/mapping/backing.ts": ["bun", "deno", "node24"],
    // Their finalizers' errors show in Node alone.
    "lib/mapping/retention.ts": ["bun", "node24"],
    // Bun waits in no other thread.
    "lib/mapping/mirror.ts": ["deno"],
    "lib/sync/background.ts": ["deno"],
  };
  return own[file] ?? ["bun"];
}
