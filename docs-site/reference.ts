/**
 * Writes the pages of the API reference from the doc comments, by TypeDoc.
 *
 * @module
 */

import { join } from "node:path";
import { Application, type Comment, type CommentDisplayPart, Converter, LogLevel, ReflectionKind } from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";
import { ROOT } from "./pages.ts";

const LAYOUT: Partial<PluginOptions> = {
  entryFileName: "index",
  expandParameters: true,
  flattenOutputFiles: true,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  indexFormat: "table",
  interfacePropertiesFormat: "list",
  membersWithOwnFile: ["Class", "Interface"],
  pageTitleTemplates: { index: "Reference", member: "{name}", module: "Reference" },
  parametersFormat: "table",
  tableColumnSettings: { hideSources: true },
  useCodeBlocks: true,
};

/** TypeDoc shows `@throws {TypeError} text` as a heading and the text. This makes one list of all, with the classes. */
function listErrors(comment: Comment): void {
  const errors = comment.blockTags.filter(({ tag }) => tag === "@throws");
  const [first] = errors;
  if (first === undefined) return;
  const list = errors.flatMap(({ typeAnnotation = "{Error}", content }): CommentDisplayPart[] => [
    { kind: "text", text: `- \`${typeAnnotation.replace(/[{}]/g, "")}\`: ` },
    ...content,
    { kind: "text", text: "\n" },
  ]);
  first.content = list;
  comment.blockTags = comment.blockTags.filter((tag) => tag === first || !errors.includes(tag));
}

/** Writes Markdown into a folder. Throws if a comment has a mistake that TypeDoc notices. */
export async function writeReference(folder: string): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    plugin: ["typedoc-plugin-markdown"],
    entryPoints: [join(ROOT, "lib/mod.ts")],
    tsconfig: join(ROOT, "tsconfig.json"),
    basePath: ROOT,
    outputs: [{ name: "markdown", path: folder }],
    readme: "none",
    disableSources: true,
    excludePrivate: true,
    preservedTypeAnnotationTags: ["@throws"],
    logLevel: LogLevel.Warn,
    ...LAYOUT,
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const reflection of project.getReflectionsByKind(ReflectionKind.All)) {
      if (reflection.comment !== undefined) listErrors(reflection.comment);
    }
  });
  const project = await app.convert();
  if (project === undefined || app.logger.hasErrors()) throw new Error("TypeDoc failed: see above");
  await app.generateOutputs(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error("TypeDoc warned: see above");
}
