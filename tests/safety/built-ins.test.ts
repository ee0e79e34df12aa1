/**
 * Programs that would crash the process, or see other memory, if the library believed them. Each runs in a child process.
 *
 * @module
 */

import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FFI } from "../helpers/calls.ts";
import { WITHOUT_VIEWS } from "../helpers/runtimes.ts";
import { MUSL, newFile, newPath, printedBy, repetitions, unless, WINDOWS, WORKERS } from "../helpers/support.ts";

const test = suite("safety/built-ins");

const posix = unless(WINDOWS && "it needs POSIX's flags, or a file that shrinks while it is mapped", test);

/** What the programs begin with: `failure` gives what a call throws, in a word. */
const PRELUDE = `
  import { writeFileSync, truncateSync } from "node:fs";
  import process from "node:process";
  import { setTimeout } from "node:timers/promises";
  const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true));
  const failure = (act) => {
    try {
      return act();
    } catch (error) {
      return error.code ?? error.name;
    }
  };
`;

const printed = (source: string, args: string[] = []): string => printedBy(PRELUDE + source, { args });

// --- Honest objects ----------------------------------------------------------------------------------------------------

test("every method ignores a length or an offset that a subclass or an own property claims", () => {
  const program = `
    class Bits extends MMap {
      get length() { return 8 * super.length; }
      get offset() { return 1; }
    }
    const other = MMap.anonymous(4096, { access: "copy" });
    other.write("abc");
    const own = Object.defineProperty(MMap.anonymous(4096, { access: "copy" }), "length", { value: 2 ** 40 });
    for (const mm of [Bits.anonymous(4096, { access: "copy" }), own]) {
      const last = mm.length - 1;
      mm.seek(0, 2);
      console.log([
        mm.tell(), mm.at(last), mm.slice(0, 1e7).length, mm.view(Uint8Array).length, mm.view(Float64Array, 8).length, [...mm].length,
        mm.read().length, mm.readline().length, mm.find("z", 0, last), mm.rfind("z", 0, last), [...mm.lines(4000, last)].length,
        failure(() => mm[last]), failure(() => { mm[last] = 1; }), failure(() => mm.readByte()), failure(() => mm.writeByte(1)),
        failure(() => mm.write("abc")), failure(() => mm.assign(new Uint8Array(5000), 0, 5000)),
        failure(() => mm.move(0, 4096, 10)), failure(() => mm.view(Uint8Array, 0, 4097)), failure(() => mm.flush(0, 4097)),
      ].join());
      if (library.MADV_DONTNEED !== undefined) mm.madvise(library.MADV_DONTNEED);
    }
    console.log(String.fromCharCode(...other.slice(0, 3)));
  `;
  const range = "RangeError";
  const line = [4096, "", 4096, 4096, 511, 4096, 0, 0, -1, -1, 1, ...Array.from({ length: 9 }, () => range)].join();
  assert.is(printed(program), `${line}\n${line}\nabc`);
});

test("lines(), textLines(), matchAll() and [Symbol.iterator]() keep their map until they end", () => {
  const path = newFile("a line of bytes\n".repeat(5000));
  const program = `
    const kinds = {
      lines: (mm) => mm.lines(),
      text: (mm) => mm.textLines(),
      matches: (mm) => mm.matchAll(/line/),
      bytes: (mm) => mm[Symbol.iterator](),
    };
    for (const [name, read] of Object.entries(kinds)) {
      let count = 0;
      for (const _ of (() => read(MMap.open(process.argv[2])))()) {
        if (++count % 1000 !== 0 || count > 5000) continue;
        collect();
        await setTimeout(1);
      }
      console.log(name, count);
    }
  `;
  assert.is(printed(program, [path]), "lines 5000\ntext 5000\nmatches 5000\nbytes 80000");
});

// --- A stack that runs over ----------------------------------------------------------------------------------------------

/** `deep(times, act)` calls it at every depth from where the stack runs over, so many times. */
const DEEP = `
  function deep(times, act) {
    let left = times;
    (function fall() {
      try { fall(); } catch {}
      if (left-- > 0) try { act(left); } catch {}
    })();
  }
`;

const TIMES = repetitions(700);

