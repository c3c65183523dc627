import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { homePath, openHome } from "../embedded/home.ts";
import { reportKey } from "../evaluation/context.ts";
import { EXIT, UsageError } from "./exit.ts";
import { jobNamed } from "./jobs.ts";

/** `autoai report`: where the report lies, or a copy of it. */
export async function report(
  name: string,
  options: { home?: string; output?: string },
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const home = openHome(homePath(options.home, env));
  const job = await jobNamed(home, name);
  const key = reportKey(job);
  if (!(await home.store.exists(key))) {
    throw new UsageError(
      `job ${name} is ${job.status?.state ?? "not begun"}, and its report is written when it is READY`,
    );
  }
  if (options.output === undefined) {
    process.stdout.write(`${await home.store.pathOf(key)}\n`);
    return EXIT.ready;
  }
  writeFileSync(options.output, await home.store.get(key));
  process.stdout.write(`${resolve(options.output)}\n`);
  return EXIT.ready;
}
