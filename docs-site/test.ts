/**
 * Builds the site and opens every page in Debian's Chromium: on a desktop with the light theme, and on a phone with the
 * dark one.
 *
 *     npm run test:docs
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Checks } from "../tests/runners/checks.ts";
import { installDebian } from "../tests/runners/machine.ts";
import { build, install } from "./build.ts";
import { ROOT } from "./pages.ts";
import { CHOICES, SHOWN } from "./summary.ts";

install();
// They import what was installed just now.
const { chromium } = await import("playwright-core");
const { serve } = await import("vitepress");
const { default: axe } = await import("axe-core");
type Browser = import("playwright-core").Browser;
type Page = import("playwright-core").Page;

const HERE = join(ROOT, "docs-site");
const PORT = 4179;
const HOST = `http://localhost:${PORT}`;
const BASE = `${HOST}/mmap-ffi/`;

/** What is known of a page after it was opened. */
interface Opened {
  readonly trouble: string[];
  readonly ids: readonly string[];
  readonly links: readonly string[];
  readonly code: readonly string[];
}

const checks = new Checks();

/** Counts a check that found what is wrong, which must be nothing. */
function nothing(name: string, found: readonly string[]): void {
  checks.count(name, found.length === 0, found.slice(0, 40).join("\n"));
}

/** Chromium, or Chrome where that is installed. */
function browserFile(): string {
  const files = ["/usr/bin/chromium", "/usr/bin/google-chrome"];
  const found = process.env.CHROMIUM ?? files.find((file) => existsSync(file));
  if (found !== undefined) return found;
  installDebian({ chromium: "/usr/bin/chromium" });
  return "/usr/bin/chromium";
}

/** The site's pages, as addresses. */
function addresses(): string[] {
  const files = readdirSync(join(ROOT, "site"), { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".html")).map((file) => `${BASE}${file}`);
}

