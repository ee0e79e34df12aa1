import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapError, PAGESIZE } from "../../lib/mod.ts";
import { type Disk, fill, smallDisk, withoutMounts } from "../helpers/disk.ts";
import { newFile, newPath, printedBy, refuses, text, thrown, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("full disks");

const posix = unless(WINDOWS && "files that grow have their clusters there", test);
const mounted = unless(withoutMounts, test);

/** Runs `use` with a disk of 64 pages. */
function onDisk(use: (disk: Disk) => void): void {
  using disk = smallDisk(64 * PAGESIZE);
  use(disk);
}

/** How many descriptors and mappings this process has of files in a folder, also of those that are gone. */
function held(folder: string): { descriptors: number; maps: number } {
  const links = readdirSync("/proc/self/fd").map((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`);
    } catch {
      // The descriptor that the list was read through is gone.
      return "";
    }
  });
  const lines = readFileSync("/proc/self/maps", "latin1").split("\n");
  const inFolder = (line: string) => line.includes(folder);
  return { descriptors: links.filter(inFolder).length, maps: lines.filter(inFolder).length };
}

const allocated = (path: string) => statSync(path).blocks * 512;

posix("reserve gives a new file all of its blocks, and without it a file has none", () => {
  const [reserved, sparse] = [newPath(), newPath()];
  MMap.open(reserved, { create: true, length: 40_000, reserve: true }).close();
  MMap.open(sparse, { create: true, length: 40_000 }).close();
  assert.is(statSync(reserved).size, 40_000);
  assert.ok(allocated(reserved) >= 40_000, `${allocated(reserved)} bytes are allocated`);
  assert.is(allocated(sparse), 0);
});

posix("reserve fills the holes of a file that is there, and keeps its bytes", () => {
  const path = newFile("abc");
  {
    using mm = MMap.open(path, { create: true, length: 50_000 });
    mm[49_999] = 100;
  }
  using mm = MMap.open(path, { access: "write", reserve: true });
  assert.ok(allocated(path) >= 50_000);
  assert.is(text(mm.slice(0, 4)), "abc\0");
  assert.is(mm[-1], 100);
});

posix("resize reserves what the map is to have", () => {
  using mm = MMap.open(newPath(), { create: true, length: 10 });
  const path = `/proc/self/fd/${mm.fd}`;
  mm.resize(40_000, { reserve: true });
  assert.is(mm.size(), 40_000);
  assert.ok(allocated(path) >= 40_000);
  mm.resize(80_000);
  assert.ok(allocated(path) < 80_000);
  mm.resize(60_000, { reserve: true });
  assert.is(mm.size(), 60_000);
  assert.ok(allocated(path) >= 60_000);
});

mounted("a disk that has not the blocks refuses to make a file, and keeps nothing of it", () => {
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

mounted("a disk that has not the blocks refuses to extend a file, which stays as it was", () => {
  onDisk(({ folder }) => {
    const path = join(folder, "old");
    writeFileSync(path, "abc");
    refuses("ENOSPC", () => MMap.open(path, { create: true, length: 65 * PAGESIZE, reserve: true }));
    assert.is(readFileSync(path, "latin1"), "abc");
  });
});

mounted("a disk that has not the blocks refuses to resize a map, which stays as it was", () => {
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

mounted("what was reserved can be written when the disk is full", () => {
  onDisk((disk) => {
    using mm = MMap.open(join(disk.folder, "file"), { create: true, length: 30 * PAGESIZE, reserve: true });
    fill(disk);
    mm.bytes.fill(97);
    mm.flush();
    assert.is(mm.faults, 0);
    assert.equal(readFileSync(join(disk.folder, "file")), Buffer.alloc(30 * PAGESIZE, 97));
  });
});

mounted("without reserve, the process survives writes to a full disk, and is told of them", () => {
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
    assert.is(flush, `${told} the bytes from index ${at} on may be gone; resize the map, or make a new one`);
    assert.is(faults, "36 100");
    assert.is(write, flush);
    assert.is(close, `${told} writes may be lost, and the map is closed; resize the map, or make a new one`);
    assert.equal(readFileSync(join(folder, "file")).subarray(0, at), Buffer.alloc(at, 98));
  });
});

test("reserve is for files that are written, and is true or false", () => {
  const path = newFile("abc");
  refuses(TypeError, () => MMap.open(path, { reserve: true }), "reserve");
  refuses(TypeError, () => MMap.open(path, { access: "copy", reserve: true }), "reserve");
  refuses(TypeError, () => MMap.open(path, { access: "write", reserve: 1 as never }), "reserve", "1");
  using mm = MMap.open(path, { access: "write" });
  refuses(TypeError, () => mm.resize(5, { reserve: "yes" as never }), "reserve", '"yes"');
  refuses(TypeError, () => mm.resize(5, 1 as never), "options", "1");
  assert.is(mm.length, 3);
});

posix("reserve refuses memory that belongs to no file", () => {
  using memory = MMap.anonymous(10, { flags: 2 });
  refuses(TypeError, () => memory.resize(20, { reserve: true }), "reserve");
  assert.is(memory.length, 10);
});

test.run();
