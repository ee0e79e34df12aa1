import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, get, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { holds, newFile, printedBy, refuses, rejects, repetitions, text, unless } from "../helpers/support.ts";
import { printed, TRUNCATED, UNGUARDED } from "../helpers/truncation.ts";

const test = suite("api/stream");

const guarded = unless(UNGUARDED, test);

/** What the tests use of a reader: its types differ between the runtimes. */
interface Reader {
  read(): Promise<{ done: false; value: Uint8Array } | { done: true; value?: undefined }>;
}

const reader = (mm: MMap, start?: number, end?: number): Reader => mm.stream(start, end).getReader();

async function read(mm: MMap, start?: number, end?: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const source = reader(mm, start, end);
  for (let one = await source.read(); !one.done; one = await source.read()) parts.push(one.value);
  return Buffer.concat(parts);
}

test("stream() returns all bytes, or those of a slice", async () => {
  const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >>> 8)) & 255));
  using mm = MMap.open(newFile(content));
  mm.seek(5);
  assert.ok((await read(mm)).equals(content));
  assert.ok((await read(mm, 65_536, 131_072)).equals(content.subarray(65_536, 131_072)));
  assert.ok((await read(mm, -70_001, -1)).equals(content.subarray(-70_001, -1)));
  assert.is((await read(mm, 10, 5)).length, 0);
  assert.is(mm.tell(), 5);
});

test("stream() is what Response, Readable.fromWeb and pipeTo take", async () => {
  using mm = MMap.open(newFile("naïve café"));
  assert.is(await new Response(mm.stream()).text(), "naïve café");
  const parts: Uint8Array[] = [];
  for await (const part of Readable.fromWeb(mm.stream() as never)) parts.push(part);
  assert.is(text(Buffer.concat(parts)), "naïve café");
  let written = "";
  const sink = new WritableStream<Uint8Array>({
    write(part) {
      written += text(part);
    },
  });
  await mm.stream().pipeTo(sink);
  assert.is(written, "naïve café");
});

test("stream() copies, and only what was asked for", async () => {
  using mm = MMap.open(newFile(new Uint8Array(200_000).fill(97)), { access: "write" });
  const source = reader(mm);
  const { value: first } = await source.read();
  mm[0] = 98;
  mm[199_999] = 98;
  assert.is(first?.[0], 97);
  first?.fill(99);
  assert.is(mm[1], 97);
  let last: Uint8Array | undefined;
  for (let one = await source.read(); !one.done; one = await source.read()) last = one.value;
  assert.is(last?.at(-1), 98);
});

test("stream() errors if the map is closed first, and ends where a resized map does", async () => {
  const mm = MMap.open(newFile(new Uint8Array(200_000)), { access: "write" });
  const source = reader(mm);
  await source.read();
  mm.resize(70_000);
  assert.is((await source.read()).value?.length, 70_000 - 65_536);
  assert.is((await source.read()).done, true);
  const other = reader(mm);
  await other.read();
  mm.close();
  await rejects("ERR_MMAP_CLOSED", other.read());
  refuses("ERR_MMAP_CLOSED", () => mm.stream());
});

guarded("stream() errors if the file was truncated", () => {
  const source = `
    const path = file(100);
    using mm = MMap.open(path);
    const reader = mm.stream().getReader();
    const first = await reader.read();
    cut(path, PAGE);
    print(first.value.length, await reader.read().then(() => "read", (error) => error.code));
  `;
  assert.equal(printed(source), [[65_536, TRUNCATED]]);
});

test("stream() keeps its map until it ends", () => {
  const program = `
    import process from "node:process";
    import { setTimeout } from "node:timers/promises";
    const collect = globalThis.gc ?? (() => globalThis.Bun.gc(true));
    let length = 0;
    for await (const part of (() => MMap.open(process.argv[2]).stream())()) {
      length += part.length;
      collect();
      await setTimeout(1);
    }
    console.log(length);
  `;
  assert.is(printedBy(program, { args: [newFile(new Uint8Array(1_000_000))] }), "1000000");
});

test("a server that answers from maps keeps no mapping and no descriptor, also if clients disconnect midway", async () => {
  const content = Buffer.alloc(2_000_000, "0123456789");
  const path = newFile(content);
  let open = 0;
  const server = createServer(async (_request, response) => {
    open++;
    const mm = MMap.open(path);
    try {
      await pipeline(Readable.fromWeb(mm.stream() as never), response);
    } catch {
      // The client has disconnected.
    } finally {
      mm.close();
      open--;
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  try {
    for (let round = 0; round < repetitions(300); round++) {
      const request = get({ host: "127.0.0.1", port, agent: false });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      if (round % 3 === 0) {
        await once(response, "data");
        response.destroy();
        continue;
      }
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part);
      assert.ok(Buffer.concat(parts).equals(content), `round ${round}`);
    }
    while (open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    server.closeAllConnections();
    server.close();
  }
  holds(path, 0, 0);
});

test.run();
