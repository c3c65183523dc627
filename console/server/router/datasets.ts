/** Datasets: announcing an upload, and what the intake found in one. */
import { z } from "zod";
import type { Dataset } from "../../../operator/api/dataset.ts";
import { API_VERSION } from "../../../operator/api/meta.ts";
import { Metric } from "../../../operator/api/metrics.ts";
import { Profile } from "../../../operator/api/profile.ts";
import { toYaml } from "../../../operator/api/yaml.ts";
import { readJson } from "../../../operator/evaluation/context.ts";
import { datasetKeys } from "../../../operator/reconcilers/dataset.ts";
import { ConsoleError } from "../errors.ts";
import { checked, resourceOf } from "../form.ts";
import { histogramsOf, SAMPLED_ROWS } from "../histograms.ts";
import { type DatasetRow, rowOf } from "../rows.ts";
import { suggestTargets } from "../suggest.ts";
import { PlaceInput, procedure, router } from "./trpc.ts";

export const datasets = router({
  get: procedure.input(PlaceInput).query(async ({ ctx, input }) => {
    const dataset = await ctx.gateway.get("Dataset", input);
    return { row: rowOf(dataset) as DatasetRow, status: dataset.status ?? {} };
  }),

  profile: procedure.input(PlaceInput).query(async ({ ctx, input }) => {
    const dataset = await readyDataset(await ctx.gateway.get("Dataset", input));
    const profile = await readJson(ctx.gateway.store, datasetKeys(dataset).profile, Profile);
    return { profile, targets: suggestTargets(profile).slice(0, 500), metrics: Metric.options };
  }),

  /** Read apart from the profile: it takes a moment where the data are large. */
  histograms: procedure.input(PlaceInput).query(async ({ ctx, input }) => {
    const dataset = await readyDataset(await ctx.gateway.get("Dataset", input));
    const keys = datasetKeys(dataset);
    const profile = await readJson(ctx.gateway.store, keys.profile, Profile);
    const { body } = await ctx.gateway.store.open(keys.canonical);
    const columns = await histogramsOf(body, profile);
    return { columns, ofFirst: Math.min(SAMPLED_ROWS, profile.rows) };
  }),

  /** Makes the Dataset that a file is then handed over to (routes/uploads.ts). */
  announce: procedure
    .input(z.strictObject({ namespace: z.string().max(300), name: z.string().max(300) }))
    .mutation(async ({ ctx, input }) => {
      const manifest = toYaml({
        apiVersion: API_VERSION,
        kind: "Dataset",
        metadata: { name: input.name, namespace: input.namespace },
        spec: { source: { upload: true } },
      });
      const resource = resourceOf("Dataset", checked(manifest, ctx.gateway.about.mode === "Embedded"));
      return rowOf(await ctx.gateway.create(resource)) as DatasetRow;
    }),

  remove: procedure.input(PlaceInput).mutation(({ ctx, input }) => ctx.gateway.remove("Dataset", input)),
});

async function readyDataset(dataset: Dataset): Promise<Dataset> {
  const isReady = dataset.status?.conditions?.some(
    ({ type, status }) => type === "Ready" && status === "True",
  );
  if (isReady) return dataset;
  throw new ConsoleError("Conflict", `the data set ${dataset.metadata.name} is not taken in yet`);
}