/** Collects what a page says on its console, and what it requests of other hosts. */
function watch(page: Page): string[] {
  const trouble: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) trouble.push(`${page.url()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => trouble.push(`${page.url()}: ${error}`));
  page.on("request", (request) => {
    if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(HOST)) {
      trouble.push(`${page.url()} requests ${request.url()}`);
    }
  });
  return trouble;
}

/** The accessibility problems of a page that axe calls serious or critical. */
async function problems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // What passes is not collected: on long pages it is tens of thousands of nodes.
  const violations = await page.evaluate(async () => {
    const { axe: inPage } = globalThis as unknown as { axe: typeof axe };
    return (await inPage.run({ resultTypes: ["violations"] })).violations;
  });
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(
    ({ id, nodes }) =>
      `${page.url()}: ${id}: ${nodes
        .map(({ html }) => html)
        .slice(0, 3)
        .join(" ")}`,
  );
}

async function open(page: Page, address: string): Promise<Omit<Opened, "trouble">> {
  await page.goto(address, { waitUntil: "networkidle" });
  return page.evaluate(() => ({
    ids: [...document.querySelectorAll("[id]")].map(({ id }) => id),
    links: [...document.querySelectorAll<HTMLAnchorElement>("a[href]")].map(({ href }) => href),
    code: [...document.querySelectorAll("pre code")].map(({ textContent }) => textContent ?? ""),
  }));
}

/** The links of the site's pages that lead to no page or to no heading. */
function brokenLinks(pages: ReadonlyMap<string, Omit<Opened, "trouble">>): string[] {
  return [...pages].flatMap(([address, { links }]) =>
    links
      .filter((link) => {
        if (!link.startsWith(HOST)) return false;
        const [path = "", anchor = ""] = link.split("#");
        const target = pages.get(path.endsWith("/") ? `${path}index.html` : path);
        return target === undefined || (anchor !== "" && !target.ids.includes(decodeURIComponent(anchor)));
      })
      .map((link) => `${address}: ${link}`),
  );
}

/** The examples of the doc comments, without their margin. */
function examples(): string[] {
  const source = readFileSync(join(ROOT, "lib/mmap.ts"), "utf8").replaceAll("\r\n", "\n");
  const blocks = [...source.matchAll(/\* ```ts\n([\s\S]*?)\* ```/g)];
  return blocks.map(([, block = ""]) => block.replace(/^ +\* ?/gm, "").trim());
}

async function checkDesktop(browser: Browser): Promise<void> {
  const page = await browser.newPage({ colorScheme: "light", viewport: { width: 1280, height: 900 } });
  const trouble = watch(page);
  const pages = new Map<string, Omit<Opened, "trouble">>();
  const found: string[] = [];
  for (const address of addresses()) {
    pages.set(address, await open(page, address));
    found.push(...(await problems(page)));
  }
  checks.count(`${pages.size} pages`, pages.size > 35, [...pages.keys()].join("\n"));
  nothing("no page has an error on its console, or requests anything of other hosts", trouble);
  nothing("axe finds nothing serious in the light theme", found);
  nothing("each internal link leads to a page and a heading", brokenLinks(pages));
  const code = new Set([...pages.values()].flatMap((opened) => opened.code.map((text) => text.trim())));
  const all = examples();
  checks.count(`${all.length} examples in the doc comments`, all.length > 50, all.join("\n\n"));
  nothing(
    "each is in the reference",
    all.filter((example) => !code.has(example)),
  );
  nothing(
    "no program imports a file of the repository",
    [...code].filter((text) => text.includes("lib/mod.ts")),
  );
  await page.close();
}

async function checkPhone(browser: Browser): Promise<void> {
  const page = await browser.newPage({ colorScheme: "dark", viewport: { width: 360, height: 740 }, hasTouch: true });
  const trouble = watch(page);
  const found: string[] = [];
  const wide: string[] = [];
  for (const address of addresses()) {
    await open(page, address);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 360) wide.push(`${address}: ${width} pixels`);
    found.push(...(await problems(page)));
  }
  nothing("no page is wider than a phone", wide);
  nothing("axe finds nothing serious in the dark theme", found);
  nothing("no page has an error on its console on a phone", trouble);
  await page.close();
}

async function checkSearch(page: Page): Promise<void> {
  await page.goto(BASE, { waitUntil: "networkidle" });
  await page.locator("#local-search button").click();
  await page.locator("#localsearch-input").fill("ERR_MMAP_TRUNCATED");
  await page.locator(".results .result").first().waitFor();
  const links = await page.locator(".results .result").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  await page.locator(".results .result").first().click();
  // Fails after half a minute.
  await page.locator(".vp-doc", { hasText: "ERR_MMAP_TRUNCATED" }).waitFor();
  const good = links.some((link) => link?.includes("truncation.html"));
  checks.count("the search finds ERR_MMAP_TRUNCATED", good, links.join("\n"));
}

async function checkCharts(page: Page): Promise<void> {
  await page.goto(`${BASE}benchmarks.html`, { waitUntil: "networkidle" });
  const captions = () => page.locator(".chart caption").allInnerTexts();
  const runtimes = async () => new Set(await page.locator(".chart th").allInnerTexts());
  const before = await captions();
  const all = await runtimes();
  checks.count("the charts show every runtime", before.length > 10 && all.size === 7, [...all].join());
  await page.getByRole("checkbox", { name: "Bun" }).uncheck();
  const without = await runtimes();
  const gone = [...all].filter((name) => !without.has(name));
  checks.count("a runtime can be hidden", gone.length === 1 && gone[0]?.startsWith("Bun") === true, gone.join());
  await page.getByRole("combobox", { name: "Topic" }).selectOption("all");
  await page.getByRole("combobox", { name: "Compared with" }).selectOption("CPython");
  const compared = await captions();
  const others = compared.filter((caption) => !caption.includes("/ CPython"));
  checks.count("the peer can be chosen", compared.length > 20 && others.length === 0, others.join("\n"));
  await page.getByRole("combobox", { name: "Topic" }).selectOption("lines");
  const lines = await captions();
  checks.count(
    "the topic can be chosen",
    lines.length === 1 && lines[0]?.startsWith("lines") === true,
    lines.join("\n"),
  );
}

async function checkPictures(page: Page): Promise<void> {
  await page.goto(`${BASE}benchmarks.html`, { waitUntil: "networkidle" });
  const rows = await page.locator(".headlines tbody tr").allInnerTexts();
  // A row is left out if the results have no figure of its name.
  checks.count("the first picture has all comparisons", rows.length === CHOICES.length, rows.join("\n"));
  const shown = rows.map((row) => / (?:faster|slower)$/.exec(row.trim())?.[0]);
  const both = shown.includes(" faster") && shown.includes(" slower") && !shown.includes(undefined);
  checks.count("it says what is faster and what is slower", both, rows.join("\n"));
  const lines = await page.locator(".growth polyline").count();
  checks.count(
    "the second picture has each runtime and what it is compared with",
    lines === SHOWN.length + 4,
    `${lines}`,
  );
  const [first, second] = await page.locator(".legend").evaluateAll((all) => all.map((one) => one.textContent ?? ""));
  const same = second?.replaceAll("here, ", "").startsWith(first ?? "-") === true;
  checks.count("a runtime has one colour in both", same, `${first}\n${second}`);
  const taken = (await page.locator(".taken").textContent()) ?? "";
  checks.count("they say the machine and the commit", /cores.*as of [0-9a-f]{7}/s.test(taken), taken);
}

async function checkTheme(page: Page): Promise<void> {
  await page.goto(BASE, { waitUntil: "networkidle" });
  const dark = () => page.evaluate(() => document.documentElement.classList.contains("dark"));
  const before = await dark();
  await page.locator(".VPNavBar .VPSwitchAppearance").first().click();
  checks.count("the theme can be switched", !before && (await dark()), `dark before: ${before}`);
}

const types = { command: [join(ROOT, "node_modules/.bin/tsc"), "--project", HERE], expected: /^$/, cwd: HERE } as const;
await checks.run({ name: "types", ...types });
await build();
const server = await serve({ root: HERE, port: PORT });
const browser = await chromium.launch({ executablePath: browserFile(), args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ colorScheme: "light" });
  const trouble = watch(page);
  await checkSearch(page);
  await checkPictures(page);
  await checkCharts(page);
  await checkTheme(page);
  nothing("none of that has an error on its console", trouble);
  // At once: each mostly waits for pages to be idle.
  await Promise.all([checkDesktop(browser), checkPhone(browser)]);
} finally {
  await browser.close();
  server.server.close();
}
checks.end();
