/**
 * The suite on musl, the C library of Alpine Linux: runs the matrix with Bun's build for it, which Debian's musl package can
 * start once it has a C++ library. There is none for musl in Debian, but what Bun asks of it can be linked from the parts of
 * GCC's own that need nothing of glibc.
 *
 *     npm run test:musl                    everything
 *     npm run test:musl -- search safety   the files whose names contain one of the words
 *
 * @module
 */

import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, installDebian, installPackages, pinned, run, runMatrix } from "./machine.ts";

const BUN = "@oven/bun-linux-x64-musl";

const LIBRARY = "libstdc++.so.6";

/** The few names of glibc that those parts mention all the same. Nothing throws through them: no unwind table is found. */
const SHIM = `
__attribute__((visibility("hidden"))) void *__dso_handle = &__dso_handle;
char __libc_single_threaded = 0;
int _dl_find_object(void *pc, void *result) { return -1; }
extern int getentropy(void *, unsigned long);
unsigned arc4random(void) { unsigned number = 0; getentropy(&number, sizeof number); return number; }
`;

/** The names in nm's output, without their versions. */
const names = (output: string) => output.split("\n").map((line) => line.split(" ").at(-1)?.replace(/@.*/, "") ?? "");

/** Links a libstdc++.so.6 with what a program asks of it. It gets its name once it is whole. */
function linkLibrary(program: string, folder: string): void {
  const part = (file: string) => run("gcc", [`-print-file-name=${file}`]).trim();
  const library = part("libstdc++_pic.a");
  const defined = new Set(names(run("nm", ["--defined-only", library])));
  const wanted = new Set(names(run("nm", ["-D", program])).filter((name) => name !== "" && defined.has(name)));
  mkdirSync(folder, { recursive: true });
  const shim = join(folder, "shim.c");
  writeFileSync(shim, SHIM);
  const asked = [...wanted].map((name) => `-Wl,-u,${name}`);
  const options = ["-shared", "-fPIC", "-nostdlib", `-Wl,-soname,${LIBRARY}`, "-Wl,--gc-sections"];
  const parts = [shim, library, part("libgcc_eh.a"), part("libgcc.a")];
  const unfinished = join(folder, "unfinished.so");
  run("gcc", [...options, ...asked, "-o", unfinished, ...parts]);
  renameSync(unfinished, join(folder, LIBRARY));
}

installDebian({
  gcc: "/usr/bin/gcc",
  musl: "/lib/ld-musl-x86_64.so.1",
  "libstdc++-12-pic": "/usr/lib/gcc/x86_64-linux-gnu/12/libstdc++_pic.a",
});

const folder = cacheFolder("musl");
const version = pinned().bun as string;
installPackages(folder, { [BUN]: version });
const libraries = join(folder, `lib-${version}`);
if (!existsSync(join(libraries, LIBRARY))) {
  linkLibrary(join(folder, "node_modules", BUN, "bin", "bun"), libraries);
}

const emulator = ["env", `LD_LIBRARY_PATH=${libraries}`];
await runMatrix({ system: "linux-x64-musl", folder, emulator }, ["bun"]);
