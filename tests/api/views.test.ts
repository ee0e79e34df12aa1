import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap, type ViewConstructor } from "../../lib/mod.ts";
import { withPlatform } from "../helpers/platform.ts";
import { newFile, newPath, refuses, text, unless } from "../helpers/support.ts";

const test = suite("api/views");

test("bytes is the map's memory, and the same array each time", () => {
  const path = newFile("abcdef");
  using mm = MMap.open(path, { access: "write" });
  const { bytes } = mm;
  assert.instance(bytes, Uint8Array);
  assert.is(bytes.constructor, Uint8Array);
  assert.is(mm.bytes, bytes);
  assert.is(mm.buffer, bytes.buffer);
  assert.equal([bytes.length, bytes.byteOffset, mm.buffer.byteLength], [6, 0, 6]);
  bytes[0] = 88;
  assert.is(mm[0], 88);
  mm[1] = 89;
  assert.is(bytes[1], 89);
  assert.is(readFileSync(path, "latin1"), "XYcdef");
});

test("bytes and buffer begin at the map's first byte when its offset is odd", () => {
  using mm = MMap.open(newFile("0123456789abcdefghij"), { offset: 3 });
  assert.is(text(mm.bytes), "3456789abcdefghij");
  assert.is(mm.buffer.byteLength, 17);
  assert.is(text(mm.view(Uint8Array, 2, 3)), "567");
});

const TYPES: ViewConstructor[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
];

test("view() makes every kind of typed array over a part", () => {
  const content = Uint8Array.from({ length: 64 }, (_, index) => index);
  using mm = MMap.open(newFile(content));
  for (const type of TYPES) {
    const whole = mm.view(type);
    assert.instance(whole, type);
    assert.is(whole.byteLength, 64);
    const part = mm.view(type, 16, 2);
    assert.equal(
      new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
      content.slice(16, 16 + part.byteLength),
      type.name,
    );
    assert.is(mm.view(type, 32).byteLength, 32);
    assert.is(mm.view(type, 64).byteLength, 0);
    assert.is(mm.view(type, 0, 0).byteLength, 0);
  }
  assert.is(mm.view(DataView, 3, 4).getUint32(0, true), 0x06050403);
});

const { Float16Array: HalfFloats } = globalThis as unknown as { Float16Array?: typeof Float32Array };

unless(HalfFloats === undefined && "this runtime has none", test)("view() makes a Float16Array", () => {
  using mm = MMap.anonymous(8);
  const view = mm.view(HalfFloats as typeof Float32Array, 2, 3);
  view[0] = 1;
  assert.equal([view.length, view.byteLength, mm[3]], [3, 6, 0x3c]);
  refuses(RangeError, () => mm.view(HalfFloats as typeof Float32Array, 1, 1), "multiple of 2");
});

test("view() shares the map's memory", () => {
  const path = newFile(new Uint8Array(100));
  using mm = MMap.open(path, { access: "write" });
  mm.view(Float64Array, 8, 2).set([1.5, -2.25]);
  mm.view(DataView, 24, 4).setInt32(0, 7, true);
  assert.equal([...mm.view(Float64Array, 8, 2)], [1.5, -2.25]);
  const file = readFileSync(path);
  assert.equal([file.readDoubleLE(8), file.readDoubleLE(16), file.readInt32LE(24)], [1.5, -2.25, 7]);
});

test("view() refuses an unaligned typed array with the reason, and makes an unaligned DataView", () => {
  using mm = MMap.open(newFile(new Uint8Array(100)), { access: "copy" });
  refuses(RangeError, () => mm.view(Float64Array, 4, 1), "byteOffset", "8", "Float64Array", "4", "DataView");
  refuses(RangeError, () => mm.view(Uint16Array, 1), "byteOffset", "2", "Uint16Array");
  assert.is(mm.view(Int32Array, 4, 1).length, 1);
  assert.is(mm.view(DataView, 5).byteLength, 95);
  using odd = MMap.open(newFile(new Uint8Array(100)), { offset: 3 });
  refuses(RangeError, () => odd.view(Float64Array, 0, 1), "byteOffset", "3 in the file");
  assert.is(odd.view(Float64Array, 5, 2).length, 2);
  assert.is(odd.view(Uint32Array, 1, 2).length, 2);
  assert.is(odd.view(Uint32Array, 1, 24).length, 24);
});

test("view() must lie within the map", () => {
  using mm = MMap.open(newFile(new Uint8Array(100)));
  refuses(RangeError, () => mm.view(Uint8Array, 101), "byteOffset", "100", "101");
  refuses(RangeError, () => mm.view(Uint8Array, 90, 11), "length", "10", "11");
  refuses(RangeError, () => mm.view(Float64Array, 96, 1), "length", "0", "1");
  refuses(RangeError, () => mm.view(Float64Array), "length", "100", "8");
  refuses(RangeError, () => mm.view(Float64Array, 0, 2 ** 52), "length");
  assert.is(mm.view(Float64Array, 0, 12).length, 12);
});

test("view() returns the right bytes however many views are made", () => {
  const content = Uint8Array.from({ length: 1_000_000 }, (_, index) => (index * 31) % 251);
  using mm = MMap.open(newFile(content), { access: "copy" });
  for (let start = 0; start + 5000 < content.length; start += 3001) {
    for (const length of [1, 10, 5000]) {
      const view = mm.view(Uint8Array, start, length);
      assert.is(view.length, length);
      assert.is(view[0], content[start]);
      assert.is(view[length - 1], content[start + length - 1]);
    }
  }
  mm.view(Uint8Array, 0, 400_000).fill(9);
  assert.is(mm.view(Uint8Array, 399_999, 2)[0], 9);
  assert.is(mm.view(Uint8Array, 399_999, 2)[1], content[400_000]);
});

