/**
 * What this process has of the system: mappings and descriptors. Programs outside of the project import it too, so it imports
 * nothing but what runtimes have.
 *
 * @module
 */

import { closeSync, existsSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { windowsResources } from "./windows-resources.ts";

const WINDOWS = process.platform === "win32";

/** Why this process's mappings cannot be counted; undefined where they can. */
export const withoutMappings: string | undefined =
  WINDOWS || existsSync("/proc/self/maps") ? undefined : "this system has no /proc/self/maps";

/** The folder that lists this process's descriptors; undefined where none does. */
export const DESCRIPTORS: string | undefined = WINDOWS
  ? undefined
  : ["/proc/self/fd", "/dev/fd"].find((folder) => {
      const fd = openSync(tmpdir(), "r");
      try {
        // FreeBSD's /dev/fd has the first three alone, unless fdescfs is mounted there.
        return readdirSync(folder).includes(String(fd));
      } catch {
        return false;
      } finally {
        closeSync(fd);
      }
    });

/**
 * How many mappings and descriptors this process has; 0 of what the system does not list. The runtime opens and closes some of
 * its own at any time, so two counts of a process are compared with room between them.
 */
export function resources(): { maps: number; descriptors: number } {
  if (WINDOWS) return windowsResources();
  const maps = withoutMappings ? 0 : readFileSync("/proc/self/maps", "latin1").split("\n").length - 1;
  return { maps, descriptors: DESCRIPTORS === undefined ? 0 : readdirSync(DESCRIPTORS).length };
}

/** How many mappings of a file this process has. */
export function mappingsOf(path: string): number {
  return readFileSync("/proc/self/maps", "utf8")
    .split("\n")
    .filter((line) => line.endsWith(` ${path}`)).length;
}

/** What each descriptor of this process is of: a path, "/memfd:NAME (deleted)", "pipe:[…]". On Linux alone. */
export function descriptorTargets(): string[] {
  return readdirSync("/proc/self/fd").map((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`);
    } catch {
      // The descriptor that the folder was read through is closed.
      return "";
    }
  });
}

/** How many descriptors of a file this process has. */
export function descriptorsOf(path: string): number {
  if (DESCRIPTORS === "/proc/self/fd") return descriptorTargets().filter((target) => target === path).length;
  const file = statSync(path, { throwIfNoEntry: false });
  const isOf = (number: string): boolean => {
    try {
      const { dev, ino } = fstatSync(Number(number));
      return dev === file?.dev && ino === file?.ino;
    } catch {
      // The descriptor that the folder was read through is closed.
      return false;
    }
  };
  return readdirSync(DESCRIPTORS as string).filter(isOf).length;
}
