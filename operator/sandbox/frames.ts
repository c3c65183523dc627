/** The supervisor's side of the conversation, read with bounds: see runner/autoai_runner/supervise.py for the frames. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { Outcome, PlatformError } from "./executor.ts";

const MAX_FRAME_BYTES = 1024 * 1024;
const HEADER_BYTES = 5;

const Result = Outcome.pick({
  ended: true,
  exitCode: true,
  signal: true,
  seconds: true,
  peakMemoryBytes: true,
  output: true,
  traceback: true,
  notKept: true,
}).strict();
export type Result = z.infer<typeof Result>;
const OutputFile = z.strictObject({ path: z.string(), size: z.int().min(0) });

/** What came of an execution: files lie in the directory that was given, under names of ours. */
export type Delivery = {
  readonly result: Result;
  readonly outputs: ReadonlyMap<string, string>;
  readonly snapshot: { readonly file: string; readonly sha256: string } | undefined;
};

export type Bounds = { readonly outputs: ReadonlySet<string>; readonly totalBytes: number };

/** Reads frames until the end of the stream. Throws PlatformError where it is not whole or not as agreed. */
export async function readDelivery(
  stream: AsyncIterable<Buffer>,
  directory: string,
  bounds: Bounds,
): Promise<Delivery> {
  const outputs = new Map<string, string>();
  const hash = createHash("sha256");
  const snapshotFile = join(directory, "snapshot.tar");
  let result: Result | undefined;
  let ended = false;
  let total = 0;
  let left = 0;
  let file: FileHandle | undefined;
  let tar: FileHandle | undefined;
  try {
    for await (const { kind, payload } of frames(stream)) {
      total += payload.length;
      if (ended || total > bounds.totalBytes) throw broken("sent more than was asked for");
      if (kind !== "D" && left > 0) throw broken("sent less of an output than it announced");
      if (kind === "R") result = Result.parse(JSON.parse(payload.toString("utf8")));
      else if (kind === "F") {
        const announced = OutputFile.parse(JSON.parse(payload.toString("utf8")));
        if (!bounds.outputs.has(announced.path) || outputs.has(announced.path)) {
          throw broken("sent an output that was not asked for");
        }
        const path = join(directory, `output-${outputs.size}`);
        outputs.set(announced.path, path);
        await file?.close();
        file = await open(path, "wx", 0o600);
        left = announced.size;
      } else if (kind === "D") {
        left -= payload.length;
        if (file === undefined || left < 0) throw broken("sent more of an output than it announced");
        await file.write(payload);
      } else if (kind === "T") {
        tar ??= await open(snapshotFile, "wx", 0o600);
        hash.update(payload);
        await tar.write(payload);
      } else if (kind === "E") ended = true;
      else if (kind === "X") {
        throw new PlatformError(
          "SandboxFailed",
          `the sandbox failed: ${payload.toString("utf8").slice(0, 2000)}`,
        );
      } else throw broken("sent a frame of unknown kind");
    }
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      throw broken("sent a result of another form");
    throw error;
  } finally {
    await file?.close();
    await tar?.close();
  }
  if (!ended || result === undefined) throw broken("ended before its result was whole");
  return {
    result,
    outputs,
    snapshot: tar === undefined ? undefined : { file: snapshotFile, sha256: hash.digest("hex") },
  };
}

async function* frames(stream: AsyncIterable<Buffer>): AsyncGenerator<{ kind: string; payload: Buffer }> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= HEADER_BYTES) {
      const size = rest.readUInt32BE(1);
      if (size > MAX_FRAME_BYTES) throw broken("sent a frame that is too large");
      if (rest.length < HEADER_BYTES + size) break;
      yield {
        kind: String.fromCharCode(rest[0] ?? 0),
        payload: rest.subarray(HEADER_BYTES, HEADER_BYTES + size),
      };
      rest = rest.subarray(HEADER_BYTES + size);
    }
  }
  if (rest.length > 0) throw broken("ended in the middle of a frame");
}

function broken(what: string): PlatformError {
  return new PlatformError("SandboxBroken", `the supervisor of the sandbox ${what}`);
}
