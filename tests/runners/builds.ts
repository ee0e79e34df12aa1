/**
 * How each bundler bundles a program that uses the library.
 *
 * @module
 */

/** One way to bundle `program.js`, which is in the folder that the commands run in. */
export interface Build {
  readonly name: string;
  /** Configuration files by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Programs and their arguments. "node", "bun" and those of the bundlers' packages are replaced by their paths. */
  readonly commands: readonly (readonly [program: string, ...args: string[]])[];
  /** The folder that is moved, and in it the file that is run. */
  readonly output: string;
  readonly file: string;
  /** What runs the file: "" if it runs by itself. */
  readonly runtimes: readonly string[];
  /** Whether a bundler prints warnings that can be ignored. */
  readonly warns?: boolean;
  /** Whether koffi's package is put beside the output. */
  readonly koffi: boolean;
}

const NODES = ["node20", "node22", "node24", "node26"];

interface Format {
  readonly name: string;
  readonly file: string;
}

const ESM: Format = { name: "esm", file: "bundle.mjs" };
const CJS: Format = { name: "cjs", file: "bundle.cjs" };

function esbuild({ name, file }: Format): Build {
  const output = `out-esbuild-${name}`;
  const options = ["--bundle", "--platform=node", `--format=${name}`, "--target=es2022", `--outfile=${output}/${file}`];
  return {
    name: `esbuild, ${name}`,
    commands: [["esbuild", "program.js", ...options]],
    output,
    file,
    runtimes: [...NODES, "bun"],
    koffi: true,
  };
}

function rollup({ name, file }: Format): Build {
  const output = `out-rollup-${name}`;
  const options = ["--plugin", "node-resolve", "--format", name, "--file", `${output}/${file}`];
  return {
    name: `rollup, ${name}`,
    commands: [["rollup", "program.js", ...options]],
    output,
    file,
    runtimes: ["node24"],
    koffi: true,
  };
}

const VITE_SSR: Build = {
  name: "vite, SSR",
  files: { "vite.ssr.mjs": "export default { ssr: { noExternal: true } };" },
  commands: [["vite", "build", "--config", "vite.ssr.mjs", "--ssr", "program.js", "--outDir", "out-vite-ssr"]],
  output: "out-vite-ssr",
  file: "program.js",
  runtimes: ["node24"],
  koffi: true,
};

const viteLibrary = (file: string): Build => ({
  name: `vite, library, ${file}`,
  files: {
    "vite.library.mjs": `export default {
      build: {
        lib: { entry: "program.js", formats: ["es", "cjs"], fileName: (format) => format === "es" ? "bundle.mjs" : "bundle.cjs" },
        outDir: "out-vite-library",
        rollupOptions: { external: /^node:/ },
      },
    };`,
  },
  commands: [["vite", "build", "--config", "vite.library.mjs"]],
  // CommonJS has no import.meta.
  warns: true,
  output: "out-vite-library",
  file,
  runtimes: ["node24"],
  koffi: true,
});

/** rspack's minifier does not parse `using`, which is translated for it. */
const USING = `{
  test: /program\\.js$/,
  loader: "builtin:swc-loader",
  options: { jsc: { parser: { syntax: "ecmascript", explicitResourceManagement: true }, target: "es2022" } },
}`;

/** webpack and rspack have the same options. */
function webpack(name: string, module: string, format: Format): Build {
  const output = `out-${name}-${format.name}`;
  const esm = format.name === "esm";
  const config = `${name}.${format.name}.cjs`;
  return {
    name: `${name}, ${format.name}`,
    files: {
      [config]: `
        const bundler = require(${JSON.stringify(module)});
        (bundler.rspack ?? bundler)({
          mode: "production",
          target: "node20",
          entry: "./program.js",
          ${name === "rspack" ? `module: { rules: [${USING}] },` : ""}
          ${esm ? "experiments: { outputModule: true }," : ""}
          output: {
            path: require("node:path").resolve(${JSON.stringify(output)}),
            filename: ${JSON.stringify(format.file)},
            ${esm ? 'module: true, library: { type: "module" },' : ""}
          },
        }, (error, stats) => {
          console.log(error ?? stats.toString());
          process.exitCode = error || stats.hasErrors() || stats.hasWarnings() ? 1 : 0;
        });`,
    },
    commands: [["node", config]],
    output,
    file: format.file,
    runtimes: ["node24"],
    koffi: true,
  };
}

