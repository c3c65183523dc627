/**
 * Manifests of tool pods, as pure functions. All of them pass Pod Security *restricted*, have no token, and end by themselves.
 *
 * A pod for generated code has two ordinary containers that start together: the courier, which holds the grants, and the code,
 * which shares with it nothing but a socket. Workspace, home and temporary files are one file system in memory of the size
 * that the execution is allowed, so that the kernel keeps the limit, and the code is told that the disk is full.
 */
import { ENVIRONMENT, ROOT } from "../bubblewrap.ts";
import type { Execution, SandboxedExecution } from "../executor.ts";
import { FILE_BYTES, SNAPSHOT_BYTES } from "../sandboxed.ts";
import { podName, userOf } from "./name.ts";
import { ownerHash, ownerNamespace } from "./owner.ts";
import { LABELS, MANAGED_BY, type OwnerReference, type PodManifest, type PodRole } from "./pods.ts";
import { deadlineSeconds, type PodSettings } from "./settings.ts";

const MIB = 1024 ** 2;
const RUNNER_USER = 65532;
/** Of what an execution may use, the part that its node keeps for it: most use little, and for a short time. */
const REQUESTED = 0.25;
const COURIER_BYTES = 256 * MIB;
const SUPERVISOR_BYTES = 128 * MIB;
const SHARED_MEMORY_BYTES = 64 * MIB;
const ENVIRONMENT_BYTES = 4096 * MIB;
const INPUT_BYTES = 2048 * MIB;
/** How long a pod stays on a node that is not heard of. */
const LOST_SECONDS = 30;

export const CONTAINERS = { courier: "courier", code: "code", runner: "runner" } as const;

export type PodFacts = {
  readonly name: string;
  readonly execution: Execution;
  /** Granted URL of the errand. */
  readonly errand: string;
  /** Name and addresses of the store, where it has a name: execution pods ask no DNS. */
  readonly store?: { readonly host: string; readonly addresses: readonly string[] };
  readonly ownerReference?: OwnerReference;
  readonly runtimeClassName?: string;
};

type Json = Readonly<Record<string, unknown>>;

export function podManifest(facts: PodFacts, settings: PodSettings): PodManifest {
  const { execution, name } = facts;
  const role: PodRole = execution.kind === "Install" ? "install" : "execution";
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: ownerNamespace(execution.owner),
      labels: {
        [LABELS.managedBy]: MANAGED_BY,
        [LABELS.role]: role,
        [LABELS.owner]: ownerHash(execution.owner),
        [LABELS.execution]: podName(execution.name, 1),
      },
      annotations: { [LABELS.owner]: execution.owner },
      ...(facts.ownerReference === undefined ? {} : { ownerReferences: [facts.ownerReference] }),
    },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      activeDeadlineSeconds: deadlineSeconds(execution.limits.seconds),
      terminationGracePeriodSeconds: 1,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: RUNNER_USER,
        runAsGroup: RUNNER_USER,
        seccompProfile: { type: "RuntimeDefault" },
        ...(role === "install" ? { fsGroup: RUNNER_USER, fsGroupChangePolicy: "OnRootMismatch" } : {}),
      },
      ...network(role, facts),
      ...scheduling(facts, settings),
      ...(settings.imagePullSecrets === undefined
        ? {}
        : { imagePullSecrets: settings.imagePullSecrets.map((secret) => ({ name: secret })) }),
      ...(execution.kind === "Sandboxed"
        ? sandboxed(facts, execution, settings)
        : single(facts, execution, settings)),
    },
  };
}

function network(role: PodRole, { store }: PodFacts): Json {
  const hostAliases = (store?.addresses ?? []).map((ip) => ({ ip, hostnames: [store?.host ?? ""] }));
  if (role === "install") return { dnsPolicy: "ClusterFirst" };
  return {
    // A resolver that is not there: whatever is looked up but the store is not found, and nothing is told to a DNS server.
    dnsPolicy: "None",
    dnsConfig: {
      nameservers: ["127.0.0.1"],
      options: [
        { name: "timeout", value: "1" },
        { name: "attempts", value: "1" },
      ],
    },
    ...(hostAliases.length === 0 ? {} : { hostAliases }),
  };
}

