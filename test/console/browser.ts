/** Debian's Chromium on a console of its own, as a person would have the two. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import { MINUTES, ROOT, type Running, start } from "../e2e/harness.ts";

const CHROMIUM = process.env.AUTOAI_CHROMIUM ?? "/usr/bin/chromium";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const WIDE = { width: 1280, height: 900 };

/** Looked at by people; ignored by git, kept by CI. */
export const SCREENSHOTS = join(ROOT, "test-results", "console");

export function launch(): Promise<Browser> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
}

export type Console = {
  readonly running: Running;
  /** The one-time address; each is good once, and the next one is printed then. */
  address(): Promise<string>;
};

/** `autoai console` as a process of its own, over this home. */
export function startConsole(home: string): Console {
  const running = start(["console", "--port", "0", "--home", home]);
  let used = 0;
  return {
    running,
    async address() {
      used += 1;
      const [, url = ""] = await running.until(
        new RegExp(`(?:Open http\\S+[^]*?){${used - 1}}Open (http\\S+)`),
      );
      return url;
    },
  };
}

/** The report's own policy lets nothing load; that it says so is as it should be. */
const isOfReport = (text: string): boolean => text.includes("/api/reports/");

/** What no page may do: be told to run anything, or to load anything from elsewhere. */
export function watched(page: Page): { readonly violations: string[] } {
  const violations: string[] = [];
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text()) && !isOfReport(message.text()))
      violations.push(message.text());
  });
  page.on("dialog", (dialog) => {
    violations.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("pageerror", (error) => violations.push(`error: ${error.message}`));
  page.setDefaultTimeout(MINUTES);
  return { violations };
}

/** What moves has come to rest; what turns for ever does not count. */
const RESTED = `new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(() => Promise.all(document.getAnimations()
  .filter(({ effect }) => effect.getComputedTiming().endTime < 10_000)
  .map(({ finished }) => finished.catch(() => undefined)))).then(() => undefined)`;

type Look = readonly [scheme: "light" | "dark", width: "wide" | "narrow"];
const LOOKS: readonly Look[] = [
  ["light", "wide"],
  ["light", "narrow"],
  ["dark", "wide"],
  ["dark", "narrow"],
];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/** WCAG 2.2 AA in both colours, wide and narrow, and a picture of each. */
export async function inspected(page: Page, name: string, fullPage = true, looks = LOOKS): Promise<void> {
  const before = page.viewportSize() ?? WIDE;
  await page.evaluate(AXE);
  for (const [scheme, width] of looks) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    await page.locator(`html[data-mantine-color-scheme="${scheme}"]`).waitFor({ state: "attached" });
    await page.setViewportSize(width === "wide" ? before : { width: 360, height: 740 });
    await page.evaluate(RESTED);
    await page.screenshot({ path: join(SCREENSHOTS, `${name}-${width}-${scheme}.png`), fullPage });
    // The report is a page of its own, with tests of its own.
    const found = await page.evaluate(`axe.run({ exclude: ["iframe"] }, {
      runOnly: ${JSON.stringify(TAGS)}, iframes: false, resultTypes: ["violations"],
    }).then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map((node) => node.html + " " + node.failureSummary).join(" | ")))`);
    expect(found, `${name}, ${width}, ${scheme}`).toEqual([]);
    const tooWide = await page.evaluate(
      "document.documentElement.scrollWidth - document.documentElement.clientWidth",
    );
    expect(tooWide, `${name} scrolls sideways, ${width}`).toBe(0);
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
}

/** For what many pages show with the same parts: each colour and each width once. */
export const glanced = (page: Page, name: string): Promise<void> =>
  inspected(page, name, true, [
    ["light", "wide"],
    ["dark", "narrow"],
  ]);
