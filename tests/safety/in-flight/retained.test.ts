/**
 * What happens to a file after its map was closed under an operation: memory that is kept or was released behaves as a
 * map's own does. Each runs in a child process.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MAP_HUGETLB as HUGE } from "../../../lib/mod.ts";
import { smallDisk, withoutMounts } from "../../helpers/disk.ts";
import { newFile, newPath, printedBy, unless } from "../../helpers/support.ts";

const suiteOf = suite("files after the close");
const test = unless(process.platform !== "linux" && "it truncates mapped files, which only Linux survives", suiteOf);
const mounted = unless(withoutMounts, suiteOf);

const SIZE = 2 ** 20;

/** Operations on \`view\` that are under way when \`end\` is called: by the kernel, and in another thread. */
const PRELUDE = `
  import { spawn, spawnSync } from "node:child_process";
  import { gzip } from "node:zlib";
  import { pbkdf2, randomFill } from "node:crypto";
  import { open, readFileSync, read, truncateSync, unlinkSync, write } from "node:fs";
  import { setTimeout } from "node:timers/promises";
  const [path, pipe] = process.argv.slice(2);
  const later = () => {
    let callback;
    const promise = new Promise((resolve) => { callback = (error, value) => resolve(error ? error.code ?? error.name : value); });
    return { promise, callback };
  };
  process.on("uncaughtException", () => {});
  const opened = (flags) => new Promise((resolve) => open(pipe, flags, (_, fd) => resolve(fd)));
  /** A pipe with a reader, or a writer of "I"s, that waits a while. */
  const pipeWith = async (command) => {
    spawnSync("mkfifo", [pipe]);
    const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    child.stdout.on("data", (data) => { out += data; });
    const ended = new Promise((resolve) => child.on("close", () => resolve(out.trim())));
    await setTimeout(100);
    return ended;
  };
  const reader = () => pipeWith("exec 3<" + pipe + "; sleep 0.3; tr -d 'a\\\\0' <&3 | wc -c");
  const writer = () => pipeWith("exec 3>" + pipe + "; sleep 0.3; head -c ${SIZE} /dev/zero | tr '\\\\0' I >&3");
  const { closeSync } = await import("node:fs");
  /** Closes more maps than are kept. */
  const closeMany = () => {
    for (let count = 0; count < 1500; count++) {
      const mm = MMap.open(process.execPath, { length: 1 });
      mm.bytes;
      mm.close();
    }
  };
`;

const args = () => [newFile(new Uint8Array(SIZE).fill(97)), newPath()];

for (const [name, end] of [
  ["kept", "mm.close()"],
  ["released", "mm.close({ release: true })"],
  ["retired, because many more were closed", "mm.close(); closeMany()"],
]) {
  test(`a file that is truncated after the close ends no process: memory is ${name}`, () => {
    const program = `${PRELUDE}
      for (const access of ["read", "write", "copy"]) {
        const foreign = reader();
        const fd = await opened("w");
        const mm = MMap.open(path, { access });
        const view = mm.bytes;
        const jobs = [later(), later(), later()];
        write(fd, view, jobs[0].callback);
        gzip(view, { level: 9 }, jobs[1].callback);
        pbkdf2(view, "salt", 20_000, 32, "sha512", jobs[2].callback);
        ${end};
        truncateSync(path, 0);
        await jobs[0].promise;
        closeSync(fd);
        await Promise.all([jobs[2].promise, Promise.race([jobs[1].promise, setTimeout(3000)])]);
        console.log(access, await foreign);
        unlinkSync(pipe);
        const { writeFileSync } = await import("node:fs");
        writeFileSync(path, new Uint8Array(${SIZE}).fill(97));
      }`;
    // Of what the reader got, nothing was another file's: the letters and zeros are not counted.
    assert.is(printedBy(program, { args: args() }), "read 0\nwrite 0\ncopy 0");
  });

  test(`a read into a view ends well when the file is truncated after the close: memory is ${name}`, () => {
    const program = `${PRELUDE}
      const other = new Uint8Array(${SIZE});
      const written = writer();
      const fd = await opened("r");
      const mm = MMap.open(path, { access: "write" });
      const jobs = [later(), later()];
      read(fd, mm.bytes, 0, ${SIZE}, null, jobs[0].callback);
      randomFill(mm.bytes, jobs[1].callback);
      ${end};
      truncateSync(path, 0);
      const outcome = await jobs[0].promise;
      closeSync(fd);
      await written;
      console.log(typeof outcome === "number" || outcome === "EFAULT" ? "ended" : outcome, readFileSync(path).length);`;
    assert.is(printedBy(program, { args: args() }), "ended 0");
  });
}

