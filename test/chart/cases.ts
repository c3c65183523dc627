/** Every value of the chart: set to something else than its default, what is seen of it. */
import { labelsOf } from "../../operator/serving/names.ts";
import { type Manifest, only } from "./helm.ts";

export type Case = {
  /** Dotted path → value: what the case is about. */
  readonly set: Readonly<Record<string, unknown>>;
  /** What else it takes. */
  readonly given?: Readonly<Record<string, unknown>>;
  readonly seen: (manifests: readonly Manifest[]) => unknown;
  readonly as: unknown;
};

const deployment = (all: readonly Manifest[]) =>
  all.find(
    (one) => one.kind === "Deployment" && one.metadata.labels["app.kubernetes.io/component"] === "operator",
  );
const operatorPod = (all: readonly Manifest[]) => deployment(all).spec.template.spec;
const operator = (all: readonly Manifest[]) => operatorPod(all).containers[0];
const isOfConsole = (one: Manifest) => one.metadata.labels["app.kubernetes.io/component"] === "console";
const console_ = (all: readonly Manifest[]) =>
  all.find((one) => one.kind === "Deployment" && isOfConsole(one)).spec.template.spec.containers[0];
const consoleVariable = (all: readonly Manifest[], name: string) =>
  console_(all).env.find((one: Manifest) => one.name === name).value;
const withConsole = { "console.enabled": true, "console.origins": ["https://autoai.example.org"] };
/** What is set is seen in a variable of the console; its issuer and client are given, or set. */
const oidc = (value: string, name: string, set: unknown): Case => ({
  set: { [`console.oidc.${value}`]: set },
  given: {
    ...withConsole,
    "console.oidc.issuer": "https://sso.example.org:8443/realms/a",
    "console.oidc.clientId": "console",
  },
  seen: (all) => consoleVariable(all, `AUTOAI_CONSOLE_OIDC_${name}`),
  as: set,
});
const minio = (all: readonly Manifest[]) => only(all, "StatefulSet");
const minioPod = (all: readonly Manifest[]) => minio(all).spec.template.spec;
const variable = (name: string) => (all: readonly Manifest[]) => {
  const { value, valueFrom } = operator(all).env.find((one: Manifest) => one.name === name) ?? {};
  return value ?? valueFrom?.secretKeyRef;
};
const json = (name: string) => (all: readonly Manifest[]) => JSON.parse(variable(name)(all));
const kinds = (...wanted: string[]) => {
  return (all: readonly Manifest[]) => all.filter((one) => wanted.includes(one.kind)).length;
};
const claim = (all: readonly Manifest[]) => only(all, "PersistentVolumeClaim");
const storePeer = (all: readonly Manifest[]) =>
  only(all, "NetworkPolicy", "autoai-operator").spec.egress.find((rule: Manifest) => rule.to);

const toleration = [{ key: "dedicated", operator: "Equal", value: "ml", effect: "NoSchedule" }];
const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } };
const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const resources = { requests: { cpu: "250m", memory: "1Gi" }, limits: { memory: "3Gi" } };

/** A store outside of the cluster. */
export const EXTERNAL = {
  "minio.enabled": false,
  "store.endpoint": "https://s3.example.org",
  "store.existingSecret": "s3",
  "store.network.cidr": "192.0.2.10/32",
} as const;
const { "store.network.cidr": _cidr, ...external } = EXTERNAL;
const { "minio.enabled": _enabled, ...address } = EXTERNAL;
const inside = { ...external, "store.endpoint": "http://store.data.svc:8333" };
const claims = { "environments.enabled": true, "environments.namespaces": ["team-a"] };

