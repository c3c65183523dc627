/** TrainingJobs: what they are, what they did, and what a user may change of them. */
import { setTimeout as sleep } from "node:timers/promises";
import { tracked } from "@trpc/server";
import { z } from "zod";
import { toYaml } from "../../../operator/api/yaml.ts";
import { journalPrefix } from "../../../operator/evaluation/context.ts";
import { draftOf, JobForm, resourceOf } from "../form.ts";
import type { Gateway, Place } from "../gateway.ts";
import { rowOf } from "../rows.ts";
import { type EntryView, readEntries, viewOf } from "../transcript.ts";
import { LastEventId, PlaceInput, procedure, refusing, router, until } from "./trpc.ts";

/** How often the journal of a job that is at work is looked into. */
const LOOK_MS = 2000;

export type JournalUpdate =
  | { readonly type: "Entry"; readonly entry: EntryView }
  /** Everything up to now was sent; `over`: nothing will follow. */
  | { readonly type: "Current"; readonly over: boolean };

export const jobs = router({
  get: procedure.input(PlaceInput).query(async ({ ctx, input }) => {
    const job = await ctx.gateway.get("TrainingJob", input);
    return {
      row: rowOf(job),
      spec: job.spec,
      status: job.status ?? {},
      created: job.metadata.creationTimestamp ?? "",
      manifest: toYaml({
        apiVersion: job.apiVersion,
        kind: job.kind,
        metadata: { name: job.metadata.name, namespace: job.metadata.namespace },
        spec: job.spec,
      }),
    };
  }),

  journal: procedure
    .input(z.strictObject({ place: PlaceInput, lastEventId: LastEventId }))
    .subscription(({ ctx, input, signal }) =>
      refusing(entriesOf(ctx.gateway, input.place, lastNumber(input.lastEventId), until(signal, ctx.left))),
    ),

  draft: procedure.input(JobForm).query(({ ctx, input }) => {
    const { yaml, problems } = draftOf(input, ctx.gateway.about.mode === "Embedded");
    return { yaml, problems };
  }),

  create: procedure.input(JobForm).mutation(async ({ ctx, input }) => {
    const resource = resourceOf("TrainingJob", draftOf(input, ctx.gateway.about.mode === "Embedded"));
    return rowOf(await ctx.gateway.create(resource));
  }),

  suspend: procedure
    .input(z.strictObject({ place: PlaceInput, suspend: z.boolean() }))
    .mutation(({ ctx, input }) => ctx.gateway.setSuspended(input.place, input.suspend)),

  remove: procedure.input(PlaceInput).mutation(({ ctx, input }) => ctx.gateway.remove("TrainingJob", input)),
});

async function* entriesOf(gateway: Gateway, place: Place, from: number, stop: AbortSignal) {
  let after = from;
  for (let first = true; !stop.aborted; first = false) {
    // Read again each time: who may no longer read the job is told nothing more.
    const job = await gateway.get("TrainingJob", place);
    const before = after;
    for await (const entry of readEntries(gateway.store, journalPrefix(job), after)) {
      after = entry.sequence;
      yield tracked(String(after), { type: "Entry", entry: viewOf(entry) } as JournalUpdate);
    }
    const over = job.status?.state === "READY" || job.status?.state === "ERROR";
    if (first || after > before || over) {
      yield tracked(String(after), { type: "Current", over } as JournalUpdate);
    }
    if (over) return;
    await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

/** `-1`: from the beginning. */
function lastNumber(id: string | null | undefined): number {
  const number = Number(id ?? "-1");
  return Number.isInteger(number) && number >= -1 && number < 1_000_000 ? number : -1;
}
