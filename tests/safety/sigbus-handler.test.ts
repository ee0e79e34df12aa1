/**
 * The handler of SIGBUS: its machine code, and how it shares the process with other handlers, threads and copies of itself.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openFfi } from "../../ffi/mod.ts";
import { librariesFor } from "../../platform/linux.ts";
import { CODE } from "../../platform/sigbus/mod.ts";
import { CALLS, FFI } from "../helpers/calls.ts";
import { currentRuntime, ROOT } from "../helpers/runtimes.ts";
import {
  EMULATED,
  FOLDER,
  LIBRARY,
  newFile,
  newPath,
  ownFlags,
  printedBy,
  runChild,
  unless,
} from "../helpers/support.ts";
import { ended, printed, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("safety/sigbus-handler");

/** A case that needs the guard. */
const guarded = unless(UNGUARDED, test);

/** What the programs begin with: `installed`, the flags and mask of the current handler; `returning`, machine code that returns. */
const HANDLER_PRELUDE = `
  import { spawnSync } from "node:child_process";
  import process from "node:process";
  import { setTimeout } from "node:timers/promises";
  ${CALLS}
  function installed() {
    const action = new Uint8Array(152);
    c.current(7, 0, action);
    // Without SA_RESTORER, which libc adds on x64.
    return ((new Uint32Array(action.buffer)[34] & ~0x04000000) >>> 0).toString(16) + " " + action[8];
  }
  function returning() {
    const address = c.mmap(0, 4096, 7, 0x22, -1, 0);
    new Uint8Array(ffi.view(address, 4096)).set(process.arch === "x64" ? [0xc3] : [0xc0, 0x03, 0x5f, 0xd6]);
    return address;
  }
`;

guarded("the handler uses signal stacks, restarts calls, and runs under the mask of the one before", () => {
  const program = `${HANDLER_PRELUDE}
    install(returning(), 0x40000000, 5);
    const mm = MMap.open(process.argv[2]);
    console.log(installed());
    install(0, 0, 0);
    const other = MMap.open(process.argv[2]);
    console.log(installed());`;
  // SA_SIGINFO is 4, SA_ONSTACK 0x08000000, SA_RESTART 0x10000000, SA_NODEFER 0x40000000.
  assert.is(printedBy(program, { args: [newFile("abc"), FFI] }), "48000004 5\n18000004 0");
});

guarded("a replaced handler with SA_RESETHAND is called once", () => {
  const program = `${HANDLER_PRELUDE}
    install(returning(), 0x80000000, 0);
    const mm = MMap.open(process.argv[2]);
    for (const time of ["once", "twice"]) {
      spawnSync("sh", ["-c", "kill -s BUS " + process.pid]);
      await setTimeout(50);
      console.log(time);
    }`;
  const { signal, stdout } = runChild(program, { args: [newFile("abc"), FFI] });
  assert.equal([signal, stdout.trim()], ["SIGBUS", "once"]);
});

/** An assembler without a prefix is for the machine that runs it, which under an emulator is another one. */
const plain = EMULATED ? "" : process.arch;

/** Commands that assemble a file into an object, and then extract its bytes. */
type Assembler = readonly [assemble: string[], extract: string[]];

const gnu = (prefix: string): Assembler => [[`${prefix}as`], [`${prefix}objcopy`]];
const llvm = (target: string): Assembler => [["llvm-mc", `-triple=${target}`, "-filetype=obj"], ["llvm-objcopy"]];

const ASSEMBLERS: Record<string, Assembler[]> = {
  x64: [gnu("x86_64-linux-gnu-"), ...(plain === "x64" ? [gnu("")] : []), llvm("x86_64-linux-gnu")],
  arm64: [gnu("aarch64-linux-gnu-"), ...(plain === "arm64" ? [gnu("")] : []), llvm("aarch64-linux-gnu")],
};

const works = (command: string) => spawnSync(command, ["--version"]).status === 0;

