import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as library from "../../lib/mod.ts";
import { constants as darwin } from "../../platform/darwin.ts";
import { constants as freebsd } from "../../platform/freebsd.ts";
import { constantsFor } from "../../platform/linux-headers.ts";
import { constants as running } from "../../platform/mod.ts";
import { constants as openbsd } from "../../platform/openbsd.ts";
import type { Constants } from "../../platform/types.ts";
import { unless } from "../helpers/support.ts";

const test = suite("units/constants");

/** The systems' values, taken from each system's own headers. */
const FIXTURE = new URL("constants.json", import.meta.url);

const expected = JSON.parse(readFileSync(FIXTURE, "utf8")) as Record<string, Record<string, number>>;

// include/uapi/asm-generic/mman.h, which these have as it is. arch/powerpc/include/uapi/asm/mman.h: MAP_NORESERVE is 0x40,
// MAP_LOCKED 0x80.
for (const arch of ["riscv64", "loong64", "s390x", "ppc64"]) {
  const own = arch === "ppc64" ? { MAP_NORESERVE: 0x40, MAP_LOCKED: 0x80 } : {};
  expected[`linux-${arch}`] = { ...expected["linux-arm64"], ...own };
}

const SYSTEMS: Record<string, Constants> = {
  "linux-x64": constantsFor("x64"),
  "linux-arm64": constantsFor("arm64"),
  "linux-riscv64": constantsFor("riscv64"),
  "linux-loong64": constantsFor("loong64"),
  "linux-s390x": constantsFor("s390x"),
  "linux-ppc64": constantsFor("ppc64"),
  darwin,
  freebsd,
  openbsd,
};

/** What users get by name; the rest is for the platforms' own use. */
const isPublic = (name: string) => /^(PROT|MAP|MADV|MS)_/.test(name);

for (const [system, constants] of Object.entries(SYSTEMS)) {
  test(`constants of ${system} are exactly those of its headers`, () => {
    const wanted = expected[system] as Record<string, number>;
    const names = Object.keys(wanted).filter((name) => isPublic(name) || name === "_SC_PAGESIZE");
    assert.equal(Object.keys(constants).sort(), names.sort());
    for (const name of names) assert.is(constants[name], wanted[name], name);
  });
}

test("constants of every system are exported, with the running system's value or undefined", () => {
  const exported = library as unknown as Record<string, unknown>;
  const names = new Set(Object.values(expected).flatMap((values) => Object.keys(values).filter(isPublic)));
  assert.is(names.size, 79);
  for (const name of names) {
    assert.ok(name in exported, `${name} is not exported`);
    assert.is(exported[name], running[name], name);
  }
  const more = Object.keys(exported).filter((name) => isPublic(name) && !names.has(name));
  assert.equal(more, [], "exported, but of no system");
});

const { platform, arch } = process;
const wanted = expected[platform === "linux" ? `linux-${arch}` : platform];

unless(wanted === undefined && `no values are known for ${platform}-${arch}`, test)(
  "constants of the running system are those of its headers",
  () => {
    for (const [name, value] of Object.entries(wanted as object)) {
      if (isPublic(name)) assert.is((library as unknown as Record<string, number>)[name], value, name);
    }
    assert.is(library.PAGESIZE % 4096, 0);
    assert.ok(library.PAGESIZE > 0);
    assert.is(library.ALLOCATIONGRANULARITY, library.PAGESIZE);
  },
);

/** The machine's compiler, and the architecture whose headers it has. */
function compiler(): { program: string; arch: string } | string {
  if (process.platform !== "linux") return `${process.platform} is not Linux`;
  for (const program of ["cc", "gcc", "clang"]) {
    const { status, stdout } = spawnSync(program, ["-dumpmachine"], { encoding: "utf8" });
    if (status !== 0) continue;
    const arch = { x86_64: "x64", aarch64: "arm64" }[stdout.split("-")[0] as string];
    return arch === undefined ? `no values are known for ${stdout.trim()}` : { program, arch };
  }
  return "no C compiler is installed";
}

/** What the machine's headers define, by name. */
function preprocessed(program: string, names: string[]): Map<string, number> | string {
  const headers = "#define _GNU_SOURCE\n#include <sys/mman.h>\n#include <linux/mman.h>\n#include <unistd.h>\n";
  const input = headers + names.map((name) => `mmap_ffi_${name} = ${name};`).join("\n");
  const { status, stdout, stderr } = spawnSync(program, ["-E", "-P", "-x", "c", "-w", "-"], {
    input,
    encoding: "utf8",
  });
  if (status !== 0) return `${program} has no headers: ${stderr.split("\n")[0]}`;
  const found = [...stdout.matchAll(/mmap_ffi_(\w+) = (0x[0-9a-f]+|\d+);/gi)];
  return new Map(found.map(([, name, value]) => [name as string, Number(value)]));
}

const found = compiler();
const defined =
  typeof found === "string"
    ? found
    : preprocessed(found.program, Object.keys(constantsFor(found.arch)).filter(isPublic));

unless(typeof defined === "string" && defined, test)("constants agree with the machine's own headers", () => {
  const constants = constantsFor((found as { arch: string }).arch);
  // Older headers lack the newest names; no header lacks most of them.
  assert.ok((defined as Map<string, number>).size > 40, `only ${(defined as Map<string, number>).size} are defined`);
  for (const [constant, value] of defined as Map<string, number>) assert.is(constants[constant], value, constant);
});

test.run();
