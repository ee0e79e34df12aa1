/**
 * Round trips between two processes, and mutexes, compared with what the runtime has for processes.
 *
 * @module
 */

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MMap } from "../lib/mod.ts";
import { commandFor } from "../tests/helpers/support.ts";
import type { Data } from "./data.ts";
import { type Bench, here, type Timed } from "./harness.ts";

const PARTNER = fileURLToPath(new URL("./sharing-partner.ts", import.meta.url));

/** One way to go to the other process and back. */
interface Way {
  readonly time: Timed;
  end(): Promise<void>;
}

function start(args: string[]): ChildProcess {
  const { program, args: all, env } = commandFor(PARTNER, { args });
  return spawn(program, all, { env, stdio: ["ignore", "ignore", "inherit"] });
}

async function byMap(path: string, how: "map" | "async"): Promise<Way> {
  writeFileSync(path, new Uint8Array(4096));
  const mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array, 0, 2);
  const child = start([how, path]);
  while (Atomics.load(words, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  let turn = 0;
  const give = () => {
    turn++;
    Atomics.store(words, 0, turn);
    mm.notify(0);
  };
  const blocking = () => {
    give();
    while (Atomics.load(words, 0) === turn) mm.wait(0, turn);
    turn++;
  };
  const awaited = async () => {
    give();
    while (Atomics.load(words, 0) === turn) await mm.waitAsync(0, turn);
    turn++;
  };
  return {
    time: here(how === "map" ? blocking : awaited),
    async end() {
      Atomics.store(words, 0, -1);
      mm.notify(0);
      await once(child, "exit");
      mm.close();
    },
  };
}

async function bySocket(path: string): Promise<Way> {
  const server = createServer().listen(path);
  await once(server, "listening");
  const child = start(["socket", path]);
  const [socket] = (await once(server, "connection")) as [Socket];
  const byte = new Uint8Array(1);
  const trip = async () => {
    const answer = once(socket, "data");
    socket.write(byte);
    await answer;
  };
  return {
    time: here(trip),
    async end() {
      const ended = once(child, "exit");
      socket.destroy();
      server.close();
      await ended;
    },
  };
}

async function bySend(): Promise<Way> {
  const { program, args, env } = commandFor(PARTNER, {});
  const flags = args.slice(0, args.indexOf(PARTNER));
  const child = fork(PARTNER, ["send"], { execPath: program, execArgv: flags, env });
  await once(child, "message");
  const trip = async () => {
    const answer = once(child, "message");
    child.send(1);
    await answer;
  };
  return {
    time: here(trip),
    async end() {
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
    },
  };
}

export default async function (bench: Bench, data: Data): Promise<void> {
  const path = data.file("text", 4096);
  const socket = await bySocket(`${path}.socket`);
  const send = await bySend();
  const map = await byMap(`${path}.map`, "map");
  const peers = [
    { name: "a Unix socket", target: 0.5, time: socket.time },
    { name: "process.send", time: send.time },
  ];
  await bench.compare("round trip between two processes, wait", map.time, peers);
  await map.end();
  const later = await byMap(`${path}.async`, "async");
  const own = process.versions.bun !== undefined || process.env.MMAP_FFI === "node" ? 1.5 : 1;
  await bench.compare("round trip between two processes, waitAsync", later.time, [
    { name: "process.send", target: own, time: send.time },
    { name: "a Unix socket", time: socket.time },
  ]);
  for (const way of [later, send, socket]) await way.end();

  using mm = MMap.open(`${path}.map`, { access: "write" });
  const mutex = mm.mutex(64);
  const turns = () => {
    for (let turn = 0; turn < 1000; turn++) {
      mutex.tryAcquire();
      mutex.release();
    }
  };
  const { nanoseconds } = await here(turns)(1000);
  bench.tell("tryAcquire and release, uncontended", nanoseconds / 1e6, "ns", 150);
}
