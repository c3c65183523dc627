/** Everything that the pages ask for. Its type is the contract between the two. */
import { datasets } from "./datasets.ts";
import { jobs } from "./jobs.ts";
import { models } from "./models.ts";
import { resources } from "./resources.ts";
import { procedure, router } from "./trpc.ts";

export const appRouter = router({
  /** Who is signed in, until when, and where this console is. */
  me: procedure.query(async ({ ctx }) => {
    await ctx.gateway.confirm?.();
    return { user: ctx.session.user, expires: ctx.session.expires, ...ctx.gateway.about };
  }),
  resources,
  jobs,
  datasets,
  models,
});

export type AppRouter = typeof appRouter;
