import { defineConfig } from "vitepress";
import { anchorOf, changeDocuments } from "../markdown.ts";
import { GROUPS, WRITTEN } from "../pages.ts";

const ICON =
  "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>" +
  "<rect width='16' height='16' rx='3' fill='#1b5138'/><path d='M4 5h8M4 8h8M4 11h5' stroke='#fff' stroke-width='2'/></svg>";

export default defineConfig({
  title: "mmap-ffi",
  description: "Memory-mapped files for Bun, Deno and Node",
  base: "/mmap-ffi/",
  srcDir: "pages",
  outDir: "../site",
  cacheDir: "node_modules/.cache/vitepress",
  head: [["link", { rel: "icon", href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }]],
  markdown: {
    anchor: { slugify: anchorOf },
    config: changeDocuments,
    // Their comments are dark enough, or light enough, to be read.
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
  },
  themeConfig: {
    nav: [
      { text: "Start", link: "/start" },
      { text: "Recipes", link: "/recipes" },
      { text: "Reference", link: "/reference/" },
      { text: "Benchmarks", link: "/benchmarks" },
    ],
    sidebar: GROUPS.map(({ title, pages }) => ({
      text: title,
      items: [
        ...pages.map((page) => ({ text: page.title, link: `/${page.name}` })),
        ...(title === "Reference" ? WRITTEN : []),
      ],
    })),
    outline: [2, 3],
    notFound: { linkLabel: "Take me home" },
    search: { provider: "local" },
    socialLinks: [{ icon: "github", link: "https://github.com/mmap-ffi/mmap-ffi" }],
  },
});
