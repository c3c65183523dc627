/**
 * The pod of a ModelDeployment, as a pure function. It passes Pod Security *restricted* and has no token.
 *
 *     fetch   brings package and environment from the store and checks their digests; nothing else starts before it is done
 *     front   HTTP; holds no model
 *     model   holds the model, beside generated code: no Secret, no socket but the one that it is given, another user
 *
 * Containers of a pod share a network, so that no NetworkPolicy parts front and model: what the model may not do, its
 * worker asks the kernel to refuse before it loads anything (runner/autoai_runner/serve/keeper.py, confine.py).
 */
import type { ModelDeploymentSpec } from "../api/modeldeployment.ts";
import { parseQuantity } from "../api/quantity.ts";
import {
  ANNOTATIONS,
  CONTAINERS,
  grantsKey,
  grantsName,
  HTTP_PORT,
  labelsOf,
  SHIP_KEY,
  selectorOf,
  workerUser,
} from "./names.ts";

const MIB = 1024 ** 2;
const FRONT_USER = 65532;
const ENVIRONMENT_BYTES = 4096 * MIB;
/** Of the prediction log: 512 MiB of segments and the one that is being written. */
const LOG_BYTES = 640 * MIB;
const TEMPORARY_BYTES = 32 * MIB;
/** Beside the model: what keeps its worker, and its files in memory. */
const KEEPER_BYTES = 32 * MIB + 2 * TEMPORARY_BYTES;
const FRONT_BYTES = 384 * MIB;
/**
 * The front answers for 30 s at most, and then takes what it needs to send the rest of its log: a moment, or more than a minute where
 * the store does not take it. After this the containers are ended, and what was not sent is lost.
 */
const TERMINATION_SECONDS = 120;
/** A model that is not ready after so long is started anew. */
const STARTUP_SECONDS = 300;

export type ServedModel = {
  /** Name of the TrainingJob that published it. */
  readonly trainingJob: string;
  /** SHA-256 of its model.json. */
  readonly digest: string;
  /** Size of the package in bytes. */
  readonly bytes: number;
  readonly environment: string;
  /** SHA-256 of the environment's archive, where the model was published with one. */
  readonly environmentArchive?: string | undefined;
  /** RuntimeClass that the job asked for its generated code. */
  readonly runtimeClassName?: string | undefined;
};

export type ServingSettings = {
  readonly frontImage: string;
  readonly runnerImage: string;
  readonly pullPolicy: "Always" | "IfNotPresent" | "Never";
  /** Where the runner's image has autoai_runner. */
  readonly runnerPath: string;
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined;
  readonly tolerations?: readonly Readonly<Record<string, unknown>>[] | undefined;
  readonly imagePullSecrets?: readonly string[] | undefined;
};

export type PodFacts = {
  readonly namespace: string;
  readonly name: string;
  readonly spec: ModelDeploymentSpec;
  readonly model: ServedModel;
  /** PersistentVolumeClaim with environments; absent: they are fetched from the store. */
  readonly environmentsClaim?: string | undefined;
};

type Json = Readonly<Record<string, unknown>>;

