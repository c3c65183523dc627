/** The console as a person has it: a browser, a process, a home. One console and one browser serve all of it. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MINUTES, type Place, place, ROOT } from "../e2e/harness.ts";
import { type Console, inspected, launch, startConsole, WIDE, watched } from "./browser.ts";
import { fillWithStrangers } from "./strangers.ts";

const STEPS = 500;

let here: Place;
let browser: Browser;
let served: Console;
let context: BrowserContext;
let page: Page;
let violations: readonly string[];

beforeAll(async () => {
  here = place();
  await fillWithStrangers(here.home, STEPS);
  served = startConsole(here.home);
  browser = await launch();
  context = await browser.newContext({ viewport: WIDE, reducedMotion: "reduce", acceptDownloads: true });
  page = await context.newPage();
  ({ violations } = watched(page));
}, 5 * MINUTES);

afterAll(async () => {
  await browser?.close();
  served?.running.kill("SIGTERM");
  await served?.running.ended;
  here?.[Symbol.dispose]();
});

const heading = (name: string) => page.getByRole("heading", { level: 1, name, exact: true });
const open = async (path: string, title: string) => {
  await page.goto(new URL(path, page.url()).href);
  await heading(title).waitFor();
};

/** The first lines of the churn example: enough to learn from in seconds. */
function rows(count: number): string {
  const lines = readFileSync(`${ROOT}/examples/data/churn.csv`, "utf8").split("\n");
  return `${lines.slice(0, count + 1).join("\n")}\n`;
}

async function choose(name: string, content: string | Buffer): Promise<void> {
  const file = { name, mimeType: "text/csv", buffer: Buffer.from(content) };
  await page.locator('input[type="file"]').first().setInputFiles(file);
}

test(
  "the terminal's address signs in, once",
  async () => {
    const address = await served.address();
    await page.goto(address);
    await heading("Dashboard").waitFor();
    await page.locator('[data-connection="Live"]').waitFor();
    expect(page.url()).not.toContain("#");
    const other = await (await browser.newContext()).newPage();
    await other.goto(address);
    await other.getByRole("alert").getByText("this address was used before").waitFor();
    await other.context().close();
  },
  5 * MINUTES,
);

describe("the whole way", () => {
  test(
    "from a CSV over a training and its transcript to a prediction",
    async () => {
      await page.getByRole("link", { name: "Datasets" }).click();
      await heading("Datasets").waitFor();
      await choose("My Customers.csv", rows(300));
      await inspected(page, "name-of-a-data-set");
      await page.getByRole("button", { name: "Upload" }).click();
      await heading("my-customers").waitFor();
      await page.getByRole("heading", { name: "Columns" }).waitFor();
      await page.getByRole("img", { name: "Histogram of Age, from 18 to 70" }).waitFor();
      await inspected(page, "dataset");

      await page.getByRole("link", { name: "Train on it" }).click();
      const manifest = page.getByRole("region", { name: "Manifest" });
      await manifest.getByText("target: Churn").waitFor();
      await page.getByLabel("Steps").fill("0");
      await page.getByText("must be a whole number from 1 to 500").waitFor();
      await page.getByLabel("Steps").fill("1");
      await page.getByLabel("Seconds").fill("600");
      // Whatever a machine that is busy takes: the first candidate will do.
      await page.getByLabel("Good enough at").fill("0.1");
      await manifest.getByText('score: "0.1"').waitFor();
      await inspected(page, "train");
      await page.getByRole("button", { name: "Train", exact: true }).click();

      await heading("my-customers").waitFor();
      await page.getByText("Data prepared").waitFor();
      await page.getByRole("link", { name: "Try the model" }).waitFor({ timeout: 8 * MINUTES });
      await page.getByRole("article", { name: /^Published candidate/ }).waitFor();
      await inspected(page, "job");
      await page.getByRole("tab", { name: "Candidates" }).click();
      await page.getByText("Prior baseline").first().waitFor();
      await inspected(page, "candidates");
      await page.getByRole("tab", { name: "Report" }).click();
      await page.frameLocator("iframe").getByText("AutoAI report").waitFor();

      await page.getByRole("link", { name: "Try the model" }).click();
      await expect
        .poll(() => page.getByRole("textbox", { name: "Age", exact: true }).inputValue(), {
          timeout: MINUTES,
        })
        .toMatch(/^\d+$/);
      await page.getByRole("button", { name: "Predict Churn" }).click();
      await page.getByTestId("prediction").waitFor({ timeout: 5 * MINUTES });
      await page.getByRole("heading", { name: "What moved it" }).waitFor();
      await inspected(page, "try");
      await page.getByRole("tab", { name: "Past predictions" }).click();
      await page.getByText(/predictions, the newest/).waitFor();
      await inspected(page, "log");
      await page.getByRole("tab", { name: "A CSV" }).click();
      await choose("rows.csv", rows(5));
      const download = page.waitForEvent("download");
      await page.getByRole("link", { name: "Download the predictions" }).click();
      const predicted = readFileSync(await (await download).path(), "utf8");
      expect(predicted.trim().split("\n")).toHaveLength(6);
      expect(violations).toEqual([]);
    },
    10 * MINUTES,
  );
});

