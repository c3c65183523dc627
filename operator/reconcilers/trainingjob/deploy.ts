/** `spec.deploy` of a READY job: a ModelDeployment of the job's name, which goes with the job. */
import { API_VERSION } from "../../api/meta.ts";
import type { ModelDeployment } from "../../api/modeldeployment.ts";
import { originOf } from "../../api/origin.ts";
import type { TrainingJob } from "../../api/trainingjob.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { ownerKey } from "../../evaluation/context.ts";
import type { Child, Children } from "../../serving/children.ts";

export type Deployer = { readonly cluster: Cluster; readonly children: Pick<Children, "apply"> };

/** Of the ModelDeployment: the origin of the job that made it, by which a restored job knows it again. */
const DEPLOY_OF = "autoai.dev/deploy-of";
/** Of the ModelDeployment: what the job's spec asked for when it was carried through last. */
const REPLICAS = "autoai.dev/deploy-replicas";

/** Makes it, carries an edit of `spec.deploy` through, or takes it away. May be called again. */
export async function deployModel({ cluster, children }: Deployer, job: TrainingJob): Promise<void> {
  const { deploy } = job.spec;
  const present = await cluster.get("ModelDeployment", ownerKey(job));
  const isOwned = present?.metadata.ownerReferences?.some(({ uid }) => uid === job.metadata.uid) ?? false;
  // A backup brings a ModelDeployment back without its owner, who has another uid by now.
  const isOurs = isOwned || present?.metadata.annotations?.[DEPLOY_OF] === originOf(job);
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
  const isSame = present?.metadata.annotations?.[REPLICAS] === String(deploy.replicas);
  if (isSame && isOwned) return;
  await children.apply(
    manifestOf(job, deploy.replicas, present, isSame ? present?.spec.replicas : deploy.replicas),
  );
  if (!present)
    await cluster.event(job, "Normal", "Deployed", `ModelDeployment ${job.metadata.name} serves the model`);
}

function manifestOf(
  job: TrainingJob,
  asked: number,
  present: ModelDeployment | undefined,
  replicas: number | undefined,
): Child {
  const { name, namespace = "default", uid = "" } = job.metadata;
  return {
    apiVersion: API_VERSION,
    kind: "ModelDeployment",
    metadata: {
      name,
      namespace,
      annotations: { [REPLICAS]: String(asked), [DEPLOY_OF]: originOf(job) },
      ownerReferences: [{ apiVersion: API_VERSION, kind: "TrainingJob", name, uid, controller: true }],
    },
    spec: {
      modelRef: present?.spec.modelRef ?? { trainingJob: name },
      ...(replicas === undefined ? {} : { replicas }),
    },
  };
}