function runTool([command, ...options]: string[], ...more: string[]): void {
  const { status, stderr } = spawnSync(command as string, [...options, ...more], { encoding: "utf8" });
  assert.is(status, 0, stderr);
}

for (const [architecture, assemblers] of Object.entries(ASSEMBLERS)) {
  const assembler = assemblers.find((commands) => commands.every(([command]) => works(command as string)));
  const name = `the handler of ${architecture} is what the assembler makes of its source`;
  unless(assembler === undefined && `no assembler for ${architecture} is installed`, test)(name, () => {
    const [assemble, extract] = assembler as Assembler;
    const [object, code] = [newPath(), newPath()];
    runTool(assemble, "-o", object, join(ROOT, "platform", "sigbus", `${architecture}.s`));
    runTool(extract, "-O", "binary", "-j", ".text", object, code);
    assert.is(CODE[architecture]?.replace(/\s/g, ""), readFileSync(code).toString("hex"));
  });
}

guarded("the handler is never writable and executable at once, and its table is never executable", () => {
  const lines = printed(
    `${CALLS}
    using mm = MMap.open(file(1));
    const table = Number(new BigUint64Array(ffi.view(handler() - 64, 64))[2]);
    for (const address of [handler(), table]) {
      for (const line of readFileSync("/proc/self/maps", "latin1").split("\\n")) {
        const [, start, end, mode] = /^(\\w+)-(\\w+) (\\S+)/.exec(line) ?? [];
        if (parseInt(start, 16) <= address && address < parseInt(end, 16)) print(mode);
      }
    }
    `,
    { args: [newPath(), FFI] },
  );
  assert.equal(lines, [["r-xp"], ["rw-p"]]);
});

/** What Node 20 reads TypeScript with; its workers do not have it of themselves. */
const TSX: string = import.meta.resolve("tsx/esm/api");

guarded("workers share one handler and one table, and may be terminated", () => {
  const worker = `${newPath()}.mjs`;
  writeFileSync(
    worker,
    `import { parentPort, workerData } from "node:worker_threads";
    import { closeSync, openSync } from "node:fs";
    if (workerData.tsx) (await import(workerData.tsx)).register();
    const { MMap } = await import(workerData.library);
    const fd = openSync(workerData.path, "r");
    const maps = Array.from({ length: 200 }, () => new MMap(fd, 0, { access: "read", trackfd: false }));
    closeSync(fd);
    const views = maps.map((mm) => mm.bytes);
    parentPort.postMessage(maps.every((mm) => mm.guarded));
    parentPort.on("message", () => {
      let total = 0;
      for (const view of views) for (let index = 0; index < view.length; index += 512) total += view[index];
      parentPort.postMessage([total, maps.reduce((faults, mm) => faults + mm.faults, 0)]);
    });`,
  );
  const lines = printed(
    `${CALLS}
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    const path = file(20);
    const own = MMap.open(path);
    const entry = handler();
    const start = () => new Worker(new URL(process.argv[4]), { workerData: { library: process.argv[5], tsx: process.argv[6], path } });
    const workers = Array.from({ length: 5 }, start);
    const ready = await Promise.all(workers.map((worker) => once(worker, "message")));
    const [last] = workers.splice(4);
    await last.terminate();
    cut(path, 0);
    const answers = workers.map((worker) => once(worker, "message"));
    for (const worker of workers) worker.postMessage("go");
    for (const [answer] of await Promise.all(answers)) print(...answer);
    for (const worker of workers) await worker.terminate();
    print(sum(own.bytes), own.faults, handler() === entry, ready.flat().every(Boolean));
    const path2 = file(3);
    const late = MMap.open(path2);
    cut(path2, 0);
    print(sum(late.bytes), late.faults);
    process.exit(0);
    `,
    {
      args: [newPath(), FFI, pathToFileURL(worker).href, LIBRARY, ...(currentRuntime().name === "node20" ? [TSX] : [])],
    },
  );
  const each = [0, 200 * 20];
  assert.equal(lines, [each, each, each, each, [0, 20, true, true], [0, 3]]);
});

