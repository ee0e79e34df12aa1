import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findBytes, findLastBytes, type SearchPrimitives, twoWay } from "../../platform/memmem.ts";

const test = suite("units/memmem");

/** Mapped memory that is none, and how much was asked of it; with memmem and memrchr, or without. */
function memoryOf(text: Uint8Array, complete = false) {
  const work = {
    calls: 0,
    copied: 0,
    copies: [] as { address: number; length: number }[],
    sequences: new Map<number, number>(),
  };
  const memory: SearchPrimitives = {
    findByte(address, length, byte) {
      work.calls++;
      assert.ok(address + length <= text.length, "a search reaches behind the end");
      return text.subarray(address, address + length).indexOf(byte);
    },
    equals(address, bytes) {
      work.calls++;
      assert.ok(address + bytes.length <= text.length, "a comparison reaches behind the end");
      return bytes.every((byte, index) => text[address + index] === byte);
    },
    findLastByte: undefined,
    findSequence: undefined,
    findWord: undefined,
    load(address, target) {
      work.copied += target.length;
      work.copies.push({ address, length: target.length });
      assert.ok(address + target.length <= text.length, "a copy reaches behind the end");
      target.set(text.subarray(address, address + target.length));
    },
  };
  if (complete) {
    memory.findLastByte = (address, length, byte) => text.subarray(address, address + length).lastIndexOf(byte);
    memory.findSequence = (address, length, sequence) => {
      work.calls++;
      work.sequences.set(sequence.length, (work.sequences.get(sequence.length) ?? 0) + length);
      assert.ok(address + length <= text.length, "a search reaches behind the end");
      return plainFind(text.subarray(address, address + length), sequence);
    };
  }
  return { memory, work };
}

/** The answer, in the plainest way. */
function plainFind(text: Uint8Array, needle: Uint8Array): number {
  for (let at = 0; at + needle.length <= text.length; at++) {
    let same = 0;
    while (same < needle.length && text[at + same] === needle[same]) same++;
    if (same === needle.length) return at;
  }
  return -1;
}

function plainFindLast(text: Uint8Array, needle: Uint8Array): number {
  const found = plainFind(text.slice().reverse(), needle.slice().reverse());
  return found === -1 ? -1 : text.length - found - needle.length;
}

/** Numbers that look random, the same in each run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test("Two-Way finds what the plain way finds, in texts that repeat themselves", () => {
  const random = numbers(1);
  let found = 0;
  for (let round = 0; round < 30_000; round++) {
    const letters = 1 + random(3);
    const text = Uint8Array.from({ length: random(40) }, () => random(letters));
    const start = random(text.length + 1);
    const part = text.slice(start, start + 1 + random(12));
    const needle = random(2) === 0 && part.length > 0 ? part : Uint8Array.from([0, ...part.map(() => random(letters))]);
    const expected = plainFind(text, needle);
    if (expected !== -1) found++;
    assert.is(twoWay(needle)(text, text.length), expected, `[${needle}] in [${text}]`);
  }
  assert.ok(found > 10_000, `only ${found} of the needles were there`);
});

/** Binary sequences for which searches are known to take long, each of `length` numbers. */
const SEQUENCES: ((length: number) => number[])[] = [
  (length) => Array.from({ length }, (_, index) => index % 2),
  (length) => Array.from({ length }, (_, index) => Number(index % 3 === 0)),
  (length) => Array.from({ length }, (_, index) => Number(index === 0)),
  (length) => Array.from({ length }, (_, index) => Number(index === length - 1)),
  (length) => Array.from({ length }, (_, index) => Number(index === length >> 1)),
  (length) => Array.from({ length }, (_, index) => Number(index === length >> 2)),
  (length) => Array.from({ length }, (_, index) => Number(index % (length >> 1) === 0)),
  (length) => {
    let [before, word] = [[0], [0, 1]];
    while (word.length < length) [before, word] = [word, [...word, ...before]];
    return word.slice(0, length);
  },
];

