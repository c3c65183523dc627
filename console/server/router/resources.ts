/** Lists that stay true: everything once, then what changes. */
import { tracked } from "@trpc/server";
import { z } from "zod";
import { ResourceName } from "../../../operator/api/meta.ts";
import type { KindName } from "../../../operator/cluster/cluster.ts";
import { ConsoleError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import { type Row, rowOf } from "../rows.ts";
import { LastEventId, procedure, refusing, router, until } from "./trpc.ts";

const KINDS = ["Dataset", "TrainingJob", "ModelDeployment"] as const;

export type Update =
  | {
      readonly type: "All";
      readonly rows: readonly Row[];
      /** Kinds that the user may not list. */
      readonly denied: readonly KindName[];
    }
  | { readonly type: "Changed"; readonly row: Row }
  | { readonly type: "Gone"; readonly kind: KindName; readonly key: string };

export const resources = router({
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
    if (change.type === "All") yield tracked(id, await everything(gateway, namespace));
    else if (change.type === "Changed") {
      yield tracked(id, { type: "Changed", row: rowOf(change.resource) } as Update);
    } else yield tracked(id, change as Update);
  }
}

async function everything(gateway: Gateway, namespace: string | undefined): Promise<Update> {
  const denied = new Set<KindName>();
  const lists = await Promise.all(
    KINDS.map(async (kind) => {
      try {
        return await gateway.list(kind, namespace);
      } catch (error) {
        if (!(error instanceof ConsoleError) || error.refusal !== "Denied") throw error;
        denied.add(kind);
        return [];
      }
    }),
  );
  return { type: "All", rows: lists.flat().map(rowOf), denied: KINDS.filter((kind) => denied.has(kind)) };
}
