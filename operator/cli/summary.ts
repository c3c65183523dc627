/** What became of a job, in a few lines for people. */
import { fileURLToPath } from "node:url";
import type { TrainingJob } from "../api/trainingjob.ts";
import type { Home } from "../embedded/home.ts";
import { duration } from "./progress.ts";

export function summaryLines(job: TrainingJob, home: Home): string[] {
  const { status, metadata } = job;
  const name = metadata.name;
  if (!status?.state) return [`${name}: not begun`];
  if (status.state === "TRAINING") {
    const stalled = status.conditions?.find(
      ({ type, status: value }) => type === "Stalled" && value === "True",
    );
    return [
      stalled
        ? `${name}: stalled: ${stalled.message}`
        : `${name}: not finished (${status.progress?.activity ?? ""})`,
    ];
  }
  const reason = status.conditions?.find(({ type }) => type === "Ready");
  if (status.state === "ERROR") return [`${name}: ERROR: ${reason?.message ?? "no reason recorded"}`];
  const { model, baselineScore, bestCandidate, usage, warnings, reportUri } = status;
  return [
    `${name}: READY (${reason?.message ?? ""}; ${duration(usage?.seconds ?? 0)}, ${usage?.tokens ?? 0} tokens)`,
    `  model      ${model?.name ?? ""}`,
    `  verified   ${bestCandidate?.verifiedScore ?? ""} on the rows that candidates are selected by`,
    `  final      ${model?.finalScore ?? ""} on the final rows; baseline ${baselineScore ?? ""}`,
    ...(warnings ?? []).map((warning) => `  warning    ${printable(warning)}`),
    ...(model ? [`  package    ${path(model.uri)}`] : []),
    ...(reportUri ? [`  report     ${path(reportUri)}`] : []),
    `  predict    autoai predict ${name} --input rows.csv${isDefaultHome(home) ? "" : ` --home ${home.path}`}`,
  ];
}

function isDefaultHome(home: Home): boolean {
  return home.path.endsWith("/.autoai") && process.env.AUTOAI_HOME === undefined;
}

function path(uri: string): string {
  return uri.startsWith("file:") ? fileURLToPath(uri) : uri;
}

/** Text that data or a model wrote, safe for a terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, " ");
}
