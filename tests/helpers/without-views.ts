/**
 * Loaded before the suite in the runtime "node24-copies": makes Node a runtime that forbids ArrayBuffers over memory that C
 * owns, as Electron does. koffi's `view` throws then. Tests that need a view are skipped when they ask for one.
 *
 * @module
 */

import { createRequire, registerHooks } from "node:module";
import process from "node:process";

const require = createRequire(import.meta.url);
const koffi = require(`@koromix/koffi-${process.platform}-${process.arch}`) as { view: unknown };
koffi.view = () => {
  throw new Error("External buffers are not allowed");
};

const SUITES = new URL("./uvu-without-views.ts", import.meta.url).href;

registerHooks({
  resolve: (name, context, next) => (name === "uvu" ? { url: SUITES, shortCircuit: true } : next(name, context)),
});
