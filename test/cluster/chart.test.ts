/** The chart on a real cluster: installed, upgraded from an older version, uninstalled, and what is left then. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chart, type HelmResult, type Manifest, nested, runHelm, withValues } from "../chart/helm.ts";
import { withCluster } from "./cluster.ts";

const cluster = withCluster();
const release = `chart-${process.pid}`;
const name = `${release}-autoai`;
const CRDS = ["datasets.autoai.dev", "modeldeployments.autoai.dev", "trainingjobs.autoai.dev"];
const MINUTES = 60_000;

const TOOL = { "app.kubernetes.io/managed-by": "autoai", "autoai.dev/role": "execution" };

/** Of the release, and of its jobs. */
let namespace = "";
let jobs = "";
/** The CRDs as they were found. */
let before: readonly Manifest[] = [];

const read = async (...args: string[]): Promise<Manifest> =>
  JSON.parse(await cluster.kubectl("get", ...args, "--output=json"));
const credentials = async () => (await read("secret", `${name}-store`, "--namespace", namespace)).data;
const minioPod = () => read("pod", `${name}-minio-0`, "--namespace", namespace);

function helm(...args: string[]): HelmResult {
  return runHelm([...args, "--namespace", namespace], { KUBECONFIG: cluster.kubeconfig });
}

/** Installs or upgrades the chart in this folder, and waits until everything in it is ready. */
async function deploy(folder: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const values = {
    watchNamespaces: [jobs],
    "operator.resources": { requests: { cpu: "10m", memory: "64Mi" } },
    "minio.resources": { requests: { cpu: "10m", memory: "64Mi" } },
    "minio.persistence.size": "1Gi",
    "minio.persistence.whenUninstalled": "Retain",
    ...more,
  };
  const about = execFileSync(join(import.meta.dirname, "chart-arguments"), {
    encoding: "utf8",
    env: cluster.own ? { ...process.env, KUBECONFIG: cluster.kubeconfig } : process.env,
  });
  const { status, stderr } = withValues(nested(values), (file) =>
    // Another release of this cluster may own the CRDs.
    helm(
      "upgrade",
      "--install",
      release,
      folder,
      ...about.trim().split("\n"),
      "--values",
      file,
      "--take-ownership",
      "--wait",
      "--timeout=3m",
    ),
  );
  if (status !== 0) {
    throw new Error(`${stderr}\n${await cluster.kubectl("get", "pods,events", "--namespace", namespace)}`);
  }
}

/** The chart as it might have been a version ago: without a budget for disruptions, and with another word in a CRD. */
function older(): string {
  const folder = join(mkdtempSync(join(tmpdir(), "autoai-chart-")), "autoai");
  cpSync(chart, folder, { recursive: true });
  const edit = (file: string, from: RegExp, to: string) => {
    const text = readFileSync(join(folder, file), "utf8");
    expect(text, file).toMatch(from);
    writeFileSync(join(folder, file), text.replace(from, to));
  };
  edit("Chart.yaml", /^version: .*$/m, "version: 0.0.1");
  edit(
    "templates/crds/autoai.dev_modeldeployments.yaml",
    /description: When it was created\./,
    "description: Before.",
  );
  rmSync(join(folder, "templates", "poddisruptionbudget.yaml"));
  return folder;
}

/** A pod under Pod Security restricted that runs a command of an image to its end; what it printed. */
async function printed(pod: {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly where?: string;
  readonly env?: Readonly<Record<string, string>>;
}): Promise<string> {
  const { name: podName, image, command, labels = TOOL, where = jobs, env = {} } = pod;
  await cluster.apply({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: podName, namespace: where, labels },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "main",
          image,
          command,
          env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  });
  await cluster.kubectl(
    ...["wait", "--namespace", where, `pod/${podName}`, "--timeout=120s"],
    "--for=jsonpath={.status.phase}=Succeeded",
  );
  return cluster.kubectl("logs", "--namespace", where, podName);
}

/** The operator's container, as it is deployed. */
const operatorContainer = async (): Promise<Manifest> =>
  (await read("deployment", name, "--namespace", namespace)).spec.template.spec.containers[0];

