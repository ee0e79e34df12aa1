/**
 * A file server over maps, on the runtime's own server: ranges, conditional requests, HEAD. The bytes of a file are copied
 * 64 KiB at a time, when the client asks for more, and its map is closed when the response ends or the client disconnects.
 *
 *     serve.ts [FOLDER] [PORT]      by default the working directory, on port 8080; 0 is any free port
 *
 * @module
 */

import { statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve, sep } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const [folder = ".", port = "8080"] = process.argv.slice(2);
const root = resolve(folder);

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".txt": "text/plain; charset=utf-8",
};

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body?: ReadableStream<Uint8Array>;
}

/** Answers a request, whatever the server. `header` returns a header of the request. */
function answer(method: string, pathname: string, header: (name: string) => string | null | undefined): Answer {
  if (method !== "GET" && method !== "HEAD") return { status: 405, headers: { allow: "GET, HEAD" } };
  const path = pathOf(pathname);
  const status = path === undefined ? undefined : statSync(path, { bigint: true, throwIfNoEntry: false });
  if (path === undefined || !status?.isFile()) return { status: 404, headers: {} };
  // Taken before the file is opened: if it is replaced in between, the next request finds another one.
  const etag = `"${status.ino.toString(36)}-${status.size.toString(36)}-${status.mtimeNs.toString(36)}"`;
  const headers: Record<string, string> = {
    etag,
    "accept-ranges": "bytes",
    "content-type": TYPES[extname(path)] ?? "application/octet-stream",
  };
  if (isListed(etag, header("if-none-match"))) return { status: 304, headers };
  const mm = MMap.open(path);
  const ifRange = header("if-range");
  const range = ifRange && ifRange !== etag ? "whole" : rangeOf(header("range"), mm.length);
  if (range === "none") {
    headers["content-range"] = `bytes */${mm.length}`;
    mm.close();
    return { status: 416, headers };
  }
  const { start, end } = range === "whole" ? { start: 0, end: mm.length } : range;
  // Bun leaves it out of the answer to GET: https://github.com/oven-sh/bun/issues/10507
  headers["content-length"] = `${end - start}`;
  if (range !== "whole") headers["content-range"] = `bytes ${start}-${end - 1}/${mm.length}`;
  const code = range === "whole" ? 200 : 206;
  if (method === "GET" && start < end) return { status: code, headers, body: closing(mm, start, end) };
  mm.close();
  return { status: code, headers };
}

/** The path of a file below the folder; undefined for any other. */
function pathOf(pathname: string): string | undefined {
  try {
    const path = join(root, decodeURIComponent(pathname));
    return path.startsWith(root.endsWith(sep) ? root : root + sep) && !path.includes("\0") ? path : undefined;
  } catch {
    // Malformed escapes.
    return undefined;
  }
}

/** Whether an If-None-Match header has an entity tag. */
function isListed(etag: string, header: string | null | undefined): boolean {
  const tags = header?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes(etag) || tags.includes("*");
}

/** The bytes that a Range header asks for. Several ranges, and what is not a range, count as the whole file. */
function rangeOf(header: string | null | undefined, length: number): { start: number; end: number } | "whole" | "none" {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || first + last === "") return "whole";
  const start = first === "" ? Math.max(0, length - Number(last)) : Number(first);
  const end = first === "" || last === "" ? length : Math.min(Number(last) + 1, length);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return "whole";
  return start < end ? { start, end } : "none";
}

/** The stream of a map that is closed when the stream ends, in whatever way. */
function closing(mm: MMap, start: number, end: number): ReadableStream<Uint8Array> {
  const reader = mm.stream(start, end).getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value } = await reader.read();
          if (value !== undefined) return controller.enqueue(value as Uint8Array);
          mm.close();
          controller.close();
        } catch (error) {
          mm.close();
          throw error;
        }
      },
      cancel: () => mm.close(),
    },
    { highWaterMark: 0 },
  );
}

/** The same also for errors: a file that does not exist, disappears, or may not be read. */
function answerAlways(...parameters: Parameters<typeof answer>): Answer {
  try {
    return answer(...parameters);
  } catch (error) {
    const { code = "" } = error as { code?: string };
    return { status: ["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(code) ? 404 : 500, headers: {} };
  }
}

/** For the servers of web standards. */
function fetch(request: Request): Response {
  const { pathname } = new URL(request.url);
  const { status, headers, body } = answerAlways(request.method, pathname, (name) => request.headers.get(name));
  return new Response(body ?? null, { status, headers });
}

/** The servers of Bun and Deno, as far as they are used here. */
const { Bun, Deno } = globalThis as {
  Bun?: { serve(options: object): { port: number } };
  Deno?: { serve(options: object, handler: typeof fetch): { addr: { port: number } } };
};

const hostname = "127.0.0.1";
if (Bun !== undefined) {
  started(Bun.serve({ hostname, port: Number(port), fetch }).port);
} else if (Deno !== undefined) {
  started(Deno.serve({ hostname, port: Number(port), onListen() {} }, fetch).addr.port);
} else {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const header = (name: string) => request.headers[name]?.toString();
    const { status, headers, body } = answerAlways(request.method ?? "", pathname, header);
    response.writeHead(status, headers);
    if (body === undefined) response.end();
    // An error is a client that has disconnected, or a file that was truncated: the connection is closed.
    else pipeline(Readable.fromWeb(body as never), response).catch(() => {});
  });
  server.listen(Number(port), hostname, () => started((server.address() as AddressInfo).port));
}

function started(port: number): void {
  console.log(`http://${hostname}:${port}/`);
}
