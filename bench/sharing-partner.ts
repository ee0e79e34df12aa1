/**
 * The other process of the topic `sharing`: answers each message or turn.
 *
 *     sharing-partner.ts map PATH | async PATH | socket PATH | send
 *
 * @module
 */

import { connect } from "node:net";
import process from "node:process";
import { MMap } from "../lib/mod.ts";

const [how, path = ""] = process.argv.slice(2);

if (how === "map" || how === "async") {
  const mm = MMap.open(path, { access: "write" });
  const words = mm.view(Int32Array, 0, 2);
  // Word 0 is the turn: odd is this process's, and -1 the end.
  Atomics.store(words, 1, 1);
  for (let turn = 0; turn !== -1; turn = Atomics.load(words, 0)) {
    if (turn % 2 === 1) {
      Atomics.store(words, 0, turn + 1);
      mm.notify(0);
    } else if (how === "map") mm.wait(0, turn);
    else await mm.waitAsync(0, turn);
  }
} else if (how === "socket") {
  const socket = connect(path);
  socket.on("data", (data) => socket.write(data));
  socket.on("close", () => process.exit());
} else if (how === "send") {
  process.on("message", (message) => process.send?.(message));
  process.on("disconnect", () => process.exit());
  process.send?.("ready");
}
