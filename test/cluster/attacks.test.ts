/**
 * Attacks from inside a tool pod and from inside a model's worker, on a real cluster. One pod with all guards up tries everything that
 * test/attacks/programs/attempts.py knows; then one pod for each guard that is taken away.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { Limits, Outcome, SandboxedExecution } from "../../operator/sandbox/executor.ts";
import type { PodExecutor } from "../../operator/sandbox/pods/pod-executor.ts";
import type { PodManifest, Pods } from "../../operator/sandbox/pods/pods.ts";
import { RUNNER_PATH } from "../../operator/sandbox/pods/settings.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import { BOMBS, bombGot, SMALL } from "../attacks/bombs.ts";
import { attack, type Got, TIMES } from "../attacks/ledger.ts";
import { apiOf } from "./api.ts";
import { image } from "./choice.ts";
import { type Manifest, withCluster } from "./cluster.ts";
import { type Bench, executorOn } from "./executor.ts";
import { type HostileServer, hostileServer } from "./hostile-server.ts";
import { environmentsClaim, storePod } from "./minio-pod.ts";
import { storeHere } from "./store.ts";

const cluster = withCluster();
const ATTEMPTS = readFileSync(join(import.meta.dirname, "../attacks/programs/attempts.py"));
const CLAIM = "environments";
const MIB = 1024 ** 2;
const LIMITS: Limits = { seconds: 60, cpus: 1, memoryBytes: 256 * MIB, diskBytes: 64 * MIB, processes: 40 };
const STORE = { accessKey: "attacked-access", secretKey: "attacked-secret-key" };
const METADATA = "169.254.169.254";
const UNLED = "elsewhere nobody knows what answers at that address";
const LABELS_KEY = "jobs/other/churn-1/data/selection.labels.csv";
const LABELS = "row,label\n1,secret\n";
const WORKSPACE_KEY = "jobs/other/workspaces/one.tar";

type Report = Readonly<Record<string, string | null>>;
// biome-ignore lint/suspicious/noExplicitAny: a manifest as it stands
type Json = any;

let namespace = "";
let victims = "";
let bench: Bench;
let base = "";
let targets: Readonly<Record<string, unknown>>;
let endRoute = async () => {};
let endStore = () => {};

beforeAll(async () => {
  [namespace, victims] = await Promise.all([cluster.namespace("attacks"), cluster.namespace("victims")]);
  await cluster.apply(
    environmentsClaim(namespace, CLAIM),
    storePod(namespace, STORE),
    victim(victims),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "victim", namespace: victims },
      spec: { selector: { app: "victim" }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    unfenced(namespace),
  );
  await Promise.all(
    [
      [namespace, "store"],
      [victims, "victim"],
    ].map(([where, name]) =>
      cluster.kubectl("wait", "-n", String(where), "--for=condition=Ready", `pod/${name}`, "--timeout=120s"),
    ),
  );
  const reached = await storeHere(cluster, namespace);
  endStore = reached.close;
  bench = await executorOn({
    storeHere: reached.endpoint,
    api: apiOf(cluster),
    namespace,
    storeAddress: await read("pod", namespace, "store", "{.status.podIP}"),
    keys: STORE,
    environmentsClaim: async () => CLAIM,
  });
  base = await installed();
  targets = await targetsOf();
}, 600_000);
afterAll(async () => {
  await endRoute();
  await bench?.close();
  endStore();
});

const read = async (kind: string, where: string, name: string, path: string): Promise<string> =>
  (await cluster.kubectl("get", kind, name, "-n", where, "-o", `jsonpath=${path}`)).trim();

/** A pod of another namespace that answers whoever reaches it. */
function victim(where: string): Manifest {
  const program =
    "import http.server; http.server.ThreadingHTTPServer(('', 8080), http.server.SimpleHTTPRequestHandler).serve_forever()";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "victim", namespace: where, labels: { app: "victim" } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "victim",
          image: image("runner"),
          imagePullPolicy: "IfNotPresent",
          command: ["python", "-c", program],
          workingDir: "/tmp",
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  };
}

