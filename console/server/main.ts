/** Entry of the image `console`: settings from the environment, until it is told to end. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ClusterConsoleSettings, startClusterConsole } from "./cluster/start.ts";

/** The working directory of the image holds package.json and the built pages. */
const ROOT = process.cwd();

const say = (fields: object): void => void process.stdout.write(`${JSON.stringify(fields)}\n`);

async function main(): Promise<void> {
  const read = ClusterConsoleSettings.safeParse(process.env);
  if (!read.success) {
    process.stderr.write(`the console's environment is not as expected:\n${z.prettifyError(read.error)}\n`);
    process.exitCode = 2;
    return;
  }
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  const running = await startClusterConsole(read.data, {
    version,
    pages: join(ROOT, "console", "web", "dist"),
    // Neither tokens nor bodies are in what is thrown; queries of URLs are cut off before.
    onFault: (what, error) =>
      say({ level: "error", what, error: error instanceof Error ? error.message : String(error) }),
  });
  say({ level: "info", message: "listening", port: read.data.AUTOAI_CONSOLE_PORT });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void running.close().then(() => process.exit(0)));
  }
}

await main();
