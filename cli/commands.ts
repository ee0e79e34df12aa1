/**
 * The commands: their options, their help, and the exit code that each ends with.
 *
 * @module
 */

import { type ParseArgsConfig, parseArgs } from "node:util";
import config from "../deno.json" with { type: "json" };
import { doctor } from "./doctor.ts";
import { evict } from "./evict.ts";
import { Failures } from "./failures.ts";
import { filesOf } from "./files.ts";
import { lock, prefault } from "./memory.ts";
import { residency } from "./residency.ts";
import { printLine } from "./terminal.ts";

/** What a command is given: its paths, and its options by name. */
export interface Given {
  readonly paths: readonly string[];
  readonly json: boolean;
  readonly watch: boolean;
  readonly failures: Failures;
}

interface Command {
  /** Its arguments, for the help. */
  readonly takes: string;
  readonly does: string;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** Whether it needs at least one path. */
  readonly paths: boolean;
  run(given: Given): void | Promise<void>;
}

const JSON_OPTION = { json: { type: "boolean" } } as const;

const COMMANDS: Record<string, Command> = {
  residency: {
    takes: "[--watch] [--json] PATH…",
    does: "shows which pages of files are in the page cache",
    options: { ...JSON_OPTION, watch: { type: "boolean" } },
    paths: true,
    run: (given) => residency(given),
  },
  prefault: {
    takes: "PATH…",
    does: "reads files into the page cache",
    options: {},
    paths: true,
    run: ({ paths, failures }) => prefault(filesOf(paths, failures), failures),
  },
  evict: {
    takes: "PATH…",
    does: "drops files from the page cache; pages that a process has mapped stay",
    options: {},
    paths: true,
    run: ({ paths, failures }) => evict(filesOf(paths, failures), failures),
  },
  lock: {
    takes: "PATH…",
    does: "keeps files in memory until it is interrupted",
    options: {},
    paths: true,
    run: ({ paths, failures }) => lock(filesOf(paths, failures), failures),
  },
  doctor: {
    takes: "[--json]",
    does: "shows the runtime, the system and its limits, and what is missing: for bug reports",
    options: JSON_OPTION,
    paths: false,
    run: ({ json, failures }) => doctor(json, failures),
  },
};

const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));

const HELP = `Usage: mmap-ffi COMMAND [OPTION…] [PATH…]

Commands:
${Object.entries(COMMANDS)
  .map(([name, { takes, does }]) => `  ${name.padEnd(width)}  ${takes}\n  ${" ".repeat(width)}    ${does}`)
  .join("\n")}

A PATH is a file, or a folder with all files below it; hard links count once, and symbolic links below it are not followed.

Options:
  --watch    shows it again every second, until it is interrupted
  --json     prints one object of JSON
  --help     prints this
  --version  prints the version

The exit code is 0, 1 if something failed for a file or doctor finds something missing, and 2 if the command line is wrong.`;

/** A wrong command line. */
class UsageError extends Error {}

/** Runs a command line, and returns the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help") || args.includes("-h")) {
    printLine(HELP);
    return args.length === 0 ? 2 : 0;
  }
  if (args[0] === "--version") {
    printLine(config.version);
    return 0;
  }
  const failures = new Failures();
  try {
    const { command, given } = parse(args, failures);
    await command.run(given);
  } catch (error) {
    failures.report(error);
    return error instanceof UsageError ? 2 : 1;
  }
  return failures.count > 0 ? 1 : 0;
}

function parse([name = "", ...rest]: readonly string[], failures: Failures): { command: Command; given: Given } {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    throw new UsageError(`there is no command "${name}": it is one of ${Object.keys(COMMANDS).join(", ")}`);
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...rest], options: command.options, allowPositionals: true });
  } catch (error) {
    // The rest of the message is about files whose name begins with "-".
    const [message] = (error as Error).message.split(". ");
    throw new UsageError(`${name}: ${message}; mmap-ffi --help lists the options`);
  }
  const { values, positionals: paths } = parsed;
  if (command.paths && paths.length === 0) throw new UsageError(`${name} needs at least one file or folder`);
  if (!command.paths && paths.length > 0) throw new UsageError(`${name} takes no path: got "${paths[0]}"`);
  return { command, given: { paths, json: values.json === true, watch: values.watch === true, failures } };
}