describe("a file of 100 MB", () => {
  const ROWS = 500_000;
  const BYTES = 104_000_023;
  const PIECE = 4 * 1024 ** 2;
  let file = "";
  beforeAll(() => {
    file = join(here.home, "wrong.csv");
    const line = `1,2,3,4,5,6,7,8,${"x".repeat(191)}\n`;
    writeFileSync(file, `a,b,c,d,e,f,g,h,i\n${line.repeat(ROWS)}1,"2\n`);
    expect(statSync(file).size).toBe(BYTES);
  });
  const choosing = () => page.locator('input[type="file"]').first().setInputFiles(file);
  const percent = async () =>
    Number(
      await page.getByRole("progressbar", { name: "Upload of wrong.csv" }).getAttribute("aria-valuenow"),
    );

  test(
    "is cut off in the middle, twice, and goes on where it was; its wrong line is named by its number",
    async () => {
      await open("/datasets", "Datasets");
      const offsets: number[] = [];
      let cutAt = [10, 18].map((piece) => piece * PIECE);
      await page.route("**/api/uploads/**", async (route) => {
        const offset = new URL(route.request().url()).searchParams.get("offset");
        if (route.request().method() !== "PUT" || offset === null) return route.continue();
        offsets.push(Number(offset));
        if (Number(offset) !== cutAt[0]) return route.continue();
        cutAt = cutAt.slice(1);
        return route.abort("connectionreset");
      });
      await choosing();
      await page.getByRole("button", { name: "Upload" }).click();
      await page.getByRole("alert").getByText("The upload was cut off").waitFor();
      expect(await percent()).toBe(Math.floor((10 * PIECE * 100) / BYTES));
      await inspected(page, "upload-cut-off");
      await page.getByRole("button", { name: "Go on" }).click();
      await expect.poll(percent, { timeout: 5 * MINUTES }).toBe(Math.floor((18 * PIECE * 100) / BYTES));
      await page.getByRole("alert").getByText("The upload was cut off").waitFor();
      // Whoever comes back another day has the file alone.
      await open("/datasets/default/wrong", "wrong");
      await choosing();
      await page.getByText("It could not be taken in").waitFor({ timeout: 5 * MINUTES });
      await page.unroute("**/api/uploads/**");
      const pieces = Array.from({ length: Math.ceil(BYTES / PIECE) }, (_, index) => index * PIECE);
      // Each piece once, but for the two that were lost on the way.
      expect(offsets).toEqual(pieces.flatMap((at) => ([10, 18].includes(at / PIECE) ? [at, at] : [at])));
      await page
        .getByText(/line 500,002 is not closed/)
        .first()
        .waitFor();
      await inspected(page, "wrong-csv");
    },
    10 * MINUTES,
  );

  test(
    "is cancelled on its way: nothing more of it is sent, and nothing stays",
    async () => {
      await open("/datasets", "Datasets");
      let sent = 0;
      await page.route("**/api/uploads/**", async (route) => {
        if (route.request().method() !== "PUT") return route.continue();
        sent += 1;
        // The third one is on its way for as long as it takes to cancel it.
        return sent < 3 ? route.continue() : undefined;
      });
      await choosing();
      await page.getByRole("textbox", { name: "Name" }).fill("unwanted");
      await page.getByRole("button", { name: "Upload" }).click();
      await expect.poll(percent, { timeout: 5 * MINUTES }).toBe(Math.floor((2 * PIECE * 100) / BYTES));
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByRole("button", { name: "Choose a CSV" }).first().waitFor();
      await page.getByRole("link", { name: "unwanted" }).waitFor({ state: "detached" });
      expect(sent).toBe(3);
      await page.unroute("**/api/uploads/**");
    },
    10 * MINUTES,
  );
});

