/** Writes the report of a finished job from what the store holds of it. */
import { bestCandidate, candidates, find } from "../../agent/journal.ts";
import { Profile, SplitResult } from "../../api/profile.ts";
import { ReportData } from "../../api/report-data.ts";
import {
  dataKey,
  encode,
  type JobContext,
  readJson,
  reportDataKey,
  reportKey,
} from "../../evaluation/context.ts";

/** Loads what writeReport needs, beside whatever goes on, so that the end of a job does not wait for it. */
export function warmReport(): void {
  const loading = Promise.all([import("../../report/index.ts"), import("../../report/charts/svg.ts")]);
  // What fails here fails again where the report is written, and is told there.
  loading.then(([, { loadCharts }]) => loadCharts()).catch(() => undefined);
}

/** May be called again: the same journal gives the same report. */
export async function writeReport({ job, journal, store, version }: JobContext): Promise<void> {
  // Loaded here alone: the charts' library is large, and most commands never draw.
  const { renderReport } = await import("../../report/index.ts");
  const { entries } = journal;
  const number = find(entries, "ModelPublished")?.candidate;
  const winner =
    candidates(entries).find((candidate) => candidate.number === number) ?? bestCandidate(entries);
  const files = await Promise.all(
    (winner?.recipe.files ?? []).map(async ({ path, key }) => ({
      path,
      text: new TextDecoder().decode(await store.get(key)),
    })),
  );
  const page = await renderReport({
    job,
    entries,
    profile: await readJson(store, dataKey(job, "profile.json"), Profile),
    split: await readJson(store, dataKey(job, "split.json"), SplitResult),
    data: (await store.exists(reportDataKey(job)))
      ? await readJson(store, reportDataKey(job), ReportData)
      : undefined,
    files,
    now: entries.at(-1)?.at ?? "",
    version,
  });
  await store.put(reportKey(job), encode(page));
}
