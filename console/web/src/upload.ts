/** Hands a file over in pieces. Cut off anywhere, it goes on from the byte up to which the server has it. */
import { RequestError, send } from "./api.ts";

export const MAX_BYTES = 104_857_600;
const PIECE = 4 * 1024 ** 2;

export type Target = { readonly namespace: string; readonly name: string };

export type UploadOptions = {
  readonly target: Target;
  readonly file: File;
  readonly signal: AbortSignal;
  readonly onProgress: (sent: number) => void;
};

/** Throws RequestError, TypeError (no connection), or an AbortError. Called again it goes on. */
export async function upload({ target, file, signal, onProgress }: UploadOptions): Promise<void> {
  const path = `/api/uploads/${target.namespace}/${target.name}`;
  let sent = await begun(path, file, signal);
  onProgress(sent);
  while (sent < file.size) {
    const piece = file.slice(sent, sent + PIECE);
    const response = await send(`${path}?offset=${sent}`, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: piece,
      signal,
    });
    sent = ((await response.json()) as { received: number }).received;
    onProgress(sent);
  }
  const body = JSON.stringify({ sizeBytes: file.size });
  await send(`${path}/finish`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal,
  });
}

/** How much is there already, if it is the beginning of this file. */
async function begun(path: string, file: File, signal: AbortSignal): Promise<number> {
  const response = await send(path, { method: "GET", signal });
  const { received, sha256 } = (await response.json()) as { received: number; sha256: string };
  if (received === 0) return 0;
  const digest = await crypto.subtle.digest("SHA-256", await file.slice(0, received).arrayBuffer());
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (received <= file.size && hex === sha256) return received;
  throw new RequestError(
    409,
    "This is another file than the one that was begun. Choose that one, or delete the data set and begin anew.",
  );
}
