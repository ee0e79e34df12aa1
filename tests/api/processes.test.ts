import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { RUNTIMES, type Runtime } from "../helpers/runtimes.ts";
import { commandFor, newFile, newProgram, printedBy, text, unless, WINDOWS, WORKERS } from "../helpers/support.ts";

const test = suite("api/processes");

/** The runtimes of the children: one of each kind. */
const PEERS = RUNTIMES.filter(({ name }) => ["node20", "node26", "bun", "deno"].includes(name)).map((runtime) => ({
  runtime,
  absent: runtime.missing ?? runtime.broken,
}));

for (const { absent, runtime } of PEERS) {
  unless(absent, test)(`open() in a ${runtime.name} child shares the file's bytes in both directions`, () => {
    const path = newFile("parent's bytes  ");
    using mm = MMap.open(path, { access: "write" });
    mm.write("PARENT");
    const printed = printedBy(
      `const mm = MMap.open(process.argv[2], { access: "write" });
       console.log(new TextDecoder().decode(mm.slice()));
       mm.assign("child's", 0, 7);`,
      { runtime, args: [path] },
    );
    assert.is(printed, "PARENT's bytes");
    assert.is(text(mm.slice()), "child'ss bytes  ", runtime.name);
    assert.is(readFileSync(path, "latin1"), "child'ss bytes  ");
  });
}

const inherited = unless(
  WINDOWS
    ? "a child inherits no descriptors there; named maps are in systems/windows.test.ts"
    : process.platform === "darwin" && "anonymous memory has no descriptor there",
  test,
);

/** Starts a child that inherits the map's descriptor as its descriptor 3. */
function childWith(mm: MMap, source: string, runtime: Runtime) {
  const { program, args, env } = commandFor(newProgram(source), { runtime });
  return spawn(program, args, { env, stdio: ["pipe", "pipe", "inherit", mm.fd] });
}

for (const { absent, runtime } of PEERS) {
  unless(absent, inherited)(`new MMap() in a ${runtime.name} child maps inherited anonymous memory`, async () => {
    using mm = MMap.anonymous(13);
    mm.write("Hello world!");
    const child = childWith(
      mm,
      `const mm = new MMap(3, 0);
       console.log(mm.length, new TextDecoder().decode(mm.slice(0, 5)));
       mm.seek(6);
       mm.write("child!");`,
      runtime,
    );
    let printed = "";
    child.stdout?.on("data", (data) => {
      printed += data;
    });
    const [code] = await once(child, "close");
    assert.is(code, 0, runtime.name);
    assert.is(printed.trim(), "13 Hello", runtime.name);
    assert.is(text(mm.slice(0, 12)), "Hello child!", runtime.name);
  });
}

for (const { absent, runtime } of PEERS) {
  unless(absent, inherited)(`view() shows parent and ${runtime.name} child each other's writes`, async () => {
    // The child adds one to the number that the parent writes, as soon as it sees it.
    const source = `
    const mm = new MMap(3, 0);
    const cells = mm.view(Int32Array, 0, 2);
    console.log("ready");
    for (let seen = 0; seen < 50; ) {
      const now = Atomics.load(cells, 0);
      if (now !== seen) { seen = now; Atomics.store(cells, 1, now + 1); }
    }`;
    using mm = MMap.anonymous(8);
    const cells = mm.view(Int32Array, 0, 2);
    const child = childWith(mm, source, runtime);
    await once(child.stdout as NonNullable<typeof child.stdout>, "data");
    const ended = once(child, "close");
    for (let round = 1; round <= 50; round++) {
      Atomics.store(cells, 0, round);
      while (Atomics.load(cells, 1) !== round + 1) {
        if (child.exitCode !== null) throw new Error(`the ${runtime.name} child ended with ${child.exitCode}`);
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    assert.is((await ended)[0], 0, runtime.name);
  });
}

const listed = unless(!existsSync("/proc/self/fd") && "this system has no /proc/self/fd", inherited);

listed("fd is not inherited by children unless it is passed", () => {
  const path = newFile("x");
  using mm = MMap.open(path);
  using anonymous = MMap.anonymous(10);
  const own = [mm, anonymous].map(({ fd }) => readlinkSync(`/proc/self/fd/${fd}`));
  assert.is(own[0], path);
  const printed = printedBy(
    `import { readdirSync, readlinkSync } from "node:fs";
     for (const fd of readdirSync("/proc/self/fd")) {
       try { console.log(readlinkSync("/proc/self/fd/" + fd)); } catch {}
     }`,
  ).split("\n");
  assert.ok(printed.length >= 3, printed.join());
  assert.not.ok(
    printed.some((link) => own.includes(link)),
    printed.join(),
  );
});

test("open() in several workers maps the same file", async () => {
  const path = newFile(new Uint8Array(16));
  using mm = MMap.open(path, { access: "write" });
  const printed = printedBy(
    `${WORKERS}
     if (isMainThread) {
       await Promise.all([0, 1, 2, 3].map((index) => startWorker({ index, path: process.argv[2] })));
       console.log("joined");
     } else {
       const mm = MMap.open(workerData.path, { access: "write" });
       const cells = mm.view(Int32Array, 0, 4);
       for (let round = 0; round < 1000; round++) Atomics.add(cells, 0, 1);
       mm[4 + workerData.index] = 1 + workerData.index;
       mm.close();
     }`,
    { args: [path] },
  );
  assert.is(printed, "joined");
  assert.is(mm.view(Int32Array, 0, 1)[0], 4000);
  assert.equal([...mm.slice(4, 8)], [1, 2, 3, 4]);
});

test.run();
