/** Finding a job of the home by the name that was typed. */

import { closest } from "../api/closest.ts";
import type { TrainingJob } from "../api/trainingjob.ts";
import type { Home } from "../embedded/home.ts";
import { UsageError } from "./exit.ts";

/** @param name `name`, of the namespace default, or `namespace/name` */
export async function jobNamed(home: Home, name: string): Promise<TrainingJob> {
  const key = name.includes("/") ? name : `default/${name}`;
  const job = await home.cluster.get("TrainingJob", key);
  if (job) return job;
  const names = home.cluster.list("TrainingJob").map(({ metadata }) => metadata.name);
  const near = closest(name, names);
  const hint = near
    ? `did you mean ${near}?`
    : names.length
      ? `there are: ${names.slice(0, 10).join(", ")}`
      : "there is none yet: autoai run -f job.yaml makes one";
  throw new UsageError(`there is no job ${name} in ${home.path}; ${hint}`);
}

/** As jobNamed, for what needs a model. */
export async function readyJob(home: Home, name: string): Promise<TrainingJob> {
  const job = await jobNamed(home, name);
  if (job.status?.state !== "READY") {
    throw new UsageError(
      `job ${name} is ${job.status?.state ?? "not begun"}, and has no model yet; autoai inspect ${name} shows why`,
    );
  }
  return job;
}