/** Runs a program that speaks to the store as the operator does, with its code and its credentials. */
async function inStore(podName: string, program: string): Promise<string> {
  const { accessKey, secretKey } = await credentials();
  const decoded = (text: string) => Buffer.from(text, "base64").toString();
  const options = {
    endpoint: `http://${name}-minio.${namespace}.svc:9000`,
    bucket: "autoai",
    region: "us-east-1",
    accessKey: decoded(accessKey),
    secretKey: decoded(secretKey),
  };
  const code = `import { S3Store } from "/opt/autoai/dist/operator/storage/minio.js";
    const store = new S3Store(JSON.parse(process.env.OPTIONS));
    ${program}`;
  return printed({
    name: podName,
    image: (await operatorContainer()).image,
    command: ["node", "--input-type=module", "--eval", code],
    env: { OPTIONS: JSON.stringify(options) },
  });
}

/** Whatever of the release is in the cluster, as `kind/name`. */
async function left(): Promise<string[]> {
  const kinds = (await cluster.kubectl("api-resources", "--verbs=list", "--output=name"))
    .split("\n")
    .filter(
      (kind) => kind !== "" && !/^(events\b|componentstatuses|endpoints$|.*metrics\.k8s\.io)/.test(kind),
    );
  const found = await cluster.kubectl(
    ...["get", kinds.join(","), "--all-namespaces", "--output=name", "--ignore-not-found"],
    ...["--selector", `app.kubernetes.io/instance=${release}`],
  );
  return found
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}

const can = async (who: string, ...what: string[]) =>
  (await cluster.run(["auth", "can-i", ...what, `--as=${who}`])).out.trim();

beforeAll(async () => {
  before = (await read("crd", "--selector=app.kubernetes.io/part-of=autoai")).items;
  namespace = await cluster.namespace("chart-system");
  jobs = await cluster.namespace("chart-jobs");
});