test("resize() for which the stack is too short changes nothing", () => {
  const program = `${DEEP}
    const first = MMap.anonymous(4096);
    first.resize(8192);
    first.close();
    const make = (_, index) => {
      const mm = MMap.anonymous(4096);
      mm[0] = index % 251;
      mm[1];
      return mm;
    };
    const maps = Array.from({ length: ${TIMES} }, make);
    deep(${TIMES}, (index) => maps[index].resize(4_000_000));
    let refused = 0;
    for (const [index, mm] of maps.entries()) {
      if (mm.length === 4096) refused++;
      if (mm[0] !== index % 251 || ![4096, 4_000_000].includes(mm.length) || mm.length !== mm.size()) throw new Error("it changed");
      mm.bytes.fill(98);
      mm.close();
    }
    console.log(refused > 0);
  `;
  assert.is(printed(program), "true");
});

test("close() for which the stack is too short does not end the process", () => {
  const program = `${DEEP}
    const make = (_, index) => {
      const mm = MMap.anonymous(4096);
      if (index % 2) mm.bytes;
      return mm;
    };
    const maps = Array.from({ length: ${TIMES} }, make);
    deep(${TIMES}, (index) => maps[index].close());
    for (const mm of maps) mm.close();
    await setTimeout(10);
    collect();
    await setTimeout(10);
    console.log(maps.every((mm) => mm.closed && failure(() => mm[0]) === "ERR_MMAP_CLOSED"));
  `;
  assert.is(printed(program), "true");
});

const guarded = unless(process.platform !== "linux" && "the guard is Linux's alone", test);

guarded("open() guards maps though the stack overflowed while the first map was made", () => {
  const program = `${DEEP}
    const path = process.argv[2];
    writeFileSync(path, new Uint8Array(100_000).fill(97));
    MMap.anonymous(10, { access: "copy" }).close();
    const unguarded = [];
    deep(${repetitions(3000)}, () => {
      const mm = MMap.anonymous(4096);
      if (!mm.guarded) unguarded.push(mm);
      mm.close();
    });
    const mm = MMap.open(path);
    truncateSync(path, 0);
    console.log(unguarded.length, mm.guarded, mm.bytes[50_000]);
  `;
  assert.is(printed(program, [newPath()]), "0 true 0");
});

// --- Built-in classes that are not as they were ------------------------------------------------------------------------

posix("open(), find(), resize() and view() ignore properties of Object.prototype", () => {
  const program = `
    const path = process.argv[2];
    writeFileSync(path, "abc".repeat(5000));
    let mm = MMap.anonymous(2 ** 20);
    let asked = 0;
    const names = ["mapPrivateView", "releaseName", "withPath", "residency", "findLastByte", "findSequence", "return", "aio"];
    for (const name of names) {
      Object.defineProperty(Object.prototype, name, {
        configurable: true,
        value: () => { asked++; mm.close(); return 0x100000; },
      });
    }
    Object.prototype.name = "x";
    const read = MMap.open(path, { access: "read" });
    const seen = [read.bytes[0], read.find("bca"), read.rfind("bca"), read.find("b", 5)];
    mm.resize(2 ** 21);
    mm.find("abcd");
    mm.prefault();
    mm.residency();
    const views = [mm.view(DataView, 0, 100), mm.view(Float64Array, 8)];
    for (const name of names) delete Object.prototype[name];
    delete Object.prototype.name;
    console.log(asked, mm.closed, seen.join(), views.map(({ byteLength }) => byteLength).join());
  `;
  assert.is(printed(program, [newPath()]), "0 false 97,1,14995,7 100,2097144");
});

const linux = unless(process.platform !== "linux" && "it needs Linux's mremap, memfd or /proc", test);

test("resize() is not entered again by code that runs while its error is made", () => {
  const program = `
    const mm = MMap.anonymous(65_536, { access: "default" });
    mm.write("abc");
    const outcomes = [];
    let evil = () => {
      evil = () => {};
      for (const act of [() => mm.bytes, () => mm.resize(4096), () => mm.close(), () => mm.at(0)]) outcomes.push(failure(act));
    };
    Object.setPrototypeOf(MMapError, function (message) {
      evil();
      return Reflect.construct(Error, [message], new.target);
    });
    console.log(failure(() => mm.resize(2 ** 47)) !== undefined, outcomes.join(), mm.length, mm[0], mm.at(-1));
  `;
  const refused = Array.from({ length: 4 }, () => "TypeError").join();
  assert.is(printed(program), `true ${refused} 65536 97 0`);
});

