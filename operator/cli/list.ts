import { homePath, openHome } from "../embedded/home.ts";
import { EXIT } from "./exit.ts";

/** `autoai list`: the columns of `kubectl get tj`. */
export async function list(
  options: { home?: string; json?: boolean },
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const home = openHome(homePath(options.home, env));
  const jobs = home.cluster
    .list("TrainingJob")
    .sort((a, b) => (a.metadata.creationTimestamp ?? "").localeCompare(b.metadata.creationTimestamp ?? ""));
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ apiVersion: "v1", kind: "List", items: jobs }, null, 2)}\n`);
    return EXIT.ready;
  }
  if (jobs.length === 0) {
    process.stderr.write(`no jobs in ${home.path}; autoai run -f job.yaml makes one\n`);
    return EXIT.ready;
  }
  const rows = jobs.map(({ metadata, status }) => [
    metadata.name,
    status?.state ?? "",
    status?.model?.finalScore ?? status?.bestCandidate?.verifiedScore ?? "",
    status?.baselineScore ?? "",
    status?.progress ? `${status.progress.step}/${status.progress.maxSteps}` : "",
    metadata.creationTimestamp ?? "",
  ]);
  process.stdout.write(table([["NAME", "STATE", "SCORE", "BASELINE", "STEP", "CREATED"], ...rows]));
  return EXIT.ready;
}

/** Left-aligned columns, as wide as they need to be. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("   ")
          .trimEnd()}\n`,
    )
    .join("");
}
