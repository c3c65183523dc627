/** What a ModelDeployment is made of in a cluster, but for its Secret: pure functions of the wish and the model. */
import type { ModelDeployment } from "../api/modeldeployment.ts";
import { type StoreSelector, storePeer } from "../cluster/kubernetes/tool-policies.ts";
import { CHILD_KINDS, type Child, type ChildKind, type LiveDeployment, type Owner } from "./children.ts";
import { ANNOTATIONS, HTTP_PORT, labelsOf, policyName, selectorOf } from "./names.ts";
import { podTemplate, type ServedModel, type ServingSettings } from "./pod.ts";

export type ManifestSettings = ServingSettings & {
  readonly store: StoreSelector;
  /** Of the store's pods: policies see a destination after the Service's address is translated. */
  readonly storePort: number;
};

export type ManifestFacts = {
  readonly deployment: ModelDeployment;
  readonly model: ServedModel;
  readonly environmentsClaim?: string | undefined;
};

/** Metrics of in-flight requests, as a metrics adapter has them of the pods' /metrics. */
export const IN_FLIGHT_METRIC = "autoai_inference_in_flight_requests";
const DEFAULT_CPU_PERCENT = 80;
/** A roll that made no progress for so long has failed. */
const PROGRESS_DEADLINE_SECONDS = 600;

/** In the order in which they are applied. */
export function manifestsOf(facts: ManifestFacts, settings: ManifestSettings): Child[] {
  const { deployment } = facts;
  return [
    networkPolicy(deployment, settings),
    service(deployment),
    deploymentOf(facts, settings),
    disruptionBudget(deployment),
    ...(deployment.spec.autoscaling === undefined ? [] : [autoscaler(deployment)]),
  ];
}

/** The resource itself, which its children go with. */
export function ownerOf({ apiVersion, kind, metadata }: ModelDeployment): Owner {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? "", controller: true };
}

export function child(
  deployment: ModelDeployment,
  kind: ChildKind,
  name: string,
  rest: Readonly<Record<string, unknown>>,
  annotations?: Readonly<Record<string, string>>,
): Child {
  return {
    apiVersion: CHILD_KINDS[kind].apiVersion,
    kind,
    metadata: {
      name,
      namespace: deployment.metadata.namespace ?? "default",
      labels: labelsOf(deployment.metadata.name),
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [ownerOf(deployment)],
    },
    ...rest,
  };
}

/**
 * Gives the number of servers away before an autoscaler takes it over. Without this the field would have no owner once we
 * say nothing of it any more, and fall back to 1 in the middle of the load. undefined where there is nothing to give.
 */
export function handover(deployment: ModelDeployment, live: LiveDeployment | undefined): Child | undefined {
  const isOurs = live?.metadata.annotations?.[ANNOTATIONS.scaledBy] === "ModelDeployment";
  if (deployment.spec.autoscaling === undefined || !live || !isOurs) return undefined;
  const { name, namespace = "default" } = deployment.metadata;
  const replicas = Math.max(1, live.spec?.replicas ?? 1);
  const { apiVersion } = CHILD_KINDS.Deployment;
  return { apiVersion, kind: "Deployment", metadata: { name, namespace }, spec: { replicas } };
}

function deploymentOf(facts: ManifestFacts, settings: ManifestSettings): Child {
  const { deployment, model, environmentsClaim } = facts;
  const { name, namespace = "default" } = deployment.metadata;
  const { spec } = deployment;
  const isScaled = spec.autoscaling !== undefined;
  return child(
    deployment,
    "Deployment",
    name,
    {
      spec: {
        ...(isScaled ? {} : { replicas: spec.replicas ?? 1 }),
        selector: { matchLabels: selectorOf(name) },
        // The old model answers until the new one does.
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        progressDeadlineSeconds: PROGRESS_DEADLINE_SECONDS,
        // Going back is an edit of modelRef: old revisions would only name models without grants.
        revisionHistoryLimit: 1,
        template: podTemplate({ namespace, name, spec, model, environmentsClaim }, settings),
      },
    },
    {
      [ANNOTATIONS.digest]: model.digest,
      [ANNOTATIONS.trainingJob]: model.trainingJob,
      [ANNOTATIONS.scaledBy]: isScaled ? "HorizontalPodAutoscaler" : "ModelDeployment",
    },
  );
}

function service(deployment: ModelDeployment): Child {
  const { name } = deployment.metadata;
  return child(deployment, "Service", name, {
    spec: {
      selector: selectorOf(name),
      ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: "http", appProtocol: "http" }],
    },
  });
}

function autoscaler(deployment: ModelDeployment): Child {
  const { name } = deployment.metadata;
  const { minReplicas, maxReplicas, targetCpuPercent, targetInFlightRequests } = deployment.spec
    .autoscaling ?? { minReplicas: 1, maxReplicas: 1 };
  const cpu = targetCpuPercent ?? (targetInFlightRequests === undefined ? DEFAULT_CPU_PERCENT : undefined);
  return child(deployment, "HorizontalPodAutoscaler", name, {
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      minReplicas,
      maxReplicas,
      metrics: [
        ...(cpu === undefined
          ? []
          : [
              {
                type: "Resource",
                resource: { name: "cpu", target: { type: "Utilization", averageUtilization: cpu } },
              },
            ]),
        ...(targetInFlightRequests === undefined
          ? []
          : [
              {
                type: "Pods",
                pods: {
                  metric: { name: IN_FLIGHT_METRIC },
                  target: { type: "AverageValue", averageValue: String(targetInFlightRequests) },
                },
              },
            ]),
      ],
    },
  });
}

function disruptionBudget(deployment: ModelDeployment): Child {
  const { name } = deployment.metadata;
  return child(deployment, "PodDisruptionBudget", name, {
    spec: {
      // Not "one must stay": a single server would keep its node from being drained for good.
      maxUnavailable: 1,
      selector: { matchLabels: selectorOf(name) },
      unhealthyPodEvictionPolicy: "AlwaysAllow",
    },
  });
}

function networkPolicy(deployment: ModelDeployment, { store, storePort }: ManifestSettings): Child {
  const { name } = deployment.metadata;
  return child(deployment, "NetworkPolicy", policyName(name), {
    spec: {
      podSelector: { matchLabels: selectorOf(name) },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ ports: [{ protocol: "TCP", port: HTTP_PORT }] }],
      egress: [
        { to: [storePeer(store)], ports: [{ protocol: "TCP", port: storePort }] },
        {
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
      ],
    },
  });
}
