/** A CSV on its way to its Dataset, in pieces: cut off anywhere, it goes on where it was. */
import type { FastifyPluginAsync } from "fastify";
import { z } from "zod";
import { ResourceName } from "../../../operator/api/meta.ts";
import type { Served } from "../app.ts";
import { ConsoleError } from "../errors.ts";
import { bytes, parsed } from "./parsed.ts";

/** 100 MB, as the intake counts them. */
export const MAX_BYTES = 104_857_600;
const PIECE_BYTES = 8 * 1024 ** 2;

const Target = z.strictObject({ namespace: ResourceName, name: ResourceName });
const Offset = z.strictObject({ offset: z.coerce.number().int().min(0).max(MAX_BYTES) });
const Finish = z.strictObject({ sizeBytes: z.int().min(1).max(MAX_BYTES) });

export const uploadRoutes: FastifyPluginAsync<Served> = async (app, { signedIn }) => {
  app.get("/api/uploads/:namespace/:name", async (request) => {
    const { uploads } = (await signedIn(request)).gateway;
    return uploads.state(parsed(Target, request.params));
  });
  app.put("/api/uploads/:namespace/:name", { bodyLimit: PIECE_BYTES }, async (request) => {
    const { uploads } = (await signedIn(request)).gateway;
    const target = parsed(Target, request.params);
    const { offset } = parsed(Offset, request.query);
    const piece = bytes(request.body);
    if (offset + piece.length > MAX_BYTES) {
      throw new ConsoleError("TooLarge", "a data set has at most 100 MB: take a sample of its rows");
    }
    return uploads.append(target, offset, piece);
  });
  app.post("/api/uploads/:namespace/:name/finish", { bodyLimit: 1024 }, async (request, reply) => {
    const { uploads } = (await signedIn(request)).gateway;
    await uploads.finish(parsed(Target, request.params), parsed(Finish, request.body).sizeBytes);
    return reply.code(204).send();
  });
};
