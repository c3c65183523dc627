/** What the tests of tool pods, the chart and the operator take for granted of a cluster. */
import { beforeAll, describe, expect, test } from "vitest";
import { image } from "./choice.ts";
import { eventually, type Manifest, withCluster } from "./cluster.ts";

const cluster = withCluster();
let namespace: string;
beforeAll(async () => {
  namespace = await cluster.namespace("basics");
});

type Extra = {
  readonly container?: Readonly<Record<string, unknown>>;
  readonly pod?: Readonly<Record<string, unknown>>;
};
/** A pod as restricted as tool pods are. */
function restricted(name: string, program: string, extra: Extra = {}): Manifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "main",
          image: image("runner"),
          imagePullPolicy: "IfNotPresent",
          command: ["sh", "-c", program],
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
          resources: { requests: { cpu: "10m" }, limits: { memory: "256Mi" } },
          ...extra.container,
        },
      ],
      ...extra.pod,
    },
  };
}

type Pod = {
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly reason?: string;
    readonly containerStatuses?: { readonly state: { readonly terminated?: { readonly reason: string } } }[];
  };
};
/** What a pod printed, once it has ended, and how it ended. */
async function outcome(manifest: Manifest): Promise<{ readonly pod: Pod; readonly log: string }> {
  const name = String(manifest.metadata.name);
  await cluster.apply(manifest);
  const pod = await eventually(`the end of pod ${name}`, 180, async () => {
    const seen = await cluster.get<Pod>("pod", namespace, name);
    return seen !== undefined && /Succeeded|Failed/.test(seen.status.phase) && seen;
  });
  const log = await cluster.run(["logs", name, "-n", namespace]);
  return { pod, log: log.out.trim() };
}

describe("a pod under Pod Security restricted", () => {
  test("runs the runner's image and its packages as no one in particular", async () => {
    const { pod, log } = await outcome(
      restricted("runs", "id -u; python -c 'import sklearn, pandas; print(1)'"),
    );
    expect(log).toBe("65532\n1");
    expect(pod.status.phase).toBe("Succeeded");
  });

  test("is refused where it asks for more", async () => {
    const greedy = restricted("greedy", "true", { container: { securityContext: { privileged: true } } });
    const answer = await cluster.run(["apply", "-f", "-"], JSON.stringify(greedy));
    expect(answer.code).not.toBe(0);
    expect(answer.errors).toContain('violates PodSecurity "restricted:latest"');
  });

  test("finds Services by name", async () => {
    const ask = "python -c 'import socket; print(socket.gethostbyname(\"kubernetes.default.svc\"))'";
    const { log } = await outcome(restricted("resolves", ask));
    const address = await cluster.kubectl(
      ...["get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}"],
    );
    expect(log).toBe(address);
  });

  test("installs a package from the index that this machine uses", async () => {
    const { pod, log } = await outcome(
      restricted(
        "installs",
        "HOME=/scratch uv pip install --quiet --target /scratch/packages iniconfig && ls /scratch/packages",
        {
          container: { volumeMounts: [{ name: "work", mountPath: "/scratch" }] },
          pod: { volumes: [{ name: "work", emptyDir: {} }] },
        },
      ),
    );
    expect(log).toMatch(/^iniconfig$/m);
    expect(pod.status.phase).toBe("Succeeded");
  });

  test("is killed where it takes more memory than its limit", async () => {
    const { pod } = await outcome(restricted("greedy-for-memory", "exec python -c 'bytearray(1 << 30)'"));
    expect(pod.status.containerStatuses?.[0]?.state.terminated?.reason).toBe("OOMKilled");
  });
});

describe("a claim of the default storage class", () => {
  const claim = (name: string): Manifest => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { namespace, name },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "64Mi" } } },
  });
  const mounted = (name: string): Extra => ({
    container: { volumeMounts: [{ name: "data", mountPath: "/data" }] },
    pod: { volumes: [{ name: "data", persistentVolumeClaim: { claimName: name } }] },
  });

  test("keeps what one pod writes for the next, and goes with its volume", async () => {
    await cluster.apply(claim("kept"));
    expect(
      (await outcome(restricted("writes", "echo here > /data/file", mounted("kept")))).pod.status.phase,
    ).toBe("Succeeded");
    expect((await outcome(restricted("reads", "cat /data/file", mounted("kept")))).log).toBe("here");
    const volume = await cluster.kubectl(
      "get",
      "pvc",
      "kept",
      "-n",
      namespace,
      "-o",
      "jsonpath={.spec.volumeName}",
    );
    await cluster.kubectl("delete", "pod", "writes", "reads", "-n", namespace);
    await cluster.kubectl("delete", "pvc", "kept", "-n", namespace);
    await eventually("the end of the volume", 60, async () => {
      const left = await cluster.kubectl("get", "pv", volume, "--ignore-not-found", "-o", "name");
      return left === "" && "gone";
    });
  });
});
