import { closeSync, fstatSync, openSync, readFileSync, truncateSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, PROT_READ } from "../../lib/mod.ts";
import { currentRuntime } from "../helpers/runtimes.ts";
import {
  collectGarbage,
  newFile,
  ownFlags,
  printedBy,
  refuses,
  repetitions,
  resources,
  runChild,
  runs,
  unless,
  WINDOWS,
  withoutDescriptors,
} from "../helpers/support.ts";

const test = suite("safety");

/** Node 20 cannot detach a buffer: its old views keep their memory. */
const DETACHES = "transfer" in ArrayBuffer.prototype;

/** What Windows has in another way is in systems/windows.test.ts. */
const posix = unless(WINDOWS && "Windows has no prot, and shortens no file that is mapped", test);
const described = unless(withoutDescriptors, test);

/** Why a map with views does not shrink. */
const undetachable =
  WINDOWS && !DETACHES && "this runtime cannot detach a view, and Windows shortens no file that has one";

// --- Rule 1: no view outlives its memory -----------------------------------------------------------------------------

/** A program that touches every old view after `act`, so often that compiled code does it too. */
const touchAfter = (act: string) => `
  import { openSync, writeFileSync } from "node:fs";
  const path = process.argv[2];
  writeFileSync(path, new Uint8Array(1_000_000).fill(7));
  const mm = MMap.open(path, { access: "write" });
  const views = [mm.bytes, new Uint8Array(mm.buffer), mm.bytes.subarray(500_000), new DataView(mm.buffer, 100),
    mm.view(Float64Array, 8, 1000), mm.view(DataView, 3, 900_000), mm.view(Uint8Array, 999_000)];
  const touch = (rounds) => {
    let sum = 0;
    for (const view of views) {
      for (let round = 0; round < rounds; round++) {
        const index = (round * 7919) % 999_992;
        try {
          if (view instanceof DataView) { sum += view.getUint8(index); view.setUint8(index, 1); }
          else { sum += view[index] ?? 0; view[index] = 1; sum += view.length > 0 ? view.indexOf(255) : 0; round += 99; }
        } catch (error) {
          if (!(error instanceof TypeError) && !(error instanceof RangeError)) throw error;
        }
      }
    }
    return sum;
  };
  touch(10_000);
  ${act}
  const sum = touch(${repetitions(100_000)});
  // Other memory may have come to the old place: it must not be what the views show.
  const others = Array.from({ length: 50 }, () => MMap.anonymous(1_000_000));
  for (const other of others) other.bytes.fill(66);
  touch(${repetitions(100_000)});
  for (const other of others) if (other.find(Uint8Array.of(1)) !== -1) throw new Error("an old view wrote to new memory");
  const lengths = views.map((view) => { try { return view.byteLength; } catch { return 0; } });
  console.log("alive", lengths.every((length) => length === 0) ? "detached" : "kept");`;

for (const [name, act] of [
  ["close", "mm.close();"],
  ["growing", "mm.resize(5_000_000);"],
  ["shrinking", "mm.resize(100);"],
  ["shrinking and closing", "mm.resize(100); mm.close();"],
]) {
  const shrinks = name?.startsWith("shrinking") ?? false;
  unless(shrinks && undetachable, test)(`every old view is harmless after ${name}`, () => {
    const printed = printedBy(touchAfter(act as string), { args: [newFile("")] });
    assert.is(printed, DETACHES ? "alive detached" : "alive kept");
  });
}

test("nothing that began before a close touches the memory after it", () => {
  const mm = MMap.open(newFile("a\nb\nc\n"));
  const pending = [mm[Symbol.iterator](), mm.lines(), mm.matchAll(/./)];
  for (const iterator of pending) iterator.next();
  mm.close();
  for (const iterator of pending) refuses("ERR_MMAP_CLOSED", () => iterator.next());
  mm.close();
});

// --- Rule 2: no memory outlives its last view --------------------------------------------------------------------------

test("a view keeps the memory of a map that was dropped", async () => {
  const path = newFile(new Uint8Array(100_000).fill(5));
  const view = (() => MMap.open(path, { access: "write" }).bytes)();
  const part = (() => MMap.open(path, { access: "write" }).view(Float64Array, 8, 10))();
  for (let round = 0; round < 5; round++) await collectGarbage();
  assert.is(view.length, 100_000);
  assert.is(
    view.reduce((sum, byte) => sum + byte, 0),
    500_000,
  );
  view[0] = 9;
  part[0] = 1;
  assert.is(readFileSync(path)[0], 9);
});