function scheduling({ runtimeClassName, execution }: PodFacts, settings: PodSettings): Json {
  const lost = ["not-ready", "unreachable"].map((what) => ({
    key: `node.kubernetes.io/${what}`,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: LOST_SECONDS,
  }));
  return {
    tolerations: [...lost, ...(settings.tolerations ?? [])],
    ...(settings.nodeSelector === undefined ? {} : { nodeSelector: settings.nodeSelector }),
    // For generated code alone: the runner's own needs no second fence, and would wait for it.
    ...(runtimeClassName === undefined || execution.kind !== "Sandboxed" ? {} : { runtimeClassName }),
  };
}

function sandboxed(facts: PodFacts, execution: SandboxedExecution, settings: PodSettings): Json {
  const { limits } = execution;
  const claim = settings.environmentsClaim;
  const fetched = claim === undefined ? ENVIRONMENT_BYTES : 0;
  const spoolBytes = INPUT_BYTES + SNAPSHOT_BYTES + Object.keys(execution.outputs).length * FILE_BYTES;
  const inWorkspace = (mountPath: string, subPath: string) => ({ name: "workspace", mountPath, subPath });
  return {
    containers: [
      {
        name: CONTAINERS.courier,
        ...image(settings),
        ...courierCommand(facts),
        resources: resources(
          { cpus: 1, memoryBytes: COURIER_BYTES + fetched, diskBytes: spoolBytes },
          { cpus: 0.01, memoryBytes: 32 * MIB },
        ),
        volumeMounts: [
          { name: "exchange", mountPath: "/exchange" },
          { name: "spool", mountPath: "/spool" },
          ...(claim === undefined ? [{ name: "environment", mountPath: ENVIRONMENT }] : []),
        ],
        securityContext: restricted(),
      },
      {
        name: CONTAINERS.code,
        ...image(settings),
        command: [
          "python3",
          "-I",
          "-S",
          "-B",
          "-c",
          supervisor(settings.runnerPath),
          "/exchange/courier.sock",
        ],
        workingDir: "/",
        resources: resources(
          {
            cpus: limits.cpus,
            // Files in memory count as the container's memory.
            memoryBytes: limits.memoryBytes + limits.diskBytes + SHARED_MEMORY_BYTES + SUPERVISOR_BYTES,
            diskBytes: 16 * MIB,
          },
          { cpus: limits.cpus * REQUESTED, memoryBytes: limits.memoryBytes * REQUESTED },
        ),
        volumeMounts: [
          { name: "exchange", mountPath: "/exchange", readOnly: true },
          inWorkspace(`${ROOT}/workspace`, "workspace"),
          inWorkspace(`${ROOT}/home`, "home"),
          inWorkspace(`${ROOT}/tmp`, "tmp"),
          inWorkspace("/tmp", "tmp"),
          // The pod's own is shared by its containers.
          { name: "shared-memory", mountPath: "/dev/shm" },
          claim === undefined
            ? { name: "environment", mountPath: ENVIRONMENT, readOnly: true }
            : {
                name: "environments",
                mountPath: ENVIRONMENT,
                subPath: execution.environment,
                readOnly: true,
              },
        ],
        securityContext: { ...restricted(), runAsUser: userOf(facts.name), runAsGroup: userOf(facts.name) },
      },
    ],
    volumes: [
      memory("exchange", MIB),
      memory("workspace", limits.diskBytes),
      memory("shared-memory", SHARED_MEMORY_BYTES),
      disk("spool", spoolBytes),
      claim === undefined ? memory("environment", ENVIRONMENT_BYTES) : claimed(claim),
    ],
  };
}

