/** The console as a person has it: a browser, a process, a home. One console and one browser serve all of it. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MINUTES, type Place, place, ROOT } from "../e2e/harness.ts";
import { type Console, glanced, inspected, launch, startConsole, WIDE, watched } from "./browser.ts";
import { freeTexts } from "./free-texts.ts";
import { FIELDS, hostile, literal, type PageName, SCHEMA_FIELDS } from "./strange-fields.ts";
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
      await page.getByText("Data prepared").waitFor({ timeout: 5 * MINUTES });
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
      await page.getByText(/requests?, the newest/).waitFor();
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
  /** Of each page: all that a person, or a screen reader, is told there. */
  const read = new Map<PageName, string>();
  const TEXTS = `[document.body.textContent, ...[...document.querySelectorAll("*")].flatMap((one) =>
    [one.value, ...["aria-label", "title", "placeholder", "alt"].map((name) => one.getAttribute(name))])].join("\\n")`;

  const missing = () =>
    Object.entries(FIELDS).filter(([field, name]) => name && !read.get(name)?.includes(literal(field)));

  /** What the page has now: of a page that is read in parts. */
  async function readPart(name: PageName): Promise<void> {
    read.set(name, `${read.get(name) ?? ""}\n${await page.evaluate(TEXTS)}`);
    // Whether or not a policy keeps it from running.
    expect(await page.locator('img[src="x"], script:not([src]), b').count(), name).toBe(0);
    expect(violations, name).toEqual([]);
  }
  /** Until all that is to stand on the page was read: a part of it may come after the rest. */
  async function readAs(name: PageName): Promise<void> {
    const lacking = async () => {
      await readPart(name);
      return missing().filter(([, where]) => where === name);
    };
    await expect.poll(lacking, { timeout: MINUTES }).toEqual([]);
  }
  const settled = () =>
    page.getByRole("status").filter({ hasText: "Loading" }).first().waitFor({ state: "detached" });

  test("are tried in every place that the schemas have for any", () => {
    expect(Object.keys(SCHEMA_FIELDS).sort()).toEqual(freeTexts());
  });

  test.each<[path: string, title: string, PageName, picture: string]>([
    ["/", "Dashboard", "dashboard", "dashboard"],
    ["/datasets/default/strange", "strange", "dataset", "strange-dataset"],
    ["/datasets/default/stalled", "stalled", "data set stalled", "strange-dataset-stalled"],
    ["/train?dataset=strange&namespace=default", "New training", "training", "strange-train"],
    ["/jobs", "Jobs", "jobs", "jobs"],
    ["/jobs/default/failed", "failed", "job failed", "strange-job-failed"],
    ["/models", "Models", "models", "models"],
    ["/models/default/strange", "strange", "model", "strange-model"],
  ])(
    "are texts on %s",
    async (path, title, name, picture) => {
      await open(path, title);
      await page.locator('[data-connection="Live"]').waitFor();
      await settled();
      await readAs(name);
      await inspected(page, picture);
    },
    5 * MINUTES,
  );

  test(
    "are texts in a transcript of five hundred steps, of which few are in the page",
    async () => {
      await open("/jobs/default/strange", "strange");
      const first = page.getByRole("article", { name: /^Step 1:/ }).first();
      await first.waitFor();
      await readPart("transcript");
      await page
        .getByText(/^Result, /)
        .first()
        .click();
      await first.getByRole("button", { name: "Code" }).first().click();
      await page.getByRole("region", { name: "Code of train.py" }).waitFor();
      const second = page.getByRole("article", { name: /^Step 2:/ }).first();
      await second.getByRole("button", { name: "Changes" }).first().click();
      await page.getByRole("region", { name: "Changes of train.py" }).getByText("+ print(2)").waitFor();
      await readPart("transcript");
      await inspected(page, "strange-job", false);
      await page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)");
      await page.getByRole("article", { name: /^READY:/ }).waitFor();
      expect(await page.getByRole("article").count()).toBeLessThan(60);
      await readAs("transcript");
      await page.evaluate("window.scrollTo(0, 0)");
      await page.getByRole("tab", { name: "Candidates" }).click();
      await page.getByRole("region", { name: "Candidates" }).waitFor();
      await readAs("candidates");
      await page.getByRole("tab", { name: "Manifest" }).click();
      await page.getByRole("region", { name: "Manifest" }).waitFor();
      await readAs("manifest");
      await page.getByRole("tab", { name: "Report" }).click();
      await page.frameLocator("iframe").getByText("A report").waitFor();
      expect(violations).toEqual([]);
    },
    5 * MINUTES,
  );

  /** What a model answers is its own affair; here it answers what the test says. */
  const answered = (procedure: string, data: unknown) =>
    page.route(`**/api/trpc/models.${procedure}`, (route) => route.fulfill({ json: { result: { data } } }));

  test(
    "are texts in what a model answers, in its log, and in what is said of a CSV",
    async () => {
      await open("/models/default/strange", "strange");
      await answered("predict", {
        prediction: hostile("a prediction"),
        probabilities: { [hostile("a class with its probability")]: 1 },
        warnings: [hostile("a warning of an answer")],
      });
      const moved = [{ field: hostile("a field that moved it"), usual: "<b>usual</b>", by: 0.1 }];
      await answered("explain", { of: "yes", moved, leftOut: 0 });
      await page.getByRole("button", { name: /^Predict/ }).click();
      await page.getByRole("heading", { name: "What moved it" }).waitFor();
      await readAs("answer");
      await inspected(page, "strange-answer");
      await page.getByRole("tab", { name: "Past predictions" }).click();
      await page.getByText(/requests?, the newest/).waitFor();
      await readAs("past predictions");
      await inspected(page, "strange-log");
      await page.getByRole("tab", { name: "Lineage" }).click();
      await readAs("lineage");
      await inspected(page, "strange-lineage");
      await page.getByRole("tab", { name: "A CSV" }).click();
      const refused = { status: 400, json: { error: hostile("a refused row"), reason: "Invalid" } };
      const answers = [() => refused, () => ({ body: "prediction\n" })];
      await page.route("**/api/predictions/**", (route) => route.fulfill(answers.shift()?.()));
      await choose("rows.csv", "a\n1\n");
      await page.getByText("The rows were not predicted").waitFor();
      await readPart("batch");
      await inspected(page, "strange-csv-refused");
      await choose(`${hostile("a file of rows")}.csv`, "a\n1\n");
      await page.getByRole("link", { name: "Download the predictions" }).waitFor();
      await readAs("batch");
      await page.unrouteAll();
    },
    5 * MINUTES,
  );

  test("are texts in the name of a file, and in an address", async () => {
    await open("/datasets", "Datasets");
    await settled();
    await inspected(page, "datasets");
    await choose(`${hostile("a file that is uploaded")}.csv`, "a\n1\n");
    await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).waitFor();
    await readAs("name of a data set");
    await page.goto(new URL(`/jobs/default/${encodeURI(literal("a name in an address"))}`, page.url()).href);
    await page.getByRole("alert").waitFor();
    await readAs("address");
    await inspected(page, "strange-address");
  });

  test("each stands on its page as it was written", () => {
    expect(missing()).toEqual([]);
    // What is said to be nowhere is nowhere: else it is to be looked for there.
    const all = [...read.values()].join("\n");
    const shown = Object.entries(FIELDS).filter(([field, name]) => !name && all.includes(literal(field)));
    expect(shown).toEqual([]);
  });
});