/** Policies add up: who has this label is held back by none. */
function unfenced(where: string): Manifest {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "unfenced", namespace: where },
    spec: { podSelector: { matchLabels: { fence: "none" } }, policyTypes: ["Egress"], egress: [{}] },
  };
}

async function installed(): Promise<string> {
  const outcome = await bench.finish({
    kind: "Install",
    name: "install-base",
    owner: `${namespace}/base`,
    limits: { ...LIMITS, seconds: 300, memoryBytes: 1024 * MIB, diskBytes: 1024 * MIB },
    packages: [],
    inputs: {},
    outputs: {},
    outcomeKey: "outcomes/install-base.json",
  });
  return String(outcome.environment);
}

/** Leads the address at which clouds answer their machines to the victim, on this machine's own node; elsewhere it is a cloud's affair. */
async function metadataLedTo(address: string): Promise<void> {
  if (!cluster.own) return;
  const run = join(cluster.kubeconfig, "..");
  const init = readFileSync(join(run, "pid"), "utf8").trim();
  const node = (await promisify(execFile)("pgrep", ["-P", init])).stdout.trim().split("\n")[0];
  const rule = ["PREROUTING", "-d", `${METADATA}/32`, "-p", "tcp", "--dport", "80"];
  const to = ["-j", "DNAT", "--to-destination", `${address}:8080`];
  const tables = (verb: string) =>
    promisify(execFile)("nsenter", [
      "--net",
      "--target",
      String(node),
      "iptables",
      "-t",
      "nat",
      verb,
      ...rule,
      ...to,
    ]);
  await tables("-I");
  endRoute = async () => {
    await tables("-D");
  };
}

/** Where the attempts are aimed. */
async function targetsOf(): Promise<Record<string, unknown>> {
  const { store, endpoint } = bench;
  const address = await read("pod", victims, "victim", "{.status.podIP}");
  const service = await read("service", victims, "victim", "{.spec.clusterIP}");
  const [api, dns] = await Promise.all([
    read("service", "default", "kubernetes", "{.spec.clusterIP}"),
    read("service", "kube-system", "kube-dns", "{.spec.clusterIP}"),
  ]);
  const server = new URL(
    await cluster.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"),
  );
  await metadataLedTo(address);
  await store.put(LABELS_KEY, Buffer.from(LABELS));
  await store.put(WORKSPACE_KEY, Buffer.from("another's files"));
  await store.put("jobs/mine/workspaces/one.tar", Buffer.from("its own files"));
  const own = {
    read: await store.grantGet("jobs/mine/workspaces/one.tar", 3600),
    write: await store.grantPut("jobs/mine/workspaces/one.tar", 3600),
  };
  const theirs = (url: string) =>
    ["jobs/other", "jobs/mine/../other", "jobs/mine%2f..%2fother"].map((end) =>
      url.replace("jobs/mine", end),
    );
  const guesses = [
    ["minioadmin", "minioadmin"],
    ["minio", "minio123"],
    [STORE.accessKey, "minioadmin"],
    ["autoai", "autoai"],
  ].map(([accessKey = "", secretKey = ""]) =>
    new S3Store({ endpoint, bucket: "autoai", region: "us-east-1", accessKey, secretKey }).grantGet(
      LABELS_KEY,
      600,
    ),
  );
  const expired = await store.grantGet(LABELS_KEY, 1);
  const mine = await store.grantPut("jobs/mine/outcome.json", 3600);
  const beyond = [
    "../other/outcome.json",
    "%2e%2e/other/outcome.json",
    "../../jobs/other/outcome.json",
    "more",
  ].map((end) => mine.replace("outcome.json?", `${end}?`));
  const form = await store.grantPost("jobs/mine/workspaces/", 3600, 1000);
  const keys = ["jobs/other/poison", "jobs/mine/workspaces/../../other/poison", "environments/poison.tar"];
  return {
    ...(cluster.own ? { "metadata address": [`${METADATA}:80`] } : {}),
    "API server by its Service": `${api}:443`,
    "API server by its address": `${server.hostname}:${server.port || 443}`,
    "another pod by its address": `${address}:8080`,
    "a Service by its address": `${service}:80`,
    "a Service by its name": `victim.${victims}.svc.cluster.local:80`,
    "DNS as a channel": dns,
    "store with guessed keys": await Promise.all(guesses),
    "store without keys": [`${endpoint}/autoai/${LABELS_KEY}`, `${endpoint}/autoai?list-type=2`],
    "a URL after its expiry": [expired],
    "a URL beyond its key": [
      ...beyond,
      mine.replace("jobs/mine", "jobs/other"),
      mine.replace("X-Amz-Expires=3600", "X-Amz-Expires=86400"),
    ],
    "a form beyond its prefix": keys.map((key) => ({ url: form.url, fields: { ...form.fields, key } })),
    "another job's workspace, to be read": theirs(own.read),
    "another job's workspace, to be written": theirs(own.write),
    "labels of rows that it is scored on": LABELS.split("\n").at(1),
    "token of the service account": null,
    "grants of the courier": null,
    "the courier's or the front's socket": ["/exchange/courier.sock", "/exchange/.courier.sock"],
    "environments of other jobs": null,
    "files of the image and of others": [
      "/poison",
      "/opt/autoai/runner/poison",
      "/exchange/poison",
      "/package/poison",
      "/shared/poison",
      "/sandbox/poison",
    ],
    "memory of the supervisor": null,
    "user 0": null,
    "a setuid program": null,
    "ptrace of another process": null,
    "a user namespace": null,
    "a mount": null,
    "a device": null,
    "settings of the kernel": null,
    "a raw socket": null,
    "a process of its own": null,
  };
}

