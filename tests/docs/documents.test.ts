import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "../helpers/runtimes.ts";
import { unless } from "../helpers/support.ts";

const test = suite("documents");

/** Where the project's files are on the web: links that work on npm and JSR too. */
const WEB = "https://github.com/mmap-ffi/mmap-ffi/";
const RAW = "https://raw.githubusercontent.com/mmap-ffi/mmap-ffi/main/";

/** What these documents link to: not every copy of the project has all of it. */
const PARTS = ["docs", "bench/results", "examples", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"];
const partial = PARTS.some((part) => !existsSync(join(ROOT, part))) && "this copy of the project has not all documents";

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** The documents, without those that a script makes. */
function documents(): string[] {
  const files = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "bench/README.md",
    "examples/README.md",
  ];
  return [...files, ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].filter((name) =>
    name.endsWith(".md"),
  );
}

/** The links and images of a Markdown file, without those in code. */
function linksOf(file: string): string[] {
  const prose = read(file)
    .replace(/```[\s\S]*?```/g, "")
    .replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)/gm)].map(
    ([, inline, reference]) => `${inline ?? reference}`,
  );
}

/** The anchors that GitHub gives to the headings of a Markdown file. */
function anchorsOf(file: string): string[] {
  const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => `${heading}`);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, "")
      .replace(/ /g, "-"),
  );
}

/** Whether a file of the project, with an anchor or without, exists. */
function exists(target: string): boolean {
  const [file = "", anchor] = target.split("#");
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || anchorsOf(file).includes(anchor);
}

unless(partial, test)("each table is at most 110 characters wide", () => {
  const wide = documents().flatMap((file) =>
    read(file)
      .split(/\r?\n/)
      .filter((line) => line.startsWith("|") && line.length > 110)
      .map((line) => `${file}: ${line}`),
  );
  assert.equal(wide, []);
});

unless(partial, test)("each link of the README is absolute, and what it names of the project exists", () => {
  const links = linksOf("README.md");
  assert.ok(links.length > 15, `${links.length} links`);
  assert.equal(
    links.filter((link) => !link.startsWith("https://")),
    [],
  );
  const own = links.filter((link) => link.startsWith(WEB) || link.startsWith(RAW));
  const named = own.map((link) =>
    link
      .replace(RAW, "")
      .replace(WEB, "")
      .replace(/^(blob|tree)\/main\//, ""),
  );
  assert.ok(named.length > 10, `${named.length} links into the project`);
  assert.equal(
    named.filter((target) => !exists(target)),
    [],
  );
});

unless(partial, test)("each link between the documents leads to a file and a heading", () => {
  const broken: string[] = [];
  for (const document of documents().filter((name) => name !== "README.md")) {
    for (const link of linksOf(document)) {
      if (/^https?:/.test(link)) continue;
      const target = link.startsWith("#") ? `${document}${link}` : join(dirname(document), link).replace(/\\/g, "/");
      if (!exists(target)) broken.push(`${document}: ${link}`);
    }
  }
  assert.equal(broken, []);
});

unless(partial, test)("each file of the project that a document names exists", () => {
  const named = documents().flatMap((document) => {
    const paths = read(document).matchAll(/`((?:lib|ffi|platform|tests|docs|bench|examples)\/[a-z0-9_./-]*)`/g);
    return [...paths].map(([, path]) => ({ document, path: `${path}` }));
  });
  assert.ok(named.length > 20, `${named.length} files`);
  assert.equal(
    named.filter(({ path }) => !exists(path)),
    [],
  );
});

unless(partial, test)("each file and folder of CONTRIBUTING's layout exists", () => {
  const [, layout = ""] = /```text\r?\n([\s\S]*?)```/.exec(read("CONTRIBUTING.md")) ?? [];
  const sections = layout.split(/^(?=\S)/m).map((text) => ({ folder: text.split("/")[0] as string, text }));
  const missing = sections.flatMap(({ folder, text }) => {
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
    const known = new Set(files.map((file) => file.replace(/\\/g, "/").split("/").at(-1)));
    const names = [...text.matchAll(/[\w-]+(?:\.ts\b|\/)/g)].map(([name]) => name.replace("/", ""));
    assert.ok(names.length > 2, `${folder}: ${names}`);
    return names.filter((name) => name !== folder && !known.has(name) && !existsSync(join(ROOT, name)));
  });
  assert.equal(missing, []);
  assert.ok(layout.trimEnd().split("\n").length <= 30, "the layout has at most 30 lines");
});

test.run();
