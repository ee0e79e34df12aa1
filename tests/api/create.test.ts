/**
 * `open` with `create`, by many at once and on paths that are no plain files.
 *
 * @module
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type MMapError } from "../../lib/mod.ts";
import type { Platform } from "../../platform/types.ts";
import { recorded, withPlatform } from "../helpers/platform.ts";
import {
  commandFor,
  newFile,
  newPath,
  newProgram,
  printedBy,
  refuses,
  repetitions,
  text,
  thrown,
  unless,
  WINDOWS,
  WORKERS,
} from "../helpers/support.ts";

const test = suite("api/create");
const posix = unless(WINDOWS && "it is about links and locks of POSIX systems", test);

const PROCESSES = 2;
const THREADS = 2;

/**
 * Opens file after file in step with the other threads and processes, each with a length of its own, and writes a byte to
 * the last place of its map. Then checks that nobody's byte is gone. The threads meet at a counter in a shared map.
 */
const OPENER = `${WORKERS}
  import { readFileSync, statSync } from "node:fs";
  const [folder, process_, rounds] = workerData?.args ?? process.argv.slice(2);
  const me = Number(process_) * ${THREADS} + (isMainThread ? 0 : 1);
  const everybody = ${PROCESSES * THREADS};
  const ended = isMainThread ? startWorker({ args: [folder, process_, rounds] }) : undefined;
  const meeting = MMap.open(folder + "/meeting", { access: "write" }).view(Int32Array, 0, 1);
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  let met = 0;
  const meet = () => {
    met += everybody;
    Atomics.add(meeting, 0, 1);
    // There may be fewer processors than threads: who waits for long lets the others run.
    for (let spins = 0; Atomics.load(meeting, 0) < met; spins++) if (spins > 2000) Atomics.wait(asleep, 0, 0, 0.1);
  };
  const failures = [];
  for (let round = 0; round < Number(rounds); round++) {
    const path = folder + "/file" + round;
    // Each opener is the longest in some rounds.
    const length = 10 + 5000 * ((me + round) % everybody);
    meet();
    try {
      const mm = MMap.open(path, { create: true, length });
      mm[length - 1] = 97 + me;
      meet();
      const size = statSync(path).size;
      if (size !== 10 + 5000 * (everybody - 1)) failures.push("size " + size);
      const content = readFileSync(path);
      for (let other = 0; other < everybody; other++) {
        const at = 9 + 5000 * ((other + round) % everybody);
        if (content[at] !== 97 + other) failures.push("byte " + content[at] + " of " + other);
      }
      if (mm.faults > 0) failures.push("faults");
      mm.close();
    } catch (error) {
      failures.push(error.code ?? error);
      meet();
    }
  }
  console.log(failures.length === 0 ? "whole" : failures.slice(0, 5).join());
  await ended;
  // Bun's workers can end before what they print is out.
  if (failures.length > 0) process.exitCode = 1;`;