afterAll(async () => {
  helm("uninstall", release, "--ignore-not-found", "--wait");
  // The CRDs go back to the release that had them.
  for (const { metadata } of before) {
    const pairs = (record: Record<string, string> = {}, prefix: RegExp) =>
      Object.entries(record)
        .filter(([key]) => prefix.test(key))
        .map(([key, value]) => `${key}=${value}`);
    const annotations = pairs(metadata.annotations, /^meta\.helm\.sh\//);
    const labels = pairs(metadata.labels, /^(app\.kubernetes\.io|helm\.sh)\//);
    await cluster.kubectl("annotate", "--overwrite", "crd", metadata.name, ...annotations);
    await cluster.kubectl("label", "--overwrite", "crd", metadata.name, ...labels);
  }
}, 2 * MINUTES);

describe("the chart", () => {
  test(
    "is installed where Pod Security is restricted: two operators and a store, ready",
    async () => {
      await deploy(older());
      const { status } = await read("deployment", name, "--namespace", namespace);
      expect(status.readyReplicas).toBe(2);
      expect((await minioPod()).status.phase).toBe("Running");
      expect(await cluster.kubectl("get", "crd", "modeldeployments.autoai.dev", "--output=yaml")).toContain(
        "Before.",
      );
    },
    4 * MINUTES,
  );

  test(
    "lets tool pods of its namespaces reach the store, and no other pod",
    async () => {
      const { env } = (await read("deployment", name, "--namespace", namespace)).spec.template.spec
        .containers[0];
      const image = env.find((one: Manifest) => one.name === "AUTOAI_RUNNER_IMAGE").value;
      const probe = `import socket
try:
    socket.create_connection(("${name}-minio.${namespace}.svc", 9000), 5)
    print("reached")
except OSError as error:
    print("refused", error)`;
      const command = ["python3", "-c", probe];
      const beside = { image, command, where: namespace };
      expect(await printed({ name: "tool", image, command })).toMatch(/^reached/);
      expect(await printed({ name: "other", image, command, labels: { app: "web" } })).toMatch(/^refused/);
      expect(await printed({ name: "beside-the-store", ...beside })).toMatch(/^refused/);
    },
    4 * MINUTES,
  );

  test("gives the operator rights in its namespaces and none elsewhere", async () => {
    const operator = `system:serviceaccount:${namespace}:${name}`;
    expect(await can(operator, "create", "pods", "--namespace", jobs)).toBe("yes");
    expect(await can(operator, "get", "secrets", "--namespace", jobs)).toBe("yes");
    expect(await can(operator, "list", "secrets", "--namespace", jobs)).toBe("no");
    expect(await can(operator, "create", "pods", "--subresource=exec", "--namespace", jobs)).toBe("no");
    for (const other of [namespace, "default", "kube-system"]) {
      expect(await can(operator, "get", "secrets", "--namespace", other)).toBe("no");
      expect(await can(operator, "list", "trainingjobs.autoai.dev", "--namespace", other)).toBe("no");
      expect(await can(operator, "create", "pods", "--namespace", other)).toBe("no");
    }
    expect(await can(operator, "get", `leases.coordination.k8s.io/${name}`, "--namespace", namespace)).toBe(
      "yes",
    );
    expect(await can(operator, "get", "leases.coordination.k8s.io/another", "--namespace", namespace)).toBe(
      "no",
    );
  });

  test("gives people AutoAI's kinds by the cluster's own roles", async () => {
    for (const role of ["view", "edit"]) {
      await cluster.kubectl(
        "create",
        "rolebinding",
        role,
        `--clusterrole=${role}`,
        `--user=${role}er`,
        "--namespace",
        jobs,
      );
    }
    const of = (who: string, verb: string, ...what: string[]) => can(who, verb, ...what, "--namespace", jobs);
    expect(await of("viewer", "list", "trainingjobs.autoai.dev")).toBe("yes");
    expect(await of("viewer", "create", "trainingjobs.autoai.dev")).toBe("no");
    expect(await of("editer", "create", "trainingjobs.autoai.dev")).toBe("yes");
    expect(await of("editer", "patch", "trainingjobs.autoai.dev", "--subresource=status")).toBe("no");
  });

  test(
    "is upgraded, the CRDs with it; the store is not restarted and keeps its credentials",
    async () => {
      const had = { credentials: await credentials(), minio: (await minioPod()).metadata.uid };
      await inStore(
        "writes",
        `await store.ensureBucket(); await store.put("chart/test", Buffer.from("kept"));`,
      );
      await deploy(chart, { "operator.logLevel": "debug" });
      expect(await credentials()).toEqual(had.credentials);
      expect((await minioPod()).metadata.uid).toBe(had.minio);
      expect((await read("poddisruptionbudget", name, "--namespace", namespace)).spec.maxUnavailable).toBe(1);
      expect(
        await cluster.kubectl("get", "crd", "modeldeployments.autoai.dev", "--output=yaml"),
      ).not.toContain("Before.");
    },
    4 * MINUTES,
  );

  test(
    "leaves the CRDs and the store's volume behind when it is uninstalled, and nothing else",
    async () => {
      const { status, stderr } = helm("uninstall", release, "--wait");
      expect(stderr.replace(/^release .*$/m, "").trim()).toBe("");
      expect(status).toBe(0);
      await expect
        .poll(left, { timeout: MINUTES, interval: 1000 })
        .toEqual([
          ...CRDS.map((crd) => `customresourcedefinition.apiextensions.k8s.io/${crd}`),
          `persistentvolumeclaim/data-${name}-minio-0`,
        ]);
    },
    3 * MINUTES,
  );

  test(
    "installed again, it finds what the store had",
    async () => {
      await deploy(chart);
      expect(
        await inStore("reads", `console.log(Buffer.from(await store.get("chart/test")).toString());`),
      ).toBe("kept\n");
    },
    4 * MINUTES,
  );

  test(
    "with whenUninstalled=Delete the volume goes too",
    async () => {
      await deploy(chart, { "minio.persistence.whenUninstalled": "Delete" });
      helm("uninstall", release, "--wait");
      await expect
        .poll(left, { timeout: MINUTES, interval: 1000 })
        .toEqual(CRDS.map((crd) => `customresourcedefinition.apiextensions.k8s.io/${crd}`));
    },
    4 * MINUTES,
  );
});