export function podTemplate(facts: PodFacts, settings: ServingSettings): Json {
  const { name, spec, model, environmentsClaim } = facts;
  const spread = ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: selectorOf(name) },
  }));
  return {
    metadata: {
      labels: labelsOf(name),
      annotations: {
        [ANNOTATIONS.digest]: model.digest,
        [ANNOTATIONS.trainingJob]: model.trainingJob,
        "kubectl.kubernetes.io/default-container": CONTAINERS.front,
      },
    },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: TERMINATION_SECONDS,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: FRONT_USER,
        runAsGroup: FRONT_USER,
        seccompProfile: { type: "RuntimeDefault" },
      },
      topologySpreadConstraints: spread,
      ...(settings.nodeSelector === undefined ? {} : { nodeSelector: settings.nodeSelector }),
      ...(settings.tolerations === undefined ? {} : { tolerations: settings.tolerations }),
      ...(settings.imagePullSecrets === undefined
        ? {}
        : { imagePullSecrets: settings.imagePullSecrets.map((one) => ({ name: one })) }),
      ...(model.runtimeClassName === undefined ? {} : { runtimeClassName: model.runtimeClassName }),
      initContainers: [fetchContainer(facts, settings)],
      containers: [frontContainer(facts, settings), modelContainer(facts, settings)],
      volumes: [
        disk("package", model.bytes + 16 * MIB),
        environmentsClaim === undefined
          ? disk("environment", ENVIRONMENT_BYTES)
          : { name: "environments", persistentVolumeClaim: { claimName: environmentsClaim } },
        memory("shared", MIB),
        memory("temporary", TEMPORARY_BYTES),
        // The pod's own is shared by its containers.
        memory("shared-memory", TEMPORARY_BYTES),
        secret("grants", name, grantsKey(model.digest)),
        ...(logs(spec) ? [disk("log", LOG_BYTES), secret("shipping", name, SHIP_KEY)] : []),
      ],
    },
  };
}

function fetchContainer({ model, environmentsClaim }: PodFacts, settings: ServingSettings): Json {
  return {
    name: CONTAINERS.fetch,
    image: settings.runnerImage,
    imagePullPolicy: settings.pullPolicy,
    command: ["python3", "-m", "autoai_runner.fetch"],
    env: variables({
      AUTOAI_GRANTS: `/grants/${grantsKey(model.digest)}`,
      AUTOAI_MODEL_DIGEST: model.digest,
      HOME: "/tmp",
    }),
    resources: {
      limits: { cpu: "2", memory: bytes(256 * MIB) },
      requests: { cpu: "10m", memory: bytes(64 * MIB) },
    },
    volumeMounts: [
      { name: "package", mountPath: "/package" },
      environmentMount(model, environmentsClaim, environmentsClaim !== undefined),
      { name: "grants", mountPath: "/grants", readOnly: true },
    ],
    securityContext: restricted(),
  };
}

