/**
 * The suite on arm64 Linux, under QEMU: installs what that needs, and runs the matrix with the arm64 builds of the runtimes.
 *
 *     npm run test:arm64                        everything
 *     npm run test:arm64 -- --only bun,deno     these runtimes
 *     npm run test:arm64 -- search safety       the files whose names contain one of the words
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import {
  cacheFolder,
  installDebian,
  installedVersion,
  installPackages,
  pinned,
  runMatrix,
  unpackDebian,
} from "./machine.ts";

const LIBRARIES = "/usr/aarch64-linux-gnu";

/** Debian 13, for its QEMU: that of Debian 12 keeps a record of each page that a program reserves, and ends on 1 TiB. */
const RELEASE = "trixie";

/** npm has no arm64 build of the version that the matrix pins. */
const DENO = "2.9.5";

/** Only the oldest and the newest Node, whose engines differ most: each version takes long under QEMU. */
const RUNTIMES = ["node20", "node26", "node26-ffi", "bun", "deno"];

installDebian({
  "binutils-aarch64-linux-gnu": "/usr/bin/aarch64-linux-gnu-as",
  "libc6-arm64-cross": `${LIBRARIES}/lib/libc.so.6`,
  "libstdc++6-arm64-cross": `${LIBRARIES}/lib/libstdc++.so.6`,
  "libgcc-s1-arm64-cross": `${LIBRARIES}/lib/libgcc_s.so.1`,
  "libatomic1-arm64-cross": `${LIBRARIES}/lib/libatomic.so.1`,
});

const folder = cacheFolder("arm64");
const versions = pinned();
installPackages(folder, {
  ...Object.fromEntries(Object.entries(versions).filter(([name]) => /^node(20|26)-linux-arm64$/.test(name))),
  "@oven/bun-linux-aarch64": versions.bun as string,
  "@deno/linux-arm64-glibc": DENO,
  "@koromix/koffi-linux-arm64": installedVersion("koffi"),
});

// Node strips types by WebAssembly, which fails there with "memory access out of bounds" unless it checks bounds itself; what
// it stripped and compiled is kept, because both are slow.
process.env.NODE_OPTIONS = "--disable-wasm-trap-handler";
process.env.NODE_COMPILE_CACHE = join(folder, "compiled");

const qemu = join(folder, "qemu");
unpackDebian(qemu, RELEASE, "qemu-user");
const emulator = [join(qemu, "usr", "bin", "qemu-aarch64"), "-L", LIBRARIES];
await runMatrix({ system: "linux-arm64", folder, emulator, emulated: true }, RUNTIMES);
