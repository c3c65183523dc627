/**
 * Two tenants, each with rights in one namespace alone, and the operator, which has the store's credentials and may read what manifests
 * name. Mallory asks for what is ada's, herself and through the operator. What she is refused, she gets by the same request where the guard is
 * not: with a role in ada's namespace, or of an operator that is a copy of this one with the check taken out.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import type { S3Store } from "../../operator/storage/minio.ts";
import { attack, type Got, TIMES } from "../attacks/ledger.ts";
import { type Changes, copyWith } from "../attacks/unguarded.ts";
import { apiOf } from "./api.ts";
import { eventually, type Manifest, withCluster } from "./cluster.ts";
import { startOperator } from "./operator-process.ts";
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
/** Where the operator answers: the installed one, and later the one without its guards. */
let http = "";
const close: (() => void)[] = [];
const folder = mkdtempSync(join(tmpdir(), "tenancy-"));
const ROOT = join(import.meta.dirname, "../..");

/** How a guard is taken away; each is a phase of its own, after all was tried as things are. */
type Way =
  | "with a role in the other namespace"
  | "with a role that may"
  | "by an operator that does not ask whose it is"
  | "by an operator that reads a key as a path"
  | "by an operator that looks names up elsewhere"
  | "by an operator that believes every token";
type Case = {
  readonly name: string;
  readonly place: string;
  readonly guard: string;
  readonly how: Way;
  readonly times?: number;
  readonly attempt: () => Promise<Got>;
};
const cases: Case[] = [];
const guarded = new Map<Case, Got[]>();
const without = new Map<Case, Got>();

/** The guards of the operator, each a line of it. OTHER is the namespace in which names are looked up. */
const UNGUARDED: Changes = {
  "operator/sources/s3.ts": [
    ["bucket !== own.bucket || !belongsTo(namespace, key)", "bucket !== own.bucket"],
    [
      "store.grantGet(key, GRANT_SECONDS), { ...fetch, trusted: true }",
      'store.grantGet(new URL(key, "s3://x/").pathname.slice(1), GRANT_SECONDS), { ...fetch, trusted: true }',
    ],
  ],
  "operator/cluster/kubernetes/cluster.ts": [
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: lines of the operator, as they stand there
    ["/api/v1/namespaces/${namespace}/secrets/", "/api/v1/namespaces/${process.env.OTHER}/secrets/"],
    ["/api/v1/namespaces/${namespace}/configmaps/", "/api/v1/namespaces/${process.env.OTHER}/configmaps/"],
  ],
  "operator/reconcilers/modeldeployment/resolve.ts": [
    ['${metadata.namespace ?? "default"}/${name}', "${process.env.OTHER}/${name}"],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: to here
  ],
  "operator/cluster/kubernetes/access.ts": [
    ['!user?.username) return "Unauthenticated"', '!user?.username) return "Allowed"'],
    ['access.status?.allowed ? "Allowed" : "Denied"', '"Allowed"'],
  ],
  "operator/observability/caller.ts": [['headers.authorization ?? ""', 'headers.authorization ?? "anyone"']],
};

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
  await tryAll();
}, 400_000);
afterAll(async () => {
  for (const { namespace } of [ada, mallory].filter((one) => one !== undefined))
    for (const kind of KINDS) await cluster.run(["delete", kind, "--all", "-n", namespace, "--timeout=60s"]);
  for (const end of close) end();
  rmSync(folder, { recursive: true, force: true });
});

/** Everything as things are; then with roles that were given; then of an operator without its guards. */
async function tryAll(): Promise<void> {
  for (let time = 0; time < TIMES; time++)
    await Promise.all(
      cases
        .filter(({ times = TIMES }) => time < times)
        .map(async (one) => guarded.set(one, [...(guarded.get(one) ?? []), await one.attempt()])),
    );
  const again = (isIt: (how: Way) => boolean) =>
    Promise.all(
      cases
        .filter(({ how }) => isIt(how))
        .map(async (one) => {
          const got = await one.attempt();
          without.set(one, got && !got.startsWith(UNEXPECTED) ? got : undefined);
        }),
    );
  await cluster.apply(...given());
  // An authorizer hears of a role a moment later.
  await eventually("the roles that were given", 30, async () =>
    (await Promise.all([mayNow(mallory, "get", "pods"), mayNow(ada, "patch", "trainingjobs/status")])).every(
      Boolean,
    ),
  );
  await again((how) => how.startsWith("with a role"));
  for (const { kind, metadata } of given())
    await cluster.kubectl("delete", kind, String(metadata.name), "-n", ada.namespace);
  await eventually("the roles to be taken back", 30, async () => !(await mayNow(mallory, "get", "pods")));

  await cluster.operator("absent");
  await unguardedOperator();
  await again((how) => how.startsWith("by an operator"));
}