function frontContainer({ spec, model }: PodFacts, settings: ServingSettings): Json {
  const { limits, predictionLog } = spec;
  const memoryBytes = FRONT_BYTES + 8 * limits.maxBodyBytes;
  const probe = (path: string) => ({ httpGet: { path, port: "http" }, timeoutSeconds: 2 });
  return {
    name: CONTAINERS.front,
    image: settings.frontImage,
    imagePullPolicy: settings.pullPolicy,
    args: [
      ...["--package", "/package", "--digest", model.digest, "--socket", "/shared/worker.sock"],
      ...["--port", String(HTTP_PORT), "--runtime", spec.runtime],
      ...["--max-body-bytes", String(limits.maxBodyBytes), "--max-rows", String(limits.maxRows)],
      ...["--timeout-seconds", String(limits.timeoutSeconds)],
      ...(logs(spec)
        ? [
            ...["--log-mode", predictionLog.mode, "--log-folder", "/log"],
            ...["--log-sample", String(predictionLog.samplePercent / 100)],
            ...["--log-ship", `/shipping/${SHIP_KEY}`],
          ]
        : []),
    ],
    env: variables({ NODE_OPTIONS: `--max-old-space-size=${Math.floor((memoryBytes * 0.75) / MIB)}` }),
    ports: [{ name: "http", containerPort: HTTP_PORT }],
    resources: {
      limits: { cpu: millis(Math.max(1, parseQuantity(spec.resources.cpu))), memory: bytes(memoryBytes) },
      requests: { cpu: "50m", memory: bytes(128 * MIB) },
    },
    // Ready means that the model has answered its reference rows as it did when it was published.
    startupProbe: { ...probe("/readyz"), periodSeconds: 1, failureThreshold: STARTUP_SECONDS },
    readinessProbe: { ...probe("/readyz"), periodSeconds: 2, failureThreshold: 3 },
    livenessProbe: { ...probe("/healthz"), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    volumeMounts: [
      { name: "package", mountPath: "/package", readOnly: true },
      { name: "shared", mountPath: "/shared" },
      ...(logs(spec)
        ? [
            { name: "log", mountPath: "/log" },
            { name: "shipping", mountPath: "/shipping", readOnly: true },
          ]
        : []),
    ],
    securityContext: restricted(),
  };
}

function modelContainer(
  { namespace, name, spec, model, environmentsClaim }: PodFacts,
  settings: ServingSettings,
): Json {
  const memoryBytes = byteCount(spec.resources.memory);
  const user = workerUser(namespace, name);
  return {
    name: CONTAINERS.model,
    imagePullPolicy: settings.pullPolicy,
    ...(spec.runtime === "Onnx" ? onnxWorker(spec, settings) : pythonWorker(spec, settings)),
    workingDir: "/",
    resources: {
      limits: { cpu: millis(parseQuantity(spec.resources.cpu)), memory: bytes(memoryBytes + KEEPER_BYTES) },
      requests: { cpu: millis(parseQuantity(spec.resources.cpu)), memory: bytes(memoryBytes) },
    },
    volumeMounts: [
      { name: "package", mountPath: "/package", readOnly: true },
      environmentMount(model, environmentsClaim, true),
      // Read-only keeps nobody from connecting to a socket.
      { name: "shared", mountPath: "/shared", readOnly: true },
      { name: "temporary", mountPath: "/tmp" },
      { name: "shared-memory", mountPath: "/dev/shm" },
    ],
    securityContext: { ...restricted(), runAsUser: user, runAsGroup: user },
  };
}

const WORKER = ["--socket", "/shared/worker.sock", "--package", "/package"];
const threads = ({ resources }: ModelDeploymentSpec): string[] => [
  "--threads",
  String(Math.max(1, Math.floor(parseQuantity(resources.cpu)))),
];

function pythonWorker(spec: ModelDeploymentSpec, settings: ServingSettings): Json {
  const start = `import sys; sys.path.insert(0, ${JSON.stringify(settings.runnerPath)}); from autoai_runner.serve.keeper import main; main()`;
  return {
    image: settings.runnerImage,
    command: [
      ...["python3", "-I", "-S", "-B", "-c", start, ...WORKER, "--python", "/environment/bin/python"],
      ...["--engine", spec.runtime, "--memory", String(byteCount(spec.resources.memory)), ...threads(spec)],
    ],
  };
}

/** The server's own image: neither Python nor the pickle of the model has a part in it. */
function onnxWorker(spec: ModelDeploymentSpec, settings: ServingSettings): Json {
  const program = "/opt/autoai/dist/inference-server/onnx/worker.js";
  return { image: settings.frontImage, command: ["node", program, ...WORKER, ...threads(spec)] };
}

export function logs({ predictionLog }: ModelDeploymentSpec): boolean {
  return predictionLog.mode !== "Off";
}

function environmentMount(model: ServedModel, claim: string | undefined, readOnly: boolean): Json {
  if (claim === undefined) return { name: "environment", mountPath: "/environment", readOnly };
  return { name: "environments", mountPath: "/environment", subPath: model.environment, readOnly };
}

function restricted(): Json {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  };
}

const variables = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }));
const bytes = (count: number): string => String(Math.ceil(count));
const millis = (count: number): string => `${Math.ceil(count * 1000)}m`;
const memory = (name: string, sizeBytes: number): Json => ({
  name,
  emptyDir: { medium: "Memory", sizeLimit: bytes(sizeBytes) },
});
const disk = (name: string, sizeBytes: number): Json => ({ name, emptyDir: { sizeLimit: bytes(sizeBytes) } });
/** One key of the Secret of grants. */
const secret = (volume: string, name: string, key: string): Json => ({
  name: volume,
  secret: { secretName: grantsName(name), items: [{ key, path: key }] },
});
const byteCount = (text: string): number => Math.floor(parseQuantity(text));
