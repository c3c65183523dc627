/**
 * Two tenants, each with rights in one namespace alone, and the operator, which has the store's credentials and may read what manifests
 * name. Mallory asks for what is ada's, herself and through the operator; what she is refused, ada gets by the same request.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import type { S3Store } from "../../operator/storage/minio.ts";
import { attack, type Got } from "../attacks/ledger.ts";
import { apiOf } from "./api.ts";
import { eventually, type Manifest, withCluster } from "./cluster.ts";
import { artifactStore, forwarded } from "./store.ts";

const cluster = withCluster();
const OPERATOR = "autoai-system";
const KINDS = ["datasets", "trainingjobs", "modeldeployments"] as const;
const CSV = `${["a,b", ...Array.from({ length: 40 }, (_, row) => `${row},${row % 2}`)].join("\n")}\n`;

type Condition = { type: string; status: string; reason: string; message: string };
type Tenant = { readonly namespace: string; readonly account: string; readonly token: string };

let api: ApiServer;
let store: S3Store;
let ada: Tenant;
let mallory: Tenant;
let http = "";
const close: (() => void)[] = [];

/** An account that may edit one namespace, by the role that the chart extends. */
async function tenant(name: string): Promise<Tenant> {
  const namespace = await cluster.namespace(`tenant-${name}`);
  await cluster.apply(
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    ...["view", "edit", "admin"].map((role) => bound(role, namespace, role === "edit" ? name : role)),
  );
  const token = (await cluster.kubectl("create", "token", name, "-n", namespace, "--duration=1h")).trim();
  return { namespace, account: `system:serviceaccount:${namespace}:${name}`, token };
}

const bound = (role: string, namespace: string, account: string): Manifest => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: { name: role, namespace },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
  subjects: [{ kind: "ServiceAccount", name: account, namespace }],
});

const object = (kind: string, namespace: string, name: string, spec: object): Manifest => ({
  apiVersion: "autoai.dev/v1alpha1",
  kind,
  metadata: { name, namespace },
  spec,
});

beforeAll(async () => {
  await cluster.operator("running");
  api = apiOf(cluster);
  [ada, mallory] = await Promise.all([tenant("ada"), tenant("mallory")]);
  const opened = await artifactStore(cluster);
  store = opened.store;
  const operator = await forwarded(cluster, OPERATOR, "service/autoai", 8080);
  http = `http://127.0.0.1:${operator.port}`;
  close.push(opened.close, operator.close);
  const secret = await cluster.get<{ data: Record<string, string> }>("secret", OPERATOR, "autoai-store");
  await cluster.apply(
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "rows", namespace: ada.namespace },
      data: { "rows.csv": CSV },
    },
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "keys", namespace: ada.namespace },
      data: { accessKeyId: secret?.data.accessKey, secretAccessKey: secret?.data.secretKey },
    },
    object("TrainingJob", ada.namespace, "job", {
      dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } },
      target: "b",
      suspend: true,
      llm: { provider: "Offline" },
    }),
    object("ModelDeployment", ada.namespace, "served", { modelRef: { trainingJob: "job" } }),
  );
  await store.put(`sources/${ada.namespace}/rows.csv`, Buffer.from(CSV));
  await store.put(`jobs/${ada.namespace}/job-1/data/rows.csv`, Buffer.from(CSV));
}, 300_000);
afterAll(async () => {
  for (const { namespace } of [ada, mallory].filter((one) => one !== undefined))
    for (const kind of KINDS) await cluster.run(["delete", kind, "--all", "-n", namespace, "--timeout=60s"]);
  for (const end of close) end();
});

/** Makes an object, and waits until the operator has a verdict. Gives what it got; nothing where that is the refusal. */
async function verdict(kind: string, manifest: Manifest, refusal: string): Promise<Got> {
  const { name, namespace } = manifest.metadata as { name: string; namespace: string };
  const applied = await cluster.run(["apply", "--server-side", "-f", "-"], JSON.stringify(manifest));
  if (applied.code !== 0) return undefined;
  return eventually(`a verdict on ${kind} ${namespace}/${name}`, 120, async () => {
    const found = await cluster.get<{ status?: { conditions?: Condition[] } }>(kind, namespace, name);
    const ready = found?.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.reason === refusal) return { refused: true };
    if (ready?.status === "False" || ready?.reason === "ModelNotReady")
      return { got: `${ready.reason}: ${ready.message}` };
    // The operator brings the bytes before anything is made of them.
    const keys = await store.list(`datasets/${namespace}/${name}-`);
    const brought = keys.find((key) => key.endsWith("/source.csv"));
    return brought === undefined ? undefined : { got: `the operator brought ${brought}` };
  }).then((found) => ("got" in found ? found.got : undefined));
}

