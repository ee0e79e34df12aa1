/**
 * Regular expressions over a log: `matchAll`, against CPython's `re`, and for literal text against `find`, ripgrep and GNU grep.
 *
 * @module
 */

import { MMap } from "../lib/mod.ts";
import { type Data, MiB } from "./data.ts";
import { greps } from "./grep.ts";
import { type Bench, here } from "./harness.ts";
import { python } from "./python.ts";

const CASES: [name: string, pattern: RegExp, theirs: string][] = [
  ["levels", /(?:WARN|ERROR)/, "WARN|ERROR"],
  ["fields", /^(\d+) (ERROR) (\S+)/m, "(?m)^([0-9]+) (ERROR) (\\S+)"],
  ["rare", /99[0-9]{3}77 ERROR/, "99[0-9]{3}77 ERROR"],
  ["none", /zebra\d+/, "zebra[0-9]+"],
  ["without a literal", /\d{6}[13579]\d{2}7 [DW]/, "[0-9]{6}[13579][0-9]{2}7 [DW]"],
];

/** A word that the log has every 5 KiB, and one that it does not have. */
const LITERALS: [how: string, text: string][] = [
  ["dense", "descriptor"],
  ["absent", "rhinoceros"],
];

async function literal(bench: Bench, data: Data, how: string, text: string): Promise<void> {
  const size = bench.quick ? MiB : 128 * MiB;
  const path = data.file("log", size);
  using mm = MMap.open(path);
  const needle = new TextEncoder().encode(text);
  const found = () => {
    let matches = 0;
    for (let at = mm.find(needle); at !== -1; at = mm.find(needle, at + needle.length)) matches++;
    return matches;
  };
  const matched = () => {
    let matches = 0;
    for (const match of mm.matchAll(new RegExp(text))) if (match.index >= 0) matches++;
    return matches;
  };
  const name = `count of matches, literal text, ${how}, ${size / MiB} MiB`;
  const { peers, missing } = greps(text, path, 1);
  await bench.compare(name, here(matched), [{ name: "a loop of find()", target: 1.2, time: here(found) }, ...peers], {
    long: true,
    noisy: true,
  });
  for (const program of missing) bench.miss(name, `${program} -o`, "it is not installed");
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const size = bench.quick ? MiB : 256 * MiB;
  const path = data.file("log", size);
  using mm = MMap.open(path);
  for (const [name, pattern, theirs] of CASES) {
    const setup = `m = map_file(${JSON.stringify(path)}); r = re.compile(rb"""${theirs}""")`;
    const count = () => {
      let matches = 0;
      for (const match of mm.matchAll(pattern)) if (match.index >= 0) matches++;
      return matches;
    };
    const peers = [python(setup, "sum(1 for match in r.finditer(m))")];
    await bench.compare(`count of matches, ${name}, ${size / MiB} MiB`, here(count), peers, { long: true });
  }
  for (const [how, text] of LITERALS) await literal(bench, data, how, text);
}