/** With what was signed for it: the control of each attack on the store. */
async function granted(): Promise<Record<string, unknown>> {
  const { store } = bench;
  const form = await store.grantPost("jobs/mine/workspaces/", 3600, 1000);
  return {
    "store with guessed keys": [await store.grantGet(LABELS_KEY, 600)],
    "a URL after its expiry": [await store.grantGet(LABELS_KEY, 600)],
    "store without keys": [await store.grantGet(LABELS_KEY, 600)],
    "a URL beyond its key": [await store.grantPut("jobs/mine/outcome.json", 600)],
    "a form beyond its prefix": [
      { url: form.url, fields: { ...form.fields, key: `${form.fields.key}poison` } },
    ],
    "another job's workspace, to be read": [await store.grantGet(WORKSPACE_KEY, 600)],
    "another job's workspace, to be written": [await store.grantPut(WORKSPACE_KEY, 600)],
  };
}

type Change = (manifest: Json) => void;

/** An executor whose pods are changed before they are made. */
function changedBy(change: Change): PodExecutor {
  const { pods } = bench;
  const changed: Pods = {
    get: (where, name) => pods.get(where, name),
    listOwned: (owner) => pods.listOwned(owner),
    end: (where, name) => pods.end(where, name),
    remove: (where, name) => pods.remove(where, name),
    events: (where, name) => pods.events(where, name),
    ensurePolicies: (where) => pods.ensurePolicies(where),
    create: (manifest) => {
      const copy: Json = structuredClone(manifest);
      change(copy);
      return pods.create(copy as PodManifest);
    },
  };
  return bench.executorWith({ pods: changed });
}

let count = 0;
/**
 * What one pod reports. Throws with its output where it reports nothing.
 * @param more inputs that it is given beside its own
 */