guarded("two copies of the library in one process share the handler", () => {
  const copy = join(FOLDER, "copy");
  mkdirSync(copy, { recursive: true });
  for (const folder of ["lib", "ffi", "platform"]) cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
  const lines = printed(
    `${CALLS}
    const { MMap: Other } = await import(process.argv[4]);
    const paths = [file(10), file(10)];
    const [one, other] = [MMap.open(paths[0]), Other.open(paths[1])];
    const entry = handler();
    print(MMap !== Other, one.guarded, other.guarded);
    for (const path of paths) cut(path, 0);
    print(sum(one.bytes), one.faults, sum(other.bytes), other.faults, handler() === entry);
    `,
    { args: [newPath(), FFI, pathToFileURL(join(copy, "lib", "mod.ts")).href] },
  );
  assert.equal(lines, [
    [true, true, true],
    [0, 10, 0, 10, true],
  ]);
});

guarded("open() with guard: false leaves the process to end by SIGBUS", () => {
  for (const others of ["", "const other = MMap.open(file(1)); if (!other.guarded) throw new Error();"]) {
    const { code, signal, stdout } = ended(`
      ${others}
      const path = file(3);
      const mm = MMap.open(path, { guard: false });
      cut(path, 0);
      print("touching", mm.guarded);
      print(sum(mm.bytes));
    `);
    assert.equal([signal ?? code, stdout.trim()], ["SIGBUS", '["touching",false]']);
  }
});

/** Of 100 such processes 8 hung, as many without the library as with it; other signals did them nothing. */
const HANGS =
  EMULATED &&
  currentRuntime().name === "deno" &&
  "under QEMU, Deno hangs now and then when it is sent SIGBUS, by itself too";

const signalled = unless(HANGS, guarded);

signalled("a SIGBUS that a process sends has the same effect as without the library's handler", () => {
  const outcomes = ["", "const mm = MMap.open(file(1)); if (!mm.guarded) throw new Error();"].map((others) => {
    const { code, signal, stdout } = ended(`
      ${others}
      print("sending");
      const { status } = spawnSync("sh", ["-c", "kill -s BUS " + process.pid]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      print("alive", status);
    `);
    return [signal ?? code, stdout];
  });
  assert.equal(outcomes[1], outcomes[0]);
});

/**
 * Machine code of handlers that end the process with an exit status: what the signal's number or the fault's `si_code` (2
 * for what a missing page raises) is, plus 40.
 */
const HANDLERS: Record<string, { plain: string; info: string }> = {
  // add edi, 40 | mov edi, [rsi + 8]; add edi, 40; then for both: mov eax, 231 (exit_group); syscall
  x64: { plain: "83c728b8e70000000f05", info: "8b7e0883c728b8e70000000f05" },
  // add w0, w0, #40 | ldr w0, [x1, #8]; add w0, w0, #40; then for both: mov x8, #94 (exit_group); svc #0
  arm64: { plain: "00a00011c80b80d2010000d4", info: "200840b900a00011c80b80d2010000d4" },
};

guarded("a replaced handler gets the faults that are not the library's, with its own arguments", () => {
  const SA_SIGINFO = 4;
  const SA_RESETHAND = 0x80000000;
  const code = HANDLERS[process.arch] as { plain: string; info: string };
  const cases: [code: string, flags: number, expected: number][] = [
    [code.plain, 0, 47],
    [code.plain, SA_RESETHAND, 47],
    [code.info, SA_SIGINFO, 42],
    [code.info, SA_SIGINFO + SA_RESETHAND, 42],
  ];
  for (const [hexadecimal, flags, expected] of cases) {
    const {
      code: status,
      signal,
      stdout,
    } = ended(
      `${CALLS}
      const memory = c.mmap(0, PAGE, 7, 0x22, -1, 0);
      const code = "${hexadecimal}".match(/../g).map((byte) => parseInt(byte, 16));
      new Uint8Array(ffi.view(memory, PAGE)).set(code);
      install(memory, ${flags});
      const [ours, left] = [file(3), file(3)];
      const mm = MMap.open(ours);
      const out = MMap.open(left, { guard: false });
      cut(ours, 0);
      cut(left, 0);
      print(sum(mm.bytes), mm.faults, handler() !== memory);
      print(sum(out.bytes));
      `,
      { args: [newPath(), FFI] },
    );
    assert.equal([signal ?? status, stdout.trim()], [expected, "[0,3,true]"]);
  }
});

