import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { currentRuntime, ROOT, RUNTIMES, type Runtime, WITHOUT_VIEWS } from "../helpers/runtimes.ts";
import { commandFor, NEEDS_LOCK_FILE, newPath, runFile, unless } from "../helpers/support.ts";

const test = suite("docs/sharing-examples");

/** This runtime, and one of each other kind. */
const PEERS: readonly Runtime[] = [
  currentRuntime(),
  ...RUNTIMES.filter(
    ({ name, command }) =>
      ["bun", "deno", "node24"].includes(name) && name !== currentRuntime().name && command.length > 0,
  ),
];

const example = (name: string): string => join(ROOT, "examples", name);

/** Starts an example; gives the child, and a promise of its exit code and what it printed. */
function start(name: string, runtime: Runtime, args: string[]) {
  const command = commandFor(example(name), { runtime, args });
  const child = spawn(command.program, command.args, { cwd: ROOT, env: command.env, stdio: "pipe" });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  // A child that fails at once leaves what is written to it: its exit code says so.
  child.stdin.on("error", () => {});
  return { child, ended: once(child, "close").then(([code]) => ({ code, stdout, stderr })) };
}

test("the examples are short", () => {
  const formats = ["arrow.ts", "maxmind.ts", "numpy.ts", "parquet.ts", "pmtiles.ts", "safetensors.ts"];
  for (const [names, limit] of [
    [["counter.ts", "queue.ts", "queue-lines.ts", "cache.ts", "python-shares.ts"], 100],
    [formats.map((name) => `formats/${name}`), 60],
  ] as const) {
    for (const name of names) {
      const lines = readFileSync(example(name), "utf8").trimEnd().split("\n").length;
      assert.ok(lines < limit, `${name} has ${lines}`);
    }
  }
});

test("examples/counter.ts counts in several runtimes at once", async () => {
  const path = newPath();
  const counting = PEERS.map((runtime) => start("counter.ts", runtime, ["count", path, "1000"]).ended);
  for (const { code, stderr } of await Promise.all(counting)) assert.is(code, 0, stderr);
  const { code, stdout, stderr } = runFile(example("counter.ts"), { args: ["page", path] });
  assert.is(code, 0, stderr);
  const n = PEERS.length;
  const totals = `requests_total ${1000 * n}\nfailures_total ${100 * n}\nbytes_total ${100_000 * n}\n`;
  const buckets = [
    ["1", 40],
    ["5", 120],
    ["25", 520],
    ["100", 1000],
    ["+Inf", 1000],
  ] as const;
  const histogram = buckets.map(([bound, count]) => `duration_ms_bucket{le="${bound}"} ${count * n}\n`);
  assert.is(stdout, totals + histogram.join(""));
});

// One end that fails at once would leave the other waiting for it.
const locking = unless(WITHOUT_VIEWS && "the examples use views", test);

for (const receiver of PEERS) {
  locking(`examples/queue.ts sends messages of any length to ${receiver.name}`, async () => {
    const path = newPath();
    const lines = ["first", "x".repeat(3_000_000), ...Array.from({ length: 5000 }, (_, index) => `line ${index}`)];
    const received = start("queue-lines.ts", receiver, ["receive", path]);
    const sent = start("queue-lines.ts", currentRuntime(), ["send", path]);
    sent.child.stdin.end(lines.join("\n"));
    const [one, two] = await Promise.all([received.ended, sent.ended]);
    assert.is(one.code, 0, one.stderr);
    assert.is(two.code, 0, two.stderr);
    assert.ok(one.stdout === `${lines.join("\n")}\n`, `${one.stdout.length} characters`);
  });
}

locking("examples/queue.ts refuses a file that another pair has used", async () => {
  const path = newPath();
  const ends = [start("queue-lines.ts", currentRuntime(), ["receive", path])];
  ends.push(start("queue-lines.ts", currentRuntime(), ["send", path]));
  ends[1]?.child.stdin.end("one\n");
  for (const { code, stderr } of await Promise.all(ends.map(({ ended }) => ended))) assert.is(code, 0, stderr);
  const { code, stderr } = await start("queue-lines.ts", currentRuntime(), ["send", path]).ended;
  assert.is.not(code, 0);
  assert.match(stderr, /is or was used to send/);
});

locking("examples/queue.ts notices that the other end was killed", async () => {
  for (const victim of ["send", "receive"] as const) {
    const path = newPath();
    const ends = {
      send: start("queue-lines.ts", currentRuntime(), ["send", path]),
      receive: start("queue-lines.ts", currentRuntime(), ["receive", path]),
    };
    ends.send.child.stdin.write("hello\n");
    await once(ends.receive.child.stdout, "data");
    process.kill(ends[victim].child.pid as number, "SIGKILL");
    await ends[victim].ended;
    // The sender notices when the queue is full.
    if (victim === "receive") ends.send.child.stdin.end(`${"x".repeat(2 ** 21)}\n`);
    const { code, stderr } = await ends[victim === "send" ? "receive" : "send"].ended;
    assert.is.not(code, 0);
    assert.match(stderr, /the other process has ended/);
  }
});

locking("examples/cache.ts shares values between runtimes", async () => {
  const path = newPath();
  const run = async (runtime: Runtime, ...args: string[]) => {
    const { code, stdout, stderr } = await start("cache.ts", runtime, [args[0] as string, path, ...args.slice(1)])
      .ended;
    assert.is(code, 0, stderr);
    return stdout.trim();
  };
  await Promise.all(PEERS.map((runtime) => run(runtime, "set", runtime.name, JSON.stringify({ from: runtime.name }))));
  for (const runtime of PEERS) {
    const other = PEERS[(PEERS.indexOf(runtime) + 1) % PEERS.length] as Runtime;
    assert.is(await run(runtime, "get", other.name), JSON.stringify({ from: other.name }));
  }
  const [first] = PEERS as [Runtime];
  assert.is(await run(first, "get", "nothing"), "undefined");
  assert.is(await run(first, "set", "large", JSON.stringify("x".repeat(2000))), "false");
  assert.is(await run(first, "get", "large"), "undefined");
});

unless(NEEDS_LOCK_FILE, locking)("examples/cache.ts throws away what a dead process was writing", () => {
  const path = newPath();
  const set = runFile(example("cache.ts"), { args: ["set", path, "key", '"value"'] });
  assert.is(set.stdout.trim(), "true", set.stderr);
  using mm = MMap.open(path, { access: "write" });
  // The number of an owner that does not live, in every mutex.
  const words = mm.view(Int32Array, 0, 2 * 64);
  for (let stripe = 0; stripe < 64; stripe++) words[2 * stripe] = 12345;
  const get = runFile(example("cache.ts"), { args: ["get", path, "key"] });
  assert.is(get.stdout.trim(), "undefined", get.stderr);
});

unless(
  process.platform !== "linux"
    ? "named memory is no file there"
    : spawnSync("python3", ["-V"]).status !== 0 && "there is no Python",
  test,
)("examples/python-shares.ts shows what Python measures", () => {
  const { code, stdout, stderr } = runFile(example("python-shares.ts"));
  assert.is(code, 0, stderr);
  assert.is(stdout.trim(), "0\n1.5\n3\n4.5\n6");
});

test.run();