describe("pages without anything to show", () => {
  const PLACES = [
    ["/", "Dashboard", "dashboard", "overview"],
    ["/datasets", "Datasets", "datasets", "list"],
    ["/datasets/default/strange", "strange", "dataset", "get"],
    ["/train", "New training", "train", "list"],
    ["/jobs", "Jobs", "jobs", "list"],
    ["/jobs/default/strange", "strange", "job", "get"],
    ["/models", "Models", "models", "list"],
    ["/models/default/strange", "strange", "model", "models.get"],
  ] as const;
  const asked = (procedure: string) =>
    `**/api/trpc/${procedure.includes(".") ? procedure : `resources.${procedure}`}`;
  const EMPTY = {
    overview: {
      ...{ total: 0, seconds: 0, tokens: 0, denied: [] },
      ...{ running: { count: 0, newest: [] }, ready: { count: 0, newest: [] } },
      attention: { count: 0, newest: [] },
    },
    list: { rows: [], total: 0, matching: 0 },
  };
  const refusal = (httpStatus: number, message: string) => ({
    status: httpStatus,
    json: { error: { message, code: -32_000, data: { code: "", httpStatus } } },
  });

  test.each(PLACES)(
    "%s says that it loads, that there is nothing, that one may not, that it failed",
    async (path, title, name, procedure) => {
      const url = asked(procedure);
      // Loading: the answer does not come.
      await page.route(url, () => undefined);
      await open(path, title);
      await page.getByText("Loading").first().waitFor();
      await glanced(page, `loading-${name}`);
      await page.unroute(url);

      const empty = EMPTY[procedure as keyof typeof EMPTY];
      await page.route(url, (route) =>
        route.fulfill(empty ? { json: { result: { data: empty } } } : refusal(404, "there is none")),
      );
      await open(path, title);
      await page
        .getByText(/^(No |Nothing |There is no such|It is not there)/)
        .first()
        .waitFor();
      await glanced(page, `empty-${name}`);
      await page.unroute(url);

      await page.route(url, (route) => route.fulfill(refusal(403, "you may not get it")));
      await open(path, title);
      await page.getByText("You may not see this").first().waitFor();
      await glanced(page, `denied-${name}`);
      await page.unroute(url);

      await page.route(url, (route) => route.fulfill(refusal(503, "the store does not answer")));
      await open(path, title);
      await page.getByRole("alert").getByText("the store does not answer").first().waitFor();
      await glanced(page, `failed-${name}`);
      await page.unroute(url);
      // Once more, and it is there: in each part of the page that failed.
      await page.evaluate(`document.querySelectorAll("[role=alert] button").forEach((one) => one.click())`);
      await page
        .getByRole("alert")
        .getByText("the store does not answer")
        .first()
        .waitFor({ state: "detached" });
      expect(violations).toEqual([]);
    },
    5 * MINUTES,
  );

  test(
    "deployments that cannot be listed are not taken for none, where the models can",
    async () => {
      const url = asked("list");
      await page.route(url, (route) =>
        route.request().postData()?.includes("ModelDeployment")
          ? route.fulfill(refusal(503, "the store does not answer"))
          : route.continue(),
      );
      await open("/models", "Models");
      await page.getByRole("region", { name: "models" }).waitFor();
      await page.getByRole("alert").getByText("the store does not answer").waitFor();
      await page.unroute(url);
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("region", { name: "deployments", exact: true }).waitFor();
    },
    5 * MINUTES,
  );

  test("an address that leads nowhere says so", async () => {
    await page.goto(new URL("/nowhere", page.url()).href);
    await page.getByText("There is no such page").waitFor();
    await inspected(page, "nowhere");
  });
});

