import { describe, expect, it } from "vitest";
import { fc } from "../../../test/properties.ts";
import type { Execution, Limits, SandboxedExecution } from "../executor.ts";
import { podManifest } from "./manifest.ts";
import { podName, userOf } from "./name.ts";
import { ownerHash, ownerNamespace } from "./owner.ts";
import type { PodSettings } from "./settings.ts";

const MIB = 1024 ** 2;
const LIMITS: Limits = {
  seconds: 300,
  cpus: 2,
  memoryBytes: 4096 * MIB,
  diskBytes: 2048 * MIB,
  processes: 64,
};
const COMMON = {
  name: "job-1234abcd-step-1-0",
  owner: "team/job",
  limits: LIMITS,
  inputs: {},
  outputs: {},
  outcomeKey: "o.json",
};
const SANDBOXED: SandboxedExecution = {
  ...COMMON,
  kind: "Sandboxed",
  command: ["train.py"],
  environment: "e".repeat(64),
};
const EXECUTIONS: Execution[] = [
  SANDBOXED,
  { ...COMMON, kind: "Trusted", verb: "ingest", request: {} },
  { ...COMMON, kind: "Install", packages: ["xgboost"] },
];
const SETTINGS: PodSettings = {
  image: "runner:1",
  pullPolicy: "IfNotPresent",
  runnerPath: "/opt/autoai/runner",
  environmentsClaim: "environments",
  nodeSelector: { pool: "training" },
  tolerations: [{ key: "training", operator: "Exists" }],
};
const ERRAND = "http://store:9000/autoai/errand?X-Amz-Signature=secret";

type Container = {
  name: string;
  command: string[];
  env?: { name: string; value: string }[];
  resources: { limits: Record<string, string>; requests: Record<string, string> };
  securityContext: Record<string, unknown>;
  volumeMounts: { name: string; mountPath: string; subPath?: string; readOnly?: boolean }[];
};
type Spec = Record<string, unknown> & {
  containers: Container[];
  volumes: {
    name: string;
    emptyDir?: { medium?: string; sizeLimit: string };
    persistentVolumeClaim?: object;
  }[];
  securityContext: Record<string, unknown>;
  tolerations: { key: string; tolerationSeconds?: number }[];
};
function specOf(execution: Execution, settings = SETTINGS, more = {}): Spec {
  const facts = { name: "pod", execution, errand: ERRAND, ...more };
  return podManifest(facts, settings).spec as Spec;
}
function container(spec: Spec, name: string): Container {
  const found = spec.containers.find((one) => one.name === name);
  if (!found) throw new Error(`no container ${name}`);
  return found;
}

describe.each(EXECUTIONS.map((execution) => [execution.kind, execution] as const))(
  "a pod for %s",
  (_, execution) => {
    const spec = specOf(execution);

    it("passes Pod Security restricted, in the pod and in each container", () => {
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const { securityContext } of spec.containers) {
        expect(securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(securityContext.runAsUser ?? spec.securityContext.runAsUser).not.toBe(0);
      }
      expect(spec).not.toHaveProperty("hostNetwork");
      expect(spec.volumes.every((volume) => volume.emptyDir || volume.persistentVolumeClaim)).toBe(true);
    });

    it("has no token, no service links, one run and an end", () => {
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        restartPolicy: "Never",
        activeDeadlineSeconds: 600,
      });
    });

    it("bounds CPU, memory and disk of each container, and the size of each volume of its own", () => {
      for (const { resources } of spec.containers) {
        expect(Object.keys(resources.limits).sort()).toEqual(["cpu", "ephemeral-storage", "memory"]);
        expect(Object.keys(resources.requests).sort()).toEqual(["cpu", "ephemeral-storage", "memory"]);
      }
      for (const { emptyDir } of spec.volumes)
        if (emptyDir) expect(Number(emptyDir.sizeLimit)).toBeGreaterThan(0);
    });

    it("goes where it is told to, and leaves a node that is not heard of", () => {
      expect(spec.nodeSelector).toEqual({ pool: "training" });
      expect(spec.tolerations.map(({ key, tolerationSeconds }) => [key, tolerationSeconds])).toEqual([
        ["node.kubernetes.io/not-ready", 30],
        ["node.kubernetes.io/unreachable", 30],
        ["training", undefined],
      ]);
    });

    it("mounts every volume that it names, and names every volume that it mounts", () => {
      const mounted = spec.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
      expect([...new Set(mounted)].sort()).toEqual(spec.volumes.map(({ name }) => name).sort());
    });

    it("carries the labels that policies and informers select by", () => {
      const { metadata } = podManifest({ name: "pod", execution, errand: ERRAND }, SETTINGS);
      expect(metadata).toMatchObject({
        namespace: "team",
        labels: {
          "app.kubernetes.io/managed-by": "autoai",
          "autoai.dev/role": execution.kind === "Install" ? "install" : "execution",
          "autoai.dev/owner": ownerHash("team/job"),
          "autoai.dev/execution": "job-1234abcd-step-1-0",
        },
        annotations: { "autoai.dev/owner": "team/job" },
      });
    });
  },
);

