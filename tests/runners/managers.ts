/**
 * Installs the packed package with each package manager into an empty folder and runs a program there. Nothing may ask for
 * an approval, and no script of a package may be needed.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { RUNTIMES } from "../helpers/runtimes.ts";
import type { Checks } from "./checks.ts";
import { cacheFolder, installPackages } from "./machine.ts";

const PROGRAM = `
const mm = MMap.open("package.json");
console.log("mapped", String.fromCharCode(mm[0]), mm.length > 10);
mm.close();
`;

const WORKS = /^mapped \{ true$/m;

/** What package managers print if they object to a package. */
const COMPLAINT = /warn|ignored|deprecat|unmet|script|approve/i;

/** Yarn says of every PnP project that its support of ES modules is experimental. */
const YARN_COMPLAINT = /YN0000.*warn(?!ings in)|ignored|deprecat|unmet|script|approve/i;

interface Manager {
  readonly name: string;
  readonly add: readonly [program: string, ...args: string[]];
  /** Runs the file that is added to it. */
  readonly start: readonly [program: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly complaint?: RegExp;
}

/** What a manager needs to know: programs, the registry, the packed package, and a folder for temporary files. */
interface Setting {
  readonly node: string;
  readonly bun: string;
  readonly deno: string;
  readonly registry: string;
  readonly tarball: string;
  readonly folder: string;
}

function managers({ node, bun, deno, registry, tarball, folder }: Setting, ownRegistry: string): Manager[] {
  const cache = cacheFolder("managers");
  const packages = {
    pnpm10: "npm:pnpm@10.34.9",
    pnpm11: "npm:pnpm@11.28.11",
    "@pnpm/exe.linux-x64": "12.21.0",
    yarn4: "npm:@yarnpkg/cli-dist@4.18.1",
  };
  installPackages(cache, packages, false);
  const file = (...path: string[]) => join(cache, "node_modules", ...path);
  const npmEnv = { npm_config_registry: registry, npm_config_update_notifier: "false" };
  const pnpm = (major: number, ...command: [string, ...string[]]): Manager => ({
    name: `pnpm ${major}`,
    add: [...command, "add", "--store-dir", join(folder, `store${major}`), tarball],
    start: [node],
    env: npmEnv,
  });
  const yarn = (linker: string): Manager => ({
    name: `yarn 4 (${linker})`,
    add: [node, file("yarn4", "bin", "yarn.js"), "add", `mmap-ffi@file:${tarball}`],
    start: [node, file("yarn4", "bin", "yarn.js"), "node"],
    env: {
      YARN_ENABLE_GLOBAL_CACHE: "false",
      // On CI machines Yarn would write no lock file.
      YARN_ENABLE_IMMUTABLE_INSTALLS: "false",
      YARN_ENABLE_TELEMETRY: "0",
      YARN_NODE_LINKER: linker,
      YARN_NPM_REGISTRY_SERVER: registry,
    },
    complaint: YARN_COMPLAINT,
  });
  return [
    { name: "npm", add: ["npm", "install", tarball], start: [node], env: npmEnv },
    pnpm(10, node, file("pnpm10", "bin", "pnpm.cjs")),
    pnpm(11, node, file("pnpm11", "bin", "pnpm.mjs")),
    pnpm(12, file("@pnpm", "exe.linux-x64", "pnpm")),
    yarn("node-modules"),
    yarn("pnp"),
    { name: "bun", add: [bun, "add", tarball], start: [bun], env: npmEnv },
    {
      name: "deno",
      add: [deno, "add", "npm:mmap-ffi"],
      start: [deno, "run", "--allow-ffi", "--allow-read"],
      env: { NPM_CONFIG_REGISTRY: ownRegistry, DENO_DIR: join(folder, "deno") },
    },
  ];
}

/**
 * Starts a registry that has the packed package and redirects requests for any other to the real one. Deno installs from
 * registries only.
 */
async function serve({ tarball, registry }: Setting) {
  const unpacked = execFileSync("tar", ["-xzOf", tarball, "package/package.json"], { encoding: "utf8" });
  const manifest = JSON.parse(unpacked) as { version: string };
  const content = readFileSync(tarball);
  const integrity = `sha512-${createHash("sha512").update(content).digest("base64")}`;
  const server = createServer(({ url = "/", headers }, response) => {
    if (url === "/mmap-ffi.tgz") {
      response.end(content);
    } else if (url === "/mmap-ffi") {
      const { version } = manifest;
      const dist = { tarball: `http://${headers.host}/mmap-ffi.tgz`, integrity };
      const versions = { [version]: { ...manifest, dist } };
      response.end(JSON.stringify({ name: "mmap-ffi", "dist-tags": { latest: version }, versions }));
    } else {
      response.writeHead(307, { location: new URL(url.slice(1), registry).href }).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function checkManager(checks: Checks, manager: Manager, folder: string, node: string): Promise<void> {
  const { name, add, start, complaint = COMPLAINT } = manager;
  // The managers' own scripts start "node".
  const env = { PATH: `${dirname(node)}${delimiter}${process.env.PATH}`, ...manager.env };
  mkdirSync(folder);
  // Without a lock file, Yarn would look for a project in the folders above.
  if (name.startsWith("yarn")) writeFileSync(join(folder, "yarn.lock"), "");
  writeFileSync(join(folder, "package.json"), '{ "name": "user", "private": true }');
  writeFileSync(join(folder, "use.mjs"), `import { MMap } from "mmap-ffi";${PROGRAM}`);
  writeFileSync(join(folder, "use.cjs"), `const { MMap } = require("mmap-ffi");${PROGRAM}`);
  const common = { cwd: folder, env };
  if (!(await checks.run({ name, command: add, expected: /^/, unwanted: complaint, ...common }))) return;
  for (const file of ["use.mjs", "use.cjs"]) {
    await checks.run({
      name: `${name}: ${file}`,
      command: [...start, file],
      expected: WORKS,
      unwanted: /warn/i,
      ...common,
    });
  }
}

/** Runs all of them with the packed package. */
export async function checkManagers(checks: Checks, tarball: string): Promise<void> {
  const program = (name: string) => RUNTIMES.find((one) => one.name === name)?.command[0];
  const [node, bun, deno] = [program("node24"), program("bun"), program("deno")];
  if (`${process.platform}-${process.arch}` !== "linux-x64" || !node || !bun || !deno) {
    console.log("skipped: package managers: they need Linux x64, Node 24, Bun and Deno");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "mmap-ffi-managers-"));
  const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
  const setting = { node, bun, deno, registry, tarball, folder };
  const server = await serve(setting);
  try {
    const { port } = server.address() as AddressInfo;
    const list = managers(setting, `http://127.0.0.1:${port}/`);
    for (const [index, manager] of list.entries()) {
      await checkManager(checks, manager, join(folder, `${index}`), node);
    }
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
