/**
 * The console as people of a cluster have it: installed by the chart, reached through a forwarded port, a browser with a pasted token.
 * Two of them, each with a namespace of one's own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelDeployment } from "../../operator/api/modeldeployment.ts";
import type { TrainingJob } from "../../operator/api/trainingjob.ts";
import { inspected, launch, WIDE, watched } from "../console/browser.ts";
import { MINUTES, ROOT } from "../e2e/harness.ts";
import { freePort } from "../minio.ts";
import { eventually, withCluster } from "./cluster.ts";
import { environmentsClaim } from "./minio-pod.ts";

const cluster = withCluster();

/** A number that is in no other row. */
const OF_THE_CSV = "123.25";

type Person = {
  readonly namespace: string;
  readonly token: string;
  readonly context: BrowserContext;
  readonly page: Page;
  readonly violations: readonly string[];
};

let origin = "";
let port = 0;
let forward: ChildProcess | undefined;
let browser: Browser;
let ada: Person;
let bob: Person;

/** The way to the console, as docs/console.md has it; ended and begun again it is a connection that was lost. */
async function connect(): Promise<void> {
  const begun = spawn(
    cluster.program,
    [...cluster.flags, ...["port-forward", "-n", "autoai-system", "service/autoai-console", `${port}:8080`]],
    { stdio: "ignore" },
  );
  forward = begun;
  await eventually("the console", 60, async () => {
    if (begun.exitCode !== null) throw new Error(`kubectl port-forward ended with ${begun.exitCode}`);
    return fetch(`${origin}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
}

async function disconnect(): Promise<void> {
  const ended = new Promise((resolve) => forward?.once("close", resolve));
  if (forward?.kill("SIGKILL")) await ended;
  forward = undefined;
}

/** Somebody who may edit AutoAI's kinds and ask models in a namespace of one's own, and nothing else. */
async function person(name: string): Promise<Person> {
  const namespace = await cluster.namespace(`browser-${name}`);
  const subject = { kind: "ServiceAccount", name, namespace };
  const role = (rules: object[]) => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: "autoai", namespace },
    rules,
  });
  await cluster.apply(
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    role([
      { apiGroups: ["autoai.dev"], resources: ["*"], verbs: ["*"] },
      { apiGroups: [""], resources: ["services/proxy"], verbs: ["create"] },
      { apiGroups: [""], resources: ["pods", "pods/proxy"], verbs: ["list", "get"] },
    ]),
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name, namespace },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "autoai" },
      subjects: [subject],
    },
    environmentsClaim(namespace),
  );
  const token = (await cluster.kubectl("create", "token", name, "-n", namespace, "--duration=1h")).trim();
  const context = await browser.newContext({
    viewport: WIDE,
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  const page = await context.newPage();
  return { namespace, token, context, page, ...watched(page) };
}

const heading = ({ page }: Person, name: string) =>
  page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
const live = ({ page }: Person) => page.locator('[data-connection="Live"]').waitFor();

async function signIn(who: Person): Promise<void> {
  await who.page.goto(origin);
  await heading(who, "Sign in to AutoAI");
  await who.page.getByLabel("Token").fill(who.token);
  await who.page.getByRole("button", { name: "Sign in" }).click();
  await heading(who, "Dashboard");
}

async function look(who: Person, namespace: string): Promise<void> {
  await who.page.getByLabel("Namespace").fill(namespace);
  await who.page.getByLabel("Namespace").press("Enter");
}

beforeAll(async () => {
  port = await freePort();
  origin = `http://localhost:${port}`;
  browser = await launch();
  const installed = cluster
    .operator("running", { "console.enabled": true, "console.origins": [origin] })
    .then(connect);
  [ada, bob] = await Promise.all([person("ada"), person("bob"), installed]);
}, 5 * MINUTES);

afterAll(async () => {
  await browser?.close();
  await disconnect();
  // The next installation has none.
  await cluster.kubectl(
    "delete",
    "deployment",
    "autoai-console",
    "-n",
    "autoai-system",
    "--ignore-not-found",
  );
});

test("a token that is none is refused on the page", async () => {
  await bob.page.goto(origin);
  await heading(bob, "Sign in to AutoAI");
  await bob.page.getByLabel("Token").fill("nonsense");
  await bob.page.getByRole("button", { name: "Sign in" }).click();
  await bob.page.getByRole("alert").getByText("the API server does not take this token").waitFor();
  await inspected(bob.page, "cluster-sign-in");
});

describe("the whole way", () => {
  test(
    "from a token over a CSV, a training and its transcript to a deployment, predictions, and out",
    async () => {
      const { page, namespace } = ada;
      /** On the page of the models, until its servers are the other model's. */
      const changeModel = async (job: string): Promise<void> => {
        await page.getByRole("link", { name: "Models" }).click();
        await page
          .getByRole("region", { name: "models", exact: true })
          .getByRole("link", { name: job, exact: true })
          .waitFor({ timeout: 5 * MINUTES });
        await page.getByRole("button", { name: "Change model of customers" }).click();
        await page.getByRole("dialog").getByLabel("Model of job").selectOption(job);
        await page.getByRole("dialog").getByRole("button", { name: "Serve it" }).click();
        await page.getByRole("dialog").waitFor({ state: "detached" });
        await page
          .getByRole("region", { name: "deployments", exact: true })
          .getByRole("link", { name: job, exact: true })
          .waitFor();
        const { status } = (await cluster.get<TrainingJob>("trainingjob", namespace, job)) ?? {};
        await eventually(`the model of ${job} in servers`, 300, async () => {
          const served = await cluster.get<ModelDeployment>("modeldeployment", namespace, "customers");
          const isReady = served?.status?.conditions?.some(
            ({ type, status: value }) => type === "Ready" && value === "True",
          );
          return isReady && served?.status?.modelDigest === status?.model?.digest;
        });
      };
      await signIn(ada);
      await look(ada, namespace);
      await live(ada);
      await page.getByRole("link", { name: "Datasets" }).click();
      await heading(ada, "Datasets");
      const lines = readFileSync(`${ROOT}/examples/data/churn.csv`, "utf8").split("\n");
      const file = (count: number) => Buffer.from(`${lines.slice(0, count + 1).join("\n")}\n`);
      const choose = (name: string, buffer: Buffer) =>
        page.locator('input[type="file"]').first().setInputFiles({ name, mimeType: "text/csv", buffer });
      await choose("customers.csv", file(300));
      await page.getByRole("button", { name: "Upload" }).click();
      await heading(ada, "customers");
      await page.getByRole("heading", { name: "Columns" }).waitFor({ timeout: 3 * MINUTES });

      await page.getByRole("link", { name: "Train on it" }).click();
      await page.getByRole("region", { name: "Manifest" }).getByText("target: Churn").waitFor();
      await page.getByLabel("Steps").fill("1");
      await page.getByLabel("Seconds").fill("1200");
      // A pod for each candidate instead of one for each of its folds.
      await page.getByLabel("Candidates are compared").selectOption("Holdout");
      await page.getByLabel("Good enough at").fill("0.1");
      await page.getByRole("region", { name: "Manifest" }).getByText('score: "0.1"').waitFor();
      await page.getByRole("button", { name: "Train", exact: true }).click();
      await heading(ada, "customers");
      // A second model, with the first one's recipe as soon as that is published: it is trained while the first one is looked at.
      await cluster.apply({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name: "customers-again", namespace },
        spec: {
          dataset: { datasetRef: { name: "customers" } },
          target: "Churn",
          recipeFrom: "customers",
          evaluation: { method: "Holdout", seed: 1 },
          budget: { maxSteps: 1, maxSeconds: 1200 },
        },
      });
      await page.getByText("Data prepared").waitFor({ timeout: 5 * MINUTES });

      // In the middle of the transcript nothing comes through any more, while things go on.
      const resumed: Promise<string>[] = [];
      page.on("request", (request) => {
        const stream = /jobs\.journal|resources\.changes/.exec(request.url())?.[0];
        if (stream === undefined) return;
        const after = async () => (await request.allHeaders())["last-event-id"];
        resumed.push(
          after().then(
            (id = "nothing") => `${stream} after ${id}`,
            () => stream,
          ),
        );
      });
      await disconnect();
      await page.locator('[data-connection="Broken"]').waitFor();
      await cluster.apply({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "Dataset",
        metadata: { name: "meanwhile", namespace },
        spec: { source: { upload: true } },
      });
      await connect();
      await live(ada);
      await page.getByRole("link", { name: "Try the model" }).waitFor({ timeout: 10 * MINUTES });
      await page.getByRole("article", { name: /^Published candidate/ }).waitFor();
      const told = (await Promise.all(resumed)).join("\n");
      expect(told).toMatch(/jobs\.journal after \d/);
      expect(told).toMatch(/resources\.changes after \S+\d/);
      await page.evaluate("window.scrollTo(0, 0)");
      await page.getByText("Data prepared").waitFor();
      expect(await page.getByText("Data prepared").count()).toBe(1);
      await inspected(page, "cluster-job");

      await page.getByRole("link", { name: "Try the model" }).click();
      await page.getByRole("button", { name: "Deploy" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Deploy" }).click();
      await heading(ada, "Models");
      // Of servers with a whole CPU a small node has no room for two, and the next model's come before these go.
      const resources = JSON.stringify({ spec: { resources: { cpu: "300m" } } });
      await cluster.kubectl(
        ...["patch", "modeldeployments.autoai.dev", "customers", "-n", namespace],
        ...["--type=merge", "-p", resources],
      );
      await page
        .getByRole("region", { name: "deployments", exact: true })
        .getByText("Ready", { exact: true })
        .waitFor({ timeout: 5 * MINUTES });
      await inspected(page, "cluster-models");
      await page.getByRole("link", { name: "customers" }).first().click();
      await expect
        .poll(() => page.getByRole("textbox", { name: "Age", exact: true }).inputValue(), {
          timeout: MINUTES,
        })
        .toMatch(/^\d+$/);
      await page.getByRole("button", { name: "Predict Churn" }).click();
      await page.getByTestId("prediction").waitFor({ timeout: 2 * MINUTES });
      await page.getByRole("heading", { name: "What moved it" }).waitFor();
      await inspected(page, "cluster-try");
      await page.getByRole("tab", { name: "A CSV" }).click();
      await choose("rows.csv", Buffer.from(file(5).toString().replace("591.25", OF_THE_CSV)));
      const download = page.waitForEvent("download");
      await page.getByRole("link", { name: "Download the predictions" }).click();
      const predicted = readFileSync(await (await download).path(), "utf8");
      expect(predicted).toMatch(/^prediction,p:0,p:1\n(?:[01],[\d.e-]+,[\d.e-]+\n){5}$/);
      await page.getByRole("link", { name: "Models" }).click();
      const requests = page.locator("div", { has: page.getByText("Requests", { exact: true }) }).last();
      await expect.poll(() => requests.innerText(), { timeout: MINUTES }).toMatch(/Requests\s+[1-9]/);

      await changeModel("customers-again");
      await changeModel("customers");
      await inspected(page, "cluster-rolled-back");
      await page.getByRole("link", { name: "customers", exact: true }).first().click();
      await page.getByRole("button", { name: "Predict Churn" }).click();
      await page.getByTestId("prediction").waitFor({ timeout: 2 * MINUTES });

      // What the form and the CSV asked, and of these what the CSV did.
      await page.getByRole("tab", { name: "Past predictions" }).click();
      const shown = page.getByText(/requests?, the newest/);
      const rows = page.getByRole("region", { name: "Predictions" }).locator("tbody tr");
      await expect.poll(() => shown.innerText(), { timeout: 2 * MINUTES }).toMatch(/^[3-9]\d* /);
      await page.getByLabel("That contain").fill(OF_THE_CSV);
      await expect.poll(() => rows.count(), { timeout: MINUTES }).toBe(1);
      await inspected(page, "cluster-log");
      const saved = page.waitForEvent("download");
      await page.getByRole("link", { name: "Download" }).click();
      const log = readFileSync(await (await saved).path(), "utf8")
        .trim()
        .split("\n");
      expect(log).toHaveLength(1);
      const { inputs, predictions } = JSON.parse(log[0] ?? "") as { inputs: unknown; predictions: unknown };
      expect(JSON.stringify(inputs)).toContain(OF_THE_CSV);
      expect(predictions).toHaveLength(5);

      // What came while nothing was heard is there.
      await page.getByRole("link", { name: "Datasets" }).click();
      await page.getByRole("link", { name: "meanwhile" }).waitFor();
      expect(ada.violations).toEqual([]);
    },
    20 * MINUTES,
  );

  test("nothing of it is seen by who lives in another namespace", async () => {
    await signIn(bob);
    await look(bob, bob.namespace);
    for (const [link, empty] of [
      ["Datasets", "No data set yet"],
      ["Jobs", "No job yet"],
      ["Models", "No model yet"],
    ] as const) {
      await bob.page.getByRole("link", { name: link, exact: true }).click();
      await heading(bob, link);
      await bob.page.getByText(empty).first().waitFor();
      await look(bob, ada.namespace);
      await bob.page
        .getByText(/You may not list the/)
        .first()
        .waitFor();
      expect(await bob.page.getByText("customers").count()).toBe(0);
      await look(bob, bob.namespace);
    }
    await bob.page.goto(`${origin}/jobs/${ada.namespace}/customers`);
    await bob.page.getByText("You may not see this").waitFor();
    await inspected(bob.page, "cluster-denied");
    expect(await bob.page.getByText("Data prepared").count()).toBe(0);
    expect(bob.violations).toEqual([]);
  });

  test("a session whose token counts for nothing any more leads to the sign-in page; so does signing out, for good", async () => {
    // Servers take their time to end, and the namespace waits for them.
    await cluster.kubectl("delete", "modeldeployments", "--all", "-n", ada.namespace, "--wait=false");
    await cluster.kubectl("delete", "serviceaccount", "bob", "-n", bob.namespace);
    // The API server remembers for some seconds that a token was good.
    const shown = async (): Promise<string> => {
      await bob.page.goto(origin);
      return bob.page.getByRole("heading", { level: 1 }).first().innerText();
    };
    await expect.poll(shown, { timeout: MINUTES, interval: 1000 }).toBe("Sign in to AutoAI");
    const kept = await ada.context.cookies();
    await ada.page.getByRole("button", { name: "Sign out" }).click();
    await heading(ada, "Sign in to AutoAI");
    await ada.context.addCookies(kept);
    await ada.page.goto(`${origin}/datasets`);
    await heading(ada, "Sign in to AutoAI");
  });
});