unless(WITHOUT_VIEWS && "no memory can be viewed here", test)(
  "a listener that the library's own listener calls runs before a resize, and may close the map",
  () => {
    const program = `
      ${WORKERS}
      if (isMainThread) await startWorker({ path: process.argv[2] });
      else {
        writeFileSync(workerData.path, new Uint8Array(20_000));
        const mm = MMap.open(workerData.path, { access: "write" });
        const { bytes } = mm;
        let seen;
        process.on("newListener", (name) => {
          if (name !== "exit" || seen !== undefined) return;
          seen = mm.length;
          mm.close();
        });
        const outcome = failure(() => mm.resize(10_000));
        console.log(seen, outcome, mm.closed, bytes.length);
      }`;
    // Node 20 cannot detach.
    assert.match(printed(program, [newPath()]), /^20000 ERR_MMAP_CLOSED true (?:0|20000)$/);
  },
);

linux("resize() of a file that may not be cut leaves the map as long as it was, after unlock() of a part", () => {
  const program = `
    import { openSync, readlinkSync } from "node:fs";
    const { openFfi } = await import(process.argv[2]);
    const c = openFfi().open(["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"], {
      memfd_create: { parameters: ["bytes", "u32"], result: "i32" },
      fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
      ftruncate: { parameters: ["i32", "i64"], result: "i32" },
    });
    const fd = c.memfd_create(new TextEncoder().encode("sealed\\0"), 2);
    c.ftruncate(fd, 2 ** 20);
    // F_ADD_SEALS is 1033, F_SEAL_SHRINK is 2.
    if (c.fcntl(fd, 1033, 2) !== 0) throw new Error("no seals");
    const mm = new MMap(fd, 0, { flags: library.MAP_SHARED });
    mm[600_000] = 97;
    mm.unlock(8192, 4096);
    console.log(failure(() => mm.resize(20_480)), mm.length, mm.at(600_000));
    mm.resize(2 ** 21);
    console.log(mm.length, mm.at(600_000), mm.at(-1));
  `;
  assert.is(printed(program, [FFI]), "EPERM 1048576 97\n2097152 97 0");
});

test("find() notices code that closes the map while the functions for long searches are opened", () => {
  // Bun's dlopen calls it.
  const program = `
    const path = process.argv[2];
    writeFileSync(path, "abc ".repeat(1_000_000));
    const mm = MMap.open(path);
    const { bind } = Function.prototype;
    Function.prototype.bind = function (...values) {
      mm.close();
      return Reflect.apply(bind, this, values);
    };
    const found = failure(() => mm.find("abc abcabc"));
    Function.prototype.bind = bind;
    console.log(mm.closed ? found : "not called");
  `;
  const found = printed(program, [newPath()]);
  // Without glibc, or on another architecture, there may be nothing to open.
  const opens = process.versions.bun !== undefined && `${process.platform}-${process.arch}` === "linux-x64" && !MUSL;
  assert.ok(found === "RangeError" || (found === "not called" && !opens), found);
});

test("open() uses the engine's own functions for the first map too, though they were replaced before", () => {
  const program = `
    const path = process.argv[2];
    writeFileSync(path, "abc".repeat(50_000));
    const Bytes = Uint8Array;
    const { map, push } = Array.prototype;
    const { parseInt } = Number;
    const buffer = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Bytes.prototype), "buffer");
    globalThis.Uint8Array = function (first, ...rest) {
      return typeof first === "number" ? new Bytes(1) : new Bytes(first, ...rest);
    };
    Array.prototype.map = function (make) {
      return map.call(this, (value, ...rest) => {
        const made = make(value, ...rest);
        return made === "uintptr_t" || made === "u64" || made === "usize" ? "u32" : made;
      });
    };
    Number.parseInt = () => 0xcc;
    const outcome = failure(() => {
      const mm = MMap.open(path, { access: "write" });
      return [mm.length, mm.at(-1), mm.find("ca"), mm];
    });
    globalThis.Uint8Array = Bytes;
    Array.prototype.map = map;
    Number.parseInt = parseInt;
    const [length, last, found, mm] = outcome;
    if (mm.guarded) truncateSync(path, 0);
    console.log(length, last, found, mm.guarded ? mm.bytes[100_000] : 0);
  `;
  assert.is(printed(program, [newPath()]), "150000 99 2 0");
});