test(
  "a stream that breaks is made again, and goes on",
  async () => {
    await open("/", "Dashboard");
    await page.locator('[data-connection="Live"]').waitFor();
    await context.setOffline(true);
    await page.evaluate("fetch('/healthz').catch(() => undefined)");
    await context.setOffline(false);
    await page.locator('[data-connection="Live"]').waitFor();
  },
  5 * MINUTES,
);

describe("texts of strangers", () => {
  test.each([
    ["/", "Dashboard", "dashboard"],
    ["/datasets", "Datasets", "datasets"],
    ["/datasets/default/strange", "strange", "strange-dataset"],
    ["/train?dataset=strange&namespace=default", "New training", "strange-train"],
    ["/jobs", "Jobs", "jobs"],
    ["/models", "Models", "models"],
    ["/models/default/strange", "strange", "strange-model"],
    ["/nowhere", "AutoAI", "nowhere"],
  ])(
    "are texts on %s",
    async (path, title, name) => {
      await page.goto(new URL(path, page.url()).href);
      if (name !== "nowhere") await heading(title).waitFor();
      await page.locator('[data-connection="Live"]').waitFor();
      await page.getByRole("status").filter({ hasText: "Loading" }).first().waitFor({ state: "detached" });
      await inspected(page, name);
      expect(violations).toEqual([]);
    },
    5 * MINUTES,
  );

  test(
    "are texts in a transcript of five hundred steps, of which few are in the page",
    async () => {
      await open("/jobs/default/strange", "strange");
      const first = page.getByRole("article", { name: /^Step 1:/ }).first();
      await first.waitFor();
      await first.getByRole("button", { name: "Code" }).click();
      await page.getByRole("region", { name: "Code of train.py" }).waitFor();
      const second = page.getByRole("article", { name: /^Step 2:/ }).first();
      await second.getByRole("button", { name: "Changes" }).click();
      await page.getByRole("region", { name: "Changes of train.py" }).getByText("+ print(2)").waitFor();
      await inspected(page, "strange-job", false);
      await page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)");
      await page
        .getByRole("article", { name: new RegExp(`^Step ${STEPS - 1}:`) })
        .first()
        .waitFor();
      expect(await page.getByRole("article").count()).toBeLessThan(60);
      await page.evaluate("window.scrollTo(0, 0)");
      await page.getByRole("tab", { name: "Candidates" }).click();
      await page.getByRole("region", { name: "Candidates" }).waitFor();
      await page.getByRole("tab", { name: "Report" }).click();
      await page.frameLocator("iframe").getByText("A report").waitFor();
      expect(violations).toEqual([]);
    },
    5 * MINUTES,
  );
});

test("keys alone lead to a page, and its title has the focus", async () => {
  await open("/", "Dashboard");
  await page.locator('[data-connection="Live"]').waitFor();
  const focused = () => page.evaluate("document.activeElement?.textContent");
  for (let count = 0; count < 30 && (await focused()) !== "Jobs"; count++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await heading("Jobs").waitFor();
  await expect.poll(() => page.evaluate("document.activeElement?.tagName"), { timeout: MINUTES }).toBe("H1");
});

test("the first page is under 200 kB, compressed", async () => {
  await open("/", "Dashboard");
  const sent = await page.evaluate(
    `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .filter(({ name }) => !name.includes("/api/"))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`,
  );
  expect(sent).toBeGreaterThan(50_000);
  expect(sent).toBeLessThan(200_000);
});

test(
  "a session that is over leads to the sign-in page; so does signing out, for good",
  async () => {
    await open("/", "Dashboard");
    const cookies = await context.cookies();
    await context.clearCookies();
    await page.reload();
    await heading("Sign in to AutoAI").waitFor();
    await inspected(page, "sign-in");
    await context.addCookies(cookies);
    await page.reload();
    await heading("Dashboard").waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await heading("Sign in to AutoAI").waitFor();
    // Whoever kept the cookie has nothing.
    await context.addCookies(cookies);
    await page.reload();
    await heading("Sign in to AutoAI").waitFor();
    await page.goto(await served.address());
    await heading("Dashboard").waitFor();
    expect(violations).toEqual([]);
  },
  5 * MINUTES,
);