export const CASES: readonly Case[] = [
  { set: { nameOverride: "models" }, seen: (all) => deployment(all).metadata.name, as: "autoai-models" },
  { set: { fullnameOverride: "trainer" }, seen: (all) => deployment(all).metadata.name, as: "trainer" },
  {
    set: { "console.enabled": true },
    given: { "console.origins": ["https://autoai.example.org"] },
    seen: (all) => [console_(all).image, all.filter(isOfConsole).map(({ kind }) => kind)],
    as: ["autoai-console:0.1.0", ["NetworkPolicy", "ServiceAccount", "Service", "Deployment"]],
  },
  {
    set: { "console.origins": ["https://autoai.example.org", "http://localhost:8080"] },
    given: { "console.enabled": true },
    seen: (all) => consoleVariable(all, "AUTOAI_CONSOLE_ORIGINS"),
    as: "https://autoai.example.org,http://localhost:8080",
  },
  {
    set: { "console.sessionSeconds": 3600 },
    given: withConsole,
    seen: (all) => consoleVariable(all, "AUTOAI_CONSOLE_SESSION_SECONDS"),
    as: "3600",
  },
  {
    ...oidc("issuer", "ISSUER", "https://sso.example.org:8444/realms/b"),
    seen: (all) => [
      consoleVariable(all, "AUTOAI_CONSOLE_OIDC_ISSUER"),
      only(all, "NetworkPolicy", "autoai-console")
        .spec.egress.filter((rule: Manifest) => !rule.to)
        .at(-1).ports,
    ],
    as: ["https://sso.example.org:8444/realms/b", [{ protocol: "TCP", port: 8444 }]],
  },
  oidc("clientId", "CLIENT_ID", "another"),
  oidc("scopes", "SCOPES", "openid groups"),
  oidc("label", "LABEL", "the company's accounts"),
  {
    ...oidc("existingSecret", "CLIENT_SECRET", "sso"),
    seen: (all) =>
      console_(all).env.find((one: Manifest) => one.name === "AUTOAI_CONSOLE_OIDC_CLIENT_SECRET").valueFrom,
    as: { secretKeyRef: { name: "sso", key: "clientSecret" } },
  },
  {
    ...oidc("secretKey", "CLIENT_SECRET", "password"),
    given: {
      ...oidc("secretKey", "", "").given,
      "console.oidc.existingSecret": "sso",
    },
    seen: (all) =>
      console_(all).env.find((one: Manifest) => one.name === "AUTOAI_CONSOLE_OIDC_CLIENT_SECRET").valueFrom,
    as: { secretKeyRef: { name: "sso", key: "password" } },
  },
  {
    ...oidc("caConfigMap", "", "authority"),
    seen: (all) => [
      consoleVariable(all, "NODE_EXTRA_CA_CERTS"),
      console_(all).volumeMounts.map((one: Manifest) => one.mountPath),
    ],
    as: ["/etc/autoai/oidc/ca.crt", ["/etc/autoai/cluster", "/etc/autoai/oidc"]],
  },
  {
    set: { "console.from": [{ podSelector: { matchLabels: { app: "gateway" } } }] },
    given: withConsole,
    seen: (all) => only(all, "NetworkPolicy", "autoai-console").spec.ingress[0].from,
    as: [{ podSelector: { matchLabels: { app: "gateway" } } }],
  },
  {
    set: { "console.resources": resources },
    given: withConsole,
    seen: (all) => console_(all).resources,
    as: resources,
  },
  {
    set: { "image.console.repository": "our/console" },
    given: withConsole,
    seen: (all) => console_(all).image,
    as: "our/console:0.1.0",
  },
  {
    set: { "image.console.digest": digest },
    given: withConsole,
    seen: (all) => console_(all).image,
    as: `autoai-console@${digest}`,
  },
  {
    set: { commonLabels: { team: "data" } },
    seen: (all) => all.every((one) => one.metadata.labels.team === "data"),
    as: true,
  },
  {
    set: { imagePullSecrets: [{ name: "registry" }] },
    seen: (all) => [operatorPod(all).imagePullSecrets, minioPod(all).imagePullSecrets],
    as: [[{ name: "registry" }], [{ name: "registry" }]],
  },
  { set: { watchNamespaces: ["a", "b"] }, seen: variable("AUTOAI_WATCH_NAMESPACES"), as: "a,b" },
  { set: { "crds.install": false }, seen: kinds("CustomResourceDefinition"), as: 0 },
  {
    set: { "image.registry": "registry.example.org/ml" },
    seen: (all) => [operator(all).image, variable("AUTOAI_RUNNER_IMAGE")(all)],
    as: ["registry.example.org/ml/autoai-operator:0.1.0", "registry.example.org/ml/autoai-runner:0.1.0"],
  },
  {
    set: { "image.tag": "dev" },
    seen: (all) => [operator(all).image, variable("AUTOAI_RUNNER_IMAGE")(all)],
    as: ["autoai-operator:dev", "autoai-runner:dev"],
  },
  {
    set: { "image.pullPolicy": "Always" },
    seen: (all) => [operator(all).imagePullPolicy, variable("AUTOAI_RUNNER_PULL_POLICY")(all)],
    as: ["Always", "Always"],
  },
  {
    set: { "image.operator.repository": "mirror/operator" },
    seen: (all) => operator(all).image,
    as: "mirror/operator:0.1.0",
  },
  {
    set: { "image.operator.digest": digest },
    seen: (all) => operator(all).image,
    as: `autoai-operator@${digest}`,
  },
  {
    set: { "image.runner.repository": "mirror/runner" },
    seen: variable("AUTOAI_RUNNER_IMAGE"),
    as: "mirror/runner:0.1.0",
  },
  {
    set: { "image.runner.digest": digest },
    seen: variable("AUTOAI_RUNNER_IMAGE"),
    as: `autoai-runner@${digest}`,
  },
  {
    set: { "image.inferenceServer.repository": "mirror/inference-server" },
    seen: variable("AUTOAI_INFERENCE_SERVER_IMAGE"),
    as: "mirror/inference-server:0.1.0",
  },
  {
    set: { "image.inferenceServer.digest": digest },
    seen: variable("AUTOAI_INFERENCE_SERVER_IMAGE"),
    as: `autoai-inference-server@${digest}`,
  },
  {
    set: { "operator.replicas": 1 },
    seen: (all) => [deployment(all).spec.replicas, kinds("PodDisruptionBudget")(all)],
    as: [1, 0],
  },
  { set: { "operator.logLevel": "debug" }, seen: variable("AUTOAI_LOG_LEVEL"), as: "debug" },
  { set: { "operator.resources": resources }, seen: (all) => operator(all).resources, as: resources },
  {
    set: { "operator.terminationGracePeriodSeconds": 60 },
    seen: (all) => operatorPod(all).terminationGracePeriodSeconds,
    as: 60,
  },
  {
    set: { "operator.priorityClassName": "high" },
    seen: (all) => operatorPod(all).priorityClassName,
    as: "high",
  },
  {
    set: { "operator.nodeSelector": { pool: "system" } },
    seen: (all) => operatorPod(all).nodeSelector,
    as: { pool: "system" },
  },
  {
    set: { "operator.tolerations": toleration },
    seen: (all) => operatorPod(all).tolerations,
    as: toleration,
  },
  { set: { "operator.affinity": affinity }, seen: (all) => operatorPod(all).affinity, as: affinity },
  {
    set: {
      "operator.topologySpreadConstraints": [
        { maxSkew: 1, topologyKey: "rack", whenUnsatisfiable: "DoNotSchedule" },
      ],
    },
    seen: (all) => operatorPod(all).topologySpreadConstraints,
    as: [{ maxSkew: 1, topologyKey: "rack", whenUnsatisfiable: "DoNotSchedule" }],
  },
  {
    set: { "operator.podAnnotations": { "example.org/a": "b" } },
    seen: (all) => deployment(all).spec.template.metadata.annotations["example.org/a"],
    as: "b",
  },
  {
    set: { "operator.podLabels": { sidecar: "none" } },
    seen: (all) => deployment(all).spec.template.metadata.labels.sidecar,
    as: "none",
  },
  {
    set: { "operator.extraEnv": [{ name: "HTTPS_PROXY", value: "http://proxy:3128" }] },
    seen: variable("HTTPS_PROXY"),
    as: "http://proxy:3128",
  },
  { set: { "podDisruptionBudget.enabled": false }, seen: kinds("PodDisruptionBudget"), as: 0 },
  {
    set: { "podDisruptionBudget.maxUnavailable": "50%" },
    seen: (all) => only(all, "PodDisruptionBudget").spec.maxUnavailable,
    as: "50%",
  },
  {
    set: { "serviceAccount.create": false },
    given: { "serviceAccount.name": "theirs" },
    seen: (all) => [kinds("ServiceAccount")(all), operatorPod(all).serviceAccountName],
    as: [0, "theirs"],
  },
  {
    set: { "serviceAccount.name": "trainer" },
    seen: (all) => [only(all, "ServiceAccount").metadata.name, operatorPod(all).serviceAccountName],
    as: ["trainer", "trainer"],
  },
  {
    set: { "serviceAccount.annotations": { "example.org/role": "s3" } },
    seen: (all) => only(all, "ServiceAccount").metadata.annotations,
    as: { "example.org/role": "s3" },
  },
  {
    set: { "rbac.create": false },
    seen: (all) => [kinds("Role", "RoleBinding", "ClusterRoleBinding")(all), kinds("ClusterRole")(all)],
    as: [0, 3],
  },
  {
    set: { "rbac.authentication": false },
    seen: (all) => all.filter((one) => one.roleRef?.name === "system:auth-delegator").length,
    as: 0,
  },
  { set: { "rbac.userRoles": false }, seen: kinds("ClusterRole"), as: 1 },
  {
    set: { "gemini.existingSecret": "gemini" },
    seen: variable("GEMINI_API_KEY"),
    as: { name: "gemini", key: "GEMINI_API_KEY" },
  },
  {
    set: { "gemini.key": "apiKey" },
    given: { "gemini.existingSecret": "gemini" },
    seen: variable("GEMINI_API_KEY"),
    as: { name: "gemini", key: "apiKey" },
  },
  {
    set: { "gemini.baseUrl": "http://gemini.test.svc:8080" },
    seen: variable("AUTOAI_GEMINI_BASE_URL"),
    as: "http://gemini.test.svc:8080",
  },
  { set: { "artifacts.onDelete": "Delete" }, seen: variable("AUTOAI_ARTIFACTS"), as: "Delete" },
  {
    set: { "jobs.nodeSelector": { pool: "ml" } },
    seen: json("AUTOAI_POD_NODE_SELECTOR"),
    as: { pool: "ml" },
  },
  { set: { "jobs.tolerations": toleration }, seen: json("AUTOAI_POD_TOLERATIONS"), as: toleration },
  {
    set: { "jobs.imagePullSecrets": [{ name: "registry" }] },
    seen: json("AUTOAI_POD_IMAGE_PULL_SECRETS"),
    as: [{ name: "registry" }],
  },
  {
    set: { "jobs.packageIndex.url": "https://index.example.org/simple" },
    seen: variable("AUTOAI_INDEX_URL"),
    as: "https://index.example.org/simple",
  },
  {
    set: { "jobs.packageIndex.egress": [{ cidr: "10.1.0.0/16", except: ["10.1.2.0/24"], ports: [443] }] },
    seen: json("AUTOAI_INDEX_EGRESS"),
    as: [{ cidr: "10.1.0.0/16", except: ["10.1.2.0/24"], ports: [443] }],
  },
  {
    set: { "environments.enabled": true },
    given: { watchNamespaces: ["a", "b"] },
    seen: (all) => [
      variable("AUTOAI_ENVIRONMENTS_CLAIM")(all),
      all
        .filter((one) => one.kind === "PersistentVolumeClaim")
        .map(({ metadata }) => [metadata.namespace, metadata.name]),
    ],
    as: [
      "autoai-environments",
      [
        ["a", "autoai-environments"],
        ["b", "autoai-environments"],
      ],
    ],
  },
  {
    set: { "environments.namespaces": ["b"] },
    given: { "environments.enabled": true, watchNamespaces: ["a", "b"] },
    seen: (all) => claim(all).metadata.namespace,
    as: "b",
  },
  {
    set: { "environments.existingClaim": "shared" },
    given: claims,
    seen: (all) => [variable("AUTOAI_ENVIRONMENTS_CLAIM")(all), kinds("PersistentVolumeClaim")(all)],
    as: ["shared", 0],
  },
  {
    set: { "environments.storageClassName": "nfs" },
    given: claims,
    seen: (all) => claim(all).spec.storageClassName,
    as: "nfs",
  },
  {
    set: { "environments.storageClassName": "-" },
    given: claims,
    seen: (all) => claim(all).spec.storageClassName,
    as: "",
  },
  {
    set: { "environments.volumeName": "cache" },
    given: claims,
    seen: (all) => claim(all).spec.volumeName,
    as: "cache",
  },
  {
    set: { "environments.size": "100Gi" },
    given: claims,
    seen: (all) => claim(all).spec.resources.requests.storage,
    as: "100Gi",
  },
  {
    set: { "environments.accessModes": ["ReadWriteOnce"] },
    given: claims,
    seen: (all) => claim(all).spec.accessModes,
    as: ["ReadWriteOnce"],
  },
  { set: { "store.bucket": "models" }, seen: variable("AUTOAI_STORE_BUCKET"), as: "models" },
  {
    set: { "store.region": "eu-central-1" },
    seen: (all) => [
      variable("AUTOAI_STORE_REGION")(all),
      minioPod(all).containers[0].env.find((one: Manifest) => one.name === "MINIO_SITE_REGION").value,
    ],
    as: ["eu-central-1", "eu-central-1"],
  },
  {
    set: { "store.endpoint": "https://s3.example.org:8443" },
    given: EXTERNAL,
    seen: (all) => [variable("AUTOAI_STORE_ENDPOINT")(all), variable("AUTOAI_STORE_PORT")(all)],
    as: ["https://s3.example.org:8443", "8443"],
  },
  {
    set: { "store.existingSecret": "store" },
    seen: (all) => [kinds("Secret")(all), variable("AUTOAI_STORE_ACCESS_KEY")(all).name],
    as: [0, "store"],
  },
  {
    set: { "store.secretKeys.accessKey": "user" },
    seen: (all) => [variable("AUTOAI_STORE_ACCESS_KEY")(all).key, Object.keys(only(all, "Secret").data)],
    as: ["user", ["user", "secretKey"]],
  },
  {
    set: { "store.secretKeys.secretKey": "password" },
    seen: (all) => [variable("AUTOAI_STORE_SECRET_KEY")(all).key, Object.keys(only(all, "Secret").data)],
    as: ["password", ["accessKey", "password"]],
  },
  {
    set: { "store.network.cidr": "192.0.2.10/32" },
    given: external,
    seen: (all) => [json("AUTOAI_STORE_SELECTOR")(all), storePeer(all)],
    as: [
      { cidr: "192.0.2.10/32" },
      { ports: [{ protocol: "TCP", port: 443 }], to: [{ ipBlock: { cidr: "192.0.2.10/32" } }] },
    ],
  },
  {
    set: { "store.network.namespace": "data" },
    given: { "store.network.podLabels": { app: "store" }, ...inside },
    seen: json("AUTOAI_STORE_SELECTOR"),
    as: { namespace: "data", podLabels: { app: "store" } },
  },
  {
    set: { "store.network.podLabels": { app: "store" } },
    given: inside,
    seen: (all) => [json("AUTOAI_STORE_SELECTOR")(all), storePeer(all)],
    as: [
      { namespace: "platform", podLabels: { app: "store" } },
      {
        ports: [{ protocol: "TCP", port: 8333 }],
        to: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "platform" } },
            podSelector: { matchLabels: { app: "store" } },
          },
        ],
      },
    ],
  },
  {
    set: { "store.network.port": 9443 },
    given: { "store.network.podLabels": { app: "store" }, ...inside },
    seen: (all) => [variable("AUTOAI_STORE_PORT")(all), storePeer(all).ports[0].port],
    as: ["9443", 9443],
  },
  {
    set: { "minio.enabled": false },
    given: address,
    seen: (all) => [kinds("StatefulSet", "Secret")(all), variable("AUTOAI_STORE_ENDPOINT")(all)],
    as: [0, "https://s3.example.org"],
  },
  {
    set: { "minio.image.repository": "mirror/minio" },
    given: { "minio.image.tag": "v1" },
    seen: (all) => minioPod(all).containers[0].image,
    as: "mirror/minio:v1",
  },
  {
    set: { "minio.image.tag": "RELEASE.1" },
    seen: (all) => minioPod(all).containers[0].image,
    as: "quay.io/minio/minio:RELEASE.1",
  },
  {
    set: { "minio.image.digest": digest },
    seen: (all) => minioPod(all).containers[0].image,
    as: `quay.io/minio/minio@${digest}`,
  },
  {
    set: { "minio.image.pullPolicy": "Never" },
    seen: (all) => minioPod(all).containers[0].imagePullPolicy,
    as: "Never",
  },
  {
    set: { "minio.persistence.enabled": false },
    seen: (all) => [
      minio(all).spec.volumeClaimTemplates,
      minioPod(all).volumes.map((one: Manifest) => one.name),
    ],
    as: [undefined, ["tmp", "data"]],
  },
  {
    set: { "minio.persistence.storageClassName": "fast" },
    seen: (all) => minio(all).spec.volumeClaimTemplates[0].spec.storageClassName,
    as: "fast",
  },
  {
    set: { "minio.persistence.size": "1Ti" },
    seen: (all) => minio(all).spec.volumeClaimTemplates[0].spec.resources.requests.storage,
    as: "1Ti",
  },
  {
    set: { "minio.persistence.whenUninstalled": "Delete" },
    seen: (all) => minio(all).spec.persistentVolumeClaimRetentionPolicy.whenDeleted,
    as: "Delete",
  },
  {
    set: { "minio.resources": resources },
    seen: (all) => minioPod(all).containers[0].resources,
    as: resources,
  },
  {
    set: { "minio.nodeSelector": { disk: "ssd" } },
    seen: (all) => minioPod(all).nodeSelector,
    as: { disk: "ssd" },
  },
  { set: { "minio.tolerations": toleration }, seen: (all) => minioPod(all).tolerations, as: toleration },
  { set: { "minio.affinity": affinity }, seen: (all) => minioPod(all).affinity, as: affinity },
  { set: { "networkPolicy.enabled": false }, seen: kinds("NetworkPolicy"), as: 0 },
  {
    set: { "networkPolicy.operatorFrom": [{ podSelector: { matchLabels: { app: "prometheus" } } }] },
    seen: (all) => only(all, "NetworkPolicy", "autoai-operator").spec.ingress[0].from,
    as: [{ podSelector: { matchLabels: { app: "prometheus" } } }],
  },
  {
    set: { "networkPolicy.operatorPorts": [443, 16443] },
    seen: (all) => only(all, "NetworkPolicy", "autoai-operator").spec.egress[1].ports,
    as: [
      { protocol: "TCP", port: 443 },
      { protocol: "TCP", port: 16443 },
    ],
  },
  {
    set: { "networkPolicy.operatorEgress": [{ ports: [{ protocol: "TCP", port: 3128 }] }] },
    seen: (all) => only(all, "NetworkPolicy", "autoai-operator").spec.egress.at(-1),
    as: { ports: [{ protocol: "TCP", port: 3128 }] },
  },
  { set: { "metrics.serviceMonitor.enabled": true }, seen: kinds("ServiceMonitor"), as: 1 },
  {
    // With the labels and the port that pods of servers have.
    set: { "metrics.serviceMonitor.enabled": true },
    seen: (all) => all.find(({ kind }) => kind === "PodMonitor")?.spec,
    as: {
      namespaceSelector: { any: true },
      selector: { matchLabels: { "app.kubernetes.io/name": labelsOf("churn")["app.kubernetes.io/name"] } },
      podMetricsEndpoints: [{ port: "http", path: "/metrics", interval: "30s" }],
    },
  },
  {
    set: { "metrics.serviceMonitor.labels": { release: "prometheus" } },
    given: { "metrics.serviceMonitor.enabled": true },
    seen: (all) => only(all, "ServiceMonitor").metadata.labels.release,
    as: "prometheus",
  },
  {
    set: { "metrics.serviceMonitor.interval": "1m" },
    given: { "metrics.serviceMonitor.enabled": true },
    seen: (all) => only(all, "ServiceMonitor").spec.endpoints[0].interval,
    as: "1m",
  },
  { set: { "metrics.dashboard.enabled": true }, seen: kinds("ConfigMap"), as: 1 },
  {
    set: { "metrics.dashboard.labels": { dashboards: "shown" } },
    given: { "metrics.dashboard.enabled": true },
    seen: (all) => only(all, "ConfigMap").metadata.labels.dashboards,
    as: "shown",
  },
];