test("the last of several views keeps the memory of a map that was dropped, whichever it is", () => {
  const program = `
    import { setTimeout } from "node:timers/promises";
    const collect = globalThis.gc ?? (() => Bun.gc(true));
    const kept = [0, 1].map((which) => (() => {
      const mm = MMap.open(process.argv[2], { access: "write" });
      return [mm.bytes, mm.view(Uint8Array, 8, 10)][which];
    })());
    for (let round = 0; round < 5; round++) {
      await setTimeout(1);
      collect();
    }
    console.log(kept[0][9], kept[1][1]);`;
  assert.is(printedBy(program, { args: [newFile(new Uint8Array(100_000).fill(97))] }), "97 97");
});

/** The part of a child's program that counts its mappings and descriptors. Under Wine, /proc/self is the server's. */
const COUNTING = WINDOWS
  ? `import { windowsResources } from ${JSON.stringify(new URL("../helpers/windows-resources.ts", import.meta.url).href)};
     const count = () => Object.values(windowsResources());`
  : `import { readdirSync, readFileSync } from "node:fs";
     const count = () => [readFileSync("/proc/self/maps", "latin1").split("\\n").length, readdirSync("/proc/self/fd").length];`;

test("thousands of maps that nobody closed are collected, with their descriptors", () => {
  const printed = printedBy(
    `import { writeFileSync } from "node:fs";
     import { setImmediate, setTimeout } from "node:timers/promises";
     ${COUNTING}
     const path = process.argv[2];
     writeFileSync(path, new Uint8Array(10_000));
     const collect = globalThis.gc ?? (() => Bun.gc(true));
     const rest = async () => { for (let round = 0; round < 10; round++) { collect(); await setImmediate(); await setTimeout(2); } };
     const make = (batch) => {
       const maps = [];
       for (let index = 0; index < 500; index++) {
         const mm = batch % 4 === 3 ? MMap.anonymous(5000) : MMap.open(path, { access: batch % 2 ? "read" : "write" });
         if (batch % 5 === 1) mm.bytes[0] = 1;
         if (batch % 5 === 2) mm.view(Uint8Array, 100, 10);
         if (batch % 5 === 3) mm.readByte();
         maps.push(mm);
       }
       // Some are closed at once, in no order.
       for (let index = 0; index < 100; index++) maps[(index * 77) % 500].close();
     };
     make(1);
     await rest();
     const before = count();
     let most = 0;
     for (let batch = 0; batch < ${repetitions(40)}; batch++) {
       make(batch);
       most = Math.max(most, count()[1] - before[1]);
       await rest();
     }
     await rest();
     const after = count();
     console.log(JSON.stringify({ before, after, most }));`,
    { args: [newFile("")] },
  );
  const { before, after, most } = JSON.parse(printed) as { before: number[]; after: number[]; most: number };
  // The collector may be unsure about a few; without finalizers there would be thousands of each.
  assert.ok(most >= 300, `the maps hold descriptors while they live: ${printed}`);
  assert.ok((after[0] as number) - (before[0] as number) < 400, `mappings: ${printed}`);
  assert.ok((after[1] as number) - (before[1] as number) < 400, `descriptors: ${printed}`);
});

test("maps that are closed at once leave nothing in memory, though the program lets nothing else run", () => {
  const printed = printedBy(
    `const collect = globalThis.gc ?? (() => Bun.gc(true));
     const used = () => (collect(), process.memoryUsage().heapUsed);
     const cycles = (count) => { for (let index = 0; index < count; index++) MMap.anonymous(1, { access: "copy" }).close(); };
     cycles(1000);
     const before = used();
     cycles(${repetitions(30_000)});
     console.log(used() - before);`,
  );
  assert.ok(Number(printed) < repetitions(3_000_000), `${printed} bytes more`);
});

test("open and close leave nothing behind", () => {
  const path = newFile(new Uint8Array(10_000));
  const cycle = () => {
    const mm = MMap.open(path, { access: "write" });
    mm.readByte();
    mm.close();
    const anonymous = MMap.anonymous(5000);
    anonymous.resize(50_000);
    anonymous.close();
  };
  cycle();
  const before = resources();
  for (let round = 0; round < repetitions(2000); round++) cycle();
  const after = resources();
  assert.ok(
    after.descriptors - before.descriptors < 100,
    `${before.descriptors} descriptors, then ${after.descriptors}`,
  );
  assert.ok(after.maps - before.maps < 500, `${before.maps} mappings, then ${after.maps}`);
});

