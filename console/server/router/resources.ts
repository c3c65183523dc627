/** Lists that stay true: everything once, then what changes. */
import { tracked } from "@trpc/server";
import { z } from "zod";
import { ResourceName } from "../../../operator/api/meta.ts";
import type { KindName } from "../../../operator/cluster/cluster.ts";
import { ConsoleError } from "../errors.ts";
import type { Gateway } from "../gateway.ts";
import { type Row, rowOf } from "../rows.ts";
import { LastEventId, procedure, router, until } from "./trpc.ts";

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
    .subscription(async function* ({ ctx, input, signal }) {
      const { gateway, left } = ctx;
      const { namespace, lastEventId } = input;
      const stop = until(signal, left);
      for await (const { id, change } of gateway.changes(namespace).follow(lastEventId ?? undefined, stop)) {
        if (change.type === "All") yield tracked(id, await everything(gateway, namespace));
        else if (change.type === "Changed") {
          yield tracked(id, { type: "Changed", row: rowOf(change.resource) } satisfies Update as Update);
        } else yield tracked(id, change satisfies Update as Update);
      }
    }),
});

async function everything(gateway: Gateway, namespace: string | undefined): Promise<Update> {
  const denied: KindName[] = [];
  const lists = await Promise.all(
    KINDS.map(async (kind) => {
      try {
        return await gateway.list(kind, namespace);
      } catch (error) {
        if (!(error instanceof ConsoleError) || error.refusal !== "Denied") throw error;
        denied.push(kind);
        return [];
      }
    }),
  );
  return { type: "All", rows: lists.flat().map(rowOf), denied };
}
