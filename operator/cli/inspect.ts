import { Journal } from "../agent/journal.ts";
import { homePath, openHome } from "../embedded/home.ts";
import { journalPrefix } from "../evaluation/context.ts";
import { EXIT } from "./exit.ts";
import { jobNamed } from "./jobs.ts";
import { transcript } from "./transcript.ts";

/** `autoai inspect`: the journal, for people, or as it is. */
export async function inspect(
  name: string,
  options: { home?: string; json?: boolean },
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const home = openHome(homePath(options.home, env));
  const job = await jobNamed(home, name);
  const { entries } = await Journal.load(home.store, journalPrefix(job), { now: Date.now }, 0);
  if (options.json) for (const entry of entries) process.stdout.write(`${JSON.stringify(entry)}\n`);
  else process.stdout.write(transcript(job, entries));
  return EXIT.ready;
}