async function report(
  aims: Readonly<Record<string, unknown>>,
  change?: Change,
  more: Readonly<Record<string, string>> = {},
): Promise<Report> {
  const name = `tries-${++count}`;
  const { store } = bench;
  await store.put(`inputs/${name}/attempts.py`, ATTEMPTS);
  await store.put(`inputs/${name}/targets.json`, Buffer.from(JSON.stringify(aims)));
  const execution: SandboxedExecution = {
    kind: "Sandboxed",
    name,
    owner: `${namespace}/${name}`,
    limits: LIMITS,
    inputs: {
      "attempts.py": `inputs/${name}/attempts.py`,
      "targets.json": `inputs/${name}/targets.json`,
      ...more,
    },
    outputs: { "report.json": `reports/${name}.json` },
    outcomeKey: `outcomes/${name}.json`,
    command: ["attempts.py", "targets.json", "report.json"],
    environment: base,
  };
  const outcome: Outcome = await bench.finish(execution, change && changedBy(change));
  try {
    return JSON.parse(Buffer.from(await store.get(`reports/${name}.json`)).toString()) as Report;
  } catch (error) {
    throw new Error(`${name} reported nothing: ${JSON.stringify(outcome)}`, { cause: error });
  }
}

const code = (manifest: Json): Json => manifest.spec.containers.find(({ name }: Json) => name === "code");
/** The supervisor, with something of the runner patched out before it begins. */
const patched = (manifest: Json, patch: string): void => {
  const start = `import sys; sys.path.insert(0, ${JSON.stringify(RUNNER_PATH)}); from autoai_runner import confine, supervise; ${patch}; supervise.main()`;
  const { command } = code(manifest);
  command[command.indexOf("-c") + 1] = start;
};
const NO_FILTER = "confine.filter_syscalls = lambda program: None";
const unfence: Change = ({ metadata }) => {
  metadata.labels.fence = "none";
};

/** Guards that can be taken away, each by a change to the pod. */
const CHANGES = {
  "in a pod that no policy fences": unfence,
  "in a pod with the cluster's DNS that no policy fences": (manifest) => {
    unfence(manifest);
    manifest.spec.dnsPolicy = "ClusterFirst";
    delete manifest.spec.dnsConfig;
  },
  "with a token mounted": ({ spec }) => {
    spec.automountServiceAccountToken = true;
  },
  "with the grant in the code's container, and hide() patched out": (manifest) => {
    const courier = manifest.spec.containers.find(({ name }: Json) => name === "courier");
    code(manifest).env = courier.env;
    patched(manifest, "confine.hide = lambda: None");
  },
  "with the claim mounted whole and writable": (manifest) => {
    code(manifest).volumeMounts.push({ name: "environments", mountPath: "/environments" });
    manifest.spec.securityContext.fsGroup = 65532;
  },
  "with the filter of system calls patched out": (manifest) => patched(manifest, NO_FILTER),
  "with the filter patched out and privilege escalation allowed": (manifest) => {
    patched(manifest, NO_FILTER);
    code(manifest).securityContext.allowPrivilegeEscalation = true;
  },
  "in a privileged pod, with the filter patched out": (manifest) => {
    patched(manifest, `${NO_FILTER}; supervise.guard = lambda: None`);
    manifest.spec.securityContext = { runAsUser: 0, seccompProfile: { type: "Unconfined" } };
    code(manifest).securityContext = { privileged: true, runAsUser: 0, runAsGroup: 0 };
  },
  "where the courier listens on": (manifest) => {
    const courier = manifest.spec.containers.find(({ name }: Json) => name === "courier");
    const start =
      "from autoai_runner import converse, courier; converse.accept = lambda listener, path, seconds=120.0: listener.accept()[0]; import sys; sys.exit(courier.main())";
    courier.command = ["python3", "-c", start];
  },
} as const satisfies Record<string, Change>;
type Way = keyof typeof CHANGES;

