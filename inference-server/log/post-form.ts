/**
 * A file sent by a form, as S3 takes it (multipart/form-data, RFC 7578). Not by fetch: a FormData whose sending is aborted rejects a
 * promise in undici that nobody can catch.
 */
import { randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";

const ANSWER_BYTES = 65_536;

/**
 * What was answered, whatever its status; redirects are not followed.
 * @param fields names and values in this order, before the file: S3 reads nothing after it
 * @throws where the connection failed, or the signal was aborted
 */
export async function postForm(
  url: string,
  fields: Readonly<Record<string, string>>,
  file: Uint8Array,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly answer: string }> {
  const boundary = randomBytes(24).toString("hex");
  const part = (name: string, rest: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name.replace(/[\r\n"]/g, encodeURIComponent)}"${rest}`;
  const head = Object.entries(fields).map(([name, value]) => part(name, `\r\n\r\n${value}\r\n`));
  head.push(part("file", '; filename="file"\r\nContent-Type: application/octet-stream\r\n\r\n'));
  const body = Buffer.concat([Buffer.from(head.join("")), file, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  const headers = {
    "content-type": `multipart/form-data; boundary=${boundary}`,
    "content-length": body.length,
  };
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    const library = url.startsWith("https:") ? https : http;
    library
      .request(url, { method: "POST", headers, signal, maxHeaderSize: 16_384 }, resolve)
      .on("error", reject)
      .end(body);
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    // An error of S3 is a few hundred. Leaving the loop ends the connection.
    if (bytes > ANSWER_BYTES) break;
  }
  return { status: response.statusCode ?? 0, answer: Buffer.concat(chunks).toString("utf8") };
}
