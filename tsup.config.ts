import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["lib/mod.ts"],
  format: ["esm", "cjs"],
  target: "es2022",
  dts: {
    // For programs whose own libraries do not have Disposable: all up to ES2024, unless @types/node brings it in.
    banner: '/// <reference lib="esnext.disposable" />',
    // tsup sets baseUrl, which TypeScript 6 deprecates.
    compilerOptions: { ignoreDeprecations: "6.0" },
  },
  clean: true,
  sourcemap: true,
  // Bun then takes the file as it is: translating it once more is half of what a first import would cost.
  banner: ({ format }) => (format === "esm" ? { js: "// @bun" } : {}),
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
});
