/** `spec.deploy` of a READY job: a ModelDeployment of the job's name, which goes with the job. */
import { API_VERSION } from "../../api/meta.ts";
import type { ModelDeployment } from "../../api/modeldeployment.ts";
import type { TrainingJob } from "../../api/trainingjob.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { ownerKey } from "../../evaluation/context.ts";
import type { Child, Children } from "../../serving/children.ts";

export type Deployer = { readonly cluster: Cluster; readonly children: Pick<Children, "apply"> };

/** Of the ModelDeployment: what the job's spec asked for when it was carried through last. */
const REPLICAS = "autoai.dev/deploy-replicas";

/** Makes it, carries an edit of `spec.deploy` through, or takes it away. May be called again. */
export async function deployModel({ cluster, children }: Deployer, job: TrainingJob): Promise<void> {
  const { deploy } = job.spec;
  const present = await cluster.get("ModelDeployment", ownerKey(job));
  const isOurs = present?.metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid) ?? false;
  if (!deploy) {
    if (present && isOurs) await cluster.remove(present);
    return;
  }
  if (present && !isOurs) {
    const message = `spec.deploy is given, and there is a ModelDeployment ${present.metadata.name} that is not this job's: it is left as it is`;
    await cluster.event(job, "Warning", "DeploymentExists", message);
    return;
  }
  // Whoever scales it or goes back to another model by the ModelDeployment itself is let have their way until deploy changes.
  if (present?.metadata.annotations?.[REPLICAS] === String(deploy.replicas)) return;
  await children.apply(manifestOf(job, deploy.replicas, present));
  if (!present)
    await cluster.event(job, "Normal", "Deployed", `ModelDeployment ${job.metadata.name} serves the model`);
}

function manifestOf(job: TrainingJob, replicas: number, present: ModelDeployment | undefined): Child {
  const { name, namespace = "default", uid = "" } = job.metadata;
  return {
    apiVersion: API_VERSION,
    kind: "ModelDeployment",
    metadata: {
      name,
      namespace,
      annotations: { [REPLICAS]: String(replicas) },
      ownerReferences: [{ apiVersion: API_VERSION, kind: "TrainingJob", name, uid, controller: true }],
    },
    spec: { modelRef: present?.spec.modelRef ?? { trainingJob: name }, replicas },
  };
}
