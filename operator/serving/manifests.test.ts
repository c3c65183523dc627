/** What a ModelDeployment is made of, whatever its spec says. */
import { describe, expect, test } from "vitest";
import { breaches } from "../../test/chart/restricted.ts";
import { ModelDeployment } from "../api/modeldeployment.ts";
import type { Child, ChildKind } from "./children.ts";
import { handover, type ManifestSettings, manifestsOf } from "./manifests.ts";

const DIGEST = "a".repeat(64);
const settings: ManifestSettings = {
  frontImage: "autoai-inference-server:1",
  runnerImage: "autoai-runner:1",
  pullPolicy: "IfNotPresent",
  runnerPath: "/opt/autoai/runner",
  store: { namespace: "autoai-system", podLabels: { app: "store" } },
  storePort: 9000,
};
const model = { trainingJob: "churn", digest: DIGEST, bytes: 1000, environment: "e".repeat(64) };

function deployment(spec: object = {}): ModelDeployment {
  return ModelDeployment.parse({
    apiVersion: "autoai.dev/v1alpha1",
    kind: "ModelDeployment",
    metadata: { name: "churn", namespace: "team", uid: "uid-1" },
    spec: { modelRef: { trainingJob: "churn" }, ...spec },
  });
}

// biome-ignore lint/suspicious/noExplicitAny: manifests as they stand
type Json = any;

function made(spec: object = {}, more: Partial<typeof model & { environmentsClaim: string }> = {}) {
  const { environmentsClaim, ...ofModel } = more;
  const children = manifestsOf(
    {
      deployment: deployment(spec),
      model: { ...model, ...ofModel },
      ...(environmentsClaim === undefined ? {} : { environmentsClaim }),
    },
    settings,
  );
  const of = (kind: ChildKind): Child & Json => children.find((child) => child.kind === kind);
  const pod = of("Deployment").spec.template.spec as Json;
  const container = (name: string): Json =>
    [...pod.initContainers, ...pod.containers].find((one: Json) => one.name === name);
  return { children, of, pod, container };
}

const VARIANTS = [
  {},
  { predictionLog: { mode: "Off" } },
  { replicas: 0, runtime: "Onnx" },
  { autoscaling: { maxReplicas: 4 } },
  { resources: { cpu: "50m", memory: "128Mi" }, limits: { maxBodyBytes: 104_857_600 } },
];

describe.each(VARIANTS)("of %j", (spec) => {
  const { children, of, pod, container } = made(spec);

  test("everything goes with the ModelDeployment", () => {
    for (const child of children) {
      expect(child.metadata.ownerReferences).toEqual([
        {
          apiVersion: "autoai.dev/v1alpha1",
          kind: "ModelDeployment",
          name: "churn",
          uid: "uid-1",
          controller: true,
        },
      ]);
      expect(child.metadata.namespace).toBe("team");
    }
  });

  test("its pods are restricted, and have no token", () => {
    expect(breaches(pod)).toEqual([]);
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.enableServiceLinks).toBe(false);
    for (const one of [...pod.initContainers, ...pod.containers])
      expect(one.securityContext.readOnlyRootFilesystem).toBe(true);
  });

  test("selectors select its pods, and never change with the model", () => {
    const { labels } = of("Deployment").spec.template.metadata;
    const selectors = [
      of("Deployment").spec.selector.matchLabels,
      of("Service").spec.selector,
      of("PodDisruptionBudget").spec.selector.matchLabels,
      of("NetworkPolicy").spec.podSelector.matchLabels,
    ];
    for (const selector of selectors) {
      expect(labels).toMatchObject(selector);
      expect(JSON.stringify(selector)).not.toContain(DIGEST);
    }
  });

  test("the model has no Secret, another user than the front, and can write nothing that the front reads", () => {
    const { volumeMounts, securityContext, env } = container("model");
    const secrets = pod.volumes.filter((volume: Json) => volume.secret).map((volume: Json) => volume.name);
    expect(volumeMounts.map((mount: Json) => mount.name)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(secrets.join("|"))]),
    );
    expect(securityContext.runAsUser).toBeGreaterThan(100_000);
    expect(pod.securityContext.runAsUser).not.toBe(securityContext.runAsUser);
    expect(env).toBeUndefined();
    const shared = (container("front").volumeMounts as Json[]).map((mount) => mount.name);
    for (const mount of volumeMounts) if (shared.includes(mount.name)) expect(mount.readOnly).toBe(true);
  });

  test("the front has no environment and no grant to read, only to ship its log", () => {
    const mounts = container("front").volumeMounts.map((mount: Json) => mount.name);
    expect(mounts).not.toContain("environment");
    expect(mounts).not.toContain("grants");
    const isLogged = (spec as { predictionLog?: object }).predictionLog === undefined;
    expect(mounts.includes("shipping")).toBe(isLogged);
    expect(container("front").args.includes("--log-ship")).toBe(isLogged);
  });

  test("every volume in the pod is bounded", () => {
    for (const volume of pod.volumes) {
      if (volume.emptyDir) expect(Number(volume.emptyDir.sizeLimit), volume.name).toBeGreaterThan(0);
      else expect(volume.secret, volume.name).toBeDefined();
    }
    for (const one of [...pod.initContainers, ...pod.containers]) {
      expect(Number(one.resources.limits.memory)).toBeGreaterThan(0);
      expect(one.resources.limits.cpu).toMatch(/^\d+m?$/);
    }
  });

  test("nothing is let in but at the server's port, nor out but to the store and DNS", () => {
    const { ingress, egress, policyTypes } = of("NetworkPolicy").spec;
    expect(policyTypes).toEqual(["Ingress", "Egress"]);
    expect(ingress).toEqual([{ ports: [{ protocol: "TCP", port: 8080 }] }]);
    expect(egress).toEqual([
      {
        to: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "autoai-system" } },
            podSelector: { matchLabels: { app: "store" } },
          },
        ],
        ports: [{ protocol: "TCP", port: 9000 }],
      },
      {
        ports: [
          { protocol: "UDP", port: 53 },
          { protocol: "TCP", port: 53 },
        ],
      },
    ]);
  });

  test("the old model answers until the new one has answered its reference rows", () => {
    const { strategy } = of("Deployment").spec;
    expect(strategy).toEqual({
      type: "RollingUpdate",
      rollingUpdate: { maxUnavailable: 0, maxSurge: 1 },
    });
    for (const probe of ["startupProbe", "readinessProbe"])
      expect(container("front")[probe].httpGet.path).toBe("/readyz");
    expect(container("front").livenessProbe.httpGet.path).toBe("/healthz");
  });
});