const mayNow = async ({ account }: Tenant, verb: string, what: string): Promise<boolean> =>
  (await cluster.run(["auth", "can-i", verb, what, "-n", ada.namespace, "--as", account])).code === 0;

/** What the guards of the API server are without: mallory edits in ada's namespace, and ada writes statuses. */
const given = (): Manifest[] => [
  {
    ...bound("edit", ada.namespace, "mallory"),
    metadata: { name: "given", namespace: ada.namespace },
    subjects: [{ kind: "ServiceAccount", name: "mallory", namespace: mallory.namespace }],
  },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name: "statuses", namespace: ada.namespace },
    rules: [{ apiGroups: ["autoai.dev"], resources: ["trainingjobs/status"], verbs: ["patch"] }],
  },
  {
    ...bound("edit", ada.namespace, "ada"),
    metadata: { name: "statuses", namespace: ada.namespace },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "statuses" },
  },
];

/** This tree's operator with its guards taken out, in place of the installed one. */
async function unguardedOperator(): Promise<void> {
  for (const part of ["operator", "inference-server"])
    copyWith(
      join(ROOT, part),
      join(folder, part),
      Object.fromEntries(
        Object.entries(UNGUARDED).flatMap(([file, edits]) =>
          file.startsWith(`${part}/`) ? [[file.slice(part.length + 1), edits]] : [],
        ),
      ),
    );
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  for (const part of ["node_modules", "runner"]) symlinkSync(join(ROOT, part), join(folder, part));
  const secret = await cluster.get<{ data: Record<string, string> }>("secret", OPERATOR, "autoai-store");
  const key = (name: string) => Buffer.from(secret?.data[name] ?? "", "base64").toString("utf8");
  const { port, close: end } = await forwarded(cluster, OPERATOR, "service/autoai-minio", 9000);
  const { child, port: answers } = await startOperator(cluster, {
    identity: "unguarded",
    namespace: mallory.namespace,
    store: { endpoint: `http://127.0.0.1:${port}`, stop: end },
    directory: folder,
    env: {
      AUTOAI_WATCH_NAMESPACES: `${ada.namespace},${mallory.namespace}`,
      AUTOAI_STORE_ACCESS_KEY: key("accessKey"),
      AUTOAI_STORE_SECRET_KEY: key("secretKey"),
      OTHER: ada.namespace,
    },
  });
  close.push(() => child.kill("SIGKILL"), end);
  http = `http://127.0.0.1:${answers}`;
}

/** A row of the table: tried above, judged here. */
function tried(one: Case): void {
  cases.push(one);
  attack(one.name, {
    ...one,
    attempt: (number) => {
      const got = guarded.get(one);
      if (got === undefined || number >= got.length) throw new Error(`${one.name} was not tried`);
      return got[number];
    },
    without: { how: one.how, attempt: () => without.get(one) },
  });
}

/** A refusal, but another than was expected: neither held nor a success. */
const UNEXPECTED = "not the refusal, but";

