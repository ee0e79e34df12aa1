/**
 * The pages of the site: which document of the repository each shows, and its place in the sidebar.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export interface Page {
  /** The document's path in the repository. */
  readonly source: string;
  /** The page's path in the site, without an extension. */
  readonly name: string;
  /** What the sidebar calls it. */
  readonly title: string;
}

export interface Group {
  readonly title: string;
  readonly pages: readonly Page[];
}

/** A page whose title is the document's heading up to a colon, unless another is given. */
function page(source: string, name: string, title?: string): Page {
  const [, heading = name] = /^# ([^\r\n:]*)/m.exec(readFileSync(join(ROOT, source), "utf8")) ?? [];
  return { source, name, title: title ?? heading };
}

/** The page of a document in `docs/`. */
function document(name: string): Page {
  return page(`docs/${name}.md`, name);
}

const documents = readdirSync(join(ROOT, "docs"))
  .filter((file) => file.endsWith(".md") && file !== "README.md")
  .map((file) => file.slice(0, -".md".length));

const BEGINNING = ["recipes", "sharing", "cli"];
const SAFETY = ["safety", "closing", "limits", "truncation"];
const REFERENCE = ["api", "systems"];
const coming = ["python", ...documents.filter((name) => name.startsWith("from-"))];
const placed = new Set([...BEGINNING, ...coming, ...SAFETY, ...REFERENCE]);

/** Pages that TypeDoc writes: they have no document. */
export const WRITTEN = [
  { text: "MMap: every method", link: "/reference/Class.MMap" },
  { text: "Everything else", link: "/reference/" },
];

/** The sidebar. A document of `docs/` that no group names is in the last. */
export const GROUPS: readonly Group[] = [
  {
    title: "Start",
    pages: [
      page("README.md", "start", "Getting started"),
      ...BEGINNING.map(document),
      page("examples/README.md", "examples"),
    ],
  },
  { title: "Coming from", pages: coming.map(document) },
  { title: "Safety", pages: SAFETY.map(document) },
  { title: "Reference", pages: REFERENCE.map(document) },
  {
    title: "Benchmarks",
    pages: [
      page("docs-site/benchmarks.md", "benchmarks", "Charts"),
      page("bench/README.md", "figures", "Figures, and their reasons"),
      page("bench/results/README.md", "results", "All figures"),
    ],
  },
  {
    title: "More",
    pages: [
      ...documents.filter((name) => !placed.has(name)).map(document),
      page("CONTRIBUTING.md", "contributing"),
      page("SECURITY.md", "security"),
      page("CHANGELOG.md", "changelog"),
    ],
  },
];

/** The programs of a folder, without the one that maps the files of the checkout. */
function programs(folder: string): Page[] {
  const files = readdirSync(join(ROOT, folder)).filter((file) => file.endsWith(".ts") && file !== "demo.ts");
  return files.map((file) => ({
    source: `${folder}/${file}`,
    name: `${folder}/${file.slice(0, -".ts".length)}`,
    title: file,
  }));
}

/** The examples. They are not in the sidebar: documents link to them. */
export const PROGRAMS: readonly Page[] = [...programs("examples"), ...programs("examples/formats")];

export const PAGES: readonly Page[] = [
  { source: "docs-site/index.md", name: "index", title: "mmap-ffi" },
  ...GROUPS.flatMap(({ pages }) => pages),
  ...PROGRAMS,
];
