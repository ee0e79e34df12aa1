/**
 * Sends lines from one process to another, through the queue of queue.ts.
 *
 *     node examples/queue-lines.ts receive FILE & seq 5 | node examples/queue-lines.ts send FILE
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { Queue } from "./queue.ts";

const [role, path = "queue.bin"] = process.argv.slice(2);
if (role !== "send" && role !== "receive") throw new Error("use: queue-lines.ts send|receive FILE");
const queue = new Queue(path, role);
if (role === "send") {
  for await (const line of createInterface({ input: process.stdin })) queue.send(new TextEncoder().encode(line));
  queue.send(new Uint8Array()); // an empty message ends it
} else {
  for (let message = queue.receive(); message.length > 0; message = queue.receive()) {
    console.log(new TextDecoder().decode(message));
  }
}