function single(
  facts: PodFacts,
  execution: Exclude<Execution, SandboxedExecution>,
  settings: PodSettings,
): Json {
  const { limits } = execution;
  const claim = execution.kind === "Install" ? settings.environmentsClaim : undefined;
  const spoolBytes = Math.max(limits.diskBytes, INPUT_BYTES) * 2;
  const variables = { HOME: "/tmp", TMPDIR: "/tmp" };
  const command = courierCommand(
    facts,
    execution.kind === "Install" ? { ...variables, ...uv(settings) } : variables,
  );
  return {
    containers: [
      {
        name: CONTAINERS.runner,
        ...image(settings),
        ...command,
        resources: resources(
          { cpus: limits.cpus, memoryBytes: limits.memoryBytes + COURIER_BYTES, diskBytes: spoolBytes },
          { cpus: limits.cpus * REQUESTED, memoryBytes: limits.memoryBytes * REQUESTED },
        ),
        volumeMounts: [
          { name: "spool", mountPath: "/spool" },
          { name: "tmp", mountPath: "/tmp" },
          ...(execution.kind === "Trusted" ? [{ name: "job", mountPath: "/job" }] : []),
          ...(claim === undefined ? [] : [{ name: "environments", mountPath: "/environments" }]),
        ],
        securityContext: restricted(),
      },
    ],
    volumes: [
      disk("spool", spoolBytes),
      disk("tmp", limits.diskBytes),
      ...(execution.kind === "Trusted" ? [disk("job", spoolBytes)] : []),
      ...(claim === undefined ? [] : [claimed(claim)]),
    ],
  };
}

function courierCommand({ errand }: PodFacts, variables: Readonly<Record<string, string>> = {}): Json {
  return {
    command: ["python3", "-m", "autoai_runner.courier"],
    env: Object.entries({ AUTOAI_ERRAND: errand, ...variables }).map(([name, value]) => ({ name, value })),
  };
}

/** Where uv finds packages, and where it keeps what it has fetched: beside the environments, to be linked into them. */
function uv({ indexUrl, environmentsClaim }: PodSettings): Record<string, string> {
  return {
    UV_CACHE_DIR: environmentsClaim === undefined ? "/spool/cache" : "/environments/.cache",
    UV_NO_CONFIG: "1",
    ...(indexUrl === undefined ? {} : { UV_DEFAULT_INDEX: indexUrl }),
  };
}

function supervisor(runnerPath: string): string {
  return `import sys; sys.path.insert(0, ${JSON.stringify(runnerPath)}); from autoai_runner.supervise import main; main()`;
}

function image({ image: name, pullPolicy }: PodSettings): Json {
  return { image: name, imagePullPolicy: pullPolicy };
}

function restricted(): Json {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  };
}

type Amounts = { readonly cpus: number; readonly memoryBytes: number };

function resources(limits: Amounts & { readonly diskBytes: number }, requests: Amounts): Json {
  return {
    limits: {
      cpu: cpus(limits.cpus),
      memory: bytes(limits.memoryBytes),
      "ephemeral-storage": bytes(limits.diskBytes),
    },
    // Without a request of its own, the limit would be kept for it: no node has so much for so many.
    requests: { cpu: cpus(requests.cpus), memory: bytes(requests.memoryBytes), "ephemeral-storage": "0" },
  };
}

const cpus = (count: number): string => `${Math.max(10, Math.ceil(count * 1000))}m`;
const bytes = (count: number): string => String(Math.ceil(count));
const memory = (name: string, sizeBytes: number): Json => ({
  name,
  emptyDir: { medium: "Memory", sizeLimit: bytes(sizeBytes) },
});
const disk = (name: string, sizeBytes: number): Json => ({ name, emptyDir: { sizeLimit: bytes(sizeBytes) } });
const claimed = (claimName: string): Json => ({ name: "environments", persistentVolumeClaim: { claimName } });
