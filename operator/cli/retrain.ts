import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { validateManifests } from "../api/validate.ts";
import { homePath, installation, openHome } from "../embedded/home.ts";
import { sourceProblem } from "../embedded/source.ts";
import { UsageError } from "./exit.ts";
import { readyJob } from "./jobs.ts";
import { runDocuments } from "./run.ts";

export type RetrainOptions = {
  data: string;
  name?: string;
  home?: string;
  json?: boolean;
  unsafeNoSandbox?: boolean;
};

/** `autoai retrain`: a new job whose recipe is an old one's. Costs no tokens. */
export async function retrain(
  name: string,
  options: RetrainOptions,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const home = openHome(homePath(options.home, env));
  const job = await readyJob(home, name);
  const uri = pathToFileURL(resolve(options.data)).href;
  const problem = await sourceProblem({ uri });
  if (problem) throw new UsageError(problem);
  const names = new Set(home.cluster.list("TrainingJob").map(({ metadata }) => metadata.name));
  const { target, task, evaluation, budget, sandbox } = job.spec;
  const manifest = {
    apiVersion: job.apiVersion,
    kind: job.kind,
    metadata: { name: options.name ?? freeName(job.metadata.name, names), namespace: job.metadata.namespace },
    spec: { dataset: { uri }, target, task, evaluation, budget, sandbox, recipeFrom: job.metadata.name },
  };
  const { documents, problems } = validateManifests(JSON.stringify(manifest), {
    file: "retrain",
    embedded: true,
  });
  if (problems.length > 0)
    throw new UsageError(problems.map((one) => `${one.field}: ${one.expected}`).join("\n"));
  return runDocuments(home, installation(env), documents, options, env);
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let number = 2; ; number++) {
    const free = `${name.slice(0, 58)}-${number}`;
    if (!taken.has(free)) return free;
  }
}
