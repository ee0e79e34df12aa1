/**
 * What the site changes in the repository's documents while it renders them: where links and images lead, blocks of
 * commands that become tabs, and no badges.
 *
 * @module
 */

import { posix } from "node:path";
import type { MarkdownRenderer } from "vitepress";
import { PAGES } from "./pages.ts";

const REPOSITORY = "https://github.com/mmap-ffi/mmap-ffi/";
const RAW = "https://raw.githubusercontent.com/mmap-ffi/mmap-ffi/main/";

/** The folder whose images the site has, under the same path. */
export const IMAGES = "bench/results";

type State = Parameters<Parameters<MarkdownRenderer["core"]["ruler"]["push"]>[1]>[0];
type Token = State["tokens"][number];

const byName = new Map(PAGES.map((page) => [`${page.name}.md`, page]));
const bySource = new Map(PAGES.map((page) => [page.source, page]));

/** The path in the repository that a link of a document means, or undefined if it leads elsewhere. */
function pathOf(link: string, source: string): string | undefined {
  if (link.startsWith(RAW)) return link.slice(RAW.length);
  const own = /^(?:blob|tree)\/main\/(.*)/.exec(link.startsWith(REPOSITORY) ? link.slice(REPOSITORY.length) : "");
  if (own !== null) return own[1];
  return /^[a-z]+:|^#|^\//.test(link) ? undefined : posix.join(posix.dirname(source), link);
}

/** A link to a document that is a page leads to the page; one to any other file of the repository leads to GitHub. */
function linkOf(link: string, source: string): string {
  const path = pathOf(link, source);
  if (path === undefined) return link;
  const [file = "", anchor] = path.split("#");
  const page = bySource.get(file);
  if (page === undefined) return `${REPOSITORY}blob/main/${path}`;
  return `/${page.name}.md${anchor === undefined ? "" : `#${anchor}`}`;
}

/** Whether a paragraph shows badges: images of other hosts. */
function hasBadges({ children }: Token, source: string): boolean {
  const images = children?.filter(({ type }) => type === "image") ?? [];
  return images.some((image) => pathOf(image.attrGet("src") ?? "", source) === undefined);
}

function changeTokens(tokens: readonly Token[], source: string): void {
  for (const token of tokens) {
    if (token.type === "link_open") token.attrSet("href", linkOf(token.attrGet("href") ?? "", source));
    if (token.type === "image") token.attrSet("src", `/${pathOf(token.attrGet("src") ?? "", source)}`);
    // Only a fence has a box of its own, which scrolls if it is wide.
    if (token.type === "code_block") Object.assign(token, { type: "fence", markup: "```", info: "text" });
    if (token.children !== null) changeTokens(token.children, source);
  }
}

/** Commands in several paragraphs, each below a comment, become a tab for each comment. */
function tabsOf(fence: Token, state: State): Token[] {
  const parts = fence.info === "sh" ? fence.content.split(/\n(?=# )/) : [];
  if (parts.length < 2 || !parts.every((part) => part.startsWith("# "))) return [fence];
  const tabs = parts.map((part) => {
    const [comment = "", ...commands] = part.trimEnd().split("\n");
    return Object.assign(new state.Token("fence", "code", 0), {
      ...{ block: true, markup: "```", info: `sh [${comment.slice(2)}]` },
      content: `${commands.join("\n")}\n`,
    });
  });
  const open = new state.Token("container_code-group_open", "div", 1);
  const close = new state.Token("container_code-group_close", "div", -1);
  for (const token of [open, close]) Object.assign(token, { block: true, info: " code-group" });
  return [open, ...tabs, close];
}

/** The anchor that GitHub gives to a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, "")
    .replace(/ /g, "-");
}

/** Adds these changes to VitePress's renderer. */
export function changeDocuments(md: MarkdownRenderer): void {
  md.core.ruler.push("documents", (state) => {
    const page = byName.get(state.env.relativePath);
    if (page === undefined) return;
    // A paragraph is three tokens, its text in the middle. Without badges, nothing is requested of other hosts.
    const badges = state.tokens.findIndex((token) => hasBadges(token, page.source));
    if (badges > 0) state.tokens.splice(badges - 1, 3);
    changeTokens(state.tokens, page.source);
    state.tokens = state.tokens.flatMap((token) => (token.type === "fence" ? tabsOf(token, state) : [token]));
  });
}
