/** What belongs to a job and is no JSON: its report, predictions for a CSV, its prediction log. */
import { Readable } from "node:stream";
import type { FastifyPluginAsync } from "fastify";
import { z } from "zod";
import { ResourceName } from "../../../operator/api/meta.ts";
import { reportKey } from "../../../operator/evaluation/context.ts";
import { NotFoundError } from "../../../operator/storage/artifact-store.ts";
import type { Served } from "../app.ts";
import { ConsoleError } from "../errors.ts";
import { modelOf } from "../router/models.ts";
import { REPORT_POLICY } from "../security.ts";
import { bytes, parsed } from "./parsed.ts";
import { MAX_BYTES } from "./uploads.ts";

const Job = z.strictObject({ namespace: ResourceName, name: ResourceName });
const Sought = z.strictObject({
  since: z.coerce.number().min(0).default(0),
  contains: z.string().max(200).default(""),
});

export const artifactRoutes: FastifyPluginAsync<Served> = async (app, { signedIn }) => {
  app.get("/api/reports/:namespace/:name", async (request, reply) => {
    const { gateway } = await signedIn(request);
    const job = await gateway.get("TrainingJob", parsed(Job, request.params));
    try {
      const report = await gateway.store.get(reportKey(job));
      return reply
        .header("content-security-policy", REPORT_POLICY)
        .type("text/html; charset=utf-8")
        .send(Buffer.from(report));
    } catch (error) {
      if (error instanceof NotFoundError) throw new ConsoleError("Missing", "the job has no report yet");
      throw error;
    }
  });

  app.post("/api/predictions/:namespace/:name", { bodyLimit: MAX_BYTES }, async (request, reply) => {
    const { gateway } = await signedIn(request);
    const { job, models } = await modelOf(gateway, parsed(Job, request.params));
    const csv = await models.predictCsv(job, bytes(request.body));
    return download(reply, `${job.metadata.name}-predictions.csv`, "text/csv; charset=utf-8").send(
      Buffer.from(csv),
    );
  });

  app.get("/api/predictions/:namespace/:name", async (request, reply) => {
    const { gateway } = await signedIn(request);
    const { job, models } = await modelOf(gateway, parsed(Job, request.params));
    const { since, contains } = parsed(Sought, request.query);
    const lines = terminated(models.log(job, since), contains);
    // What refuses the first line refuses the download; later it could only be broken off.
    const first = await lines.next();
    const all = async function* (): AsyncGenerator<string> {
      if (!first.done) yield first.value;
      yield* lines;
    };
    const body = Readable.from(all(), { objectMode: false });
    return download(reply, `${job.metadata.name}-predictions.ndjson`, "application/x-ndjson").send(body);
  });
};

/** Names of jobs are letters, digits and dashes: nothing to quote. */
function download<R extends { header(name: string, value: string): R; type(type: string): R }>(
  reply: R,
  name: string,
  type: string,
): R {
  return reply.type(type).header("content-disposition", `attachment; filename="${name}"`);
}

async function* terminated(lines: AsyncIterable<string>, contains: string): AsyncGenerator<string> {
  for await (const line of lines) if (line.includes(contains)) yield `${line}\n`;
}