test("another model makes other pods; other grants do not", () => {
  const template = (digest: string) => made({}, { digest }).of("Deployment").spec.template;
  expect(template(DIGEST)).toEqual(template(DIGEST));
  expect(template("b".repeat(64))).not.toEqual(template(DIGEST));
});

test("what the spec asks for is what server and worker are told", () => {
  const { container, of } = made({
    replicas: 3,
    runtime: "Compiled",
    resources: { cpu: "2", memory: "2Gi" },
    predictionLog: { mode: "Sampled", samplePercent: 25 },
    limits: { maxBodyBytes: 2048, maxRows: 7, timeoutSeconds: 3 },
  });
  const front = container("front").args.join(" ");
  for (const part of [
    `--digest ${DIGEST}`,
    "--runtime Compiled",
    "--max-body-bytes 2048",
    "--max-rows 7",
    "--timeout-seconds 3",
    "--log-mode Sampled",
    "--log-sample 0.25",
  ])
    expect(front).toContain(part);
  const worker = container("model").command.join(" ");
  for (const part of ["--engine Compiled", `--memory ${2 * 1024 ** 3}`, "--threads 2"])
    expect(worker).toContain(part);
  expect(container("model").resources.requests).toEqual({ cpu: "2000m", memory: String(2 * 1024 ** 3) });
  expect(of("Deployment").spec.replicas).toBe(3);
});

test("an ONNX export is served without Python: by the server's image, in the place of the worker", () => {
  const { container } = made({ runtime: "Onnx", resources: { cpu: "2", memory: "1Gi" } });
  expect(container("front").args.join(" ")).toContain("--runtime Onnx");
  const worker = container("model");
  expect(worker.image).toBe(settings.frontImage);
  expect(worker.command.join(" ")).toBe(
    "node /opt/autoai/dist/inference-server/onnx/worker.js --socket /shared/worker.sock --package /package --threads 2",
  );
  expect(worker.securityContext.runAsUser).toBe(made().container("model").securityContext.runAsUser);
});

test("an environment on a claim is mounted read-only, and not fetched", () => {
  const { pod, container } = made({}, { environmentsClaim: "environments" });
  expect(pod.volumes).toContainEqual({
    name: "environments",
    persistentVolumeClaim: { claimName: "environments" },
  });
  for (const name of ["fetch", "model"])
    expect(container(name).volumeMounts).toContainEqual({
      name: "environments",
      mountPath: "/environment",
      subPath: model.environment,
      readOnly: true,
    });
});

describe("autoscaling", () => {
  const metrics = (autoscaling: object) =>
    made({ autoscaling: { maxReplicas: 4, ...autoscaling } }).of("HorizontalPodAutoscaler").spec.metrics;

  test("is by CPU where nothing is said, by requests in flight where that is said, by both where both are", () => {
    const cpu = (averageUtilization: number) => ({
      type: "Resource",
      resource: { name: "cpu", target: { type: "Utilization", averageUtilization } },
    });
    const inFlight = {
      type: "Pods",
      pods: {
        metric: { name: "autoai_inference_in_flight_requests" },
        target: { type: "AverageValue", averageValue: "8" },
      },
    };
    expect(metrics({})).toEqual([cpu(80)]);
    expect(metrics({ targetInFlightRequests: 8 })).toEqual([inFlight]);
    expect(metrics({ targetCpuPercent: 60, targetInFlightRequests: 8 })).toEqual([cpu(60), inFlight]);
  });

  test("decides the number of servers alone, and takes it over as it is", () => {
    const scaled = { autoscaling: { maxReplicas: 4 } };
    expect(made(scaled).of("Deployment").spec).not.toHaveProperty("replicas");
    const live = (scaledBy: string) => ({
      metadata: { name: "churn", annotations: { "autoai.dev/scaled-by": scaledBy } },
      spec: { replicas: 3 },
    });
    expect(handover(deployment(scaled), live("ModelDeployment"))?.spec).toEqual({ replicas: 3 });
    expect(handover(deployment(scaled), live("HorizontalPodAutoscaler"))).toBeUndefined();
    expect(handover(deployment(scaled), undefined)).toBeUndefined();
    expect(handover(deployment(), live("ModelDeployment"))).toBeUndefined();
  });
});