// --- Rule 3: a buffer that escaped is never unmapped under its new owner ------------------------------------------------

for (const [name, transfer] of [
  ["transfer()", "(buffer) => buffer.transfer()"],
  ["structuredClone", "(buffer) => structuredClone(buffer, { transfer: [buffer] })"],
  [
    "postMessage",
    "(buffer) => { const { port1, port2 } = new MessageChannel(); port1.postMessage(buffer, [buffer]); return receive(port2); }",
  ],
]) {
  test(`a buffer that ${name} took away lives on after close, resize and collection`, () => {
    const { code, signal, stdout, stderr } = runChild(
      `import { writeFileSync, readFileSync } from "node:fs";
       import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
       import { setImmediate } from "node:timers/promises";
       const receive = (port) => receiveMessageOnPort(port).message;
       const collect = globalThis.gc ?? (() => Bun.gc(true));
       const take = ${transfer};
       const owned = [];
       let made = 0;
       const escape = (finish, part) => {
         // Each has a file of its own: one whose shrinking was refused stays long.
         const path = process.argv[2] + ++made;
         writeFileSync(path, new Uint8Array(200_000).fill(7));
         const mm = MMap.open(path, { access: "write" });
         const buffer = part ? mm.view(Uint8Array, 0, 200_000).buffer : mm.buffer;
         let taken;
         try { taken = take(buffer); } catch (error) { console.log("refused", error.name); finish(mm); return; }
         owned.push(taken);
         if (buffer.byteLength === 0 && mm.bytes.length !== 200_000) throw new Error("no new view");
         finish(mm);
       };
       for (const part of [false, true]) {
         escape((mm) => mm.close(), part);
         escape((mm) => {
           mm.resize(300_000);
           // Windows shortens no file of which a buffer is in use.
           try { mm.resize(200_000); } catch (error) { if (process.platform !== "win32" || error.code !== "EBUSY") throw error; }
           mm.close();
         }, part);
         escape(() => {}, part);
       }
       for (let round = 0; round < 5; round++) { collect(); await setImmediate(); }
       for (const buffer of owned) {
         const bytes = new Uint8Array(buffer);
         if (bytes.length !== 200_000 || bytes[199_999] !== 7) throw new Error("wrong bytes");
         bytes[0] = 8;
       }
       console.log("alive", owned.length);`,
      { args: [newFile("")] },
    );
    assert.is(signal ?? code, 0, stdout + stderr);
    assert.ok(/alive \d/.test(stdout), stdout);
    if (stdout.includes("refused")) assert.is(stdout.match(/refused (DataCloneError|TypeError)/g)?.length, 6, stdout);
    else assert.ok(stdout.includes("alive 6"), stdout);
  });
}

posix("a buffer that was taken away survives the shrinking of its file", () => {
  if (!runs("a taken buffer over a shrunk file", !DETACHES && "this runtime cannot transfer")) return;
  const printed = printedBy(
    `import { writeFileSync } from "node:fs";
     writeFileSync(process.argv[2], new Uint8Array(200_000).fill(7));
     const mm = MMap.open(process.argv[2], { access: "write" });
     const taken = new Uint8Array(mm.buffer.transfer());
     mm.resize(5000);
     console.log(taken[0], taken[4999], taken[8192], taken[199_999]);
     taken.fill(1);`,
    { args: [newFile("")] },
  );
  assert.is(printed, "7 7 0 0");
});

// --- Rule 5: a stray write cannot crash a reader ------------------------------------------------------------------------

test("a stray write to a read map stays in this process", () => {
  const path = newFile("original");
  const printed = printedBy(
    `const mm = MMap.open(process.argv[2]);
     mm.bytes[0] = 88;
     mm.view(DataView, 4, 4).setUint8(0, 89);
     console.log(new TextDecoder().decode(mm.slice()));
     mm.flush();
     mm.close();`,
    { args: [path] },
  );
  // On Windows the library reads by a view of its own, which has no stray writes.
  assert.is(printed, WINDOWS ? "original" : "XrigYnal");
  assert.is(readFileSync(path, "latin1"), "original");
});

posix("prot: PROT_READ is the hardware's protection, which was asked for", () => {
  const source = `
    const mm = MMap.open(process.argv[2], { prot: ${PROT_READ} });
    console.log("read", mm.bytes[0]);
    mm.bytes[0] = 88;
    console.log("written");`;
  const { signal, code, stdout } = runChild(source, { args: [newFile("original")] });
  assert.ok(signal === "SIGSEGV" || (code !== null && code > 1), `${signal} ${code}`);
  assert.is(stdout.trim(), "read 111");
});

