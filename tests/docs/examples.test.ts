import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withTable } from "../../bench/readme.ts";
import type { Outcome } from "../../bench/report.ts";
import { MMap } from "../../lib/mod.ts";
import { ROOT } from "../helpers/runtimes.ts";
import {
  EMULATED,
  LIBRARY,
  newFile,
  newPath,
  runFile,
  runs,
  unless,
  WINDOWS,
  withoutDescriptors,
} from "../helpers/support.ts";

const test = suite("examples");

const deleting = unless(
  WINDOWS &&
    !("transfer" in ArrayBuffer.prototype) &&
    "this runtime cannot detach a view, and Windows deletes no file that has one",
  test,
);
const inherited = unless(WINDOWS && "a child inherits no descriptors there", test);
const described = unless(withoutDescriptors, test);

function printedByExample(name: string, args: string[] = []): string {
  const { code, signal, stdout, stderr } = runFile(join(ROOT, "examples", name), { args });
  assert.is(signal ?? code, 0, `${name} ended with ${signal ?? code}: ${stdout}${stderr}`);
  return stdout.trim();
}

described("the Python page's first example", () => {
  assert.is(printedByExample("python-page.ts"), "Hello Python!\nHello\nHello  world!\nHello  world!");
});

test("grep over a file", () => {
  const path = newFile("one fish\ntwo fish\nred\n\nblue fish fish");
  assert.is(printedByExample("grep.ts", ["f[a-z]sh$", path]), "1: one fish\n2: two fish\n5: blue fish fish");
  assert.is(printedByExample("grep.ts", ["^$", path]), "4:");
  assert.is(printedByExample("grep.ts", ["nothing", path]), "");
});

deleting("columns of a binary file", () => {
  assert.is(printedByExample("columns.ts"), "1000000 rows\nx: 499999500000\ny: 249999750000");
});

test("huge pages, where the system has them and lets this process use them", () => {
  const lines = printedByExample("huge-pages.ts", ["8"]).split("\n");
  const [plain, ...others] = lines;
  assert.match(plain ?? "", /^ordinary pages: \d+ ns a read$/);
  assert.is(others.length, 2, lines.join());
  for (const line of others) assert.match(line, /^(MADV_HUGEPAGE|MAP_HUGETLB): (\d+ ns a read|not here: .+)$/);
});

unless(
  EMULATED && "it starts a child by process.execPath, and this machine's system can't run that without the emulator",
  inherited,
)("parent and child", () => {
  const printed = printedByExample("parent-and-child.ts");
  assert.is(printed, "child reads: Hello world!\nfile: from the child\nmemory: Hello parent");
});

/** The programs in a Markdown file or in doc comments: fenced code that imports the library. */
function programsIn(content: string): string[] {
  const plain = content.replace(/^ *\* ?/gm, "");
  const blocks = [...plain.matchAll(/```(?:ts|js)\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  return blocks.filter((block) => /from "(mmap-ffi|@mmap-ffi\/mmap|jsr:@mmap-ffi\/mmap)"/.test(block));
}

/** What programs do that not every system and runtime can, and the reason where they can't. */
const NOT_HERE: readonly [part: string, reason: string | false | undefined][] = [
  ["mm.fd", WINDOWS && "a child inherits no descriptors there"],
  ["new MMap(fd", withoutDescriptors],
  [".residency(", WINDOWS && "Windows has no mincore"],
  [
    'writeFileSync("',
    WINDOWS && process.versions.bun !== undefined && "Bun's writeFileSync makes no file by a relative path under Wine",
  ],
];

test("every program in the README and in the doc comments runs", () => {
  const sources = ["README.md", "lib/mod.ts", "lib/mmap.ts", "lib/errors.ts"].filter((file) =>
    existsSync(join(ROOT, file)),
  );
  const found = sources.flatMap((file) => programsIn(readFileSync(join(ROOT, file), "utf8")));
  const programs = found.filter((program) =>
    NOT_HERE.every(([part, reason]) => !program.includes(part) || runs(`the program with ${part}`, reason)),
  );
  assert.ok(programs.length >= 10, `${programs.length} programs`);
  // They run in a folder that has nothing but them, as a newcomer's has.
  const folder = newPath();
  mkdirSync(folder);
  writeFileSync(join(folder, "child.js"), "");
  for (const [index, program] of programs.entries()) {
    const runnable = program.replace(
      /from "(?:jsr:)?(?:@mmap-ffi\/mmap|mmap-ffi)"/g,
      `from ${JSON.stringify(LIBRARY)}`,
    );
    writeFileSync(join(folder, `program-${index}.mts`), `${runnable}\nexport {};\n`);
  }
  const names = readdirSync(folder).filter((name) => name.startsWith("program-"));
  assert.is(names.length, programs.length);
  const all = join(folder, "all.mts");
  const imports = names.map((name) => `await import("./${name}");`).join("\n");
  writeFileSync(all, `process.chdir(${JSON.stringify(folder)});\n${imports}\nconsole.log("all ran");\n`);
  const { code, stdout, stderr } = runFile(all);
  assert.ok(code === 0 && stdout.endsWith("all ran\n"), `${stdout}${stderr}`);
});

test("every member of MMap has an example", () => {
  const source = readFileSync(join(ROOT, "lib", "mmap.ts"), "utf8");
  // A comment of several lines, and the name that follows it.
  const comments = /^ {2}\/\*\*\n([\s\S]*?)^ {3}\*\/\n {2}(?:static |get |async |\*)*([\w[\].]+)/gm;
  const withExample = [...source.matchAll(comments)].flatMap(([, comment, name]) =>
    comment?.includes("@example") ? [name] : [],
  );
  const methods = Object.getOwnPropertyNames(MMap.prototype);
  const symbols = ["[index", "[Symbol.iterator]", "[Symbol.dispose]"];
  const without = [...methods, "open", "anonymous", ...symbols].filter((name) => !withExample.includes(name));
  assert.equal(without, []);
  assert.ok(methods.length > 35, `${methods.length} methods`);
});

const RESULTS = join(ROOT, "bench", "results", "results.json");

unless(!existsSync(RESULTS) && "the results are not here", test)(
  "the README's figures are those of the results",
  () => {
    const { results } = JSON.parse(readFileSync(RESULTS, "utf8")) as { results: Record<string, Outcome[]> };
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    assert.is(withTable(readme, new Map(Object.entries(results))), readme);
  },
);

test.run();