describe("keys alone", () => {
  const focused = () =>
    page.evaluate(`(() => {
      const { activeElement: one } = document;
      return one?.getAttribute("aria-label") ?? one?.labels?.[0]?.textContent.trim() ?? one?.textContent.trim() ?? "";
    })()`) as Promise<string>;
  /** By the tabulator, as far as it takes; what has the focus can be seen to have it. */
  async function reach(name: string): Promise<void> {
    for (let count = 0; count < 80 && (await focused()) !== name; count++) await page.keyboard.press("Tab");
    expect(await focused()).toBe(name);
    const isSeen = await page.evaluate(`document.activeElement.matches(":focus-visible")`);
    expect(isSeen, name).toBe(true);
  }
  async function press(name: string, key = "Enter"): Promise<void> {
    await reach(name);
    await page.keyboard.press(key);
  }

  test(
    "lead from a CSV over a training to its transcript, its model and out; a new page's title has the focus",
    async () => {
      await open("/", "Dashboard");
      await page.locator('[data-connection="Live"]').waitFor();
      await reach("Skip to the page");
      await press("Datasets");
      await heading("Datasets").waitFor();
      await expect
        .poll(() => page.evaluate("document.activeElement?.tagName"), { timeout: MINUTES })
        .toBe("H1");
      const choosing = page.waitForEvent("filechooser");
      await press("Choose a CSV");
      await (await choosing).setFiles({
        name: "keys.csv",
        mimeType: "text/csv",
        buffer: Buffer.from(rows(60)),
      });
      // The dialog has the focus, and gives it back to nobody before it is closed.
      await page.getByRole("dialog").getByRole("textbox", { name: "Name" }).waitFor();
      await expect.poll(focused, { timeout: MINUTES }).toMatch(/^Name/);
      await page.keyboard.press("Enter");
      await heading("keys").waitFor();
      await page.getByRole("heading", { name: "Columns" }).waitFor();

      await press("Train on it");
      await page.getByRole("region", { name: "Manifest" }).getByText("target: Churn").waitFor();
      await reach("Goal");
      await page.keyboard.type("written by keys");
      await page.getByRole("region", { name: "Manifest" }).getByText("goal: written by keys").waitFor();
      await press("Train");
      await heading("keys").waitFor();
      await press("Suspend");
      await page.getByRole("button", { name: "Go on" }).waitFor();
      await press("Transcript", "ArrowRight");
      await page.getByRole("tab", { name: "Candidates", selected: true }).waitFor();
      await press("Stop and delete");
      await page.getByRole("dialog").getByText("go for good").waitFor();
      // Escape leads back to the button.
      await page.keyboard.press("Escape");
      await expect.poll(focused, { timeout: MINUTES }).toBe("Stop and delete");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog").getByText("go for good").waitFor();
      // Until the dialog has the focus, the button that opened it does, which has the same name.
      await expect
        .poll(() => page.evaluate(`document.activeElement?.closest("[role=dialog]") != null`), {
          timeout: MINUTES,
        })
        .toBe(true);
      await press("Stop and delete");
      await heading("Jobs").waitFor();

      await page.getByRole("link", { name: "strange" }).waitFor();
      await press("strange");
      await page.getByRole("article").first().waitFor();
      await press("Try the model");
      await page.getByRole("button", { name: /^Predict/ }).waitFor();
      await press("Try it", "ArrowRight");
      await page.getByRole("tab", { name: "A CSV", selected: true }).waitFor();
      expect(violations).toEqual([]);
    },
    5 * MINUTES,
  );
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