test("Two-Way reads each byte a few times at most, in the worst of texts", () => {
  let reads = 0;
  const counting = (text: number[]) =>
    new Proxy(text as unknown as Uint8Array, {
      get(target, property) {
        reads++;
        return Reflect.get(target, property);
      },
    });
  for (const [number, sequence] of SEQUENCES.entries()) {
    for (const length of [10, 60, 200]) {
      const needle = sequence(length);
      const search = twoWay(Uint8Array.from(needle));
      // The needle again and again, with one bit that is wrong, from its beginning or from within.
      for (let wrong = 0; wrong < length; wrong += Math.max(1, length >> 4)) {
        const unit = needle.with(wrong, 1 - (needle[wrong] as number));
        for (const from of [0, 1, length >> 1]) {
          const part = unit.slice(from);
          const text = Array.from({ length: 4000 }, (_, index) => part[index % part.length] as number);
          reads = 0;
          const found = search(counting(text), text.length);
          const what = `sequence ${number}, ${length}, ${wrong}, ${from}`;
          assert.is(found, plainFind(Uint8Array.from(text), Uint8Array.from(needle)), what);
          assert.ok(reads <= 2.2 * text.length, `${what}: ${reads} reads`);
        }
      }
    }
  }
});

test("Two-Way passes over what the needle lacks without reading all of it", () => {
  for (const byte of [0, 1, 254, 255]) {
    let reads = 0;
    const text = new Proxy(new Array<number>(4000).fill(byte) as unknown as Uint8Array, {
      get(target, property) {
        reads++;
        return Reflect.get(target, property);
      },
    });
    assert.is(twoWay(new Uint8Array(40).fill(7))(text, 4000), -1);
    assert.is(reads, 100);
  }
});

test("findBytes finds what begins right after a candidate that is none", () => {
  for (const complete of [true, false]) {
    const text = new TextEncoder().encode(`${"-".repeat(9000)}zza`);
    const { memory } = memoryOf(text, complete);
    assert.is(findBytes(memory, 0, text.length, Uint8Array.of(122, 97)), 9001);
  }
});

test("findBytes finds occurrences across the edges of its copies", () => {
  const random = numbers(4);
  const needle = Uint8Array.from({ length: 1000 }, () => random(2));
  const clean = Uint8Array.from({ length: 1_300_000 }, () => random(2));
  // Two letters that are frequent: C is of no use, so the text is copied.
  const { memory, work } = memoryOf(clean);
  assert.is(findBytes(memory, 0, clean.length, needle), -1);
  const copies = work.copies.filter(({ length }) => length > 2000);
  assert.ok(copies.length >= 6, `only ${copies.length} copies`);
  for (const { address, length } of copies) {
    const end = address + length;
    for (const at of [address, end - 1000, end - 999, end - 500, end - 1, end]) {
      if (at + 1000 > clean.length) continue;
      const text = clean.slice();
      text.set(needle, at);
      assert.is(findBytes(memoryOf(text).memory, 0, text.length, needle), at);
      assert.is(findBytes(memoryOf(text).memory, 0, at + 999, needle), -1);
    }
  }
});

test("findBytes finds what is the whole of its last copy", () => {
  const random = numbers(5);
  const needle = Uint8Array.from({ length: 1000 }, () => random(2));
  const clean = Uint8Array.from({ length: 1_300_000 }, () => random(2));
  const { memory, work } = memoryOf(clean);
  findBytes(memory, 0, clean.length, needle);
  // The text ends where the second copy of the last piece would have begun, and the needle fits once.
  const last = work.copies.filter(({ length }) => length > 2000).at(-1);
  const length = (last?.address as number) + 1000;
  const text = clean.slice(0, length);
  text.set(needle, length - 1000);
  const { memory: shorter, work: done } = memoryOf(text);
  assert.is(findBytes(shorter, 0, length, needle), length - 1000);
  assert.equal(done.copies.at(-1), { address: length - 1000, length: 1000 });
});

