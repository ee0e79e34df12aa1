/**
 * The page of an example: what to install, and the program with the import of a program outside of this repository.
 *
 * @module
 */

/** In the examples, the import of the library, with a comment that says what else to write. */
const OWN_IMPORT = /from "(?:\.\.\/)+lib\/mod\.ts";.*/;

/** The page, as Markdown. */
export function programPage(title: string, source: string): string {
  const program = source.replaceAll("\r\n", "\n").replace(OWN_IMPORT, 'from "mmap-ffi";');
  const imported = [...program.matchAll(/^import .* from "([^."][^"]*)";/gm)].map(([, name = ""]) => name);
  const packages = imported.filter((name) => !name.startsWith("node:") && name !== "mmap-ffi");
  return `---
aside: false
---

# ${title}

Save it as \`${title}\`, and start it by \`node\`, \`bun\` or \`deno run -A\`; the comment at its top has the arguments. What Bun,
Deno and Node before 24 need: [Getting started](/start). Node 24 and later need these packages, and take the file for
CommonJS unless package.json says otherwise:

\`\`\`sh
npm install ${["mmap-ffi", ...packages].join(" ")}
npm pkg set type=module
\`\`\`

\`\`\`ts
${program.trimEnd()}
\`\`\`

[All examples](/examples)
`;
}
