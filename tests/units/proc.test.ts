/**
 * What the library reads in Linux's /proc, against the files themselves.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { errorFactory } from "../../lib/errors.ts";
import { openPlatform } from "../../platform/mod.ts";
import { countMappings, defaultHugePageSize, mappingLimit, permissionsAt } from "../../platform/proc.ts";
import type { Platform, Remapping } from "../../platform/types.ts";
import { unless } from "../helpers/support.ts";

const test = suite("units/proc");
const here = unless(process.platform !== "linux" && "it reads Linux's /proc", test);

const lines = (): string[] => readFileSync("/proc/self/maps", "latin1").trim().split("\n");

here("countMappings() is the number of lines in /proc/self/maps", () => {
  // The runtime may map something between two of these.
  const counts: [before: number, count: number | undefined, after: number][] = [];
  for (let tries = 0; tries < 10; tries++) counts.push([lines().length, countMappings(), lines().length]);
  assert.ok(
    counts.some(([before, count, after]) => before === count && count === after),
    counts.join(" "),
  );
});

here("mappingLimit() and defaultHugePageSize() are numbers of bytes and of mappings", () => {
  assert.is(mappingLimit(), Number(readFileSync("/proc/sys/vm/max_map_count", "latin1")));
  const kibibytes = /Hugepagesize: +(\d+) kB/.exec(readFileSync("/proc/meminfo", "latin1"))?.[1] ?? 2048;
  assert.is(defaultHugePageSize(), 1024 * Number(kibibytes));
});

here("permissionsAt() is what the mapping at an address allows, from its first byte to its last", () => {
  const platform: Platform = openPlatform(errorFactory);
  const { isReserved, reserve } = platform.remapping as Remapping;
  const length = 16 * platform.pageSize;
  const reserved = reserve(length);
  for (const address of [reserved, reserved + length - 1]) {
    assert.is(permissionsAt(address), "---p");
    assert.is(isReserved(address), true);
  }
  const request = { descriptor: -1, access: "write", prot: undefined, flags: undefined, tagname: undefined } as const;
  const shared = platform.map({ descriptor: -1, length, offset: 0, protection: platform.protection(request) });
  assert.is(permissionsAt(shared), "rw-s");
  assert.is(permissionsAt(shared + length - 1), "rw-s");
  assert.is(isReserved(shared), false);
  // The gaps between mappings belong to none of them.
  const [gap] = lines().flatMap((line, index, all) => {
    const end = line.split(/[- ]/)[1] as string;
    const next = all[index + 1]?.split("-")[0] ?? end;
    return next === end ? [] : [Number.parseInt(end, 16)];
  });
  assert.is(permissionsAt(gap as number), undefined);
  assert.is(permissionsAt(0), undefined);
  platform.unmap(reserved, length);
  platform.unmap(shared, length);
});

test.run();
