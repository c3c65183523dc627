/** The API server of the tests' cluster, as the operator speaks to it. */
import { KubeConfig } from "@kubernetes/client-node";
import { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import type { Cluster } from "./cluster.ts";

export function apiOf({ kubeconfig, context }: Cluster): ApiServer {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  if (context !== undefined) config.setCurrentContext(context);
  return new ApiServer(config);
}
