/**
 * Whether all functions that the library calls are among those that are compared with headers.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Signatures } from "../../ffi/types.ts";
import { ROOT } from "../helpers/runtimes.ts";
import { factsOf } from "./tables.ts";
import { TARGETS } from "./targets.ts";

/** What is wrong with the tables of functions in `platform/`: each is to be exported, and compared by tests/headers. */
export async function uncompared(): Promise<string[]> {
  const exported = new Set<unknown>();
  const names = new Set<string>();
  let written = 0;
  const platform = join(ROOT, "platform");
  for (const file of readdirSync(platform, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    written += readFileSync(join(platform, file), "utf8").match(/\bparameters: \[/g)?.length ?? 0;
    const module: object = await import(pathToFileURL(join(platform, file)).href);
    for (const [name, table] of Object.entries(module)) {
      if (!name.endsWith("SIGNATURES")) continue;
      for (const [called, signature] of Object.entries(table as Signatures)) {
        exported.add(signature);
        names.add(called);
      }
    }
  }
  const failures: string[] = [];
  if (exported.size !== written) {
    failures.push(
      `platform/ has ${written} functions, and exports ${exported.size} of them in tables named *SIGNATURES`,
    );
  }
  const compared = new Set(
    TARGETS.flatMap(({ system, arch }) => factsOf(system, arch))
      .filter(({ kind }) => kind === "functions")
      .map(({ name }) => name.replace(/\(.*/, "")),
  );
  for (const name of names) if (!compared.has(name)) failures.push(`${name} is in no table of tests/headers/tables.ts`);
  return failures;
}