test("findBytes takes a needle longer than a copy, and one as long as the text", () => {
  const random = numbers(2);
  const text = Uint8Array.from({ length: 1_000_000 }, () => random(2));
  for (const [start, length] of [[300_000, 600_000] as const, [0, 1_000_000] as const]) {
    const { memory } = memoryOf(text);
    const needle = text.slice(start, start + length);
    assert.is(findBytes(memory, 0, text.length, needle), start);
    needle[length - 1] = 2;
    assert.is(findBytes(memory, 0, text.length, needle), -1);
  }
});

test("findBytes asks C for a rare byte, and is done with few calls", () => {
  const text = new Uint8Array(4_000_000).fill(101);
  text.set([101, 101, 122, 101], 3_999_000);
  const { memory, work } = memoryOf(text);
  assert.is(findBytes(memory, 0, text.length, Uint8Array.of(101, 101, 122, 101)), 3_999_000);
  assert.ok(work.calls <= 2, `${work.calls} calls`);
  assert.ok(work.copied <= 4096, `${work.copied} bytes copied`);
});

test("findBytes gives up on C where candidates come too often: the work grows as the text does", () => {
  const needle = new Uint8Array(10_000).fill(65);
  for (const at of [0, 5000, 9999]) {
    needle[at] = 66;
    const all = [1_000_000, 4_000_000].map((length) => {
      const { memory, work } = memoryOf(new Uint8Array(length).fill(65));
      assert.is(findBytes(memory, 0, length, needle), -1);
      return work;
    });
    for (const { calls } of all) assert.ok(calls <= 300, `${calls} calls`);
    assert.ok((all[1]?.copied as number) <= 4 * 4_000_000, `${all[1]?.copied} bytes copied`);
    needle[at] = 65;
  }
  const { memory, work } = memoryOf(Uint8Array.from({ length: 1_000_000 }, (_, index) => index % 2));
  assert.is(findBytes(memory, 0, 1_000_000, Uint8Array.of(0, 1, 1)), -1);
  assert.ok(work.calls <= 600, `${work.calls} calls`);
  assert.ok(work.copied <= 1_100_000, `${work.copied} bytes copied`);
});

test("findBytes and findLastBytes find what the plain way finds, with memmem and without, in long texts too", () => {
  const random = numbers(3);
  let found = 0;
  for (let round = 0; round < 400; round++) {
    const letters = 1 + random(5);
    const text = new Uint8Array(round % 10 === 0 ? random(80_000) : random(60));
    const period = random(2) === 0 ? 1 + random(7) : 80_000;
    for (let index = 0; index < text.length; index++) {
      text[index] = index < period ? random(letters) : (text[index - period] as number);
    }
    const start = random(text.length + 1);
    const part = text.slice(start, start + 1 + random(40));
    const needle = part.length > 0 ? part : Uint8Array.of(random(letters));
    if (random(2) === 0) needle[random(needle.length)] = random(letters + 1);
    const first = plainFind(text, needle);
    if (first !== -1) found++;
    for (const complete of [true, false]) {
      const { memory } = memoryOf(text, complete);
      const what = `[${needle}] in round ${round}, ${complete}`;
      assert.is(findBytes(memory, 0, text.length, needle), first, what);
      assert.is(findLastBytes(memory, 0, text.length, needle), plainFindLast(text, needle), what);
    }
  }
  assert.ok(found > 100 && found < 390, `${found} of the needles were there`);
});

test("where memmem would creep, three bytes that the text has not are looked for in its place", () => {
  const text = new Uint8Array(400_000);
  for (let index = 0; index < text.length; index++) text[index] = 65 + (index % 2);
  const needle = text.slice(0, 40);
  needle[20] = 66;
  const { memory, work } = memoryOf(text, true);
  assert.is(findBytes(memory, 0, text.length, needle), -1);
  assert.is(findLastBytes(memory, 0, text.length, needle), -1);
  // A look costs more than the first piece; behind it, one call does it.
  assert.ok((work.sequences.get(40) ?? 0) < 100_000, `${work.sequences.get(40)} bytes with the whole needle`);
  assert.ok(work.calls < 50, `${work.calls} calls`);
  text.set(needle, 300_000);
  assert.is(findBytes(memory, 0, text.length, needle), 300_000);
  assert.is(findLastBytes(memory, 0, text.length, needle), 300_000);
});

