/**
 * A system that says no: no descriptors, no address space, a full disk, and files that can't be mapped. Each refusal must be the
 * right error, and leave nothing open.
 *
 *     interrupted [times: 1000]
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { MMap, type MMapError, PAGESIZE } from "../../lib/mod.ts";
import { smallDisk, withoutMounts } from "../helpers/disk.ts";
import { collectGarbage, FOLDER, newFile, newPath, refuses, rejects, resources, thrown } from "../helpers/support.ts";
import { ownDescriptors, ownMappings } from "./curve.ts";

const times = Number(process.argv[2] ?? 1000);
const GIB = 2 ** 30;

/** Does something many times; fails unless as much is open after it as before. */
async function leavesNothing(what: string, act: () => void | Promise<void>): Promise<void> {
  await act();
  const before = { descriptors: ownDescriptors(), maps: ownMappings() };
  for (let time = 0; time < times; time++) await act();
  const after = { descriptors: ownDescriptors(), maps: ownMappings() };
  if (after.descriptors > before.descriptors || after.maps > before.maps) {
    throw new Error(`${what}: ${JSON.stringify(before)} became ${JSON.stringify(after)}`);
  }
  console.log(`${what}: ${times} times`);
}

/** Fails unless the system refuses `act` with this code, at this call. */
function refusedBy(syscall: string, code: string, act: () => unknown): void {
  refuses(code, act);
  const error = thrown(act) as MMapError;
  if (error.syscall !== syscall) throw new Error(`${error.syscall} refused, and not ${syscall}`);
}

/** Runs `act` while this process has another limit, by the name that prlimit(1) has for it. */
async function limited(name: string, value: string, act: () => void | Promise<void>): Promise<void> {
  const set = (soft: string) => {
    const { status, stderr } = spawnSync("prlimit", ["--pid", String(process.pid), `--${name}=${soft}:`]);
    if (status !== 0) throw new Error(`prlimit: ${stderr}`);
  };
  const hard = String(
    spawnSync("prlimit", ["--pid", String(process.pid), `--${name}`, "-o", "HARD", "--noheadings"]).stdout,
  );
  set(value);
  // A runtime closes a while later what it needed to start a process.
  await collectGarbage();
  try {
    await act();
  } finally {
    // No process can be started to raise it while there are no descriptors: `act` has given them back.
    set(hard.trim());
  }
}

async function whatCannotBeMapped(): Promise<void> {
  const folder = newPath();
  spawnSync("mkfifo", [folder]);
  const pipe = openSync(folder, "r+");
  const system = "/sys/kernel/mm/transparent_hugepage/enabled";
  for (const path of ["/dev/null", FOLDER, ...(existsSync(system) ? [system] : [])]) {
    await leavesNothing(`mapping ${path === FOLDER ? "a folder" : path}`, () => {
      const code = path === FOLDER ? "EISDIR" : "ENODEV";
      for (const length of [0, 10]) refusedBy("mmap", code, () => MMap.open(path, { length }));
    });
  }
  await leavesNothing("mapping a pipe", () => {
    for (const length of [0, 10]) refusedBy("mmap", "ENODEV", () => new MMap(pipe, length));
  });
  closeSync(pipe);
  await leavesNothing("mapping what is no descriptor", () => {
    refuses("EBADF", () => new MMap(pipe, 10));
  });
  await leavesNothing("mapping a file of /proc", () => {
    for (const length of [0, 10]) refuses("ENODEV", () => MMap.open("/proc/self/status", { length }), "no size");
  });
  await leavesNothing("mapping /dev/zero without a length", () => {
    refuses(RangeError, () => MMap.open("/dev/zero"), "length");
  });
}

