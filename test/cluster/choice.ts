/** Which cluster the tests of this folder run on, as test/cluster/which decides it, and by which names that finds the images. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

export type Choice = {
  /** Path of the kubeconfig; undefined where kubectl's default is used. */
  readonly kubeconfig: string | undefined;
  /** Context in it; undefined where its current one is used. */
  readonly context: string | undefined;
  /** Whether it is this machine's own node (test/cluster/start), with all that the README says of it. */
  readonly own: boolean;
};

export function choice({ E2E_CONTEXT: context, KUBECONFIG: given } = process.env): Choice {
  const settings = join(import.meta.dirname, "settings");
  const run = execFileSync("bash", ["-c", `source "${settings}" && echo -n "$run"`], { encoding: "utf8" });
  const ownKubeconfig = join(run, "kubeconfig");
  const kubeconfig = given ?? (context === undefined ? ownKubeconfig : undefined);
  return { kubeconfig, context, own: kubeconfig === ownKubeconfig && context === undefined };
}

/** One of the project's own images. */
export function image(target: "runner" | "inference-server"): string {
  const { E2E_IMAGE_REGISTRY: registry = "", E2E_IMAGE_TAG: tag = "dev" } = process.env;
  return `${registry === "" ? "" : `${registry}/`}autoai-${target}:${tag}`;
}

/** Where the cluster is the machine's own it was made here; elsewhere it is that of the chart. */
export function minioImage(): string {
  const { E2E_MINIO_IMAGE: given } = process.env;
  if (given !== undefined) return given;
  if (choice().own) return "autoai-minio:dev";
  const values = readFileSync(join(import.meta.dirname, "../../charts/autoai/values.yaml"), "utf8");
  const { repository, tag } = parse(values).minio.image;
  return `${repository}:${tag}`;
}

/** Of claims that several pods share. Storage classes of most clusters give one that pods of the same node share. */
export function accessMode(): string {
  return process.env.E2E_ACCESS_MODE ?? (choice().own ? "ReadWriteMany" : "ReadWriteOnce");
}
