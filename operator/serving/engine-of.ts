/** Asks a server that is ready what computes its predictions. */
import { z } from "zod";
import type { ModelDeploymentStatus } from "../api/modeldeployment.ts";
import { HTTP_PORT } from "./names.ts";

const SECONDS = 2;
const ANSWER_BYTES = 4 * 1024 ** 2;
const Answer = z.object({ runtime: z.object({ engine: z.enum(["Compiled", "Onnx", "DataFrame"]) }) });

/** undefined where it cannot be asked, or does not say: then nothing is known, and nothing is wrong for it. */
export async function engineOf(ip: string): Promise<ModelDeploymentStatus["runtime"]> {
  try {
    const host = ip.includes(":") ? `[${ip}]` : ip;
    const response = await fetch(`http://${host}:${HTTP_PORT}/v1/model`, {
      signal: AbortSignal.timeout(SECONDS * 1000),
      // Kept open it would be one that the server waits for when it ends.
      headers: { connection: "close" },
      // A pod with these labels may be anybody's: it is not followed elsewhere, and what it says is bounded.
      redirect: "error",
    });
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body ?? []) {
      size += part.length;
      if (size > ANSWER_BYTES) return undefined;
      parts.push(part);
    }
    return Answer.parse(JSON.parse(Buffer.concat(parts).toString("utf8"))).runtime.engine;
  } catch {
    return undefined;
  }
}
