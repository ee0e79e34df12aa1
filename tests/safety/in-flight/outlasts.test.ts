/**
 * An operation that lasts longer than the library keeps the memory of closed maps: a client that reads slowly, while the
 * program goes on to open and close maps.
 *
 * @module
 */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EMULATED, newFile, printedBy, unless, WINDOWS } from "../../helpers/support.ts";

const test = suite("outlasted");

const SIZE = 2 ** 24;

const slow = EMULATED ? "QEMU" : WINDOWS && "Wine";

unless(slow && `17,500 maps of 16 MiB take ${slow} too long`, test)(
  "a client that reads after 17,500 other maps were closed gets nothing of theirs",
  () => {
    const program = `
    import { connect, createServer } from "node:net";
    const [path, other] = process.argv.slice(2);
    let client;
    if (globalThis.Deno) {
      const asked = Promise.withResolvers();
      const server = Deno.serve({ port: 0, onListen() {} }, () => {
        const mm = MMap.open(path);
        globalThis.setTimeout(() => { mm.close(); asked.resolve(); }, 100);
        return new Response(ReadableStream.from([mm.bytes]));
      });
      client = connect(server.addr.port, "127.0.0.1");
      client.write("GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n");
      client.pause();
      await asked.promise;
    } else {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        const mm = MMap.open(path);
        socket.end(mm.bytes);
        mm.close();
      });
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      const accepted = new Promise((resolve) => server.once("connection", resolve));
      client = connect(server.address().port, "127.0.0.1");
      client.pause();
      await accepted;
    }
    client.on("error", () => {});
    for (let round = 0; round < ${17_500}; round++) {
      const mm = MMap.open(other);
      mm.bytes;
      mm.close();
    }
    const decoys = Array.from({ length: 8 }, () => [MMap.open(other), new Uint8Array(${SIZE}).fill(1)]);
    // No head of an answer has the byte 1; a letter may be in its date.
    let secret = 0;
    client.on("data", (chunk) => { if (chunk.includes(1)) secret++; });
    client.resume();
    await new Promise((resolve) => client.on("close", resolve));
    console.log(secret, decoys.length);
    process.exit(0);`;
    const args = [newFile(new Uint8Array(SIZE).fill(97)), newFile(new Uint8Array(SIZE).fill(1))];
    assert.is(printedBy(program, { args }), "0 8");
  },
);

test.run();