test("a file that is deleted after the close is sent as it was", () => {
  const program = `${PRELUDE}
    const foreign = reader();
    const fd = await opened("w");
    const mm = MMap.open(path);
    const job = later();
    write(fd, mm.bytes, job.callback);
    mm.close();
    unlinkSync(path);
    const count = await job.promise;
    closeSync(fd);
    console.log(count, await foreign);`;
  assert.is(printedBy(program, { args: args() }), `${SIZE} 0`);
});

mounted("closing with release gives the space of a deleted file back at once", () => {
  using disk = smallDisk(4 * SIZE);
  const program = `
    import { unlinkSync, writeFileSync } from "node:fs";
    for (let round = 0; round < 200; round++) {
      const path = process.argv[2] + round;
      writeFileSync(path, new Uint8Array(${SIZE}).fill(97));
      const mm = MMap.open(path, { access: round % 2 ? "read" : "write" });
      if (mm.bytes[9] !== 97) throw new Error("wrong byte");
      mm.close({ release: true });
      unlinkSync(path);
    }
    console.log("done");`;
  assert.is(printedBy(program, { args: [join(disk.folder, "file")] }), "done");
});

mounted("work on a view of a file without blocks ends no process on a full disk, closed or not", () => {
  for (const options of ["", "{ release: true }"]) {
    using disk = smallDisk(SIZE / 4);
    const path = join(disk.folder, "sparse");
    writeFileSync(path, "");
    const program = `${PRELUDE}
      const mm = MMap.open(path, { access: "write", create: true, length: ${SIZE} });
      const written = writer();
      const fd = await opened("r");
      const jobs = [later(), later()];
      read(fd, mm.bytes, 0, ${SIZE}, null, jobs[0].callback);
      randomFill(mm.bytes, jobs[1].callback);
      try {
        mm.close(${options});
      } catch (error) {
        // What the other thread wrote by now is lost, and close() says so.
        if (error.code !== "ERR_MMAP_TRUNCATED") throw error;
      }
      await jobs[0].promise;
      closeSync(fd);
      await written;
      await setTimeout(100);
      console.log("alive");`;
    assert.is(printedBy(program, { args: [path, newPath()] }), "alive");
  }
});

const hugePages = unless(
  (HUGE === undefined || !/HugePages_Free: +[1-9]/.test(readFileSync("/proc/meminfo", "latin1"))) &&
    "no huge pages are set aside: sysctl vm.nr_hugepages=4",
  suiteOf,
);

hugePages("memory of huge pages is kept and released like any other", () => {
  const program = `
    const flags = library.MAP_PRIVATE | library.MAP_ANONYMOUS | library.MAP_HUGETLB;
    for (const length of [2 ** 21, 4096]) {
      for (let round = 0; round < 20; round++) {
        const mm = MMap.anonymous(length, { flags });
        mm.bytes.fill(97);
        mm.close({ release: true });
      }
    }
    MMap.anonymous(2 ** 21, { flags }).bytes.fill(97);
    console.log("done");`;
  assert.is(printedBy(program), "done");
});

suiteOf.run();
