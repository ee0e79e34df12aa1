import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withFigures, withSummary } from "../../bench/readme.ts";
import type { Outcome } from "../../bench/report.ts";
import { MMap } from "../../lib/mod.ts";
import { ROOT } from "../helpers/runtimes.ts";
import {
  commandFor,
  EMULATED,
  type Ended,
  LIBRARY,
  newFile,
  newPath,
  runFile,
  unless,
  WINDOWS,
  WINE,
  withoutDescriptors,
} from "../helpers/support.ts";
import { NEEDS_TSX } from "../helpers/workers.ts";

const test = suite("docs/examples");

const described = unless(withoutDescriptors, test);

function printedByExample(name: string, args: string[] = []): string {
  const { code, signal, stdout, stderr } = runFile(join(ROOT, "examples", name), { args });
  assert.is(signal ?? code, 0, `${name} ended with ${signal ?? code}: ${stdout}${stderr}`);
  return stdout.trim();
}

described("examples/python-page.ts prints what Python's page says", () => {
  assert.is(printedByExample("python-page.ts"), "Hello Python!\nHello\nHello  world!\nHello  world!");
});

test("examples/grep.ts prints the lines that match", () => {
  const path = newFile("one fish\ntwo fish\nred\n\nblue fish fish");
  assert.is(printedByExample("grep.ts", ["f[a-z]sh$", path]), "1: one fish\n2: two fish\n5: blue fish fish");
  assert.is(printedByExample("grep.ts", ["^$", path]), "4:");
  assert.is(printedByExample("grep.ts", ["nothing", path]), "");
});

const deleting = unless(
  WINDOWS &&
    !("transfer" in ArrayBuffer.prototype) &&
    "this runtime cannot detach a view, and Windows deletes no file that has one",
  test,
);

deleting("examples/columns.ts sums the columns of a binary file", () => {
  assert.is(printedByExample("columns.ts"), "1000000 rows\nx: 499999500000\ny: 249999750000");
});

test("examples/huge-pages.ts measures huge pages or says why there are none", () => {
  const lines = printedByExample("huge-pages.ts", ["8"]).split("\n");
  const [plain, ...others] = lines;
  assert.match(plain ?? "", /^ordinary pages: \d+ ns a read$/);
  assert.is(others.length, 2, lines.join());
  for (const line of others) assert.match(line, /^(MADV_HUGEPAGE|MAP_HUGETLB): (\d+ ns a read|not here: .+)$/);
});

const inherited = unless(WINDOWS && "a child inherits no descriptors there", test);

unless(
  EMULATED && "it starts a child by process.execPath, and this machine's system can't run that without the emulator",
  inherited,
)("examples/parent-and-child.ts exchanges bytes in both directions", () => {
  const printed = printedByExample("parent-and-child.ts");
  assert.is(printed, "child reads: Hello world!\nfile: from the child\nmemory: Hello parent");
});

unless(WINDOWS && "Windows neither truncates nor renames a file that is mapped", test)(
  "examples/follow.ts follows a log that grows, is truncated in place, and is rotated by rename",
  async () => {
    const path = newFile("one\n");
    const { program, args, env } = commandFor(join(ROOT, "examples", "follow.ts"), { args: [path, "5"] });
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    const printed = async (expected: string) => {
      while (output !== expected) {
        assert.ok(expected.startsWith(output), output);
        const [chunk] = await once(child.stdout, "data");
        output += String(chunk);
      }
    };
    try {
      await printed("one\n");
      appendFileSync(path, "zwö");
      appendFileSync(path, "lf\nthree\nhalf of a line");
      await printed("one\nzwölf\nthree\n");
      truncateSync(path, 0);
      writeFileSync(path, "new\n");
      await printed("one\nzwölf\nthree\nnew\n");
      appendFileSync(path, "last\n");
      renameSync(path, `${path}.1`);
      writeFileSync(path, "first of the next\n");
      await printed("one\nzwölf\nthree\nnew\nlast\nfirst of the next\n");
      appendFileSync(path, "second\n");
      await printed("one\nzwölf\nthree\nnew\nlast\nfirst of the next\nsecond\n");
    } finally {
      child.kill();
    }
  },
);

/** Fenced code that imports the library, in a Markdown file or in doc comments. */
function programsIn(file: string): { file: string; line: number; source: string }[] {
  const plain = readFileSync(join(ROOT, file), "utf8").replace(/^ *\* ?/gm, "");
  const blocks = [...plain.matchAll(/```(?:ts|js)\r?\n([\s\S]*?)```/g)].map((match) => ({
    file,
    line: plain.slice(0, match.index).split("\n").length,
    source: match[1] as string,
  }));
  return blocks.filter(({ source }) => FROM.test(source));
}

/** How a program imports the library. */
const FROM = /from "(?:jsr:)?(?:@mmap-ffi\/mmap|mmap-ffi)"/;

/** A statement of a document's program that prints, and the comment that says what: "a, b" if it prints "a" and then "b". */
const PRINTING = /console\.log\((.*)\); \/\/ (.*)$/gm;

/** A program that runs alone in its folder and compares what it prints with its comments. */
function runnable({ file, source }: (typeof programs)[number]): string {
  const imported = source.replace(new RegExp(FROM, "g"), `from ${JSON.stringify(LIBRARY)}`);
  // The comments in doc comments are remarks.
  if (!file.endsWith(".md")) return `${imported}\nexport {};\n`;
  const expected: string[] = [];
  const recording = imported.replace(PRINTING, (_, args: string, said: string) => {
    return `globalThis.print?.(${expected.push(said) - 1}, ${args});`;
  });
  return `${recording}\nglobalThis.compare?.(${JSON.stringify(file)}, ${JSON.stringify(expected)});\nexport {};\n`;
}