test("view() shows parts that lie across the longest view of the runtime", () => {
  const content = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
  using mm = MMap.open(newFile(content));
  withPlatform(
    () => ({ maxViewLength: 100_000 }),
    () => {
      for (const [start, length] of [
        [0, 100_000],
        [10_000, 90_000],
        [60_000, 90_000],
        [200_000, 100_000],
        [299_999, 1],
      ] as const) {
        using other = MMap.open(newFile(content));
        const view = other.view(Uint8Array, start, length);
        assert.equal([view.length, view[0], view[length - 1]], [length, start % 251, (start + length - 1) % 251]);
      }
      using other = MMap.open(newFile(content));
      refuses(RangeError, () => other.view(Uint8Array, 0, 100_001), "length", "100000", "100001");
      refuses(RangeError, () => other.bytes, "100000", "300000", "view()");
    },
  );
  assert.is(mm.bytes.length, 300_000);
});

unless(!("transfer" in ArrayBuffer.prototype) && "this runtime has no transfer()", test)(
  "view() makes a new buffer after the one before was transferred",
  () => {
    using mm = MMap.anonymous(100);
    mm[9] = 97;
    const { buffer } = mm.view(Uint8Array, 8, 10);
    assert.is(mm.view(Uint8Array, 8, 10).buffer, buffer);
    const moved = (buffer as unknown as { transfer(): ArrayBuffer }).transfer();
    assert.is(buffer.byteLength, 0);
    const view = mm.view(Uint8Array, 8, 10);
    assert.is.not(view.buffer, buffer);
    assert.is.not(view.buffer, moved);
    assert.is(view[1], 97);
    mm[9] = 98;
    assert.equal([view[1], new Uint8Array(moved)[9]], [98, 98]);
  },
);

test("view() gives many small views near one another the same buffer", () => {
  using mm = MMap.anonymous(10_000_000);
  const buffers = new Set<ArrayBufferLike>();
  for (let start = 0; start < 100_000; start += 64) buffers.add(mm.view(DataView, start, 64).buffer);
  assert.ok(buffers.size <= 4, `${buffers.size} buffers`);
});

test("bytes can be passed to TextDecoder, Buffer and the methods of typed arrays", () => {
  using mm = MMap.open(newFile("grüße\n"));
  assert.is(new TextDecoder().decode(mm.bytes), "grüße\n");
  assert.is(Buffer.from(mm.buffer).toString("utf8"), "grüße\n");
  assert.is(Buffer.compare(mm.bytes, Buffer.from("grüße\n")), 0);
  assert.is(mm.bytes.indexOf(10), 7);
  assert.equal(new Uint8Array(mm.bytes), mm.slice());
  assert.is(mm.bytes.slice().buffer === mm.buffer, false);
});

test("bytes can be passed to fs.writeSync()", () => {
  using mm = MMap.open(newFile("content"));
  const path = newPath();
  const fd = openSync(path, "w");
  assert.is(writeSync(fd, mm.bytes), 7);
  closeSync(fd);
  assert.is(readFileSync(path, "latin1"), "content");
});

test("bytes can be passed to node:crypto and crypto.subtle", async () => {
  const content = new Uint8Array(100_000).fill(7);
  using mm = MMap.open(newFile(content));
  const expected = createHash("sha256").update(content).digest("hex");
  assert.is(createHash("sha256").update(mm.bytes).digest("hex"), expected);
  const digest = await crypto.subtle.digest("SHA-256", mm.bytes);
  assert.is(Buffer.from(digest).toString("hex"), expected);
});

test("bytes can be passed to WebAssembly", async () => {
  // (module (func (export "f") (result i32) i32.const 42))
  const module = "0061736d0100000001050160000 17f03020100070501016600000a06010400412a0b".replace(" ", "");
  using mm = MMap.open(newFile(Buffer.from(module, "hex")));
  const { instance } = await WebAssembly.instantiate(mm.bytes);
  assert.is((instance.exports.f as () => number)(), 42);
});

test("bytes can be the body of a request, a response or a blob", async () => {
  using mm = MMap.open(newFile("body"));
  assert.is(await new Response(mm.bytes).text(), "body");
  assert.is(await new Request("http://localhost/", { method: "POST", body: mm.bytes }).text(), "body");
  assert.is(await new Blob([mm.bytes]).text(), "body");
});

test("bytes are copied by structuredClone()", () => {
  using mm = MMap.open(newFile("abcdef"), { access: "copy" });
  const clone = structuredClone(mm.bytes);
  mm.bytes[0] = 88;
  assert.is(text(clone), "abcdef");
  clone[1] = 89;
  assert.is(text(mm.bytes), "Xbcdef");
});

test("bytes is not made before it is asked for", () => {
  // The engine counts a view as memory: reading byte by byte must not make one of the whole map.
  using mm = MMap.open(newFile(new Uint8Array(50_000_000)));
  const before = process.memoryUsage().arrayBuffers;
  for (let index = 0; index < 50_000_000; index += 5_000_000) assert.is(mm[index], 0);
  mm.find("x");
  mm.seek(40_000_000);
  mm.readByte();
  const after = process.memoryUsage().arrayBuffers;
  assert.ok(after - before < 10_000_000, `${after - before} bytes of views`);
});

test("view() takes a class whose name was replaced", () => {
  const name = Object.getOwnPropertyDescriptor(Int16Array, "name") as PropertyDescriptor;
  Object.defineProperty(Int16Array, "name", { ...name, value: "Samples" });
  try {
    using mm = MMap.anonymous(8);
    assert.is(mm.view(Int16Array).length, 4);
  } finally {
    Object.defineProperty(Int16Array, "name", name);
  }
});

test.run();