test("a byte that the text has not is found at either end of a long needle", () => {
  const text = new Uint8Array(1_000_000).fill(65);
  for (const at of [0, 499_999]) {
    const needle = text.slice(0, 500_000);
    needle[at] = 66;
    const { memory, work } = memoryOf(text, true);
    assert.is(findLastBytes(memory, 0, text.length, needle), -1);
    assert.is(work.sequences.get(500_000), undefined, "memmem was asked for the whole needle");
  }
});

test("where a byte that seemed rare comes often, memmem goes on", () => {
  const text = new Uint8Array(1_000_000).fill(1);
  // Rare at first, and then every tenth byte.
  for (let index = 200_000; index < text.length; index += 10) text[index] = 2;
  const { memory, work } = memoryOf(text, true);
  assert.is(findBytes(memory, 0, text.length, Uint8Array.of(1, 2, 2, 1)), -1);
  assert.ok(work.calls < 300, `${work.calls} calls`);
});

test("a long needle is searched by words, and by memmem where there is no search by words", () => {
  const random = numbers(6);
  // No byte is rare, and no part of the needle comes twice.
  const text = Uint8Array.from({ length: 400_000 }, () => random(200));
  const needle = Uint8Array.from({ length: 7 }, () => random(200));
  for (const at of [300_000, 300_001, 300_002, 300_003]) {
    const placed = text.slice();
    placed.set(needle, at);
    for (const found of [true, false]) {
      const { memory, work } = memoryOf(placed, true);
      let words = 0;
      const findWord = (address: number, count: number, word: number) => {
        words += count;
        assert.is(address % 4, 0);
        assert.ok(address + 4 * count <= placed.length, "a search reaches behind the end");
        return new Int32Array(placed.buffer, address, count).indexOf(word);
      };
      if (found) memory.findWord = findWord;
      assert.is(findBytes(memory, 0, placed.length, needle), at);
      assert.is(findBytes(memory, 0, at + 6, needle), -1);
      const memmem = work.sequences.get(7) ?? 0;
      assert.ok(found ? memmem < 3000 : memmem > 600_000, `memmem: ${memmem} bytes`);
      assert.ok(found ? words > 500_000 : words === 0, `${words} words`);
    }
  }
});

test("findLastBytes looks at the end first, and for one byte asks memchr alone", () => {
  const text = new Uint8Array(300_000);
  for (const at of [0, 1, 65_535, 200_000, 234_463, 299_999]) {
    text[at] = 7;
    const { memory, work } = memoryOf(text);
    assert.is(findLastBytes(memory, 0, text.length, Uint8Array.of(7)), at);
    assert.ok(work.calls < 40, `${work.calls} calls`);
    assert.is(work.copied, 0);
    assert.is(findLastBytes(memory, at + 1, text.length - at - 1, Uint8Array.of(7)), -1);
    text[at] = 0;
  }
});

test("where the search by words gives up, what begins right there is found", () => {
  const needle = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
  for (let at = 1024; at < 1040; at++) {
    // The word that the needle has at an address that is a multiple of 4, many times; and no byte of the needle is rare.
    const text = new Uint8Array(100_000);
    for (let place = 2048; place < 60_000; place += 4) text.set(needle.subarray(0, 4), place);
    for (let place = 60_000; place < 90_000; place++) text[place] = 1 + (place % 10);
    text.set(needle, at);
    const { memory, work } = memoryOf(text, true);
    let words = 0;
    memory.findWord = (address, count, word) => {
      words++;
      return new Int32Array(text.buffer, address, count).indexOf(word);
    };
    assert.is(findBytes(memory, 0, text.length, needle), at);
    assert.is(findBytes(memory, 4, text.length - 4, needle), at - 4);
    assert.ok(words > 0 && work.calls > 0);
  }
});

test.run();
