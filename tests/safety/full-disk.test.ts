import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapError, PAGESIZE } from "../../lib/mod.ts";
import { type Disk, fill, smallDisk, withoutMounts } from "../helpers/disk.ts";
import { descriptorTargets } from "../helpers/resources.ts";
import { printedBy, refuses, thrown, unless } from "../helpers/support.ts";

const test = suite("safety/full-disk");

const mounted = unless(withoutMounts, test);

/** Runs `use` with a disk of 64 pages. */
function onDisk(use: (disk: Disk) => void): void {
  using disk = smallDisk(64 * PAGESIZE);
  use(disk);
}

/** How many descriptors and mappings this process has of files in a folder, also of those that are gone. */
function held(folder: string): { descriptors: number; maps: number } {
  const lines = readFileSync("/proc/self/maps", "latin1").split("\n");
  const inFolder = (line: string) => line.includes(folder);
  return { descriptors: descriptorTargets().filter(inFolder).length, maps: lines.filter(inFolder).length };
}

mounted("open() with reserve throws on a full disk, and leaves no new file", () => {
  onDisk(({ folder }) => {
    const path = join(folder, "new");
    const before = held(folder);
    const make = () => MMap.open(path, { create: true, length: 65 * PAGESIZE, reserve: true });
    refuses("ENOSPC", make, "posix_fallocate", path);
    const { errno, syscall } = thrown(make) as MMapError;
    assert.equal([errno, syscall], [28, "posix_fallocate"]);
    assert.is(existsSync(path), false);
    assert.equal(held(folder), before);
  });
});

mounted("open() with reserve throws on a full disk, and leaves an existing file as it was", () => {
  onDisk(({ folder }) => {
    const path = join(folder, "old");
    writeFileSync(path, "abc");
    refuses("ENOSPC", () => MMap.open(path, { create: true, length: 65 * PAGESIZE, reserve: true }));
    assert.is(readFileSync(path, "latin1"), "abc");
  });
});

mounted("resize() with reserve throws on a full disk, and leaves the map as it was", () => {
  onDisk(({ folder }) => {
    const path = join(folder, "file");
    using mm = MMap.open(path, { create: true, length: 2 * PAGESIZE, reserve: true });
    mm.bytes.fill(97);
    const { bytes } = mm;
    const before = held(folder);
    refuses("ENOSPC", () => mm.resize(65 * PAGESIZE, { reserve: true }), "posix_fallocate");
    assert.is(mm.length, 2 * PAGESIZE);
    assert.is(mm.bytes, bytes);
    assert.is(bytes[2 * PAGESIZE - 1], 97);
    assert.is(statSync(path).size, 2 * PAGESIZE);
    assert.equal(held(folder), before);
    // Without a view, the system is asked to move the map.
    using other = MMap.open(path, { access: "write" });
    refuses("ENOSPC", () => other.resize(65 * PAGESIZE, { reserve: true }));
    assert.equal([other.length, other.at(-1), other.size()], [2 * PAGESIZE, 97, 2 * PAGESIZE]);
    other.resize(3 * PAGESIZE, { reserve: true });
    assert.is(mm.size(), 3 * PAGESIZE);
  });
});

mounted("open() with reserve makes a file that can be written when the disk is full", () => {
  onDisk((disk) => {
    using mm = MMap.open(join(disk.folder, "file"), { create: true, length: 30 * PAGESIZE, reserve: true });
    fill(disk);
    mm.bytes.fill(97);
    mm.flush();
    assert.is(mm.faults, 0);
    assert.equal(readFileSync(join(disk.folder, "file")), Buffer.alloc(30 * PAGESIZE, 97));
  });
});

mounted("flush(), write() and close() report writes to a full disk, which the process survives", () => {
  onDisk(({ folder }) => {
    const printed = printedBy(
      `const failure = (act) => { try { return act() ?? "done"; } catch (error) { return error.code + ": " + error.message; } };
       const open = () => MMap.open(process.argv[2], { create: true, length: 100 * library.PAGESIZE });
       // Page by page: a C library may begin with the end of what it fills.
       const fill = ({ bytes }, byte) => {
         for (let at = 0; at < bytes.length; at += library.PAGESIZE) bytes.fill(byte, at, at + library.PAGESIZE);
       };
       const mm = open();
       fill(mm, 97);
       console.log(failure(() => mm.flush()));
       console.log(mm.faults, mm.bytes.length / library.PAGESIZE);
       console.log(failure(() => mm.write(new Uint8Array(80 * library.PAGESIZE))));
       mm.close();
       const other = open();
       fill(other, 98);
       console.log(failure(() => other.close()));`,
      { args: [join(folder, "file")] },
    );
    const [flush, faults, write, close] = printed.split("\n");
    const at = 64 * PAGESIZE;
    const told = "ERR_MMAP_TRUNCATED: the file shrank under the map, or its disk is full or fails:";
    assert.is(
      flush,
      `${told} the bytes from index ${at} on may be gone; remap() or resize() the map, or make a new one`,
    );
    assert.is(faults, "36 100");
    assert.is(write, flush);
    assert.is(
      close,
      `${told} writes may be lost, and the map is closed; remap() or resize() the map, or make a new one`,
    );
    assert.equal(readFileSync(join(folder, "file")).subarray(0, at), Buffer.alloc(at, 98));
  });
});

test.run();
