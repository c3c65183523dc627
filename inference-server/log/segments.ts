/** The prediction log on disk: segments of NDJSON, oldest first by name. Read here by whoever wants it; written by prediction-log.ts. */
import { createReadStream, readdirSync } from "node:fs";
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
export function segmentsOf(folder: string): { path: string; begun: number }[] {
  return namesIn(folder)
    .flatMap((name) => {
      const [, begun] = NAME.exec(name) ?? [];
      return begun === undefined ? [] : [{ path: join(folder, name), begun: Number(begun) }];
    })
    .sort((one, other) => (one.path < other.path ? -1 : 1));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Lines of entries from a moment on, as they stand. A line that a crash cut short is left out: nobody was told that it is there. */
export async function* readLog(folder: string, since: number): AsyncGenerator<string> {
  for (const { path } of segmentsOf(folder)) {
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
