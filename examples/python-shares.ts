/**
 * Named memory with Python on the other side: Python measures, this program shows the numbers as they come. Linux only.
 *
 *     node examples/python-shares.ts
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { MMap } from "../lib/mod.ts"; // in your program: from "mmap-ffi"

const COUNT = 5;

const PYTHON = `
import struct, sys, time
from multiprocessing import resource_tracker, shared_memory

memory = shared_memory.SharedMemory(sys.argv[1])
# Otherwise Python removes the name when this program ends, although others use it.
resource_tracker.unregister(memory._name, "shared_memory")
for index in range(int(sys.argv[2])):
    struct.pack_into("<d", memory.buf, 8 + 8 * index, index * 1.5)
    # An aligned word is written in one step. Python cannot wake others, who look at the word themselves.
    struct.pack_into("<i", memory.buf, 0, index + 1)
    time.sleep(0.01)
memory.close()
`;

const name = `measured-${process.pid}`;
const mm = MMap.shared(name, { create: true, exclusive: true, length: 4096 });
try {
  const ready = mm.view(Int32Array, 0, 1);
  const values = mm.view(Float64Array, 8, COUNT);
  const python = spawn("python3", ["-c", PYTHON, name, String(COUNT)], { stdio: "inherit" });
  const failed = new AbortController();
  python.on("error", (error) => failed.abort(error));
  python.on("exit", (code) => code !== 0 && failed.abort(new Error(`Python ended with ${code}`)));
  for (let seen = 0; seen < COUNT; ) {
    // Without a wake-up, the word is looked at again at least ten times a second.
    await mm.waitAsync(0, seen, { signal: failed.signal });
    for (const now = Atomics.load(ready, 0); seen < now; seen++) console.log(values[seen]);
  }
} finally {
  mm.close();
  MMap.unlink(name);
}
