/** The prediction log on disk: segments of NDJSON, oldest first by name. Read here by whoever wants it; written by prediction-log.ts. */
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

export type LogEntry = {
  /** ISO 8601, when the answer was known. */
  readonly time: string;
  readonly requestId: string;
  /** Digest of the model. */
  readonly model: string;
  readonly milliseconds: number;
  /** As they came: rows, or columns. */
  readonly inputs: unknown;
  readonly predictions: readonly (string | number)[];
  readonly probabilities?: readonly Readonly<Record<string, number>>[];
};

const NAME = /^(\d{13})-[0-9a-f]{8}\.ndjson$/;

/** @param random eight hexadecimal digits: two servers may begin a segment in the same millisecond */
export function segmentName(milliseconds: number, random: string): string {
  return `${String(milliseconds).padStart(13, "0")}-${random}.ndjson`;
}

/** Segments of a folder, oldest first; none where there is no such folder. */
export async function segmentsOf(folder: string): Promise<{ path: string; begun: number }[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names
    .flatMap((name) => {
      const [, begun] = NAME.exec(name) ?? [];
      return begun === undefined ? [] : [{ path: join(folder, name), begun: Number(begun) }];
    })
    .sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** Lines of entries from a moment on, as they stand. A line that a crash cut short is left out: nobody was told that it is there. */
export async function* readLog(folder: string, since: number): AsyncGenerator<string> {
  const segments = await segmentsOf(folder);
  for (const { path } of segments) {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
      const time = timeOf(line);
      if (time !== undefined && time >= since) yield line;
    }
  }
}

/** When an entry was written; undefined where the line is none. */
function timeOf(line: string): number | undefined {
  try {
    const time = Date.parse((JSON.parse(line) as LogEntry).time);
    return Number.isNaN(time) ? undefined : time;
  } catch {
    return undefined;
  }
}
