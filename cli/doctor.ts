/**
 * `mmap-ffi doctor`: what a bug report needs, and what is missing here.
 *
 * @module
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import config from "../deno.json" with { type: "json" };
import { koffiFfi } from "../ffi/koffi.ts";
import { ALLOCATIONGRANULARITY, MMap, PAGESIZE } from "../lib/mod.ts";
import type { Failures } from "./failures.ts";
import { printLine, size } from "./terminal.ts";

/** What can be wrong, and what to do about it. */
interface Finding {
  readonly problem: string;
  readonly fix: string;
}

/** The default of `vm.max_map_count`, below which nobody should set it. */
const USUAL_MAPS = 65_530;

export function doctor(json: boolean, failures: Failures): void {
  const findings: Finding[] = [];
  const facts = {
    "mmap-ffi": config.version,
    runtime: runtime(),
    ffi: ffi(),
    system: `${process.platform} ${process.arch}, ${release()}`,
    pages: `${size(PAGESIZE)}, allocation granularity ${size(ALLOCATIONGRANULARITY)}`,
    mapping: mapping(findings),
    ...limits(findings),
  };
  if (json) printLine(JSON.stringify({ ...facts, findings }));
  else {
    for (const [name, fact] of Object.entries(facts)) printLine(`${`${name}:`.padEnd(18)}${fact}`);
    for (const { problem, fix } of findings) printLine(`\n${problem}\n  ${fix}`);
    if (findings.length === 0) printLine("\nnothing is missing");
  }
  failures.count += findings.length;
}

function runtime(): string {
  const { bun, deno, node } = process.versions;
  return bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`;
}

/** How C is called. */
function ffi(): string {
  const { bun, deno } = process.versions;
  if (bun !== undefined) return "bun:ffi";
  if (deno !== undefined) return "Deno.dlopen";
  if (process.env.MMAP_FFI === "node") return "node:ffi (MMAP_FFI)";
  try {
    koffiFfi();
    return "koffi";
  } catch {
    return "node:ffi";
  }
}

/** Maps a file, and returns whether that works. */
function mapping(findings: Finding[]): string {
  let folder: string | undefined;
  try {
    // A new folder: a file that somebody else has made in the folder of temporary files must not be written to.
    folder = mkdtempSync(join(tmpdir(), "mmap-ffi-doctor-"));
    const path = join(folder, "file");
    writeFileSync(path, "mapped");
    using mm = MMap.open(path, { access: "write" });
    if (mm.find("pp") !== 2) throw new Error("a mapped file has other bytes than were written");
    if (mm.guarded) return "works; a truncated file does not end the process";
    if (process.platform === "win32") return "works; Windows refuses to truncate a mapped file";
    findings.push({
      problem: "a file that is truncated while it is mapped ends the process (SIGBUS)",
      fix: "see docs/truncation.md: the guard needs Linux on x64 or arm64, and executable pages",
    });
    return "works, without the guard against truncated files";
  } catch (error) {
    findings.push({ problem: "no file can be mapped", fix: (error as Error).message });
    return "fails";
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** Limits of Linux that programs with many maps reach. */
function limits(findings: Finding[]): Record<string, string> {
  if (process.platform !== "linux") return {};
  const maps = read("/proc/sys/vm/max_map_count").trim();
  if (maps !== "" && Number(maps) < USUAL_MAPS) {
    findings.push({
      problem: `a process may have only ${maps} mappings`,
      fix: `sysctl vm.max_map_count=${USUAL_MAPS}`,
    });
  }
  const [, locked = "", unit = ""] = /Max locked memory +(\S+) +\S+ +(\S+)/.exec(read("/proc/self/limits")) ?? [];
  const shared = existsSync("/dev/shm") ? statfsSync("/dev/shm") : undefined;
  if (shared === undefined) findings.push({ problem: "there is no /dev/shm", fix: "mount -t tmpfs tmpfs /dev/shm" });
  return {
    "vm.max_map_count": maps || "unknown",
    "locked memory": unit === "bytes" && locked !== "unlimited" ? `up to ${size(Number(locked))}` : locked || "unknown",
    "/dev/shm": shared === undefined ? "missing" : `${size(shared.bavail * shared.bsize)} free`,
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
