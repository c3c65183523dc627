/**
 * Signing in to the console at an OpenID provider that the API server trusts: a browser, the console as its image starts it, a real
 * provider, and a real API server with `--oidc-*`, which this machine's own cluster has not and so is one more, without nodes.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { builtPages } from "../../operator/cli/console.ts";
import { inspected, launch, WIDE, watched } from "../console/browser.ts";
import { CLIENT, type OpenIdProvider, startProvider } from "../console/provider.ts";
import { hostile, literal } from "../console/strange-fields.ts";
import { strangeServing } from "../console/strangers.ts";
import { ROOT } from "../e2e/harness.ts";
import { freePort } from "../minio.ts";
import { type OwnApiServer, startApiServer } from "./api-server.ts";
import { eventually, withCluster } from "./cluster.ts";

const { own, ownOnly } = withCluster();

/** How somebody calls oneself at the provider. */
const USER = literal("a user's name");

const NAME = "a provider that the API server trusts";
describe.runIf(own)(ownOnly(NAME, "its API server is one more, started here with other flags"), () => {
  let origin = "";
  let provider: OpenIdProvider;
  let api: OwnApiServer;
  let served: ChildProcess;
  let browser: Browser;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    builtPages(ROOT);
    const port = await freePort();
    origin = `http://localhost:${port}`;
    provider = await startProvider({ origins: [origin] });
    [api, browser] = await Promise.all([
      startApiServer([
        `--oidc-issuer-url=${provider.issuer}`,
        `--oidc-client-id=${CLIENT}`,
        `--oidc-ca-file=${provider.caFile}`,
        "--oidc-username-claim=email",
      ]),
      launch(),
    ]);
    for (const name of ["datasets", "trainingjobs", "modeldeployments"]) {
      const [document] = parseAllDocuments(
        readFileSync(join(ROOT, "crds", `autoai.dev_${name}.yaml`), "utf8"),
      );
      const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
      await api.admin.request("POST", path, { body: document?.toJS() });
    }
    served = spawn(join(ROOT, "node_modules/.bin/node"), ["console/server/main.ts"], {
      cwd: ROOT,
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        PATH: process.env.PATH,
        NODE_EXTRA_CA_CERTS: provider.caFile,
        AUTOAI_CONSOLE_ORIGINS: origin,
        AUTOAI_CONSOLE_PORT: String(port),
        AUTOAI_CONSOLE_OIDC_ISSUER: provider.issuer,
        AUTOAI_CONSOLE_OIDC_CLIENT_ID: CLIENT,
        AUTOAI_CONSOLE_OIDC_SCOPES: "openid email",
        AUTOAI_CONSOLE_OIDC_LABEL: "the company's accounts",
        AUTOAI_API_SERVER: api.server,
        AUTOAI_API_SERVER_CA: api.caFile,
        // Nothing is asked of the store here.
        AUTOAI_STORE_ENDPOINT: "http://127.0.0.1:9",
        AUTOAI_STORE_BUCKET: "autoai",
        AUTOAI_STORE_ACCESS_KEY: "unused",
        AUTOAI_STORE_SECRET_KEY: "unused",
      },
    });
    await eventually("the console", 60, () =>
      fetch(`${origin}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  });

  afterAll(async () => {
    await browser?.close();
    served?.kill();
    await Promise.all([api?.close(), provider?.close()]);
  });

  const heading = (page: Page, name: string) =>
    page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

  /** In a browser of one's own, to the provider and back. */
  async function signedIn(name: string): Promise<{ page: Page; violations: readonly string[] }> {
    const context = await browser.newContext({
      viewport: WIDE,
      reducedMotion: "reduce",
      ignoreHTTPSErrors: true,
    });
    contexts.push(context);
    const page = await context.newPage();
    const { violations } = watched(page);
    await page.goto(origin);
    await heading(page, "Sign in to AutoAI");
    if (contexts.length === 1) await inspected(page, "sign-in-provider");
    await page.getByRole("button", { name: "Sign in with the company's accounts" }).click();
    await page.getByPlaceholder("Enter any login").fill(name);
    await page.getByPlaceholder("and password").fill("x");
    await page.getByRole("button", { name: "Sign-in" }).click();
    await page.getByRole("button", { name: "Continue" }).click();
    await heading(page, "Dashboard");
    return { page, violations };
  }

  test("leads there and back; the cluster's roles decide what is seen; the session ends with the token", async () => {
    const namespace = "team-of-ada";
    await api.admin.request("POST", "/api/v1/namespaces", { body: { metadata: { name: namespace } } });
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const rules = [{ apiGroups: ["autoai.dev"], resources: ["*"], verbs: ["*"] }];
    await api.admin.request("POST", `${rbac}/roles`, { body: { metadata: { name: "autoai" }, rules } });
    await api.admin.request("POST", `${rbac}/rolebindings`, {
      body: {
        metadata: { name: "ada" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "autoai" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ada@people.test" }],
      },
    });
    await api.admin.request("POST", `/apis/autoai.dev/v1alpha1/namespaces/${namespace}/datasets`, {
      body: {
        apiVersion: "autoai.dev/v1alpha1",
        kind: "Dataset",
        metadata: { name: "customers" },
        spec: { source: { upload: true } },
      },
    });
    const seen = async (page: Page) => {
      await page.getByRole("link", { name: "Datasets" }).click();
      await heading(page, "Datasets");
      await page.getByLabel("Namespace").fill(namespace);
      await page.getByLabel("Namespace").press("Enter");
    };
    // Ends while the others look around.
    provider.seconds = 20;
    const carol = await signedIn("carol");
    provider.seconds = 600;
    const bob = await signedIn("bob");
    await bob.page.getByText("bob@people.test").waitFor();
    await seen(bob.page);
    await bob.page.getByText("You may not list the Datasets of this namespace.").waitFor();
    const ada = await signedIn("ada");
    await ada.page.getByText("ada@people.test").waitFor();
    await seen(ada.page);
    await ada.page.getByRole("link", { name: "customers" }).waitFor();
    expect(await bob.page.getByText("customers").count()).toBe(0);
    // She does nothing: her token's time is over, and with it the page's.
    await heading(carol.page, "Sign in to AutoAI");
    for (const { violations } of [bob, ada, carol]) expect(violations).toEqual([]);
    await heading(ada.page, "Datasets");
  });

  test("has users, and the API server objects, whose texts are texts", async () => {
    const namespace = "team-of-mallory";
    const user = `${USER}@people.test`;
    await api.admin.request("POST", "/api/v1/namespaces", { body: { metadata: { name: namespace } } });
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const rules = [{ apiGroups: ["autoai.dev"], resources: ["*"], verbs: ["get", "list", "watch"] }];
    await api.admin.request("POST", `${rbac}/roles`, { body: { metadata: { name: "autoai" }, rules } });
    await api.admin.request("POST", `${rbac}/rolebindings`, {
      body: {
        metadata: { name: "mallory" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "autoai" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
      },
    });
    const path = `/apis/autoai.dev/v1alpha1/namespaces/${namespace}/modeldeployments`;
    const annotations = { note: hostile("ModelDeployment.metadata.annotations{}") };
    await api.admin.request("POST", path, {
      body: {
        apiVersion: "autoai.dev/v1alpha1",
        kind: "ModelDeployment",
        metadata: { name: "strange", annotations },
        spec: { modelRef: { trainingJob: "strange" } },
      },
    });
    // What the API lets be any text, as nobody but an operator writes it.
    const { runtime: _, conditions = [], ...status } = strangeServing();
    await api.admin.request("PATCH", `${path}/strange/status`, {
      contentType: "application/merge-patch+json",
      body: {
        status: {
          ...status,
          conditions: conditions.slice(0, 2).map((one) => ({ ...one, reason: "Strange" })),
        },
      },
    });
    const { page, violations } = await signedIn(USER);
    await page.getByText(user).waitFor();
    await page.getByRole("link", { name: "Models" }).click();
    await heading(page, "Models");
    await page.getByLabel("Namespace").fill(namespace);
    await page.getByLabel("Namespace").press("Enter");
    for (const field of ["url", "lastFailure", "trainingJob", "conditions[].message"])
      await page
        .getByText(literal(`ModelDeployment.status.${field}`))
        .first()
        .waitFor();
    // A model's traffic is asked of its pods, which she may not.
    await page.getByText("You may not see this").waitFor();
    await page.getByRole("button", { name: "Change model of strange" }).click();
    await page.getByText("There is no other model in this namespace").waitFor();
    await inspected(page, "cluster-strange");
    expect(await page.locator('img[src="x"]').count()).toBe(0);
    expect(violations).toEqual([]);
  });
});
