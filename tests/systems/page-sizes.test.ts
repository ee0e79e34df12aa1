/**
 * Pages that are larger than 4 KiB. The library runs over this machine's own platform, which is made to say that its pages
 * have 16 or 64 KiB, and gets mappings that begin where such a page does: whatever it asks for must lie on them.
 *
 * @module
 */

import { closeSync, openSync, readFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFfi } from "../../ffi/mod.ts";
import { errorFactory } from "../../lib/errors.ts";
import { MADV_WILLNEED, MAP_FIXED, MAP_PRIVATE, MMap, PROT_NONE } from "../../lib/mod.ts";
import { usePlatform } from "../../lib/platform.ts";
import { librariesFor } from "../../platform/linux.ts";
import { openPlatform } from "../../platform/mod.ts";
import type { MapRequest, Platform } from "../../platform/types.ts";
import { newFile, refuses, text, unless } from "../helpers/support.ts";

const test = suite("systems/page-sizes");

const MMAP = { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" } as const;

/** Linux with larger pages. Throws where it is asked for what lies on no page. */
function linuxWithPages(page: number): Platform {
  const linux = openPlatform(errorFactory);
  const { mmap } = openFfi().open(librariesFor(process.arch), { mmap: MMAP });

  const onPage = (call: string, ...values: number[]) => {
    for (const value of values) assert.is(value % page, 0, `${call} got ${value}, no multiple of ${page}`);
  };

  /** Maps at an address that begins a page: over a reservation that is large enough to have one. */
  const map = (request: MapRequest): number => {
    const { length, protection, descriptor, offset } = request;
    onPage("map", length, offset);
    const reserved = linux.protection({
      access: "default",
      prot: PROT_NONE,
      flags: MAP_PRIVATE,
      tagname: undefined,
      descriptor: -1,
    });
    const start = linux.map({ length: length + page, protection: reserved, descriptor: -1, offset: 0 });
    const address = Math.ceil(start / page) * page;
    if (address > start) linux.unmap(start, address - start);
    linux.unmap(address + length, start + page - address);
    const anonymous = descriptor === -1 ? 0x20 : 0;
    const flags = protection.flags | (MAP_FIXED as number) | anonymous;
    assert.is(mmap(address, length, protection.prot, flags, descriptor, offset), address);
    return address;
  };

  return {
    ...linux,
    pageSize: page,
    allocationGranularity: page,
    protection: (request) => ({ ...linux.protection(request), unit: page }),
    map,
    unmap(address, length) {
      onPage("unmap", address, length);
      linux.unmap(address, length);
    },
    trim(address, length, newLength) {
      onPage("trim", address, length, newLength);
      linux.trim?.(address, length, newLength);
    },
    // A mapping that is moved is not at a multiple of these pages.
    remapping: undefined,
    mapZeros(address, length) {
      onPage("mapZeros", address, length);
      linux.mapZeros(address, length);
    },
    flush(address, length, descriptor, flags) {
      onPage("flush", address);
      linux.flush(address, length, descriptor, flags);
    },
    advise(address, length, advice) {
      onPage("advise", address);
      linux.advise(address, length, advice);
    },
    lock(address, length, ofFile) {
      onPage("lock", address);
      linux.lock(address, length, ofFile);
    },
    unlock(address, length) {
      onPage("unlock", address);
      linux.unlock(address, length);
    },
    populate(address, length, write) {
      onPage("populate", address);
      return linux.populate(address, length, write);
    },
  };
}

const content = new Uint8Array(300_000);
for (let index = 0; index < content.length; index++) content[index] = (index * 31 + (index >> 8)) % 251;

const linux = unless(process.platform !== "linux" && "it makes Linux's mmap begin where it wants", test);

function onPages(page: number, name: string, act: () => void): void {
  linux(`${name}, with pages of ${page / 1024} KiB`, () => {
    const before = usePlatform(linuxWithPages(page));
    try {
      act();
    } finally {
      usePlatform(before);
    }
  });
}

for (const page of [16_384, 65_536]) {
  onPages(page, "new MMap() maps from any offset", () => {
    const fd = openSync(newFile(content), "r");
    for (const offset of [0, 1, 4096, 5000, page - 1, page, page + 1, 2 * page + 4096, 299_999]) {
      using mm = new MMap(fd, 0, { access: "read", offset });
      assert.is(mm.length, 300_000 - offset);
      assert.equal(mm.bytes.slice(), content.slice(offset));
      assert.equal(mm.slice(-1), content.slice(-1));
      if (offset % 4 === 0)
        assert.is(mm.view(Uint32Array, 0, 1)[0], new Uint32Array(content.slice(offset, offset + 4).buffer)[0]);
    }
    closeSync(fd);
  });

  onPages(page, "flush() rounds out to pages, and what it flushed is in the file", () => {
    const path = newFile(content);
    using mm = MMap.open(path, { access: "write", offset: 5000 });
    for (const at of [0, 1, 4096, page - 5001, page - 5000, 2 * page, mm.length - 1]) {
      mm[at] = 255;
      mm.flush(at, 1);
      assert.is(readFileSync(path)[5000 + at], 255);
    }
    mm.flush();
    mm.flush(4096, 4096);
  });

  onPages(page, "madvise() wants a start where a page begins", () => {
    using mm = MMap.open(newFile(content));
    mm.madvise(MADV_WILLNEED);
    mm.madvise(MADV_WILLNEED, page, 1);
    refuses(RangeError, () => mm.madvise(MADV_WILLNEED, 4096), "start", "4096", `PAGESIZE (${page})`);
    using odd = MMap.open(newFile(content), { offset: 4096 });
    odd.madvise(MADV_WILLNEED);
    odd.madvise(MADV_WILLNEED, page - 4096);
    refuses(RangeError, () => odd.madvise(MADV_WILLNEED, page), "start", String(page));
  });

  onPages(page, "resize() keeps the bytes, with and without views", () => {
    const path = newFile(content.slice(0, 10_000));
    using mm = MMap.open(path, { access: "write" });
    for (const length of [page + 1, 4096, 3 * page, 10_000]) {
      mm.resize(length);
      assert.is(mm.length, length);
      assert.is(readFileSync(path).length, length);
      assert.equal(mm.slice(0, 4096), content.slice(0, 4096));
    }
    mm.bytes[9999] = 77;
    mm.resize(2 * page);
    assert.is(mm[9999], 77);
    assert.is(mm[2 * page - 1], 0);
    mm.bytes[0] = 78;
    mm.resize(1);
    assert.equal([...readFileSync(path)], [78]);
  });

  onPages(page, "resize() keeps the changes of private and anonymous maps", () => {
    const fd = openSync(newFile(content), "r+");
    using privately = new MMap(fd, 0, { flags: MAP_PRIVATE });
    closeSync(fd);
    privately[299_999] = 99;
    privately.resize(400_000);
    assert.is(privately[299_999], 99);
    for (const options of [{}, { flags: MAP_PRIVATE }]) {
      using mm = MMap.anonymous(5, options);
      mm.write("hello");
      mm.resize(page + 1);
      assert.is(text(mm.slice(0, 6)), "hello\0");
      assert.is(mm.bytes[page], 0);
      mm.resize(5);
      assert.is(text(mm.read(0)) + text(mm.slice()), "hello");
    }
  });

  onPages(page, "resize() replaces whole pages under a transferred buffer", () => {
    using mm = MMap.open(newFile(content), { access: "write" });
    const { buffer } = mm;
    // Node 20 can neither move a buffer nor detach one: the view itself stays.
    const moved = (buffer as ArrayBuffer & { transfer?(): ArrayBuffer }).transfer?.() ?? buffer;
    mm.resize(page + 5000);
    const seen = new Uint8Array(moved);
    assert.is(seen[page + 4999], content[page + 4999]);
    assert.is(seen[2 * page], 0);
    assert.is(seen[299_999], 0);
  });
}

test.run();