describe("the container with generated code", () => {
  const spec = specOf(SANDBOXED, SETTINGS, { runtimeClassName: "gvisor" });
  const code = container(spec, "code");

  it("is given no grant, and shares with the courier the socket alone, which it cannot replace", () => {
    expect(JSON.stringify(code)).not.toContain("X-Amz");
    expect(code.env).toBeUndefined();
    const courier = container(spec, "courier");
    expect(courier.env).toEqual([{ name: "AUTOAI_ERRAND", value: ERRAND }]);
    const shared = code.volumeMounts.filter(({ name }) =>
      courier.volumeMounts.some((mount) => mount.name === name),
    );
    expect(shared).toEqual([{ name: "exchange", mountPath: "/exchange", readOnly: true }]);
    expect(spec).not.toHaveProperty("shareProcessNamespace");
  });

  it("sees of the claim its own environment, read-only", () => {
    expect(code.volumeMounts).toContainEqual({
      name: "environments",
      mountPath: "/environment",
      subPath: "e".repeat(64),
      readOnly: true,
    });
  });

  it("gets the environment by the courier where there is no claim", () => {
    const { environmentsClaim: _, ...unclaimed } = SETTINGS;
    const fetched = specOf(SANDBOXED, unclaimed);
    const mount = (name: string) =>
      container(fetched, name).volumeMounts.find(({ mountPath }) => mountPath === "/environment");
    expect(mount("code")).toMatchObject({ name: "environment", readOnly: true });
    expect(mount("courier")).toEqual({ name: "environment", mountPath: "/environment" });
  });

  it("keeps its files in memory of the size that it is allowed, and has room for them", () => {
    const workspace = spec.volumes.find(({ name }) => name === "workspace");
    expect(workspace?.emptyDir).toEqual({ medium: "Memory", sizeLimit: String(LIMITS.diskBytes) });
    expect(Number(code.resources.limits.memory)).toBeGreaterThan(LIMITS.memoryBytes + LIMITS.diskBytes);
    expect(Number(code.resources.requests.memory)).toBe(LIMITS.memoryBytes / 4);
  });

  it("runs as a user that no other pod has, in the RuntimeClass of its job", () => {
    expect(code.securityContext.runAsUser).toBe(userOf("pod"));
    expect(userOf("pod")).not.toBe(userOf("pod-2"));
    expect(spec.runtimeClassName).toBe("gvisor");
    const trusted = specOf(EXECUTIONS[1] as Execution, SETTINGS, { runtimeClassName: "gvisor" });
    expect(trusted).not.toHaveProperty("runtimeClassName");
  });
});

describe("network", () => {
  it("gives an execution the addresses of the store and no DNS, an installation DNS", () => {
    const store = { host: "store.example", addresses: ["10.0.0.1", "10.0.0.2"] };
    expect(specOf(SANDBOXED, SETTINGS, { store })).toMatchObject({
      dnsPolicy: "None",
      hostAliases: [
        { ip: "10.0.0.1", hostnames: ["store.example"] },
        { ip: "10.0.0.2", hostnames: ["store.example"] },
      ],
    });
    const install = specOf(
      EXECUTIONS[2] as Execution,
      { ...SETTINGS, indexUrl: "https://index.example/simple" },
      { store },
    );
    expect(install).toMatchObject({ dnsPolicy: "ClusterFirst" });
    expect(install).not.toHaveProperty("hostAliases");
    expect(container(install, "runner").env).toContainEqual({
      name: "UV_DEFAULT_INDEX",
      value: "https://index.example/simple",
    });
  });
});

describe("names", () => {
  it("are valid for pods and labels, differ by execution and attempt, and are the same each time", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 80 }),
        fc.integer({ min: 1, max: 999 }),
        (name, attempt) => {
          const pod = podName(name, attempt);
          expect(pod).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
          expect(podName(name, attempt)).toBe(pod);
          expect(podName(name, attempt + 1)).not.toBe(pod);
        },
      ),
    );
    const long = "a".repeat(62);
    expect(podName(`${long}b`, 2)).not.toBe(podName(`${long}c`, 2));
    expect(podName("job-1-x", 1)).toBe("job-1-x");
    expect(podName("job-1-x", 3)).toBe("job-1-x-3");
  });

  it("are looked for in the namespace of the owner, whatever kind it is", () => {
    expect(ownerNamespace("team/job")).toBe("team");
    expect(ownerNamespace("dataset:team/rows")).toBe("team");
    expect(() => ownerNamespace("job")).toThrow(/namespace\/name/);
  });
});