/** Makes an object, and waits until the operator has a verdict. Gives what it got; nothing where that is the refusal. */
async function verdict(plural: string, manifest: Manifest, refusal: string): Promise<Got> {
  const { name, namespace } = manifest.metadata as { name: string; namespace: string };
  const applied = await cluster.run(["apply", "--server-side", "-f", "-"], JSON.stringify(manifest));
  if (applied.code !== 0) return undefined;
  const path = `/apis/autoai.dev/v1alpha1/namespaces/${namespace}/${plural}/${name}`;
  return eventually(`a verdict on ${plural} ${namespace}/${name}`, 120, async () => {
    // Not by kubectl: all of them are asked often, at once.
    const found = await api.find<{ status?: { conditions?: Condition[] } }>(path);
    const ready = found?.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.reason === refusal) return { refused: true };
    if (ready?.status === "False" || ready?.reason === "ModelNotReady")
      return { got: ready.reason === "ModelNotReady" ? ready.message : `${UNEXPECTED} ${ready.reason}` };
    // The operator brings the bytes before anything is made of them.
    const keys = await store.list(`datasets/${namespace}/${name}-`);
    const brought = keys.find((key) => key.endsWith("/source.csv"));
    return brought === undefined ? undefined : { got: `the operator brought ${brought}` };
  }).then((found) => ("got" in found ? found.got : undefined));
}

let count = 0;
/** Something that names what is ada's: refused to mallory with this reason. */
function deputy(
  name: string,
  kind: "Dataset" | "ModelDeployment" | "TrainingJob",
  spec: (theirs: Tenant, mine: Tenant) => object,
  guard: string,
  how: Way,
): void {
  const plural = `${kind.toLowerCase()}s`;
  tried({
    ...{ name, guard, how, times: 1, place: "another namespace, through the operator" },
    attempt: () =>
      verdict(plural, object(kind, mallory.namespace, `asks-${++count}`, spec(ada, mallory)), guard),
  });
}

describe("through the operator", () => {
  const uri = (of: (theirs: Tenant, mine: Tenant) => string) => (theirs: Tenant, mine: Tenant) => ({
    source: { uri: of(theirs, mine) },
  });
  const rows = uri(({ namespace }) => `s3://autoai/sources/${namespace}/rows.csv`);
  const unasked = "by an operator that does not ask whose it is";
  const elsewhere = "by an operator that looks names up elsewhere";
  deputy("another's file in the operator's bucket", "Dataset", rows, "SourceForbidden", unasked);
  deputy(
    "another's job in the operator's bucket",
    "Dataset",
    uri(({ namespace }) => `s3://autoai/jobs/${namespace}/job-1/data/rows.csv`),
    "SourceForbidden",
    unasked,
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
      "by an operator that reads a key as a path",
    );
  deputy(
    "another's ConfigMap",
    "Dataset",
    () => ({ source: { configMapKeyRef: { name: "rows", key: "rows.csv" } } }),
    "ConfigMapNotFound",
    elsewhere,
  );
  deputy(
    "another's Secret as credentials of a bucket",
    "Dataset",
    ({ namespace }) => ({
      source: { uri: `s3://autoai/sources/${namespace}/rows.csv`, credentialsSecretRef: { name: "keys" } },
    }),
    "SecretNotFound",
    elsewhere,
  );
  deputy(
    "another's job as the model to serve",
    "ModelDeployment",
    () => ({ modelRef: { trainingJob: "job" } }),
    "TrainingJobNotFound",
    elsewhere,
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
    tried({
      name: `kubectl ${words.slice(0, 3).join(" ")} of another's`,
      place: "another namespace, by the API server",
      guard: "RBAC",
      how: "with a role in the other namespace",
      attempt: asks(() => mallory, words),
    });
  }
  const patch = '{"status":{"observedGeneration":1}}';
  const words = ["patch", "trainingjob", "job", "--subresource=status", "--type=merge", "-p", patch];
  tried({
    name: "a status written by hand",
    place: "its own namespace, by the API server",
    guard: "the chart's roles",
    how: "with a role that may",
    attempt: asks(() => ada, [...words, "--dry-run=server"]),
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
    for (const [who, guard, token] of [
      ["of another's namespace", "SubjectAccessReview", () => mallory.token],
      ["without a token", "a token is asked for", () => ""],
      ["with a token that was changed", "TokenReview", () => `${ada.token.slice(0, -6)}AAAAAA`],
    ] as const)
      tried({
        name: `the ${what}, ${who}`,
        place: "the operator's HTTP",
        guard,
        how: "by an operator that believes every token",
        attempt: asks(token),
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
