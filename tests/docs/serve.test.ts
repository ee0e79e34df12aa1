/**
 * examples/serve.ts on the runtime's own server, with real clients.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROOT } from "../helpers/runtimes.ts";
import { commandFor, newPath, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("docs/serve");

const folder = newPath();
const content = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31 + (index >>> 8)) & 255));
let server: ChildProcess;
let address: URL;

test.before(async () => {
  mkdirSync(join(folder, "inner"), { recursive: true });
  writeFileSync(`${folder}.txt`, "outside of the folder");
  writeFileSync(join(folder, "bytes.bin"), content);
  writeFileSync(join(folder, "empty.txt"), "");
  writeFileSync(join(folder, "grüße.html"), "<p>grüße</p>");
  const { program, args, env } = commandFor(join(ROOT, "examples", "serve.ts"), { args: [folder, "0"] });
  server = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(server.stdout as NonNullable<typeof server.stdout>, "data");
  address = new URL(String(line).trim());
});

test.after(() => {
  server.kill();
});

async function ask(name: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await fetch(new URL(name, address), { headers, method });
  const body = Buffer.from(await response.arrayBuffer());
  return { status: response.status, body, header: (key: string) => response.headers.get(key) };
}

/** Bun.serve sends a stream without its Content-Length, in chunks: https://github.com/oven-sh/bun/issues/10507 */
const sentAs = (length: string | null): string | null =>
  process.versions.bun !== undefined && length === null ? "in chunks" : length;

