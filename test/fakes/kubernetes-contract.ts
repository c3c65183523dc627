/** What the operator's half of the wire does on an API server: the same on the one in memory and on a real one. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { ConflictError } from "../../operator/cluster/cluster.ts";
import type { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import { type Change, KubernetesCluster } from "../../operator/cluster/kubernetes/cluster.ts";
import { KubernetesLease } from "../../operator/cluster/kubernetes/lease.ts";
import { KubernetesPods } from "../../operator/cluster/kubernetes/pods.ts";
import { toolPolicies } from "../../operator/cluster/kubernetes/tool-policies.ts";
import { ownerHash } from "../../operator/sandbox/pods/owner.ts";
import { LABELS, type PodManifest } from "../../operator/sandbox/pods/pods.ts";
import { ready, training } from "../builders/statuses.ts";

const JOBS = "trainingjobs";
const PATIENT = { timeout: 20_000, interval: 20 };

/** Where the tests write; the namespace is there, and nothing of ours is in it. */
export type Wire = { readonly api: ApiServer; readonly namespace: string };

export function describeWire(name: string, connect: () => Promise<Wire> | Wire): void {
  describe(name, () => {
    let wire: Wire;
    let cluster: KubernetesCluster;
    const changes: Change[] = [];
    const lost: unknown[] = [];
    beforeAll(async () => {
      wire = await connect();
      cluster = new KubernetesCluster({
        api: wire.api,
        namespaces: [wire.namespace],
        instance: "contract",
        now: Date.now,
        onChange: (change) => changes.push(change),
        onEventLost: (error) => lost.push(error),
      });
      await cluster.start();
    });
    afterAll(() => cluster?.stop());

    const path = (plural: string, of = "autoai.dev/v1alpha1") =>
      `/api${of === "v1" ? "" : "s"}/${of}/namespaces/${wire.namespace}/${plural}`;
    const key = (job: string) => `${wire.namespace}/${job}`;

    /** A job that somebody else made, as the cache has it. */
    async function made(job: string): Promise<TrainingJob> {
      const { metadata, ...rest } = TrainingJob.parse({
        apiVersion: "autoai.dev/v1alpha1",
        kind: "TrainingJob",
        metadata: { name: job },
        spec: { dataset: { configMapKeyRef: { name: "rows", key: "rows.csv" } }, target: "y" },
      });
      await wire.api.request("POST", path(JOBS), { body: { ...rest, metadata } });
      return vi.waitFor(async () => {
        const found = await cluster.get("TrainingJob", key(job));
        if (found === undefined) throw new Error(`${job} is not in the cache yet`);
        return found;
      }, PATIENT);
    }
    const read = (job: string) => wire.api.request<TrainingJob>("GET", `${path(JOBS)}/${job}`);

    test("a status that was written is read at once, and what it no longer has is gone", async () => {
      const job = await made("status");
      const usage = { tokens: 1, seconds: 2 };
      await cluster.updateStatus<"TrainingJob">(job, training({ usage, warnings: ["one"] }));
      const first = await cluster.get("TrainingJob", key("status"));
      expect(first?.status).toEqual(training({ usage, warnings: ["one"] }));
      if (!first) throw new Error("it is gone");
      await cluster.updateStatus<"TrainingJob">(first, training({ usage }));
      expect((await read("status")).status).toEqual(training({ usage }));
      expect((await read("status")).metadata.generation).toBe(1);
    });

    test("a status made from an object that changed is refused, and the next read has what is there", async () => {
      const job = await made("conflict");
      const body = { metadata: { annotations: { by: "another" } } };
      await wire.api.request("PATCH", `${path(JOBS)}/conflict`, {
        contentType: "application/merge-patch+json",
        body,
      });
      await expect(cluster.updateStatus(job, ready())).rejects.toBeInstanceOf(ConflictError);
      const current = await cluster.get("TrainingJob", key("conflict"));
      expect(current?.metadata.resourceVersion).toBe((await read("conflict")).metadata.resourceVersion);
      if (current) await cluster.updateStatus<"TrainingJob">(current, training());
      expect((await read("conflict")).status?.state).toBe("TRAINING");
    });

    test("a finalizer keeps what is deleted until it is taken off", async () => {
      const job = await cluster.setFinalizer(await made("final"), "autoai.dev/cleanup", true);
      expect(job?.metadata.finalizers).toEqual(["autoai.dev/cleanup"]);
      if (!job) throw new Error("it is gone");
      await cluster.remove(job);
      const deleted = await vi.waitFor(async () => {
        const found = await cluster.get("TrainingJob", key("final"));
        expect(found?.metadata.deletionTimestamp).toBeDefined();
        return found;
      }, PATIENT);
      if (!deleted) throw new Error("it is gone");
      expect(await cluster.setFinalizer(deleted, "autoai.dev/cleanup", false)).toBeUndefined();
      expect(await cluster.get("TrainingJob", key("final"))).toBeUndefined();
      await expect(read("final")).rejects.toMatchObject({ code: 404 });
      await expect(cluster.updateStatus(deleted, ready())).rejects.toBeInstanceOf(ConflictError);
    });

    test("another one of the same name is not removed in its place", async () => {
      const job = await made("again");
      await cluster.remove({
        ...job,
        metadata: { ...job.metadata, uid: "0b5e2a1c-0000-0000-0000-000000000000" },
      });
      expect((await read("again")).metadata.deletionTimestamp).toBeUndefined();
      await cluster.remove(job);
      await vi.waitFor(() => expect(cluster.cached("TrainingJob", key("again"))).toBeUndefined(), PATIENT);
      await cluster.remove(job);
    });

    test("what others change is told, with what it was before", async () => {
      const job = await made("told");
      const patch = { contentType: "application/merge-patch+json", body: { spec: { suspend: true } } };
      await wire.api.request("PATCH", `${path(JOBS)}/told`, patch);
      await vi.waitFor(() => {
        const change = changes.findLast((one) => one.key === key("told"));
        expect(change?.current?.metadata.generation).toBe(2);
        expect(change?.previous?.metadata.resourceVersion).toBe(job.metadata.resourceVersion);
        expect(change?.kind).toBe("TrainingJob");
      }, PATIENT);
      await wire.api.request("DELETE", `${path(JOBS)}/told`);
      await vi.waitFor(
        () => expect(changes.findLast((one) => one.key === key("told"))?.current).toBeUndefined(),
        PATIENT,
      );
    });

    test("Secrets and ConfigMaps are read as texts and bytes, and what is not there is nothing", async () => {
      const base64 = (bytes: string | Uint8Array) => Buffer.from(bytes).toString("base64");
      const [secret, configMap] = [{ name: "keys" }, { name: "rows" }];
      await wire.api.request("POST", path("secrets", "v1"), {
        body: { apiVersion: "v1", kind: "Secret", metadata: secret, data: { apiKey: base64("käse") } },
      });
      await wire.api.request("POST", path("configmaps", "v1"), {
        body: {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: configMap,
          data: { "rows.csv": "a\n1\n" },
          binaryData: { raw: base64(Uint8Array.of(0, 255)) },
        },
      });
      expect(await cluster.secret(wire.namespace, "keys")).toEqual({ apiKey: "käse" });
      expect(await cluster.configMap(wire.namespace, "rows")).toEqual({
        "rows.csv": "a\n1\n",
        raw: Uint8Array.of(0, 255),
      });
      expect(await cluster.secret(wire.namespace, "none")).toBeUndefined();
      expect(await cluster.configMap(wire.namespace, "none")).toBeUndefined();
    });

    test("an event names what it is about", async () => {
      const job = await made("event");
      await cluster.event(job, "Warning", "Evicted", "the node was full");
      expect(lost).toEqual([]);
      const selects = { fieldSelector: "involvedObject.name=event" };
      const { items } = await wire.api.request<{ items: Record<string, unknown>[] }>(
        "GET",
        path("events", "v1"),
        { query: selects },
      );
      expect(items).toHaveLength(1);
      expect(items[0]).toMatchObject({ type: "Warning", reason: "Evicted", count: 1 });
    });

    test("pods are made once, found by owner and by cache, and removed however often", async () => {
      const seen: string[] = [];
      const pods = new KubernetesPods({
        api: wire.api,
        namespaces: [wire.namespace],
        policies: (namespace) =>
          toolPolicies(namespace, { store: { cidr: "192.0.2.1/32" }, storePort: 9000, index: [] }),
        onChange: ({ name }, gone) => seen.push(`${name}${gone ? " gone" : ""}`),
      });
      await pods.start();
      await pods.ensurePolicies(wire.namespace);
      await pods.ensurePolicies(wire.namespace);
      const owner = key("pods");
      const manifest = podOf(wire.namespace, "tool", owner);
      expect(await pods.create(manifest)).toBe("Created");
      expect(await pods.get(wire.namespace, "tool")).toMatchObject({
        owner,
        execution: "run",
        deleting: false,
      });
      expect(await pods.create(manifest)).toBe("Exists");
      expect((await pods.listOwned(owner)).map(({ name: pod }) => pod)).toEqual(["tool"]);
      expect(await pods.listOwned(key("another"))).toEqual([]);
      await pods.remove(wire.namespace, "tool");
      await vi.waitFor(() => expect(seen).toContain("tool gone"), PATIENT);
      expect(await pods.get(wire.namespace, "tool")).toBeUndefined();
      await pods.remove(wire.namespace, "tool");
      await pods.stop();
      const policy = `${path("networkpolicies", "networking.k8s.io/v1")}/autoai-execution`;
      const applied = await wire.api.request<{ spec: { policyTypes: string[] } }>("GET", policy);
      expect(applied.spec.policyTypes).toEqual(["Ingress", "Egress"]);
    });

    test("a lease is written by whoever read it last, and by nobody else", async () => {
      const lease = new KubernetesLease(wire.api, wire.namespace, "contract");
      expect(await lease.get()).toBeUndefined();
      const record = {
        holder: "one",
        durationSeconds: 15,
        acquiredAt: 1000,
        renewedAt: 2000,
        transitions: 0,
      };
      const first = await lease.write(record, undefined);
      expect(first?.record).toEqual(record);
      expect(await lease.write({ ...record, holder: "two" }, undefined)).toBeUndefined();
      const renewed = await lease.write({ ...record, renewedAt: 4000 }, first?.version);
      expect(renewed?.record.renewedAt).toBe(4000);
      expect(await lease.write({ ...record, holder: "two" }, first?.version)).toBeUndefined();
      expect((await lease.get())?.record.holder).toBe("one");
    });
  });
}

/** A pod that no node takes. */
function podOf(namespace: string, name: string, owner: string): PodManifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: {
        [LABELS.managedBy]: "autoai",
        [LABELS.role]: "execution",
        [LABELS.owner]: ownerHash(owner),
        [LABELS.execution]: "run",
      },
      annotations: { [LABELS.owner]: owner },
    },
    spec: {
      nodeSelector: { "autoai.dev/no-such-node": "true" },
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "main",
          image: "none",
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  };
}