/**
 * Sets what the library's handler knows of the one that it replaced: `place` is 0 for libc's struct sigaction, 19 for what
 * was expected. 2 and -1 stand there until libc has stored the replaced handler.
 */
const KNOWN = `
  function know(place, address, flags) {
    const at = Number(new BigUint64Array(ffi.view(handler() - 64, 64))[3]);
    const memory = ffi.view(at, 200);
    new BigUint64Array(memory)[place] = BigInt(address);
    new Int32Array(memory)[place === 0 ? 34 : 40] = flags;
  }
  function exiting(hexadecimal) {
    const memory = c.mmap(0, PAGE, 7, 0x22, -1, 0);
    new Uint8Array(ffi.view(memory, PAGE)).set(hexadecimal.match(/../g).map((byte) => parseInt(byte, 16)));
    return memory;
  }
`;

guarded("a handler that another thread installs right before the library's gets its signals", () => {
  const { code, signal, stdout } = ended(
    `${CALLS}${KNOWN}
    const { sigbusGuard } = await import(process.argv[4]);
    const other = exiting("${HANDLERS[process.arch]?.info}");
    // Between the query and the installation.
    const late = {
      ...ffi,
      open(libraries, signatures) {
        const functions = ffi.open(libraries, signatures);
        if (signatures.sigaction?.parameters[1] !== "bytes") return functions;
        return { ...functions, sigaction: (...all) => (install(other, 4), functions.sigaction(...all)) };
      },
    };
    const memory = c.mmap(0, PAGE, 3, 0x22, -1, 0);
    print(sigbusGuard(late, libraries, PAGE).guard(memory, PAGE) !== undefined, handler() !== other);
    const path = file(1);
    const mm = MMap.open(path, { guard: false });
    cut(path, 0);
    print(sum(mm.bytes));
    `,
    { args: [newPath(), FFI, new URL("../../platform/sigbus/mod.ts", import.meta.url).href] },
  );
  assert.equal([signal ?? code, stdout.trim()], [42, "[true,true]"]);
});

guarded("a fault waits while another thread installs the handler, for what it replaces", () => {
  // The thread with the fault has one of its own; here it is a worker, and the main thread plays the one that installs.
  const worker = `${newPath()}.mjs`;
  writeFileSync(
    worker,
    `import { parentPort, workerData } from "node:worker_threads";
    if (workerData.tsx) (await import(workerData.tsx)).register();
    const { MMap } = await import(workerData.library);
    const { truncateSync } = await import("node:fs");
    const mm = MMap.open(workerData.path, { guard: false });
    const { bytes } = mm;
    truncateSync(workerData.path, 0);
    parentPort.postMessage("faults next");
    parentPort.postMessage(bytes[0]);`,
  );
  const { code, signal, stdout } = ended(
    `${CALLS}${KNOWN}
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    const mm = MMap.open(file(1));
    know(0, 2, -1);
    know(19, 0, 0);
    const workerData = { library: process.argv[5], tsx: process.argv[6], path: file(1) };
    const faulting = new Worker(new URL(process.argv[4]), { workerData });
    await once(faulting, "message");
    await new Promise((resolve) => setTimeout(resolve, 100));
    print("waiting");
    know(0, exiting("${HANDLERS[process.arch]?.info}"), 4);
    await once(faulting, "message");
    print("not reached");
    `,
    {
      args: [newPath(), FFI, pathToFileURL(worker).href, LIBRARY, ...(currentRuntime().name === "node20" ? [TSX] : [])],
    },
  );
  assert.equal([signal ?? code, stdout.trim()], [42, '["waiting"]']);
});