// --- Rule 6: descriptors ------------------------------------------------------------------------------------------------

described("the user's descriptor is still open after close, and after a collection", async () => {
  const fd = openSync(newFile("content"), "r");
  new MMap(fd, 0, { access: "read" }).close();
  (() => new MMap(fd, 0, { access: "read" }))();
  await collectGarbage();
  assert.is(fstatSync(fd).size, 7);
  closeSync(fd);
});

test("a descriptor is closed once: its number may be somebody else's", async () => {
  const mm = MMap.open(newFile("one"));
  const number = mm.fd;
  mm.close();
  const fds = Array.from({ length: 30 }, () => openSync(newFile("two"), "r"));
  mm.close();
  mm[Symbol.dispose]();
  await collectGarbage();
  for (const fd of fds) assert.is(fstatSync(fd).size, 3);
  assert.ok(number > 2 || WINDOWS, "Windows has handles, and gives no number");
  for (const fd of fds) closeSync(fd);
});

posix("a file that the map itself cannot see shrink is not touched by size() and close()", () => {
  const path = newFile(new Uint8Array(20_000));
  using mm = MMap.open(path);
  truncateSync(path, 10);
  assert.is(mm.size(), 10);
  mm.close();
});

// --- Rule 7: sandboxes --------------------------------------------------------------------------------------------------

/** Runs a program that opens a file, with other flags than the suite's, and gives the error that it printed. */
function refusedBy(flags: string[], env: Record<string, string> = {}): string {
  const { stdout, stderr } = runChild(
    `console.log("imported");
     try { console.log("mapped", MMap.open(process.argv[2]).length); }
     catch (error) { console.log(error.name, error.code, error.message); }`,
    { args: [newFile("content")], flags, env },
  );
  assert.ok(stdout.startsWith("imported\n"), stdout + stderr);
  return stdout.slice("imported\n".length).trim();
}

const { deno: isDeno, bun: isBun } = process.versions;

test("Deno without --allow-ffi says so, and maps nothing", () => {
  if (!runs("Deno's permissions", isDeno === undefined && "this is not Deno")) return;
  assert.match(refusedBy(["run", "--no-prompt", "--allow-read"]), /^MMapError ERR_MMAP_FFI .*--allow-ffi/);
});

test("Deno with --allow-ffi but without --allow-read opens no path", () => {
  if (!runs("Deno's permissions", isDeno === undefined && "this is not Deno")) return;
  const refused = refusedBy(["run", "--no-prompt", "--allow-ffi"]);
  assert.match(refused, /--allow-read/);
  assert.not.match(refused, /mapped/);
  assert.is(refusedBy(["run", "--no-prompt", "--allow-ffi", "--allow-read"]), "mapped 7");
});

test("Node under --permission opens no path and calls no C that it was not allowed", () => {
  const isNode = isDeno === undefined && isBun === undefined;
  if (!runs("Node's permissions", !isNode && "this is not Node")) return;
  const major = Number.parseInt(process.versions.node, 10);
  const permission = major < 22 ? "--experimental-permission" : "--permission";
  const throughFfi = currentRuntime().env.MMAP_FFI === "node";
  // tsx, which Node 20 and 22 need for TypeScript, starts a helper process and threads.
  const own = ownFlags();
  const tools = major < 24 ? [...own, "--allow-worker", "--allow-child-process"] : own;
  const ffi = throughFfi ? "--allow-ffi" : "--allow-addons";
  const everyPath = ["--allow-fs-read=*", "--allow-fs-write=*"];
  assert.match(refusedBy([...tools, permission, ...everyPath]), new RegExp(`^MMapError ERR_MMAP_FFI .*${ffi}`));
  assert.is(refusedBy([...tools, permission, ...everyPath, ffi]), "mapped 7");
  const why = major < 24 ? "tsx itself must read everywhere" : WINDOWS && "it speaks of POSIX's paths";
  if (!runs("Node's permission to read", why)) return;
  const project = new URL("../../", import.meta.url).pathname;
  const programs = `${process.env.TMPDIR ?? "/tmp"}/mmap-ffi-*`;
  const some = [`--allow-fs-read=${project}*`, `--allow-fs-read=${programs}`];
  const { stdout } = runChild(
    `try { console.log("mapped", MMap.open("/etc/passwd").length); } catch (error) { console.log(error.code); }`,
    { flags: [...tools, permission, ...some, ffi] },
  );
  assert.is(stdout.trim(), "ERR_ACCESS_DENIED");
});

test.run();
