import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, PROT_READ, PROT_WRITE } from "../../lib/mod.ts";
import { newFile, printedBy, refuses, text, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("safety/lies");

function lying<T extends object>(object: T, properties: Record<string, unknown>): T {
  for (const [name, value] of Object.entries(properties)) Object.defineProperty(object, name, { get: () => value });
  return object;
}

test("write() and find() measure bytes by the engine's own getters, not by the object's properties", () => {
  using mm = MMap.anonymous(8);
  const other = Uint8Array.of(120, 120, 120, 120).buffer;
  const lies = { length: 1, byteLength: 1, byteOffset: 1, buffer: other };
  assert.is(mm.write(lying(Uint8Array.of(97, 98, 99), lies)), 3);
  assert.is(mm.write(lying(new DataView(Uint8Array.of(100, 101).buffer), { byteLength: 1, buffer: other })), 2);
  assert.is(text(mm.slice()), "abcde\0\0\0");
  assert.is(mm.find(lying(Uint8Array.of(99, 100), lies)), 2);
});

test("write() and find() refuse an object that only inherits from ArrayBuffer", () => {
  using mm = MMap.anonymous(8);
  refuses(TypeError, () => mm.write(Object.create(ArrayBuffer.prototype)), "bytes");
  refuses(TypeError, () => mm.find(Object.create(Uint8Array.prototype)), "sub");
});

test("matchAll() reads an expression by the engine's own getters, not by the object's properties", () => {
  using mm = MMap.anonymous(8);
  mm.write("abcabc");
  const hostile = lying(/b/, { source: "\\", flags: "y", exec: () => null });
  assert.equal(
    [...mm.matchAll(hostile)].map(({ index }) => index),
    [1, 4],
  );
});

test("matchAll() of a map that is resized meanwhile stays within the map", () => {
  using mm = MMap.anonymous(8);
  mm.write("aaaaaaaa");
  const indices: number[] = [];
  for (const { index } of mm.matchAll(/a/)) {
    indices.push(index);
    if (index === 2) mm.resize(4);
  }
  assert.equal(indices, [0, 1, 2, 3]);
});

test("flush() on another object throws a TypeError", () => {
  const { flush } = MMap.prototype;
  assert.throws(
    () => flush.call(new Uint8Array(3) as never, 0, 0),
    (error: unknown) => error instanceof TypeError,
  );
});

// Reading asked the class of the library's own window what to make, and code that answered could unmap it.
test("read(), write(), search() and lines() survive replaced built-in classes", () => {
  const program = `
    import { Buffer } from "node:buffer";
    const mm = MMap.anonymous(100_000);
    const { slice } = Uint8Array.prototype;
    const lie = (object, name, descriptor) => Object.defineProperty(object, name, { configurable: true, ...descriptor });
    lie(Uint8Array.prototype, "slice", { value: () => -1 });
    mm.read(10);
    mm.readline();
    lie(Uint8Array.prototype, "slice", { value: slice });
    lie(Uint8Array.prototype, "length", { get: () => 2 ** 31 });
    try { mm.write("abc"); } catch {}
    try { mm.assign("abc", 0, 3); } catch {}
    mm.rfind("ab");
    delete Uint8Array.prototype.length;
    lie(RegExp.prototype, "exec", { value: () => null });
    lie(RegExp.prototype, "source", { get: () => "\\\\" });
    mm.seek(0);
    mm.write("xabc");
    const index = mm.search(/[ab]+/).index;
    lie(Uint8Array.prototype, "constructor", { get() { mm.close(); } });
    const [bytes, position] = [mm.slice(0, 5), mm.tell()];
    lie(Uint8Array.prototype, "constructor", { value: Uint8Array });
    lie(Buffer, "allocUnsafeSlow", { value: () => new Uint8Array(2 ** 30) });
    // An expression that needs more than its first window, and so a buffer for it.
    for (const read of [() => mm.search(/[^]*b/), () => mm.lines().next()]) {
      try { read(); } catch (error) { console.log(error.message); }
    }
    const { allocUnsafe } = Buffer;
    for (const [act, read] of [["resize", () => mm.search(/[^]*b/)], ["close", () => mm.lines().next()]]) {
      lie(Buffer, "allocUnsafeSlow", { value: (length) => { mm[act](10); return allocUnsafe(length); } });
      try { read(); } catch (error) { console.log(error.message); }
    }
    console.log([index, position, ...bytes].join());
  `;
  assert.match(printedBy(program), /^(the map has no .*\n){3}the map is closed\n1,4,120,97,98,99,0$/);
});

// A line longer than what is copied at once is looked for behind it, after code that was put in place has run.
test("lines() stops if a replaced toString() closes the map", () => {
  const program = `
    const mm = MMap.anonymous(50_000_000);
    Buffer.prototype.toString = () => { mm.close(); return ""; };
    try { mm.lines().next(); } catch (error) { console.log(error.code); }
  `;
  assert.is(printedBy(program), "ERR_MMAP_CLOSED");
});

// Code that answers in the middle of a resize could resize the map once more, and pages would be unmapped twice.
test("anonymous() and resize() read no property that user code can replace", () => {
  const path = newFile(new Uint8Array(10_000));
  const program = `
    const path = process.argv[2];
    MMap.open(path).close();
    let asked = 0;
    const { get } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "length");
    Object.defineProperty(Uint8Array.prototype, "length", { configurable: true, get() { asked++; return get.call(this); } });
    const mm = MMap.anonymous(8192);
    for (const size of [20_000, 5000, 30_000]) { mm.resize(size); mm.bytes; }
    mm.close();
    delete Uint8Array.prototype.length;
    console.log(asked);
  `;
  assert.is(printedBy(program, { args: [path] }), "0");
});

// A word that no view may read was copied from the address that the map had before the getter ran.
for (const [name, prot] of Object.entries({
  PROT_READ,
  "PROT_READ and PROT_WRITE": Number(PROT_READ) | Number(PROT_WRITE),
})) {
  unless(WINDOWS && "it has no prot", test)(`waitAsync() rejects if its signal closes a map of ${name}`, () => {
    const program = `
      for (const last of [1, 2, 3]) {
        const mm = MMap.open(process.argv[2], { prot: ${prot} });
        let asked = 0;
        const signal = {
          get aborted() { if (++asked === last) mm.close(); return false; },
          addEventListener() { if (last === 3) mm.close(); },
          removeEventListener() {},
        };
        await mm.waitAsync(0, 0, { signal }).catch((error) => console.log(error.code));
      }
    `;
    const printed = printedBy(program, { args: [newFile(new Uint8Array(4096))] });
    assert.equal(printed.split("\n"), ["ERR_MMAP_CLOSED", "ERR_MMAP_CLOSED", "ERR_MMAP_CLOSED"]);
  });
}

test("MMapError has the system's code though Map.prototype.get was replaced", () => {
  const program = `
    const mm = MMap.anonymous(5000, { access: "copy" });
    Map.prototype.get = () => { mm.close(); return ["EHOSTILE", "nothing of the kind"]; };
    try { MMap.anonymous(2 ** 52); } catch (error) { console.log(error.code, mm.closed); }
  `;
  assert.is(printedBy(program), "ENOMEM false");
});

test.run();