/** What stops each attempt from a tool pod, and how that is taken away. */
const FROM_TOOL_POD: readonly (readonly [
  name: string,
  guard: string,
  how: Way | "with what was signed for it" | "with the labels among its inputs",
])[] = [
  ["metadata address", "NetworkPolicy autoai-execution", "in a pod that no policy fences"],
  ["API server by its Service", "NetworkPolicy autoai-execution", "in a pod that no policy fences"],
  ["API server by its address", "NetworkPolicy autoai-execution", "in a pod that no policy fences"],
  ["another pod by its address", "NetworkPolicy autoai-execution", "in a pod that no policy fences"],
  ["a Service by its address", "NetworkPolicy autoai-execution", "in a pod that no policy fences"],
  ["DNS as a channel", "NetworkPolicy autoai-execution", "in a pod that no policy fences"],
  [
    "a Service by its name",
    "no resolver, NetworkPolicy",
    "in a pod with the cluster's DNS that no policy fences",
  ],
  ["store with guessed keys", "the store's credentials", "with what was signed for it"],
  ["store without keys", "the store's credentials", "with what was signed for it"],
  ["a URL after its expiry", "expiry of grants", "with what was signed for it"],
  ["a URL beyond its key", "signature of grants", "with what was signed for it"],
  ["a form beyond its prefix", "policy of form grants", "with what was signed for it"],
  ["another job's workspace, to be read", "signature of grants", "with what was signed for it"],
  ["another job's workspace, to be written", "signature of grants", "with what was signed for it"],
  [
    "labels of rows that it is scored on",
    "no execution of generated code is given them",
    "with the labels among its inputs",
  ],
  ["token of the service account", "automountServiceAccountToken: false", "with a token mounted"],
  [
    "grants of the courier",
    "a container of its own, hide()",
    "with the grant in the code's container, and hide() patched out",
  ],
  ["the courier's or the front's socket", "gone before the code starts", "where the courier listens on"],
  [
    "environments of other jobs",
    "one environment, mounted read-only",
    "with the claim mounted whole and writable",
  ],
  [
    "files of the image and of others",
    "read-only root and mounts",
    "in a privileged pod, with the filter patched out",
  ],
  ["memory of the supervisor", "hide()", "with the grant in the code's container, and hide() patched out"],
  ["user 0", "no capabilities, another user", "in a privileged pod, with the filter patched out"],
  ["a setuid program", "no new privileges", "with the filter patched out and privilege escalation allowed"],
  ["ptrace of another process", "filter of system calls", "with the filter of system calls patched out"],
  ["a user namespace", "filter of system calls, seccomp", "in a privileged pod, with the filter patched out"],
  ["a mount", "filter of system calls, no capabilities", "in a privileged pod, with the filter patched out"],
  ["a device", "no capabilities", "in a privileged pod, with the filter patched out"],
  ["settings of the kernel", "/proc/sys is read-only", "in a privileged pod, with the filter patched out"],
  [
    "a raw socket",
    "filter of system calls, no capabilities",
    "in a privileged pod, with the filter patched out",
  ],
];

describe("from a tool pod", () => {
  const guarded: Report[] = [];
  const without = new Map<string, Report>();
  beforeAll(async () => {
    for (let time = 0; time < TIMES; time++) guarded.push(await report(targets));
    without.set("with what was signed for it", await report(await granted()));
    const labels = "labels of rows that it is scored on";
    const inputs = { "labels.csv": LABELS_KEY };
    without.set(
      "with the labels among its inputs",
      await report({ [labels]: targets[labels] }, undefined, inputs),
    );
    // From here on pods may be what the namespace would refuse.
    await cluster.kubectl(
      "label",
      "namespace",
      namespace,
      "pod-security.kubernetes.io/enforce=privileged",
      "--overwrite",
    );
    const ways = Object.entries(CHANGES);
    await Promise.all(
      ways.map(async ([how, change]) => {
        const names = FROM_TOOL_POD.filter(([, , way]) => way === how).map(([name]) => name);
        const aims = Object.fromEntries(names.map((name) => [name, targets[name]]));
        without.set(how, await report(aims, change));
      }),
    );
  }, 300_000);

  for (const [name, guard, how] of FROM_TOOL_POD) {
    if (name === "metadata address" && !cluster.own) {
      test.skip(cluster.ownOnly(`${name} (tool pod)`, UNLED));
      continue;
    }
    attack(name, {
      place: "tool pod",
      guard,
      attempt: (number) => guarded[number]?.[name],
      without: { how, attempt: () => without.get(how)?.[name] },
    });
  }
});