/** Parcel takes the format from package.json. It does not parse `using` either. */
function parcel({ name, file }: Format): Build {
  const output = `out-parcel-${name}`;
  return {
    name: `parcel, ${name}`,
    commands: [
      ["esbuild", "program.js", "--target=es2022", "--outfile=lowered.js"],
      ["parcel", "build", "lowered.js", "--target", name, "--no-cache", "--no-source-maps"],
    ],
    output,
    file,
    runtimes: ["node24"],
    koffi: true,
  };
}

/** What Parcel reads of package.json: where each target goes, and what it is. */
export const PARCEL: Record<string, unknown> = {
  esm: "out-parcel-esm/bundle.mjs",
  cjs: "out-parcel-cjs/bundle.cjs",
  targets: { esm: parcelTarget("esmodule"), cjs: parcelTarget("commonjs") },
};

function parcelTarget(outputFormat: string) {
  return { context: "node", engines: { node: ">=20" }, includeNodeModules: true, isLibrary: true, outputFormat };
}

const tsup = ({ name, file }: Format): Build => ({
  name: `tsup, ${name}`,
  files: {
    "tsup.config.mjs": `export default {
      entry: { bundle: "program.js" }, format: ["esm", "cjs"], target: "es2022", noExternal: [/.*/], outDir: "out-tsup",
      outExtension: ({ format }) => ({ js: format === "esm" ? ".mjs" : ".cjs" }),
    };`,
  },
  commands: [["tsup", "--config", "tsup.config.mjs"]],
  output: "out-tsup",
  file,
  runtimes: ["node24"],
  koffi: true,
});

function bunBuild(target: "node" | "bun", { name, file }: Format): Build {
  const output = `out-bun-${target}-${name}`;
  const options = ["--target", target, "--format", name, "--outfile", `${output}/${file}`];
  return {
    name: `bun build, ${target}, ${name}`,
    commands: [["bun", "build", "program.js", ...options]],
    output,
    file,
    runtimes: [target === "bun" ? "bun" : "node24"],
    koffi: target === "node",
  };
}

const BUN_COMPILE: Build = {
  name: "bun build --compile",
  commands: [["bun", "build", "--compile", "program.js", "--outfile", "out-bun-compile/program"]],
  output: "out-bun-compile",
  file: "program",
  runtimes: [""],
  koffi: false,
};

const SEA_SCRIPT = ["program.js", "--bundle", "--platform=node", "--format=cjs", "--target=es2022"];
const SEA_FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

const SEA_24: Build = {
  name: "single executable of Node 24",
  files: {
    "sea24.json": '{ "main": "sea24.cjs", "output": "sea24.blob", "disableExperimentalSEAWarning": true }',
    "sea24.mjs": `
      import { copyFileSync, mkdirSync } from "node:fs";
      mkdirSync("out-sea24");
      copyFileSync(process.execPath, "out-sea24/program");`,
  },
  commands: [
    ["esbuild", ...SEA_SCRIPT, "--outfile=sea24.cjs"],
    ["node24", "--experimental-sea-config", "sea24.json"],
    ["node24", "sea24.mjs"],
    ["postject", "out-sea24/program", "NODE_SEA_BLOB", "sea24.blob", "--sentinel-fuse", SEA_FUSE],
  ],
  // postject, about sections of Node's own program.
  warns: true,
  output: "out-sea24",
  file: "program",
  runtimes: [""],
  koffi: true,
};

const SEA_26: Build = {
  name: "single executable of Node 26",
  files: {
    "sea26.json": '{ "main": "sea26.cjs", "output": "out-sea26/program", "disableExperimentalSEAWarning": true }',
    "sea26.mjs": 'import { mkdirSync } from "node:fs"; mkdirSync("out-sea26");',
  },
  commands: [
    ["esbuild", ...SEA_SCRIPT, "--outfile=sea26.cjs"],
    ["node26", "sea26.mjs"],
    ["node26", "--build-sea", "sea26.json"],
  ],
  output: "out-sea26",
  file: "program",
  runtimes: [""],
  koffi: false,
};

/** All of them. */
export const BUILDS: readonly Build[] = [
  ...[ESM, CJS].map(esbuild),
  ...[ESM, CJS].map(rollup),
  VITE_SSR,
  ...["bundle.mjs", "bundle.cjs"].map(viteLibrary),
  ...[ESM, CJS].map((format) => webpack("webpack", "webpack", format)),
  ...[ESM, CJS].map((format) => webpack("rspack", "@rspack/core", format)),
  ...[ESM, CJS].map(parcel),
  ...[ESM, CJS].map(tsup),
  ...[ESM, CJS].map((format) => bunBuild("node", format)),
  ...[ESM, CJS].map((format) => bunBuild("bun", format)),
  BUN_COMPILE,
  SEA_24,
  SEA_26,
];
