/** The prediction log of deployments, out of the store. Who reads it has got the deployments from the API server before. */
import type { LogEntry } from "../../../inference-server/log/segments.ts";
import { predictionLogPrefix, segmentKeyAt, segmentOf } from "../../../operator/api/prediction-log.ts";
import { linesOf } from "../../../operator/cli/segment-frames.ts";
import { type ArtifactStore, NotFoundError } from "../../../operator/storage/artifact-store.ts";
import { PAGE, type Pages } from "../../../operator/storage/pages.ts";
import type { Place } from "../gateway.ts";

/** The end of a segment is told by its file, whose clock may be a little behind that of its entries. */
const CLOCK_MILLISECONDS = 1000;

/** Lines of what one model was asked since a moment (ms), a deployment after the other, each oldest first. Holds one segment at a time. */
export async function* loggedLines(
  store: Pick<ArtifactStore, "get"> & Pages,
  deployments: readonly Place[],
  model: string,
  since: number,
): AsyncGenerator<string> {
  for (const { namespace, name } of deployments) {
    const prefix = predictionLogPrefix(namespace, name);
    let after = segmentKeyAt(prefix, since - CLOCK_MILLISECONDS);
    for (let keys = await store.page(prefix, after, PAGE); keys.length > 0; ) {
      for (const key of keys) {
        if (segmentOf(prefix, key) === undefined) continue;
        const body = await store.get(key).catch((error: unknown) => {
          // Its time was over in this very moment.
          if (error instanceof NotFoundError) return undefined;
          throw error;
        });
        if (!body) continue;
        for await (const line of linesOf({ name: key, body })) {
          const entry = entryOf(line);
          if (entry?.model === model && Date.parse(entry.time) >= since) yield line;
        }
      }
      after = keys.at(-1) ?? after;
      keys = keys.length < PAGE ? [] : await store.page(prefix, after, PAGE);
    }
  }
}

/** undefined where the line is none: a server that ended in the middle of one. */
function entryOf(line: string): LogEntry | undefined {
  try {
    return JSON.parse(line) as LogEntry;
  } catch {
    return undefined;
  }
}