/** What the server sends to a request line as it is: `fetch` would make the path a valid one. */
async function askRaw(line: string): Promise<string> {
  const socket = connect(Number(address.port), address.hostname);
  socket.write(`${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let text = "";
  for await (const part of socket) text += String(part);
  return text;
}

test("a file comes whole, with its type, length and entity tag", async () => {
  const { status, body, header } = await ask("bytes.bin");
  assert.is(status, 200);
  assert.ok(body.equals(content));
  assert.equal([header("content-type"), header("accept-ranges")], ["application/octet-stream", "bytes"]);
  assert.ok(["200000", "in chunks"].includes(`${sentAs(header("content-length"))}`), `${header("content-length")}`);
  assert.match(header("etag") ?? "", /^"[^"]+"$/);
  const html = await ask("gr%C3%BC%C3%9Fe.html");
  assert.equal([html.body.toString(), html.header("content-type")], ["<p>grüße</p>", "text/html; charset=utf-8"]);
  const empty = await ask("empty.txt");
  assert.equal([empty.status, empty.body.length, empty.header("content-length")], [200, 0, "0"]);
});

const RANGES: [range: string, start: number, end: number][] = [
  ["bytes=0-0", 0, 1],
  ["bytes=65530-65545", 65_530, 65_546],
  ["bytes=100000-", 100_000, 200_000],
  ["bytes=199999-", 199_999, 200_000],
  ["bytes=150000-900000", 150_000, 200_000],
  ["bytes=-1", 199_999, 200_000],
  ["bytes=-70000", 130_000, 200_000],
  ["bytes=-900000", 0, 200_000],
];

test("a range of a file comes with 206 and its place", async () => {
  for (const [range, start, end] of RANGES) {
    const { status, body, header } = await ask("bytes.bin", { range });
    assert.is(status, 206, range);
    assert.ok(body.equals(content.subarray(start, end)), range);
    assert.is(header("content-range"), `bytes ${start}-${end - 1}/200000`);
    const length = sentAs(header("content-length"));
    assert.ok(length === String(end - start) || length === "in chunks", `${range}: ${length}`);
  }
});

test("a range that the file does not have is 416, and what is no range is ignored", async () => {
  for (const range of ["bytes=200000-", "bytes=300000-400000", "bytes=-0"]) {
    const { status, body, header } = await ask("bytes.bin", { range });
    assert.equal([status, body.length, header("content-range")], [416, 0, "bytes */200000"], range);
  }
  assert.is((await ask("empty.txt", { range: "bytes=0-" })).status, 416);
  for (const range of ["bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b"]) {
    const { status, body } = await ask("bytes.bin", { range });
    assert.equal([status, body.length], [200, 200_000], range);
  }
});

/** Windows truncates no file that is mapped, and the server may close its map a little later than the answer arrives. */
async function rewrite(path: string, text: string): Promise<void> {
  for (let tries = WINDOWS ? 100 : 1; tries > 0; tries--) {
    try {
      return writeFileSync(path, text);
    } catch (error) {
      if (tries === 1) throw error;
      await setTimeout(50);
    }
  }
}

test("entity tags decide whether a file, or a range of it, is sent again", async () => {
  const path = join(folder, "changing.txt");
  writeFileSync(path, "before");
  const etag = (await ask("changing.txt")).header("etag") as string;
  for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const { status, body, header } = await ask("changing.txt", { "if-none-match": tags });
    assert.equal([status, body.length, header("etag")], [304, 0, etag], tags);
  }
  assert.is((await ask("changing.txt", { "if-none-match": '"other"' })).status, 200);
  assert.is((await ask("changing.txt", { "if-range": etag, range: "bytes=1-2" })).body.toString(), "ef");
  await rewrite(path, "afterwards");
  const changed = await ask("changing.txt", { "if-none-match": etag });
  assert.equal([changed.status, changed.body.toString()], [200, "afterwards"]);
  assert.is.not(changed.header("etag"), etag);
  const whole = await ask("changing.txt", { "if-range": etag, range: "bytes=1-2" });
  assert.equal([whole.status, whole.body.toString()], [200, "afterwards"]);
});

test("HEAD has the headers alone, and other methods are refused", async () => {
  const { status, body, header } = await ask("bytes.bin", {}, "HEAD");
  assert.equal([status, body.length, header("content-length")], [200, 0, "200000"]);
  const part = await ask("bytes.bin", { range: "bytes=5-9" }, "HEAD");
  assert.equal([part.status, part.body.length, part.header("content-range")], [206, 0, "bytes 5-9/200000"]);
  assert.not.match(await askRaw("HEAD /empty.txt"), /\r\n\r\n./);
  const posted = await ask("bytes.bin", {}, "POST");
  assert.equal([posted.status, posted.header("allow")], [405, "GET, HEAD"]);
});

test("what is missing, a folder, or outside of the served one is 404", async () => {
  for (const name of ["missing.txt", "inner", "", "bytes.bin/x", "%2e%2e%2fx", "%zz", "a%00b"]) {
    assert.is((await ask(name)).status, 404, name);
  }
  const outside = `${folder.split(/[\\/]/).at(-1)}.txt`;
  assert.is(readFileSync(`${folder}.txt`, "utf8"), "outside of the folder");
  for (const path of [`/../${outside}`, `/%2e%2e/${outside}`, `/..%2f${outside}`, `/inner/../../${outside}`]) {
    assert.match(await askRaw(`GET ${path}`), /^HTTP\/1\.1 404 /, path);
  }
});

unless(process.platform !== "linux" && "it reads Linux's /proc", test)(
  "a client that disconnects in the middle leaves no mapping and no descriptor",
  async () => {
    const path = join(folder, "large.bin");
    writeFileSync(path, new Uint8Array(30_000_000));
    const mappings = () =>
      readFileSync(`/proc/${server.pid}/maps`, "utf8")
        .split("\n")
        .filter((line) => line.includes(path)).length;
    for (let client = 0; client < 5; client++) {
      const socket = connect(Number(address.port), address.hostname);
      socket.write("GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await once(socket, "data");
      assert.is(mappings(), 1);
      socket.destroy();
      // If the map stayed open, the test would not end.
      while (mappings() > 0) await setTimeout(5);
    }
    assert.is((await ask("bytes.bin")).status, 200);
  },
);

test.run();