/** Runs the programs one after the other, each in its folder. */
const RUN_ALL = `
import { chdir } from "node:process";
let printed = [];
const written = (value) => (typeof value === "bigint" ? value + "n" : String(value));
globalThis.print = (index, ...values) => (printed[index] ??= []).push(values.map(written).join(" "));
globalThis.compare = (file, expected) => {
  const said = expected.map((_, index) => (printed[index] ?? []).join(", "));
  printed = [];
  for (const [index, text] of expected.entries()) {
    if (said[index] !== text) throw new Error(file + ": printed " + said[index] + " instead of " + text);
  }
};
`;

/** What programs do that not every system and runtime can, and the reason where they can't. */
const NOT_HERE: readonly [part: string, reason: string | false | undefined][] = [
  ["mm.fd", WINDOWS && "a child inherits no descriptors there"],
  ["new MMap(fd", withoutDescriptors],
  ["renameSync(", WINDOWS && "Windows does not rename onto a file that is mapped"],
  ["new Worker(", NEEDS_TSX && "Node 20 and 22 take TypeScript through tsx, which workers do not load"],
  [".residency(", WINDOWS && "Windows has no mincore"],
  [
    'writeFileSync("',
    WINE && process.versions.bun !== undefined && "Bun's writeFileSync makes no file by a relative path under Wine",
  ],
];

const documents = readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`);
const sources = ["README.md", ...documents.sort(), "lib/mod.ts", "lib/mmap.ts", "lib/errors.ts"];
const programs = sources.flatMap(programsIn);
const running: typeof programs = [];

/** What running the programs printed. They run in one process, because starting one for each takes long. */
let outcome: Ended | undefined;

function runAll(): Ended {
  const all = `${newPath()}.mts`;
  const steps = running.map((program, index) => {
    // A folder that has nothing but the program, as a newcomer's has.
    const folder = newPath();
    mkdirSync(folder);
    writeFileSync(join(folder, "program.mts"), runnable(program));
    writeFileSync(join(folder, "child.js"), "");
    const address = pathToFileURL(join(folder, "program.mts")).href;
    return `chdir(${JSON.stringify(folder)});\nawait import(${JSON.stringify(address)});\nconsole.log("ran ${index}");`;
  });
  writeFileSync(all, `${RUN_ALL}${steps.join("\n")}\n`);
  return runFile(all);
}

test("the README, the documents and the doc comments have programs", () => {
  assert.ok(programs.length >= 10, `${programs.length} programs`);
});

for (const program of programs) {
  const { file, source, line } = program;
  const [, reason] = NOT_HERE.find(([part, reason]) => reason && source.includes(part)) ?? [];
  if (!reason) running.push(program);
  unless(reason, test)(`the program at ${file}:${line} runs`, () => {
    outcome ??= runAll();
    const { stdout, stderr } = outcome;
    assert.ok(stdout.split("\n").includes(`ran ${running.indexOf(program)}`), `${stdout}${stderr}`);
  });
}

test("the programs of the documents end without an error", () => {
  outcome ??= runAll();
  assert.is(outcome.signal ?? outcome.code, 0, `${outcome.stdout}${outcome.stderr}`);
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
  "the documents' figures are those of the results",
  () => {
    const parsed = JSON.parse(readFileSync(RESULTS, "utf8")) as { results: Record<string, Outcome[]> };
    const results = new Map(Object.entries(parsed.results));
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    assert.is(withSummary(readme, results), readme);
    const figures = readFileSync(join(ROOT, "bench", "README.md"), "utf8");
    assert.is(withFigures(figures, results), figures);
  },
);

const measured = unless(!existsSync(RESULTS) && "the results are not here", test);

/** The results of the last whole run of the benchmarks. */
const readResults = (): Map<string, Outcome[]> =>
  new Map(
    Object.entries((JSON.parse(readFileSync(RESULTS, "utf8")) as { results: Record<string, Outcome[]> }).results),
  );

/** The rows of a document's tables that have a figure. */
const rowsOf = (document: string): string[] => document.split("\n").filter((line) => /^\|.*\d/.test(line));

measured("the results' ratios are those of their times", () => {
  let ratios = 0;
  for (const outcome of [...readResults().values()].flat()) {
    if (!("value" in outcome) || outcome.unit !== "×" || outcome.ours === undefined || outcome.theirs === undefined)
      continue;
    // The value is the median of the ratios of several rounds, and the times are medians of their own.
    const ratio = outcome.ours / outcome.theirs;
    const differs = Math.max(outcome.value / ratio, ratio / outcome.value);
    assert.ok(differs < 3, `${outcome.name}: ${outcome.value} where the times give ${ratio}`);
    ratios++;
  }
  assert.ok(ratios > 100, `${ratios} ratios`);
});

measured("each row of the documents' figures follows the results", () => {
  const changed = new Map(
    [...readResults()].map(([runtime, outcomes]) => [
      runtime,
      outcomes.map((outcome) => ("value" in outcome ? { ...outcome, value: outcome.value * 7 } : outcome)),
    ]),
  );
  for (const [file, written] of [
    ["README.md", withSummary],
    ["bench/README.md", withFigures],
  ] as const) {
    const document = readFileSync(join(ROOT, file), "utf8");
    const [before, after] = [rowsOf(written(document, readResults())), rowsOf(written(document, changed))];
    assert.is(after.length, before.length);
    const table = after.filter((row, index) => row !== before[index]);
    assert.ok(table.length >= (file === "README.md" ? 5 : 30), `${file}: ${table.length} rows changed`);
  }
});

test.run();
