import { defineConfig, type Options } from "tsup";

/**
 * Names koffi's files for tools that copy what a program needs by reading its code (@vercel/nft, of Next.js and Vercel). The
 * function is never called. Bundlers, which would try to bundle the native files, do not compute the names.
 */
const KOFFI_FILES = `function koffiFiles(){
${[
  ...["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64", "win32-arm64"],
  ...["linux-x64/linux_x64/koffi.node", "linux-x64/musl_x64/koffi.node"],
  ...["linux-arm64/linux_arm64/koffi.node", "linux-arm64/musl_arm64/koffi.node"],
]
  .map((file) => `import(/*webpackIgnore:true*//*@vite-ignore*/"@koromix/koffi-${file}".concat(""))`)
  .join(";\n")}}`;

/** What both builds share. */
const shared: Options = {
  target: "es2022",
  sourcemap: true,
  // Bun then takes the file as it is: translating it once more is half of what a first import would cost.
  banner: ({ format }) => (format === "esm" ? { js: "// @bun" } : {}),
  footer: { js: KOFFI_FILES },
  // Without comments and spaces an import reads and parses two thirds as much; the source maps hold the sources. Lines stay
  // short, for an uncaught error shows one.
  esbuildOptions(options) {
    options.minifyWhitespace = true;
    options.minifySyntax = true;
    options.lineLimit = 120;
    // The CommonJS build finds koffi without import.meta.url.
    options.logOverride = { "empty-import-meta": "silent" };
  },
  // "node:fs" and not "fs", which Deno and Bun would look for in a registry.
  removeNodeProtocol: false,
};

export default defineConfig([
  {
    ...shared,
    entry: ["lib/mod.ts"],
    format: ["esm", "cjs"],
    dts: {
      // For programs whose own libraries do not have Disposable: all up to ES2024, unless @types/node brings it in.
      banner: '/// <reference lib="esnext.disposable" />',
      // tsup sets baseUrl, which TypeScript 6 deprecates.
      compilerOptions: { ignoreDeprecations: "6.0" },
    },
    // Both builds run at once.
    clean: ["!cli.js"],
  },
  { ...shared, entry: { cli: "cli/main.ts" }, format: ["esm"], sourcemap: false },
]);
