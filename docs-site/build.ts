/**
 * Builds the documentation site into `site/`.
 *
 *     npm run docs                 # installs what builds it on first use
 *     npm run docs -- --preview    # and serves it
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { PAGES, PROGRAMS, ROOT } from "./pages.ts";
import { programPage } from "./programs.ts";

const HERE = join(ROOT, "docs-site");

/** What VitePress reads: the documents under the names of their pages. Nothing in it is kept. */
const SOURCES = join(HERE, "pages");

/** Installs the packages if that was never done, or if others are needed since. */
export function install(): void {
  const installed = join(HERE, "node_modules", ".package-lock.json");
  const needed = statSync(join(HERE, "package.json")).mtimeMs;
  if (existsSync(installed) && statSync(installed).mtimeMs >= needed) return;
  execFileSync("npm", ["install"], { cwd: HERE, stdio: "inherit", shell: process.platform === "win32" });
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(join(SOURCES, to)), { recursive: true });
  cpSync(join(ROOT, from), join(SOURCES, to));
}

export async function build(): Promise<void> {
  // They import what was installed just now.
  const { build: buildSite } = await import("vitepress");
  const { IMAGES } = await import("./markdown.ts");
  const { writeReference } = await import("./reference.ts");
  rmSync(SOURCES, { recursive: true, force: true });
  for (const { source, name } of PAGES) copy(source, `${name}.md`);
  for (const { source, name, title } of PROGRAMS) {
    writeFileSync(join(SOURCES, `${name}.md`), programPage(title, readFileSync(join(ROOT, source), "utf8")));
  }
  const images = readdirSync(join(ROOT, IMAGES)).filter((file) => file.endsWith(".svg"));
  for (const file of images) copy(`${IMAGES}/${file}`, `public/${IMAGES}/${file}`);
  await writeReference(join(SOURCES, "reference"));
  await buildSite(HERE);
}

if (process.argv[1] === join(HERE, "build.ts")) {
  install();
  await build();
  if (process.argv.includes("--preview")) await (await import("vitepress")).serve({ root: HERE });
}
