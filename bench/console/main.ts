/**
 * How quick the console is in a browser: its first page, a job with a long transcript that grows, a list of thousands of jobs.
 *
 * Run by `make bench-console`: `autoai console` as people start it, over a home that home.ts fills, and Debian's Chromium.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { BrowserContext, Page } from "playwright-core";
import { launch, startConsole, WIDE } from "../../test/console/browser.ts";
import { fill, LONG } from "./home.ts";
import { firstPage, metered, motionOf, RECORDER } from "./page.ts";
import { type Round, writeResults } from "./table.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    jobs: { type: "string", default: "5000" },
    steps: { type: "string", default: "500" },
    megabytes: { type: "string", default: "10" },
    seconds: { type: "string", default: "10" },
  },
});
const [rounds, jobs, steps, megabytes, seconds] = ["rounds", "jobs", "steps", "megabytes", "seconds"].map(
  (name) => {
    const number = Number(values[name as keyof typeof values]);
    if (Number.isInteger(number) && number > 0) return number;
    throw new Error(`--${name}: expected a whole number above 0`);
  },
) as [number, number, number, number, number];

const say = (text: string): void => void process.stderr.write(`bench-console: ${text}\n`);

const home = mkdtempSync(join(tmpdir(), "autoai-bench-console-"));
say(`filling a home with ${jobs} jobs, and one of ${steps} steps and ${megabytes} MB`);
const filled = await fill(home, jobs, steps, megabytes * 1e6);
const served = startConsole(home);
const browser = await launch();

const heading = (page: Page, name: string) =>
  page.getByRole("heading", { level: 1, name, exact: true }).waitFor({ timeout: 120_000 });

/** Turns the wheel down, then up, for as long as it is said, as fast as a hand does. */
async function scroll(page: Page, until: number): Promise<void> {
  await page.mouse.move(WIDE.width / 2, WIDE.height / 2);
  const half = Date.now() + (until - Date.now()) / 2;
  while (Date.now() < until) {
    await page.mouse.wheel(0, Date.now() < half ? 240 : -240);
    await sleep(30);
  }
}

async function round(context: BrowserContext, origin: string): Promise<Round> {
  const page = await context.newPage();
  await page.addInitScript(RECORDER);
  const meter = await metered(page);
  const load = loadavg()[0] ?? 0;
  const first = await firstPage(page, meter, origin);

  // Nothing of what a reader before has seen is there.
  const opened = performance.now();
  await page.goto(`${origin}/jobs/default/${LONG}`);
  await heading(page, LONG);
  await page.getByRole("article").first().waitFor();
  const transcriptShown = performance.now() - opened;
  await sleep(1000);
  const reading = await motionOf(page, meter, () => scroll(page, Date.now() + seconds * 1000));
  const growing = await motionOf(page, meter, async () => {
    const until = Date.now() + seconds * 1000;
    await Promise.all([
      scroll(page, until),
      (async () => {
        for (; Date.now() < until; await sleep(250)) await filled.grow();
      })(),
    ]);
  });

  const listed = performance.now();
  await page.goto(`${origin}/jobs`);
  await heading(page, "Jobs");
  await page
    .getByRole("link", { name: LONG })
    .or(page.getByText("job-"))
    .first()
    .waitFor({ timeout: 120_000 });
  const listShown = performance.now() - listed;
  await sleep(1000);
  const finding = await motionOf(page, meter, async () => {
    await page.getByLabel(/^Find among/).pressSequentially("job-0123", { delay: 80 });
    await page.getByText("job-01234").first().waitFor();
    for (let count = 0; count < 8; count++) await page.keyboard.press("Backspace", { delay: 80 });
    for (const number of [2, 3, 4])
      await page.getByRole("button", { name: `page ${number}`, exact: true }).click();
    await scroll(page, Date.now() + 2000);
  });
  await page.close();
  return { load, first, transcriptShown, reading, growing, listShown, finding };
}

try {
  const address = await served.address();
  const { origin } = new URL(address);
  const signedIn = await browser.newContext({ viewport: WIDE });
  const page = await signedIn.newPage();
  await page.goto(address);
  await heading(page, "Dashboard");
  const cookies = await signedIn.cookies();
  await signedIn.close();
  const results: Round[] = [];
  for (let number = 1; number <= rounds; number++) {
    say(`round ${number} of ${rounds}`);
    // With nothing in its cache.
    const context = await browser.newContext({ viewport: WIDE });
    await context.addCookies(cookies);
    results.push(await round(context, origin));
    await context.close();
    console.log(
      writeResults(
        ROOT,
        { jobs, steps, transcriptBytes: filled.bytes, chromium: browser.version() },
        results,
      ),
    );
  }
} finally {
  await browser.close();
  served.running.kill("SIGTERM");
  await served.running.ended;
  rmSync(home, { recursive: true, force: true });
}
