import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MMap } from "../../lib/mod.ts";
import { RUNTIMES } from "../helpers/runtimes.ts";
import { newFile, printedBy, refuses, runChild, text, unless, WINDOWS } from "../helpers/support.ts";

const test = suite("api/shared");

let names = 0;
/** A name that no other process uses. */
const newName = (): string => `mmap-ffi-${process.pid}-${names++}`;

const LINUX = process.platform === "linux";
const linux = unless(!LINUX && "named memory is no file there", test);

test("shared() creates memory, and others open it by its name", () => {
  const name = newName();
  try {
    using mm = MMap.shared(name, { create: true, length: 5000 });
    assert.is(mm.length, 5000);
    assert.is(mm.access, "write");
    mm.write("Hello");
    using other = MMap.shared(name, { length: 5000 });
    assert.is(text(other.slice(0, 5)), "Hello");
    other.assign("J", 0, 1);
    assert.is(text(mm.slice(0, 5)), "Jello");
    using again = MMap.shared(name, { create: true, length: 5000 });
    assert.is(text(again.slice(0, 5)), "Jello", "create attaches to what is there");
    refuses("EEXIST", () => MMap.shared(name, { create: true, exclusive: true, length: 5000 }), name);
    const printed = printedBy(
      `using mm = MMap.shared(process.argv[2], { length: 5000 });
       console.log(new TextDecoder().decode(mm.slice(0, 5)));
       mm.assign("C", 0, 1);`,
      { args: [name] },
    );
    assert.is(printed, "Jello");
    assert.is(text(mm.slice(0, 5)), "Cello");
  } finally {
    MMap.unlink(name);
  }
  refuses("ENOENT", () => MMap.shared(name, { length: 5000 }), name);
});

test("unlink() takes the name away, and maps stay", () => {
  const name = newName();
  const mm = MMap.shared(name, { create: true, exclusive: true, length: 100 });
  mm.write("kept");
  if (!WINDOWS) {
    MMap.unlink(name);
    using next = MMap.shared(name, { create: true, exclusive: true, length: 100 });
    assert.is(next[0], 0, "other memory");
    assert.is(text(mm.slice(0, 4)), "kept");
    MMap.unlink(name);
    refuses("ENOENT", () => MMap.unlink(name), name);
  } else {
    MMap.unlink(name);
    assert.is(text(mm.slice(0, 4)), "kept");
  }
  mm.close();
});

test("names that could leave their folder, and wrong options, are refused", () => {
  const wrong = [
    "",
    ".",
    "..",
    "/a",
    "a/b",
    "../a",
    "a\\b",
    "a\0",
    "a b",
    "ü",
    "x".repeat(31),
    "a\n",
    undefined,
    5,
    ["a"],
  ];
  for (const name of wrong as string[]) {
    refuses(TypeError, () => MMap.shared(name, { create: true, length: 10 }), "name must be a string of 1 to 30");
    refuses(TypeError, () => MMap.unlink(name), "name must be a string of 1 to 30");
  }
  const name = newName();
  refuses(TypeError, () => MMap.shared(name, { exclusive: true }), "exclusive", "create: true");
  refuses(TypeError, () => MMap.shared(name, { exclusive: 1 } as object), "exclusive must be true or false");
  refuses(TypeError, () => MMap.shared(name, { exclusiv: true } as object), 'did you mean "exclusive"?');
  refuses(
    TypeError,
    () => MMap.shared(name, { tagname: "x" } as object),
    '"tagname" is not an option of MMap.shared()',
  );
  refuses(RangeError, () => MMap.shared(name, { create: true }), "length must be given");
  refuses("ENOENT", () => MMap.shared(name, { length: 10 }));
  const longest = "x".repeat(30 - newName().length) + newName();
  MMap.shared(longest, { create: true, length: 10 }).close();
  MMap.unlink(longest);
});

test("access, offset and resize of named memory", () => {
  const name = newName();
  try {
    using mm = MMap.shared(name, { create: true, length: 8192 });
    mm.assign("part", 4096, 4100);
    using part = MMap.shared(name, { access: "read", offset: 4096, length: 4 });
    assert.is(text(part.slice()), "part");
    refuses(TypeError, () => part.write("x"), 'access is "read"');
    if (!LINUX) return;
    using all = MMap.shared(name);
    assert.is(all.length, 8192, "its length is known");
    mm.resize(3 * 4096);
    all.remap();
    assert.is(all.length, 3 * 4096);
  } finally {
    MMap.unlink(name);
  }
});

linux("a file of /dev/shm, with mode 0600 by default", () => {
  const name = newName();
  MMap.shared(name, { create: true, length: 10 }).close();
  assert.is(statSync(`/dev/shm/${name}`).mode & 0o777, 0o600);
  assert.is(statSync(`/dev/shm/${name}`).size, 10);
  MMap.unlink(name);
  assert.not.ok(existsSync(`/dev/shm/${name}`));
  MMap.shared(name, { create: true, length: 10, mode: 0o640 }).close();
  assert.is(statSync(`/dev/shm/${name}`).mode & 0o777, 0o640);
  MMap.unlink(name);
});