/** A bomb in a tool pod; with a line of the supervisor replaced before it begins, by a copy of it that the pod makes for itself. */
async function exploded(
  source: string,
  limits: Partial<Limits>,
  patch?: readonly [string, string],
): Promise<Got> {
  const name = `bomb-${++count}`;
  await bench.store.put(`inputs/${name}/bomb.py`, Buffer.from(source));
  const execution: SandboxedExecution = {
    ...{ kind: "Sandboxed", name, owner: `${namespace}/${name}`, limits: { ...SMALL, ...limits } },
    ...{ inputs: { "bomb.py": `inputs/${name}/bomb.py` }, outputs: {}, outcomeKey: `outcomes/${name}.json` },
    ...{ command: ["bomb.py"], environment: base },
  };
  const by = patch && changedBy((manifest) => rewritten(manifest, ...patch));
  return bombGot(await bench.finish(execution, by));
}

/** The supervisor of a text in which something was replaced. Fails where it does not stand there. */
function rewritten(manifest: Json, before: string, after: string): void {
  const path = `${RUNNER_PATH}/autoai_runner/supervise.py`;
  const start =
    `import sys; sys.path.insert(0, ${JSON.stringify(RUNNER_PATH)}); text = open(${JSON.stringify(path)}).read(); ` +
    `assert ${JSON.stringify(before)} in text; import autoai_runner; space = {"__name__": "autoai_runner.supervise", "__file__": ${JSON.stringify(path)}}; ` +
    `exec(compile(text.replace(${JSON.stringify(before)}, ${JSON.stringify(after)}), ${JSON.stringify(path)}, "exec"), space); space["main"]()`;
  const { command } = code(manifest);
  command[command.indexOf("-c") + 1] = start;
}

/** Of make attacks alone: make test has the limits of a tool pod in pods.test.ts. */
function bombs(): void {
  describe("bombs in a tool pod", () => {
    for (const { name, source, how, without, patch, limits } of BOMBS)
      attack(name, {
        place: "tool pod",
        guard: "limits",
        attempt: () => exploded(source, limits ?? {}),
        without: { how, attempt: () => exploded(source, without, patch) },
      });
  });
}
if (process.env.ATTACK_TIMES !== undefined) bombs();

/** The keeper, with the worker's confinement patched out. */
const UNCONFINED =
  `import sys; sys.path.insert(0, ${JSON.stringify(RUNNER_PATH)}); from autoai_runner.serve import keeper; command = keeper.Keeper._command; ` +
  `keeper.Keeper._command = lambda self, *ends: [part.replace("import main; main()", "import main; from autoai_runner import confine; confine.confine_server = lambda memory: None; main()") for part in command(self, *ends)]; keeper.main()`;
const model = (pod: Json): Json => pod.spec.containers.find(({ name }: Json) => name === "model");
const unconfine: Change = (pod) => {
  const { command } = model(pod);
  command[command.indexOf("-c") + 1] = UNCONFINED;
};

