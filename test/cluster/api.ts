/** The API server of the tests' cluster, as the operator speaks to it. */
import { KubeConfig } from "@kubernetes/client-node";
import { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import type { Cluster } from "./cluster.ts";

export function apiOf({ kubeconfig }: Pick<Cluster, "kubeconfig">): ApiServer {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return new ApiServer(config);
}
