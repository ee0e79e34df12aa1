/**
 * `setName`: names of anonymous memory, as the kernel shows them.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, PAGESIZE } from "../../lib/mod.ts";
import { EMULATED, newFile, refuses, thrown, unless } from "../helpers/support.ts";

const test = suite("api/name");

const linux = unless(process.platform !== "linux" && "it is about Linux", test);

/** Why this kernel names no memory; undefined if it does. */
function withoutNames(): string | undefined {
  if (process.platform !== "linux") return "it is about Linux";
  if (EMULATED) return "QEMU answers prctl and /proc/self/maps itself";
  using mm = MMap.anonymous(1, { access: "copy" });
  try {
    mm.setName("try");
    return undefined;
  } catch (error) {
    if ((error as { code?: string }).code !== "EINVAL") throw error;
    return "this kernel lacks CONFIG_ANON_VMA_NAME";
  }
}

unless(withoutNames(), test)("setName() names anonymous memory in /proc/self/maps", () => {
  const named = (name: string) =>
    readFileSync("/proc/self/maps", "latin1")
      .split("\n")
      .filter((line) => line.endsWith(name));
  using copy = MMap.anonymous(3 * PAGESIZE, { access: "copy" });
  using shared = MMap.anonymous(PAGESIZE, { trackfd: false });
  copy.setName("a cache, #1");
  shared.setName("to share");
  assert.is(named("[anon:a cache, #1]").length, 1);
  assert.is(named("[anon_shmem:to share]").length, 1);
  copy.setName("x".repeat(79));
  assert.equal([named("[anon:a cache, #1]").length, named(`[anon:${"x".repeat(79)}]`).length], [0, 1]);
  copy.setName("");
  assert.is(named(`[anon:${"x".repeat(79)}]`).length, 0);
});

linux("setName() of a kernel that names no memory says so", () => {
  if (withoutNames() === undefined) return;
  using mm = MMap.anonymous(1, { access: "copy" });
  const error = thrown(() => mm.setName("a")) as Error & Record<string, unknown>;
  assert.equal([error.name, error.code, error.errno, error.syscall], ["MMapError", "EINVAL", 22, "prctl"]);
  assert.match(error.message, "older than 5.17, or lacks CONFIG_ANON_VMA_NAME");
});

test("setName() takes what the kernel takes", () => {
  using mm = MMap.anonymous(1, { access: "copy" });
  for (const name of ["x".repeat(80), "a\\b", "a`b", "a$b", "[a", "a]", "a\n", "a\0b", "\x7f", "größe"]) {
    refuses(RangeError, () => mm.setName(name), "name must have at most 79 characters of printable ASCII", "got ");
  }
  refuses(TypeError, () => mm.setName(1 as never), "name must be a string: got 1");
  mm.close();
  refuses("ERR_MMAP_CLOSED", () => mm.setName("a"));
});

linux("setName() is for anonymous memory without a descriptor", () => {
  using file = MMap.open(newFile("abc"), { access: "copy" });
  refuses(TypeError, () => file.setName("a"), "setName() names anonymous memory, and this map is of a file");
  using shared = MMap.anonymous(1);
  refuses(TypeError, () => shared.setName("a"), "without a descriptor", 'access: "copy"', "trackfd: false");
});

unless(process.platform === "linux" && "it is about other systems", test)("setName() of other systems says so", () => {
  using mm = MMap.anonymous(1);
  refuses(TypeError, () => mm.setName("a"), "setName() is not supported on this system");
});

test.run();