unless(WITHOUT_VIEWS && "no memory can be viewed here", test)(
  "the runtime's functions for views are not looked up while an address is in use",
  () => {
    const program = `
      import { createRequire } from "node:module";
      const path = process.argv[2];
      writeFileSync(path, "abc");
      const mm = MMap.open(path);
      let replaced = 0;
      const replace = (owner, name) => {
        const real = owner?.[name];
        if (typeof real !== "function") return;
        try {
          owner[name] = function (...values) {
            mm.close();
            return Reflect.apply(real, this, values);
          };
          replaced++;
        } catch {
          // It cannot be replaced.
        }
      };
      const native = "@koromix/koffi-" + process.platform + "-" + process.arch;
      const optional = (get) => { try { return get(); } catch {} };
      replace(globalThis.Deno?.UnsafePointer, "create");
      replace(globalThis.Deno?.UnsafePointerView, "getArrayBuffer");
      replace(optional(() => process.getBuiltinModule("bun:ffi")), "toArrayBuffer");
      replace(optional(() => process.getBuiltinModule("node:ffi")), "toArrayBuffer");
      if (!process.versions.bun && !process.versions.deno) replace(optional(() => createRequire(process.argv[3])(native)), "view");
      console.log(replaced > 0, mm.bytes[0], mm.closed);`;
    assert.is(printed(program, [newPath(), FFI]), "true 97 false");
  },
);

test("resize() checks the stack though Array.from was replaced", () => {
  const program = `${DEEP}
    const { from } = Array;
    Array.from = () => [];
    MMap.anonymous(4096).resize(8192);
    Array.from = from;
    const maps = Array.from({ length: ${TIMES} }, () => MMap.anonymous(4096));
    for (const mm of maps) mm.write("abc");
    deep(${TIMES}, (index) => maps[index].resize(4_000_000));
    console.log(maps.every((mm) => mm[0] === 97 && mm.length === mm.size()));
  `;
  assert.is(printed(program), "true");
});

test("view() does not ask the class for the size of its elements", () => {
  const program = `
    const mm = MMap.anonymous(1_000_000);
    let asked = 0;
    const size = { valueOf() { if (++asked === 3) mm.resize(1); return 1; } };
    Object.defineProperty(Object.prototype, "BYTES_PER_ELEMENT", { configurable: true, value: size });
    failure(() => Object.defineProperty(DataView, "BYTES_PER_ELEMENT", { value: size }));
    const view = mm.view(DataView, 0, 900_000);
    console.log(asked, view.getUint8(899_999));
  `;
  assert.is(printed(program), "0 0");
});

/**
 * What a program replaces, what it then does with the map `mm`, and what comes of that: `put` replaces a property until the
 * case is over.
 */
