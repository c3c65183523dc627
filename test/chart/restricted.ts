/** Pod Security Standards, profile "restricted": what a pod template breaks of it. */
import type { Manifest } from "./helm.ts";

const VOLUMES = new Set([
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "persistentVolumeClaim",
  "projected",
  "secret",
]);

/** One line for each breach. @param pod spec of a pod */
export function breaches(pod: Manifest): string[] {
  const found: string[] = [];
  const expect = (holds: boolean, breach: string) => {
    if (!holds) found.push(breach);
  };
  for (const field of ["hostNetwork", "hostPID", "hostIPC"]) expect(!pod[field], field);
  for (const volume of pod.volumes ?? []) {
    const type = Object.keys(volume).find((key) => key !== "name") ?? "";
    expect(VOLUMES.has(type), `volume ${volume.name} is a ${type}`);
  }
  const ofPod = pod.securityContext ?? {};
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    const own = container.securityContext ?? {};
    const at = (breach: string) => `container ${container.name}: ${breach}`;
    expect((own.runAsNonRoot ?? ofPod.runAsNonRoot) === true, at("runAsNonRoot is not true"));
    expect((own.runAsUser ?? ofPod.runAsUser) !== 0, at("runs as root"));
    expect(own.allowPrivilegeEscalation === false, at("allowPrivilegeEscalation is not false"));
    expect(own.privileged !== true, at("is privileged"));
    expect(own.capabilities?.drop?.includes("ALL") === true, at("does not drop ALL capabilities"));
    const added = (own.capabilities?.add ?? []).filter((name: string) => name !== "NET_BIND_SERVICE");
    expect(added.length === 0, at(`adds ${added}`));
    const seccomp = (own.seccompProfile ?? ofPod.seccompProfile)?.type;
    expect(seccomp === "RuntimeDefault" || seccomp === "Localhost", at(`seccomp is ${seccomp}`));
    expect(
      (container.ports ?? []).every((port: Manifest) => !port.hostPort),
      at("takes a host port"),
    );
  }
  return found;
}