let count = 0;
/** Something that names what is ada's: refused to mallory with this reason, and not to ada. */
function deputy(
  name: string,
  kind: "Dataset" | "ModelDeployment" | "TrainingJob",
  spec: (theirs: Tenant, mine: Tenant) => object,
  refusal: string,
  control: (theirs: Tenant, mine: Tenant) => object = spec,
): void {
  const plural = `${kind.toLowerCase()}s.autoai.dev`;
  const got = (who: Tenant, wanted: object): Promise<Got> =>
    verdict(plural, object(kind, who.namespace, `asks-${++count}`, wanted), refusal);
  attack(name, {
    place: "another namespace, through the operator",
    guard: refusal,
    times: 1,
    attempt: () => got(mallory, spec(ada, mallory)),
    without: { how: "in the namespace that it belongs to", attempt: () => got(ada, control(ada, ada)) },
  });
}

describe("through the operator", () => {
  const uri = (of: (theirs: Tenant, mine: Tenant) => string) => (theirs: Tenant, mine: Tenant) => ({
    source: { uri: of(theirs, mine) },
  });
  const rows = uri(({ namespace }) => `s3://autoai/sources/${namespace}/rows.csv`);
  deputy("another's file in the operator's bucket", "Dataset", rows, "SourceForbidden");
  deputy(
    "another's job in the operator's bucket",
    "Dataset",
    uri(({ namespace }) => `s3://autoai/jobs/${namespace}/job-1/data/rows.csv`),
    "SourceForbidden",
  );
  for (const [up, refusal] of [
    ["..", "InvalidSource"],
    ["%2e%2e", "SourceNotFound"],
  ] as const)
    deputy(
      `another's file by ${up}/ in a path of one's own`,
      "Dataset",
      uri((theirs, mine) => `s3://autoai/sources/${mine.namespace}/${up}/${theirs.namespace}/rows.csv`),
      refusal,
      rows,
    );
  deputy(
    "another's ConfigMap",
    "Dataset",
    () => ({ source: { configMapKeyRef: { name: "rows", key: "rows.csv" } } }),
    "ConfigMapNotFound",
  );
  deputy(
    "another's Secret as credentials of a bucket",
    "Dataset",
    ({ namespace }) => ({
      source: { uri: `s3://autoai/sources/${namespace}/rows.csv`, credentialsSecretRef: { name: "keys" } },
    }),
    "SecretNotFound",
  );
  deputy(
    "another's job as the model to serve",
    "ModelDeployment",
    () => ({ modelRef: { trainingJob: "job" } }),
    "TrainingJobNotFound",
  );
});

describe("by the API server, with a token", () => {
  const asks = (who: () => Tenant, words: readonly string[]) => async (): Promise<Got> => {
    const { code, out } = await cluster.run([...words, "-n", ada.namespace, "--as", who().account]);
    return code === 0 ? out.slice(0, 60) || "done" : undefined;
  };
  for (const words of [
    ["get", "datasets,trainingjobs,modeldeployments"],
    ["get", "pods"],
    ["get", "secret", "keys"],
    ["get", "configmap", "rows"],
    ["annotate", "trainingjob", "job", "--overwrite", "touched=1"],
    ["delete", "trainingjob", "job", "--dry-run=server"],
    ["scale", "modeldeployment", "served", "--replicas=1", "--dry-run=server"],
  ]) {
    attack(`kubectl ${words.slice(0, 3).join(" ")} of another's`, {
      place: "another namespace, by the API server",
      guard: "RBAC",
      attempt: asks(() => mallory, words),
      without: { how: "by a user of the namespace", attempt: asks(() => ada, words) },
    });
  }
  attack("a status written by hand", {
    place: "its own namespace, by the API server",
    guard: "the chart's roles",
    attempt: async () => {
      const patch = '{"status":{"observedGeneration":1}}';
      const words = ["patch", "trainingjob", "job", "--subresource=status", "--type=merge", "-p", patch];
      return asks(() => ada, [...words, "--dry-run=server"])();
    },
    without: {
      how: "by an administrator of the cluster",
      attempt: async () => {
        const words = [
          "patch",
          "trainingjob",
          "job",
          "-n",
          ada.namespace,
          "--subresource=status",
          "--type=merge",
        ];
        const answer = await cluster.run([
          ...words,
          "-p",
          '{"status":{"observedGeneration":1}}',
          "--dry-run=server",
        ]);
        return answer.code === 0 && "written";
      },
    },
  });
});