const REPLACED: [name: string, act: string, outcome: string][] = [
  ["push", `put(Array.prototype, "push", () => 0); const v = mm.bytes; mm.close(); return gone(v);`, "gone"],
  ["filter", `const v = mm.bytes; put(Array.prototype, "filter", () => []); mm.close(); return gone(v);`, "gone"],
  ["every", `const v = mm.bytes; put(Array.prototype, "every", () => true); mm.close(); return gone(v);`, "gone"],
  ["element 0", `trap(Array.prototype, "0", () => {}); const v = mm.bytes; mm.close(); return gone(v);`, "gone"],
  ["Math.min", `put(Math, "min", Math.max); return mm.find("abcd", 0, 1e11);`, "-1"],
  [
    "Math.min of a line",
    `mm.at(0); mm.at(1); put(Math, "min", () => { mm.close(); return 2 ** 20; }); return mm.readline().length;`,
    "1048576",
  ],
  ["Math.max", `put(Math, "max", Math.min); return mm.rfind("abcd");`, "-1"],
  [
    "Math.ceil",
    `put(Math, "ceil", () => 60); return mm.view(Uint8Array, 0, 100).buffer.byteLength <= mm.length;`,
    "true",
  ],
  [
    "Math.min of a view",
    `put(Math, "min", () => 2 ** 31); return mm.view(Uint8Array, 0, 9).buffer.byteLength <= mm.length;`,
    "true",
  ],
  [
    "iterator",
    `put(Array.prototype, Symbol.iterator, function* () { yield 0; yield 1e11; }); return mm.find("abcd");`,
    "-1",
  ],
  [
    "next",
    `put(Object.getPrototypeOf([].values()), "next", () => ({ done: false, value: 2 ** 36 })); mm.unlock(); return 1;`,
    "1",
  ],
  [
    "isInteger",
    `put(Number, "isInteger", () => true); let n = 0;
     return failure(() => mm.move({ valueOf: () => (n++ < 3 ? 0 : 2 ** 40) }, 0, 5));`,
    "TypeError",
  ],
  [
    "Uint8Array",
    `put(globalThis, "Uint8Array", function () { return new Bytes(1); }); return mm.find("abcdef");`,
    "-1",
  ],
  [
    "Uint8Array that resizes",
    `put(globalThis, "Uint8Array", function (n) { restore(); mm.resize(1); return new Bytes(n); });
     return mm.slice(0, 1 << 20, 65536).length;`,
    "16",
  ],
  ["call", `put(Function.prototype, "call", () => 2 ** 27); return mm.write(new ArrayBuffer(3));`, "3"],
  [
    "Atomics.add",
    `put(Atomics, "add", () => { mm.close(); return 0; }); mm.resize(1 << 22); return mm.closed;`,
    "false",
  ],
  ["pop", `put(Array.prototype, "pop", () => { mm.close(); }); mm.resize(1 << 22); return mm.closed;`, "false"],
  ["Map.get", `put(Map.prototype, "get", () => "MADV_FINE"); failure(() => mm.madvise?.(100)); return mm[0];`, "0"],
  ["Set.has", `put(Set.prototype, "has", () => true); return failure(() => mm.view(class {}, 0, 100));`, "TypeError"],
  [
    "register",
    `let held; put(FinalizationRegistry.prototype, "register", (_, value) => { held = value; });
     MMap.anonymous(10); await setTimeout(5); return held === undefined;`,
    "true",
  ],
  [
    "WeakMap.set",
    `put(WeakMap.prototype, "set", function () { return this; });
     const v = (() => MMap.anonymous(1 << 20).bytes)();
     for (let n = 0; n < 5; n++) { await setTimeout(2); collect(); } return v[v.length - 1];`,
    "0",
  ],
  ["BigInt", `put(globalThis, "BigInt", () => 8n); mm.resize(1 << 22); return mm[0];`, "0"],
];

test("replaced built-in functions do not decide where memory begins and ends", () => {
  const cases = REPLACED.map(([name, act]) => `[${JSON.stringify(name)}, async (mm) => { ${act} }]`);
  const program = `
    const Bytes = Uint8Array;
    const { defineProperty, getOwnPropertyDescriptor, deleteProperty } = Reflect;
    let undo = () => {};
    const change = (object, name, descriptor) => {
      const before = getOwnPropertyDescriptor(object, name);
      defineProperty(object, name, { configurable: true, ...descriptor });
      undo = () => before === undefined ? deleteProperty(object, name) : defineProperty(object, name, before);
    };
    const put = (object, name, value) => change(object, name, { value, writable: true });
    const trap = (object, name, set) => change(object, name, { set, get: () => undefined });
    const restore = () => undo();
    const gone = (view) => {
      const length = view.length;
      if (length > 0) view[length - 1] = 1;
      // Node 20 cannot detach, and keeps the memory.
      return length === 0 || process.versions.node.startsWith("20.") ? "gone" : length;
    };
    for (const [name, act] of [${cases.join(",\n")}]) {
      const mm = MMap.anonymous(1 << 20);
      let outcome;
      try {
        outcome = await act(mm);
      } catch (error) {
        outcome = error.code ?? error.name;
      }
      restore();
      console.log(name + ": " + outcome);
    }
  `;
  assert.is(printed(program), REPLACED.map(([name, _, outcome]) => `${name}: ${outcome}`).join("\n"));
});

test("a TextDecoder that replaces the built-in one before the first map is not used", () => {
  const program = `
    globalThis.TextDecoder = class { constructor() { throw new Error("used"); } };
    const mm = MMap.anonymous(4096);
    mm.write("wörter");
    console.log(mm.text(0, 7), mm.find("ter"));
  `;
  assert.is(printed(program), "wörter 4");
});

test.run();
