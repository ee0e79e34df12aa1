/**
 * The library's core on architectures of Linux that npm has no Node for, under QEMU: Debian's Node, with koffi's native parts.
 *
 *     npm run test:qemu                            riscv64, ppc64le, loong64 and s390x
 *     npm run test:qemu -- ppc64le                 one of them
 *     npm run test:qemu -- ppc64le search safety   the files whose names contain one of the words
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  cacheFolder,
  installDebian,
  installedVersion,
  installPackages,
  runMatrix,
  unpackDebian,
  unpackMachine,
} from "./machine.ts";

/** For its QEMU, as in arm64.ts. */
const RELEASE = "trixie";

/** Only Debian's unstable release has Node for all of these architectures. */
const NODE_RELEASE = "sid";

/** The major version of Node there. */
const NODE = 24;

interface Architecture {
  /** Its names in `process.arch`, in Debian and in QEMU. */
  readonly arch: string;
  readonly debian: string;
  readonly qemu: string;
  /** Why nothing can be run. */
  readonly missing?: string;
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  riscv64: { arch: "riscv64", debian: "riscv64", qemu: "riscv64" },
  ppc64le: { arch: "ppc64", debian: "ppc64el", qemu: "ppc64le" },
  loong64: { arch: "loong64", debian: "loong64", qemu: "loongarch64" },
  s390x: {
    arch: "s390x",
    debian: "s390x",
    qemu: "s390x",
    missing: `koffi has no build for it, and Debian's Node ${NODE} no node:ffi`,
  },
};

/** What is run unless words are given: no file that starts many processes, each of which takes a minute to start there. */
const CORE = [
  ...[
    "api/find",
    "api/index",
    "api/lines",
    "api/madvise",
    "api/move",
    "api/open",
    "api/read",
    "api/remap",
    "api/resize",
  ],
  ...["api/text", "api/views", "api/write", "units/constants", "units/memmem", "units/slab", "systems/architectures"],
];

const words = process.argv.slice(2);
const isName = (word: string) => word in ARCHITECTURES;
const rest = words.slice(words.findIndex((word) => !isName(word)) >>> 0);
const named = words.slice(0, words.length - rest.length);

if (named.length === 1) await runOne(ARCHITECTURES[named[0] as string] as Architecture, rest);
else {
  const self = [...process.execArgv, fileURLToPath(import.meta.url)];
  for (const name of named.length > 0 ? named : Object.keys(ARCHITECTURES)) {
    // One process each, because the tests' helpers know one machine.
    const { status } = spawnSync(process.execPath, [...self, name, ...rest], { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
}

async function runOne({ arch, debian, qemu, missing }: Architecture, chosen: string[]): Promise<void> {
  console.log(`\n=== linux-${arch}`);
  if (missing !== undefined) {
    console.log(`skipped: ${missing}`);
    return;
  }
  installDebian({});
  const folder = cacheFolder(`qemu-${debian}`);
  installPackages(folder, {
    [`@koromix/koffi-linux-${arch}`]: installedVersion(`@koromix/koffi-linux-${process.arch}`),
  });
  const emulators = join(cacheFolder("arm64"), "qemu");
  unpackDebian(emulators, RELEASE, "qemu-user");
  const root = join(folder, "root");
  unpackMachine(root, NODE_RELEASE, debian, "nodejs");
  const emulator = [join(emulators, "usr", "bin", `qemu-${qemu}`), "-L", root];
  process.env.MMAP_TEST_NODE = `${NODE}=${join(root, "usr", "bin", "node")}`;
  process.argv.splice(2, process.argv.length, ...(chosen.length > 0 ? chosen : CORE));
  const machine = { system: `linux-${arch}`, folder, emulator, emulated: true, keepsTypes: true };
  await runMatrix(machine, [`node${NODE}`]);
}