test("open() with create, by threads and processes at once and with several lengths, maps one file and loses no byte", async () => {
  const folder = newPath();
  mkdirSync(folder);
  writeFileSync(join(folder, "meeting"), new Uint8Array(4));
  const program = newProgram(OPENER);
  const children = Array.from({ length: PROCESSES }, (_, index) => {
    const {
      program: command,
      args,
      env,
    } = commandFor(program, {
      args: [folder, `${index}`, `${repetitions(1000)}`],
    });
    return spawn(command, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  });
  const ends = children.map(async (child) => {
    let printed = "";
    child.stdout?.on("data", (part) => {
      printed += part;
    });
    const [code] = await once(child, "close");
    return { code, printed };
  });
  for (const { code, printed } of await Promise.all(ends)) {
    assert.is(printed, "whole\n".repeat(THREADS));
    assert.is(code, 0);
  }
});

posix("open() with create makes the missing target of a symbolic link", () => {
  const [target, link] = [newPath(), newPath()];
  symlinkSync(target, link);
  {
    using mm = MMap.open(link, { create: true, length: 9 });
    mm.write("through");
  }
  assert.is(readFileSync(target, "latin1"), "through\0\0");
  using mm = MMap.open(link, { create: true, length: 12 });
  assert.is(text(mm.slice(0, 7)), "through");
  const loop = newPath();
  symlinkSync(loop, loop);
  refuses("ELOOP", () => MMap.open(loop, { create: true, length: 9 }), loop);
});

/** A map whose constructor calls `act` when the file is mapped, and then throws. */
function failingAfter(act: () => void): typeof MMap {
  return class extends MMap {
    constructor(...parameters: ConstructorParameters<typeof MMap>) {
      super(...parameters);
      this.close();
      act();
      throw new RangeError("not wanted");
    }
  };
}

test("open() with create that fails does not shrink a file that another opener has extended meanwhile", () => {
  const path = newFile("abc");
  const grown = failingAfter(() => {
    using mm = MMap.open(path, { create: true, length: 5000 });
    mm[4999] = 100;
  });
  refuses(RangeError, () => grown.open(path, { create: true, length: 10 }), "not wanted");
  const content = readFileSync(path, "latin1");
  assert.equal([content.length, content.slice(0, 3), content.slice(-1)], [5000, "abc", "d"]);
});

test("open() with create that fails removes the new file, unless it was extended meanwhile", () => {
  const path = newPath();
  refuses(RangeError, () => failingAfter(() => {}).open(path, { create: true, length: 10 }), "not wanted");
  assert.is(existsSync(path), false);
  const grown = failingAfter(() => MMap.open(path, { create: true, length: 20 }).close());
  refuses(RangeError, () => grown.open(path, { create: true, length: 10 }), "not wanted");
  assert.is(statSync(path).size, 20);
});

unless(WINDOWS && "Windows keeps the name of a deleted file until it is closed", test)(
  "open() with create that fails does not remove a file that has replaced the new one",
  () => {
    const replaced = newPath();
    const replacing = failingAfter(() => {
      unlinkSync(replaced);
      writeFileSync(replaced, "precious");
    });
    refuses(RangeError, () => replacing.open(replaced, { create: true, length: 10 }), "not wanted");
    assert.is(readFileSync(replaced, "latin1"), "precious");
  },
);

posix("open() with create that waits for an opener that fails creates the file again", () => {
  const path = newPath();
  const printed = printedBy(
    `${WORKERS}
    import { existsSync, readFileSync } from "node:fs";
    const path = workerData?.path ?? process.argv[2];
    const state = workerData?.state ?? new Int32Array(new SharedArrayBuffer(4));
    if (isMainThread) {
      class Failing extends MMap {
        constructor(...parameters) {
          super(...parameters);
          this.close();
          // The other thread is about to open the file, which is empty for it no longer than this takes.
          Atomics.store(state, 0, 1);
          Atomics.notify(state, 0);
          Atomics.wait(state, 0, 1, 50);
          throw new RangeError("not wanted");
        }
      }
      const ended = startWorker({ path, state });
      Atomics.wait(state, 0, 0);
      Atomics.store(state, 0, 0);
      try {
        Failing.open(path, { create: true, length: 10 });
      } catch (error) {
        console.log(error.message);
      }
      await ended;
      console.log(readFileSync(path, "latin1").slice(0, 7));
    } else {
      Atomics.store(state, 0, 2);
      Atomics.notify(state, 0);
      Atomics.wait(state, 0, 2);
      Atomics.wait(state, 0, 0);
      using mm = MMap.open(path, { create: true, length: 5000 });
      mm.write("survive");
    }`,
    { args: [path] },
  );
  assert.is(printed, "not wanted\nsurvive");
});

unless(process.versions.deno === undefined && "Deno's locks are those of Deno", posix)(
  "open() with create waits at most a second for a lock that the program itself has on the file",
  () => {
    const path = newFile("abc");
    const printed = printedBy(
      `const file = Deno.openSync(process.argv[2], { read: true, write: true });
       file.lockSync(true);
       using mm = MMap.open(process.argv[2], { create: true, length: 10 });
       console.log(mm.length, mm.size());`,
      { args: [path] },
    );
    assert.is(printed, "10 10");
  },
);

posix("open() of a FIFO does not wait for a writer", () => {
  const path = newPath();
  execFileSync("mkfifo", [path]);
  for (const options of [{}, { length: 10 }, { access: "write" }, { create: true, length: 10 }] as const) {
    const error = thrown(() => MMap.open(path, options)) as MMapError;
    assert.is(error.path, path);
  }
});

test("open() with create takes no lock for a file that is long enough, and one for a file that is not", () => {
  const path = newFile("abcdef");
  const calls: string[] = [];
  const change = ({ fileLock }: Platform): Partial<Platform> => {
    if (fileLock === undefined) return {};
    const { tryLock, unlock } = fileLock;
    return { fileLock: { tryLock: recorded(calls, "tryLock", tryLock), unlock: recorded(calls, "unlock", unlock) } };
  };
  withPlatform(change, () => MMap.open(path, { create: true, length: 6 }).close());
  assert.equal(calls, []);
  withPlatform(change, () => MMap.open(path, { create: true, length: 7 }).close());
  if (!WINDOWS) assert.equal(calls, ["tryLock", "unlock"]);
});

posix("open() with create of what is no file says so, and asks for no length", () => {
  const folder = newPath();
  mkdirSync(folder);
  refuses("EISDIR", () => MMap.open(folder, { create: true }), folder);
});

posix("open() with create extends no device", () => {
  using mm = MMap.open("/dev/zero", { create: true, length: 10, access: "copy" });
  assert.equal(mm.read(), new Uint8Array(10));
});

unless((WINDOWS || !existsSync("/proc/self/fd")) && "this system has no /proc/self/fd", test)(
  "open() with create extends a file that has no name any more, by the path of its descriptor",
  () => {
    const path = newFile("abc");
    const fd = openSync(path, "r+");
    unlinkSync(path);
    using mm = MMap.open(`/proc/self/fd/${fd}`, { create: true, length: 10 });
    assert.is(text(mm.read()), "abc\0\0\0\0\0\0\0");
    closeSync(fd);
  },
);

test.run();