describe("by the operator's HTTP, with a token", () => {
  for (const [what, path] of [
    ["journal", "/journals/NAMESPACE/job"],
    ["report", "/artifacts/trainingjobs/NAMESPACE/job/report"],
    ["model package", "/artifacts/trainingjobs/NAMESPACE/job/model"],
    ["profile", "/artifacts/trainingjobs/NAMESPACE/job/profile"],
    ["prediction log", "/predictions/NAMESPACE/served"],
  ] as const) {
    // 404 is what says that there is none yet: to who may know.
    const asks = (token: () => string) => async (): Promise<Got> => {
      const headers = token() === "" ? {} : { authorization: `Bearer ${token()}` };
      const { status } = await fetch(http + path.replace("NAMESPACE", ada.namespace), { headers });
      return status === 401 || status === 403 ? undefined : `answered ${status}`;
    };
    for (const [who, token] of [
      ["of another's namespace", () => mallory.token],
      ["without a token", () => ""],
      ["with a token that was changed", () => `${ada.token.slice(0, -6)}AAAAAA`],
    ] as const)
      attack(`the ${what}, ${who}`, {
        place: "the operator's HTTP",
        guard: "TokenReview and SubjectAccessReview",
        attempt: asks(token),
        without: { how: "by a user of the namespace", attempt: asks(() => ada.token) },
      });
  }
});

/** What each role that the chart extends may do, in its own namespace and elsewhere. */
test("who may do what is as the table of docs/tenancy.md says", async () => {
  const accounts = { view: "view", edit: "mallory", admin: "admin" } as const;
  const may = async (role: keyof typeof accounts, namespace: string, attributes: object) => {
    const review = await api.request<{ status: { allowed: boolean } }>(
      "POST",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      {
        body: {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          spec: {
            user: `system:serviceaccount:${mallory.namespace}:${accounts[role]}`,
            groups: [
              "system:serviceaccounts",
              `system:serviceaccounts:${mallory.namespace}`,
              "system:authenticated",
            ],
            resourceAttributes: { namespace, ...attributes },
          },
        },
      },
    );
    return review.status.allowed;
  };
  const questions: [what: string, attributes: object][] = [
    ...["get", "watch", "create", "patch", "delete", "deletecollection"].map((verb): [string, object] => [
      `${verb} its kinds`,
      { verb, group: "autoai.dev", resource: "trainingjobs" },
    ]),
    ["read a status", { verb: "get", group: "autoai.dev", resource: "trainingjobs", subresource: "status" }],
    [
      "write a status",
      { verb: "patch", group: "autoai.dev", resource: "trainingjobs", subresource: "status" },
    ],
    ["read Secrets", { verb: "get", resource: "secrets" }],
    ["run programs in pods", { verb: "create", resource: "pods", subresource: "exec" }],
  ];
  const roles = ["view", "edit", "admin"] as const;
  const rows: string[][] = [];
  for (const [what, attributes] of questions) {
    const own = await Promise.all(roles.map((role) => may(role, mallory.namespace, attributes)));
    const foreign = await Promise.all(
      roles.flatMap((role) => [ada.namespace, OPERATOR].map((where) => may(role, where, attributes))),
    );
    rows.push([
      what,
      ...own.map((yes) => (yes ? "yes" : "no")),
      foreign.some(Boolean) ? "SOMEONE" : "nobody",
    ]);
  }
  const head = ["what", "view", "edit", "admin", "in another's namespace, or the operator's"];
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
  mkdirSync(join(import.meta.dirname, "../../test-results"), { recursive: true });
  writeFileSync(join(import.meta.dirname, "../../test-results/tenancy.md"), `${table}\n`);
  expect(rows).toEqual([
    ["get its kinds", "yes", "yes", "yes", "nobody"],
    ["watch its kinds", "yes", "yes", "yes", "nobody"],
    ["create its kinds", "no", "yes", "yes", "nobody"],
    ["patch its kinds", "no", "yes", "yes", "nobody"],
    ["delete its kinds", "no", "yes", "yes", "nobody"],
    ["deletecollection its kinds", "no", "no", "yes", "nobody"],
    ["read a status", "yes", "yes", "yes", "nobody"],
    ["write a status", "no", "no", "no", "nobody"],
    ["read Secrets", "no", "yes", "yes", "nobody"],
    ["run programs in pods", "no", "yes", "yes", "nobody"],
  ]);
});