const MODEL_CHANGES = {
  "where the worker is not confined": unconfine,
  "where the worker is not confined, and no policy fences its pod": (pod) => {
    unconfine(pod);
    unfence(pod);
  },
  "with a token mounted": (pod) => {
    pod.spec.automountServiceAccountToken = true;
  },
  "with the front's Secret mounted": (pod) => {
    model(pod).volumeMounts.push(
      { name: "grants", mountPath: "/grants" },
      { name: "shipping", mountPath: "/shipping" },
    );
  },
  "with its package mounted writable, by the front's user": (pod) => {
    const mount = model(pod).volumeMounts.find(({ name }: Json) => name === "package");
    mount.readOnly = false;
    Object.assign(model(pod).securityContext, { runAsUser: 65532, runAsGroup: 65532 });
  },
  "with the claim mounted whole and writable, by the front's user": (pod) => {
    model(pod).volumeMounts.push({ name: "environments", mountPath: "/environments" });
    pod.spec.securityContext.fsGroup = 65532;
    Object.assign(model(pod).securityContext, { runAsUser: 65532, runAsGroup: 65532 });
  },
} as const satisfies Record<string, Change>;

const FROM_MODEL: readonly (readonly [name: string, guard: string, how: keyof typeof MODEL_CHANGES])[] = [
  [
    "metadata address",
    "no sockets; NetworkPolicy",
    "where the worker is not confined, and no policy fences its pod",
  ],
  [
    "API server by its Service",
    "no sockets; NetworkPolicy",
    "where the worker is not confined, and no policy fences its pod",
  ],
  [
    "another pod by its address",
    "no sockets; NetworkPolicy",
    "where the worker is not confined, and no policy fences its pod",
  ],
  [
    "a Service by its address",
    "no sockets; NetworkPolicy",
    "where the worker is not confined, and no policy fences its pod",
  ],
  ["DNS as a channel", "no sockets", "where the worker is not confined"],
  ["a server of its own", "no sockets", "where the worker is not confined"],
  ["the courier's or the front's socket", "no sockets", "where the worker is not confined"],
  ["a process of its own", "no processes", "where the worker is not confined"],
  ["memory beyond its share", "a limit of the kernel", "where the worker is not confined"],
  ["ptrace of another process", "no processes", "where the worker is not confined"],
  ["token of the service account", "automountServiceAccountToken: false", "with a token mounted"],
  ["grants of the courier", "no Secret is mounted", "with the front's Secret mounted"],
  [
    "files of the image and of others",
    "read-only package, another user",
    "with its package mounted writable, by the front's user",
  ],
  [
    "environments of other jobs",
    "one environment, mounted read-only, another user",
    "with the claim mounted whole and writable, by the front's user",
  ],
];

/** Of make attacks alone: it takes a server for each guard. */
function fromModel(): void {
  describe("from a model that acts when it is loaded", () => {
    const guarded: Report[] = [];
    const without = new Map<string, Report>();
    beforeAll(async () => {
      const aims = {
        ...targets,
        "the courier's or the front's socket": ["/shared/worker.sock"],
        "a server of its own": 9999,
        // More than its container has; of what is not written to, an unlimited process may have as much as it likes.
        "memory beyond its share": 2 * 1024 * MIB,
      };
      const where = { namespace, environment: base, claim: CLAIM };
      const server: HostileServer = await hostileServer(cluster, bench.store, where, ATTEMPTS, aims);
      for (let time = 0; time < TIMES; time++) guarded.push(await server.report());
      await Promise.all(
        Object.entries(MODEL_CHANGES).map(async ([how, change]) =>
          without.set(how, await server.report(change)),
        ),
      );
    }, 400_000);

    for (const [name, guard, how] of FROM_MODEL) {
      if (name === "metadata address" && !cluster.own) {
        test.skip(cluster.ownOnly(`${name} (model worker)`, UNLED));
        continue;
      }
      attack(name, {
        place: "model worker",
        guard,
        attempt: (number) => guarded[number]?.[name],
        without: { how, attempt: () => without.get(how)?.[name] },
      });
    }
  });
}
if (process.env.ATTACK_TIMES !== undefined) fromModel();
