/** Processes of containers, as this machine sees them: it is the node, or the host of the node's container. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * Ids of the processes of a container, or of a pod, whose command line has the words.
 * @param containerId as a pod's status has it: containerd://ID; or the pod's uid
 */
export function processesOf(containerId: string, words: string): number[] {
  const id = containerId.replace(/^\w+:\/\//, "");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => textOf(name, "cgroup").includes(id) && textOf(name, "cmdline").includes(words))
    .map(Number);
}

/**
 * Ids of the processes of a component of this machine's own node, such as kubelet.
 * @param run the cluster's directory, which the command line of each of them names
 */
export function processesOfComponent(run: string, name: string): number[] {
  return readdirSync("/proc")
    .filter((id) => /^\d+$/.test(id))
    .filter((id) => {
      const command = textOf(id, "cmdline");
      return command.startsWith(`${name} `) && command.includes(`${run}/`);
    })
    .map(Number);
}

/** Empty where it has ended meanwhile. */
function textOf(process: string, file: string): string {
  try {
    return readFileSync(`/proc/${process}/${file}`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
