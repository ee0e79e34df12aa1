/**
 * Has examples/serve.ts answer requests from maps, by the runtime's own server, to clients of which some disconnect in the
 * middle; and watches what the server holds.
 *
 *     serve [requests: 10000]
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { basename } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ROOT } from "../helpers/runtimes.ts";
import { commandFor, FOLDER, newFile } from "../helpers/support.ts";
import { Curve, heldBy, ownMappings } from "./curve.ts";

const SAMPLES = 20;
/** How many requests run at once. */
const AT_ONCE = 4;

const count = Number(process.argv[2] ?? 10_000);
const content = Buffer.from(Uint8Array.from({ length: 1_000_000 }, (_, index) => (index * 31 + (index >>> 8)) & 255));
const small = newFile(content);
// Longer than what sockets hold, so that the server is still sending when a client disconnects.
const large = newFile(new Uint8Array(30_000_000));

const { program, args, env } = commandFor(fileURLToPath(new URL("served.ts", import.meta.url)), {
  args: [FOLDER, "0"],
});
const server = spawn(program, args, { cwd: ROOT, env, stdio: ["pipe", "pipe", "inherit"] });
const ended = once(server, "exit").then(([code, signal]) => {
  throw new Error(`the server ended with ${signal ?? code}`);
});
ended.catch(() => {});

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Reads the beginning of a long answer, and disconnects. */
async function disconnect({ hostname, port }: URL): Promise<void> {
  const socket = connect(Number(port), hostname);
  try {
    socket.write(`GET /${basename(large)} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
    const [start] = await once(socket, "data");
    check(String(start).startsWith("HTTP/1.1 200 OK\r\n"), String(start));
  } finally {
    socket.destroy();
  }
}

const REQUESTS: ((address: URL) => Promise<void>)[] = [
  async function whole(address) {
    const response = await fetch(new URL(basename(small), address));
    check(response.status === 200 && content.equals(Buffer.from(await response.arrayBuffer())), "a wrong answer");
  },
  disconnect,
  async function range(address) {
    const response = await fetch(new URL(basename(small), address), { headers: { range: "bytes=500000-800000" } });
    const part = content.subarray(500_000, 800_001);
    check(response.status === 206 && part.equals(Buffer.from(await response.arrayBuffer())), "a wrong range");
  },
];

async function run(address: URL): Promise<void> {
  const curve = new Curve(() => heldBy(server.pid as number));
  let started = 0;
  const client = async (end: number) => {
    while (started < end) await (REQUESTS[started++ % REQUESTS.length] as (typeof REQUESTS)[number])(address);
  };
  for (let sample = 0; sample <= SAMPLES; sample++) {
    const end = Math.round((count * sample) / SAMPLES);
    await Promise.all(Array.from({ length: AT_ONCE }, () => client(end)));
    // The server may not yet know that the last clients have gone.
    while (ownMappings(server.pid) > 0) await setTimeout(20);
    server.stdin.write("collect\n");
    await once(server.stdout, "data");
    await curve.sample(end);
  }
  const rises = curve.rises();
  console.log(rises.length === 0 ? `${count} requests, and the curve is flat` : rises.join("\n"));
  process.exitCode = rises.length === 0 ? 0 : 1;
}

try {
  const [line] = await Promise.race([once(server.stdout, "data"), ended]);
  await Promise.race([run(new URL(String(line).trim())), ended]);
} finally {
  server.kill();
}