signalled("a sent signal that arrives while the handler is being installed goes to the expected handler", () => {
  const { code, signal, stdout } = ended(
    `${CALLS}${KNOWN}
    const mm = MMap.open(file(1));
    know(0, 2, -1);
    know(19, exiting("${HANDLERS[process.arch]?.plain}"), 0);
    print("sending");
    spawnSync("sh", ["-c", "kill -s BUS " + process.pid]);
    await new Promise((resolve) => setTimeout(resolve, 5000));
    `,
    { args: [newPath(), FFI] },
  );
  assert.equal([signal ?? code, stdout.trim()], [47, '["sending"]']);
});

guarded("a replaced SIG_IGN ignores sent signals, but not page faults", () => {
  const { code, signal, stdout } = ended(
    `${CALLS}
    install(1, 0);
    const path = file(3);
    const mm = MMap.open(path);
    const out = MMap.open(path, { guard: false });
    spawnSync("sh", ["-c", "kill -s BUS " + process.pid]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    cut(path, 0);
    print(mm.guarded, sum(mm.bytes), mm.faults);
    print(sum(out.bytes));
    `,
    { args: [newPath(), FFI] },
  );
  assert.equal([signal ?? code, stdout.trim()], ["SIGBUS", "[true,0,3]"]);
});

guarded("open() notices a handler that was installed after the library's", () => {
  const lines = printed(
    `${CALLS}
    const paths = [file(3), file(3)];
    const first = MMap.open(paths[0]);
    install(0, 0);
    const second = MMap.open(paths[1]);
    print(first.guarded, second.guarded, handler() !== 0);
    for (const path of paths) cut(path, 0);
    print(sum(first.bytes), sum(second.bytes), first.faults, second.faults);
    `,
    { args: [newPath(), FFI] },
  );
  assert.equal(lines, [
    [true, true, true],
    [0, 0, 3, 3],
  ]);
});

/** The flags with which V8 makes no machine code of its own; JavaScriptCore has its executable pages from the start. */
const INTERPRETED: Record<string, readonly string[]> = {
  bun: [],
  deno: ["--v8-flags=--jitless"],
  node: ["--no-opt", "--no-sparkplug", "--no-maglev", "--regexp-interpret-all"],
};

/** Can Linux refuse executable pages here? prctl(PR_GET_MDWE) is an error before Linux 6.3. */
function canRefuseExecutablePages(): boolean {
  const prctl = { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" } as const;
  return !UNGUARDED && openFfi().open(librariesFor(process.arch), { prctl }).prctl(66, 0, 0, 0, 0) >= 0;
}

const unexecutable = unless(!canRefuseExecutablePages() && "this system has no PR_SET_MDWE", guarded);

unexecutable("open() works without the guard where no page may become executable", () => {
  const { name } = currentRuntime();
  const own = ownFlags();
  // Deno 2.9.5 takes V8's flags once.
  const flags = [
    ...own.filter((flag) => !flag.startsWith("--v8-flags")),
    ...(INTERPRETED[name.replace(/\d.*/, "")] ?? []),
  ];
  const [line] = printed(
    `${CALLS}
    const path = file(3);
    MMap.anonymous(1, { access: "copy" }).close();
    // prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN).
    const refused = c.prctl(65, 1, 0, 0, 0) === 0;
    const mm = MMap.open(path, { access: "write" });
    const again = MMap.open(path);
    print(refused, mm.guarded, again.guarded, mm.faults, sum(mm.bytes) === 97 * 3 * PAGE, failure(() => mm.close()));
    process.exit(0);
    `,
    { args: [newPath(), FFI], flags },
  );
  assert.equal(line, [true, false, false, 0, true, "done"]);
});

test.run();
