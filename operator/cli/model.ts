import { resolve } from "node:path";
import { modelOf } from "../artifacts.ts";
import { homePath, openHome } from "../embedded/home.ts";
import { EXIT } from "./exit.ts";
import { readyJob } from "./jobs.ts";
import { requireFree, writePackage } from "./package-folder.ts";

/** `autoai model`: a copy of the model package, checked. */
export async function model(
  name: string,
  options: { home?: string; output: string },
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const home = openHome(homePath(options.home, env));
  const job = await readyJob(home, name);
  requireFree(options.output);
  const found = await modelOf(home.store, job);
  if (!found) throw new Error(`job ${name} is READY, and its status names no model package`);
  await writePackage(options.output, job.status?.model?.digest ?? "", found.entries);
  process.stdout.write(`${resolve(options.output)}\n`);
  return EXIT.ready;
}
