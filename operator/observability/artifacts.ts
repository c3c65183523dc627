/**
 * Artifacts over the operator's HTTP: /artifacts/RESOURCE/NAMESPACE/NAME/ARTIFACT, streamed, to who may get the object.
 * A reader names an artifact that is known here, and never a key of the store.
 */
import type { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { CODES, NAMED, NO_TOKEN, type Refusal, tokenOf } from "./caller.ts";
import { type Bounds, Places } from "./places.ts";

export const ARTIFACT_RESOURCES = ["trainingjobs", "datasets"] as const;
export type ArtifactResource = (typeof ARTIFACT_RESOURCES)[number];
export const ARTIFACT_NAMES = ["report", "model", "profile", "preview"] as const;
export type ArtifactName = (typeof ARTIFACT_NAMES)[number];

export type ArtifactRequest = {
  readonly token: string;
  readonly resource: ArtifactResource;
  readonly namespace: string;
  readonly name: string;
  readonly artifact: ArtifactName;
};

export type ArtifactFile = {
  /** As a reader may name the file. */
  readonly name: string;
  readonly contentType: string;
  /** Bytes that will come, where it is known. */
  readonly size?: number;
  /** Read once, and destroyed where the reader leaves. What fails in it breaks the answer off. */
  readonly body: Readable;
};

export type ArtifactAnswer = { readonly outcome: "Found"; readonly file: ArtifactFile } | Refusal;
export type ArtifactSource = (request: ArtifactRequest) => Promise<ArtifactAnswer>;

/** Each holds a connection to the store. */
const BOUNDS: Bounds = { streams: 16, seconds: 900 };

export function artifactRoutes(app: FastifyInstance, source: ArtifactSource, bounds: Bounds = BOUNDS): void {
  const places = new Places(bounds);
  app.get<{ Params: Omit<ArtifactRequest, "token"> }>(
    "/artifacts/:resource/:namespace/:name/:artifact",
    {
      exposeHeadRoute: false,
      schema: {
        params: {
          type: "object",
          properties: {
            resource: { enum: ARTIFACT_RESOURCES },
            ...NAMED.properties,
            artifact: { enum: ARTIFACT_NAMES },
          },
        },
      },
    },
    async (request, reply) => {
      const token = tokenOf(request);
      if (token === "") return reply.code(CODES.Unauthenticated).send(NO_TOKEN);
      const answer = await source({ token, ...request.params });
      if (answer.outcome !== "Found") return reply.code(CODES[answer.outcome]).send(answer);
      const { name, contentType, size, body } = answer.file;
      if (!places.take(reply, body)) return places.refuse(reply, "artifacts", 5);
      if (size !== undefined) reply.header("content-length", size);
      return reply
        .headers({
          "content-type": contentType,
          // A report is a page that was made of strangers' words, and is answered from the API server's address.
          "content-disposition": `attachment; filename="${name}"`,
          "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
          "x-content-type-options": "nosniff",
          "cache-control": "no-store",
        })
        .send(body);
    },
  );
}