// A map of no bytes was made of it, which stayed so.
linux("memory that its creator has not given a length yet does not exist", () => {
  const name = newName();
  writeFileSync(`/dev/shm/${name}`, "");
  try {
    for (const options of [{}, { length: 100 }, { access: "read" }] as const) {
      refuses("ENOENT", () => MMap.shared(name, options), name, "no length yet");
    }
    using mm = MMap.shared(name, { create: true, length: 100 });
    using other = MMap.shared(name);
    assert.equal([mm.length, other.length], [100, 100]);
  } finally {
    MMap.unlink(name);
  }
});

linux("a symbolic link in the place of a name is not followed", () => {
  const name = newName();
  const path = newFile("secret");
  symlinkSync(path, `/dev/shm/${name}`);
  try {
    refuses("ELOOP", () => MMap.shared(name), name);
    refuses("ELOOP", () => MMap.shared(name, { create: true, length: 10 }), name);
    refuses("EEXIST", () => MMap.shared(name, { create: true, exclusive: true, length: 10 }), name);
    assert.is(readFileSync(path, "utf8"), "secret");
  } finally {
    MMap.unlink(name);
  }
});

linux("a creator that is killed leaves the name behind", () => {
  const name = newName();
  const { signal, stdout } = runChild(
    `const mm = MMap.shared(process.argv[2], { create: true, exclusive: true, length: 100 });
     mm.write("last words");
     process.kill(process.pid, "SIGKILL");
     await new Promise((resolve) => setTimeout(resolve, 10_000));`,
    { args: [name] },
  );
  assert.is(signal, "SIGKILL", stdout);
  refuses("EEXIST", () => MMap.shared(name, { create: true, exclusive: true, length: 100 }));
  using mm = MMap.shared(name, { create: true, length: 100 });
  assert.is(text(mm.slice(0, 10)), "last words");
  MMap.unlink(name);
});

const python = unless(
  !LINUX ? "named memory is no file there" : spawnSync("python3", ["-V"]).status !== 0 && "there is no Python",
  test,
);

function pythonSays(program: string, name: string): string {
  const { status, stdout, stderr } = spawnSync("python3", ["-c", program, name], { encoding: "utf8" });
  assert.is(status, 0, stderr);
  return stdout.trim();
}

python("Python's multiprocessing.shared_memory opens what shared() has created", () => {
  const name = newName();
  using mm = MMap.shared(name, { create: true, length: 64 });
  mm.write("from here");
  const program = `
import sys
from multiprocessing import resource_tracker, shared_memory
memory = shared_memory.SharedMemory(sys.argv[1])
resource_tracker.unregister(memory._name, "shared_memory")
print(memory.size, bytes(memory.buf[:9]).decode())
memory.buf[:11] = b"from Python"
memory.close()`;
  assert.is(pythonSays(program, name), "64 from here");
  assert.is(text(mm.slice(0, 11)), "from Python");
  MMap.unlink(name);
});

python("shared() opens what Python and C have created", () => {
  const name = newName();
  const program = `
import sys
from multiprocessing import resource_tracker, shared_memory
memory = shared_memory.SharedMemory(sys.argv[1], create=True, size=32)
resource_tracker.unregister(memory._name, "shared_memory")
memory.buf[:6] = b"Python"
memory.close()`;
  pythonSays(program, name);
  {
    using mm = MMap.shared(name);
    assert.is(mm.length, 32);
    assert.is(text(mm.slice(0, 6)), "Python");
    mm.assign("update", 0, 6);
  }
  const inC = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.shm_open(("/" + sys.argv[1]).encode(), os.O_RDWR, 0)
print(os.pread(fd, 6, 0).decode())
fd = libc.shm_open(("/" + sys.argv[1] + "c").encode(), os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(fd, 16)
os.pwrite(fd, b"by shm_open", 0)`;
  assert.is(pythonSays(inC, name), "update");
  using mm = MMap.shared(`${name}c`);
  assert.is(text(mm.slice(0, 11)), "by shm_open");
  MMap.unlink(name);
  MMap.unlink(`${name}c`);
});

const deno = RUNTIMES.find((one) => one.name === "deno");
unless((!LINUX && "there are no paths") || ((deno?.command.length ?? 0) === 0 && "Deno is not installed"), test)(
  "Deno and Node ask their permission models",
  () => {
    const program = "MMap.shared(process.argv[2], { create: true, length: 10 });";
    const name = newName();
    const inDeno = runChild(program, {
      runtime: deno as NonNullable<typeof deno>,
      flags: ["run", "--allow-ffi", "--allow-env", "--allow-read=/tmp", "--no-prompt"],
      args: [name],
    });
    assert.is.not(inDeno.code, 0);
    assert.match(inDeno.stderr, /NotCapable: Requires/);
    const node = RUNTIMES.find((one) => one.name === "node24" && one.command.length > 0);
    if (node !== undefined) {
      const inNode = runChild(program, {
        runtime: node,
        flags: ["--permission", "--allow-addons", "--allow-fs-read=*"],
        args: [name],
      });
      assert.is.not(inNode.code, 0);
      assert.match(inNode.stderr, /ERR_ACCESS_DENIED/);
    }
    assert.not.ok(existsSync(`/dev/shm/${name}`));
  },
);

test.run();
