/**
 * Lets TypeScript check programs against the packed declarations: each version in each way to resolve modules, with the types
 * of Node, of browsers, or of neither.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../helpers/runtimes.ts";
import type { Checks } from "./checks.ts";
import { cacheFolder, installPackages } from "./machine.ts";

/** The oldest version is the first whose typed arrays have their buffer's type. */
const VERSIONS = ["5.7.3", "5.8.3", "5.9.3", "6.0.3", "7.0.2"];

const PROGRAM = `
import { MMap, MMapError, MADV_RANDOM, type Access, type ByteMatch, type BytesLike, type MMapOptions } from "mmap-ffi";
const options: MMapOptions = { access: "read" satisfies Access };
const mm: MMap = MMap.open("package.json", options);
const byte: number = mm[0]!;
const bytes: Uint8Array<ArrayBuffer> = mm.bytes;
const floats: Float64Array<ArrayBuffer> = mm.view(Float64Array, 0, 1);
const data: DataView<ArrayBuffer> = mm.view(DataView, 0, 1);
const needle: BytesLike = "x";
const match: ByteMatch | undefined = mm.search(/a/);
{
  using opened = MMap.open("package.json");
  opened.close();
}
const advice: number | undefined = MADV_RANDOM;
mm.madvise(advice);
// @ts-expect-error a map finds no numbers
mm.find(3);
// @ts-expect-error there is no such access
MMap.anonymous(1, { access: "reed" });
export { byte, bytes, data, floats, needle, match, MMapError };
`;

/** What the newest language has for every iterator. */
const ITERATORS = `
import { MMap, type ByteMatch } from "mmap-ffi";
const mm = MMap.open("package.json");
const lines: Uint8Array<ArrayBuffer>[] = mm.lines().take(2).toArray();
const matches: ByteMatch[] = mm.matchAll(/a/g).drop(1).toArray();
const bytes: number[] = mm[Symbol.iterator]().filter((byte) => byte > 0).toArray();
export { lines, matches, bytes };
`;

/** What a program's types are besides its own, and the programs that these are enough for. */
const LIBRARIES = [
  {
    name: "Node, ESNext",
    options: { lib: ["esnext"], types: ["node"], typeRoots: [join(ROOT, "node_modules", "@types")] },
    files: ["iterators.mts"],
  },
  { name: "browsers", options: { lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable"], types: [] }, files: [] },
  // The language of the year that the package is compiled for, and no runtime's types.
  { name: "ES2022 alone", options: { lib: ["es2022"], types: [] }, files: [] },
];

const RESOLUTIONS = [
  { module: "esnext", moduleResolution: "bundler", files: ["program.mts"] },
  { module: "node16", moduleResolution: "node16", files: ["program.mts", "program.cts"] },
  { module: "nodenext", moduleResolution: "nodenext", files: ["program.mts", "program.cts"] },
];

/** Checks the declarations of the package that is installed in a folder. */
export async function checkTypes(checks: Checks, installed: string): Promise<void> {
  const cache = cacheFolder("typescript");
  const packages = VERSIONS.map((version) => [`typescript-${version}`, `npm:typescript@${version}`]);
  installPackages(cache, Object.fromEntries(packages), false);
  const folder = join(installed, "types");
  mkdirSync(folder);
  for (const file of ["program.mts", "program.cts"]) writeFileSync(join(folder, file), PROGRAM);
  writeFileSync(join(folder, "iterators.mts"), ITERATORS);

  for (const [index, version] of VERSIONS.entries()) {
    const program = join(cache, "node_modules", `typescript-${version}`, "bin", "tsc");
    for (const [turn, { files, ...resolution }] of RESOLUTIONS.entries()) {
      // All nine combinations in each version would take three times as long: each has three of them, the next one others.
      const library = LIBRARIES[(index + turn) % LIBRARIES.length] as (typeof LIBRARIES)[number];
      const compilerOptions = { noEmit: true, strict: true, target: "es2022", ...resolution, ...library.options };
      const config = { compilerOptions, files: [...files, ...library.files] };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
      const name = `TypeScript ${version}, ${resolution.moduleResolution}, types of ${library.name}`;
      await checks.run({
        name,
        command: [process.execPath, program, "--project", folder],
        cwd: folder,
        expected: /^$/,
      });
    }
  }
}