async function withoutDescriptors(): Promise<void> {
  const path = newFile("abc");
  await limited("nofile", String(resources().descriptors + 20), async () => {
    const taken: number[] = [];
    const own = MMap.open(path, { access: "write" });
    // Again each time: the runtime may have let go of some of its own.
    const takeAll = () => {
      try {
        for (;;) taken.push(openSync(path, "r"));
      } catch {
        // There are none left.
      }
    };
    takeAll();
    const first = taken[0] as number;
    try {
      const act = async () => {
        takeAll();
        refusedBy("open", "EMFILE", () => MMap.open(path));
        refusedBy("fcntl", "EMFILE", () => new MMap(first, 0));
        refusedBy("memfd_create", "EMFILE", () => MMap.anonymous(10));
        await rejects("EMFILE", own.flushAsync(), "fcntl");
        own.resize(3);
        own.flush();
        // What needs no descriptor works.
        new MMap(first, 0, { access: "read", trackfd: false }).close();
      };
      // The process's own list of descriptors needs one.
      for (let time = 0; time < times; time++) await act();
    } finally {
      for (const fd of taken) closeSync(fd);
      own.close();
    }
  });
  MMap.open(path).close();
  if (ownMappings() !== 0) throw new Error("mappings stay");
  if (ownDescriptors() !== 0) throw new Error("descriptors stay");
  console.log(`no descriptors left: ${times} times`);
}

async function withoutAddresses(): Promise<void> {
  const path = newPath();
  const growing = MMap.open(path, { create: true, length: PAGESIZE });
  const [, kibibytes] = /^VmSize:\s+(\d+) kB$/m.exec(
    readFileSync("/proc/self/status", "latin1"),
  ) as unknown as string[];
  await limited("as", String(1024 * Number(kibibytes) + GIB / 2), () =>
    leavesNothing("no addresses left", () => {
      refusedBy("mmap", "ENOMEM", () => MMap.anonymous(GIB));
      refusedBy("mmap", "ENOMEM", () => MMap.open(newPath(), { create: true, length: GIB }));
      refusedBy("mmap", "ENOMEM", () => growing.resize(GIB));
      if (growing.size() !== PAGESIZE || growing.length !== PAGESIZE) throw new Error("the refused map has changed");
      MMap.anonymous(PAGESIZE).close();
    }),
  );
  growing.close();
}

async function filesTooLarge(): Promise<void> {
  const path = newPath();
  const mm = MMap.open(newPath(), { create: true, length: PAGESIZE });
  await limited("fsize", String(10 * PAGESIZE), () =>
    leavesNothing("files may not be larger", () => {
      refusedBy("ftruncate", "EFBIG", () => MMap.open(path, { create: true, length: 11 * PAGESIZE }));
      refusedBy("ftruncate", "EFBIG", () => mm.resize(11 * PAGESIZE));
      if (existsSync(path) || mm.size() !== PAGESIZE) throw new Error("the refused call has changed something");
    }),
  );
  mm.close();
}

async function fullDisk(): Promise<void> {
  using disk = smallDisk(16 * PAGESIZE);
  const path = join(disk.folder, "file");
  const other = join(disk.folder, "other");
  const mm = MMap.open(path, { create: true, length: 4 * PAGESIZE, reserve: true });
  await leavesNothing("a full disk", () => {
    const options = { create: true, length: 20 * PAGESIZE, reserve: true };
    refusedBy("posix_fallocate", "ENOSPC", () => MMap.open(other, options));
    refusedBy("posix_fallocate", "ENOSPC", () => mm.resize(20 * PAGESIZE, { reserve: true }));
    if (existsSync(other) || mm.size() !== 4 * PAGESIZE) throw new Error("the refused call has changed something");
  });
  mm.close();
}

const withoutLimits = spawnSync("prlimit", ["--version"]).status !== 0 && "prlimit is not installed";
await whatCannotBeMapped();
/** Says why a part is left out, where there is a reason. */
function runs(name: string, reason: string | false | undefined): boolean {
  if (reason) console.log(`left out: ${name}: ${reason}`);
  return !reason;
}

if (runs("limits", withoutLimits)) {
  await withoutDescriptors();
  await withoutAddresses();
  const kills = process.versions.deno !== undefined && "Deno ends a program that meets it, whatever writes the file";
  if (runs("a limit of file sizes", kills)) await filesTooLarge();
}
if (runs("a full disk", withoutMounts)) await fullDisk();
console.log("everything was refused, and nothing stays open");
