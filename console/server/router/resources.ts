/** Lists a page at a time, and a stream of what changes in them. */
import { tracked } from "@trpc/server";
import { z } from "zod";
import { ResourceName } from "../../../operator/api/meta.ts";
import type { KindName } from "../../../operator/cluster/cluster.ts";
import type { Change } from "../changes.ts";
import { ConsoleError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import { freeName, listed, type Overview, overviewOf } from "../listed.ts";
import { type Row, type RowOf, rowOf } from "../rows.ts";
import { LastEventId, NamespaceInput, PlaceInput, procedure, refusing, router, until } from "./trpc.ts";

const Kind = z.enum(["Dataset", "TrainingJob", "ModelDeployment"]);

/** `All`: nothing is known of what the reader has; whatever it shows is to be asked for anew. */
export type Update = Change | { readonly type: "All" };

export const resources = router({
  list: procedure
    .input(
      z.strictObject({
        namespace: ResourceName.optional(),
        kind: Kind,
        ready: z.boolean().default(false),
        find: z.string().max(200).default(""),
        from: z.int().min(0).max(1_000_000).default(0),
        limit: z.int().min(1).max(100).default(50),
      }),
    )
    .query(async ({ ctx, input: { kind, namespace, ...wanted } }) =>
      listed<Row>(await ctx.gateway.rows(kind, namespace), wanted),
    ),

  overview: procedure.input(NamespaceInput).query(({ ctx, input }) => overview(ctx.gateway, input.namespace)),

  get: procedure
    .input(z.strictObject({ kind: Kind, place: PlaceInput }))
    .query(async ({ ctx, input }) => rowOf(await ctx.gateway.get(input.kind, input.place)) as Row),

  /** What something new may be called. */
  freeName: procedure
    .input(z.strictObject({ kind: Kind, place: PlaceInput }))
    .query(async ({ ctx, input: { kind, place } }) => {
      const rows = await mayBeDenied(ctx.gateway.rows(kind, place.namespace));
      return freeName(
        place.name,
        (rows ?? []).filter(({ namespace }) => namespace === place.namespace),
      );
    }),

  changes: procedure
    .input(z.strictObject({ namespace: ResourceName.optional(), lastEventId: LastEventId }))
    .subscription(({ ctx, input, signal }) =>
      refusing(
        updatesOf(ctx.gateway, input.namespace, input.lastEventId ?? undefined, until(signal, ctx.left)),
      ),
    ),
});

async function* updatesOf(
  gateway: Gateway,
  namespace: string | undefined,
  lastId: string | undefined,
  stop: AbortSignal,
) {
  for await (const { id, change } of gateway.changes(namespace).follow(lastId, stop)) {
    yield tracked(id, change satisfies Update as Update);
  }
}

async function overview(gateway: Gateway, namespace: string | undefined): Promise<Overview> {
  const denied: KindName[] = [];
  const allowed = async <K extends KindName>(kind: K): Promise<readonly RowOf[K][]> => {
    const rows = await mayBeDenied(gateway.rows(kind, namespace));
    if (!rows) denied.push(kind);
    return rows ?? [];
  };
  const [TrainingJob, Dataset, ModelDeployment] = await Promise.all([
    allowed("TrainingJob"),
    allowed("Dataset"),
    allowed("ModelDeployment"),
  ]);
  return overviewOf({ TrainingJob, Dataset, ModelDeployment }, denied);
}

/** undefined where the user may not. */
async function mayBeDenied<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ConsoleError && error.refusal === "Denied") return undefined;
    throw error;
  }
}
