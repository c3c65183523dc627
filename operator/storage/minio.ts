/**
 * ArtifactStore in a bucket of MinIO, or of anything else that speaks S3 and knows conditional puts.
 *
 * What a call does is tried a few times where the store fails or does not answer; every attempt has an end.
 */
import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, CopyDestinationOptions, CopySourceOptions } from "minio";
import { type ArtifactStore, NotFoundError, type ObjectDigest, StoreError } from "./artifact-store.ts";
import type { Grants, PostGrant } from "./grants.ts";
import { checkKey, checkPrefix } from "./key.ts";
import { PAGE, type Pages } from "./pages.ts";
import { digestOf, type StoredStream, type Streams } from "./streams.ts";

export type S3StoreOptions = {
  /** http://host:port or https://host:port. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Milliseconds without a byte after which an attempt is given up. */
  readonly silenceMs?: number;
  /** Milliseconds before each further attempt; as many attempts more as there are entries. */
  readonly retryAfterMs?: readonly number[];
};

const SILENCE_MS = 20_000;
const RETRY_AFTER_MS = [200, 500, 1500];
const CONNECTIONS = 64;
/** Of an object that is held in memory. Pods write some of them by grants, which bound no size: models and archives are streamed. */
const MOST_BYTES = 128 * 1024 ** 2;
const PASSING_STATUSES = new Set([408, 409, 429, 499, 500, 502, 503, 504, 520]);
const ABSENT = new Set(["NoSuchKey", "NotFound"]);

export class S3Store implements ArtifactStore, Grants, Pages, Streams {
  readonly #client: Client;
  readonly #options: S3StoreOptions;

  constructor(options: S3StoreOptions) {
    this.#options = options;
    const { protocol, hostname, port } = new URL(options.endpoint);
    const secure = protocol === "https:";
    const library = secure ? https : http;
    this.#client = new Client({
      endPoint: hostname,
      ...(port === "" ? {} : { port: Number(port) }),
      useSSL: secure,
      region: options.region,
      accessKey: options.accessKey,
      secretKey: options.secretKey,
      transportAgent: new library.Agent({ keepAlive: true, maxSockets: CONNECTIONS }),
      transport: patient(library, options.silenceMs ?? SILENCE_MS),
      // Its own would leave answers unread, and print to the console.
      retryOptions: { disableRetry: true },
    });
  }

  /** Makes the bucket where there is none. */
  async ensureBucket(): Promise<void> {
    const { bucket, region } = this.#options;
    await this.#attempt("make the bucket", async () => {
      if (await this.#client.bucketExists(bucket)) return;
      await this.#client.makeBucket(bucket, region).catch((error) => {
        if (codeOf(error) !== "BucketAlreadyOwnedByYou") throw error;
      });
    });
  }

  async get(key: string): Promise<Uint8Array> {
    checkKey(key);
    return this.#attempt(
      `read ${key}`,
      async () => {
        const { size, body } = await this.#open(key);
        if (size > MOST_BYTES) {
          body.destroy();
          throw new StoreError(
            "StoreRefused",
            `the object at ${key} has ${size} bytes; expected at most ${MOST_BYTES} of what is read at once: who wrote it?`,
          );
        }
        const chunks: Buffer[] = [];
        for await (const chunk of body) chunks.push(chunk);
        return Buffer.concat(chunks);
      },
      key,
    );
  }

  async digest(key: string): Promise<ObjectDigest> {
    checkKey(key);
    return this.#attempt(`read ${key}`, async () => digestOf(await this.#open(key)), key);
  }

  async copy(from: string, to: string): Promise<void> {
    checkKey(from);
    checkKey(to);
    const { bucket } = this.#options;
    const source = new CopySourceOptions({ Bucket: bucket, Object: from });
    const target = new CopyDestinationOptions({ Bucket: bucket, Object: to });
    await this.#attempt(`copy ${from}`, () => this.#client.copyObject(source, target), from);
  }

  async open(key: string): Promise<StoredStream> {
    checkKey(key);
    return this.#attempt(`read ${key}`, () => this.#open(key), key);
  }

  async put(key: string, body: Uint8Array): Promise<void> {
    checkKey(key);
    await this.#attempt(`write ${key}`, () => this.#put(key, body, {}));
  }

  /** As ArtifactStore; false too where an earlier attempt of this very call got through and its answer was lost. */
  async create(key: string, body: Uint8Array): Promise<boolean> {
    checkKey(key);
    return this.#attempt(`create ${key}`, async () => {
      try {
        await this.#put(key, body, { "if-none-match": "*" });
        return true;
      } catch (error) {
        if (codeOf(error) === "PreconditionFailed") return false;
        throw error;
      }
    });
  }

  async exists(key: string): Promise<boolean> {
    checkKey(key);
    return this.#attempt(`look for ${key}`, async () => {
      try {
        await this.#client.statObject(this.#options.bucket, key);
        return true;
      } catch (error) {
        if (ABSENT.has(codeOf(error) ?? "")) return false;
        throw error;
      }
    });
  }

  async list(prefix: string): Promise<string[]> {
    checkPrefix(prefix);
    const keys: string[] = [];
    let token = "";
    do {
      const page = await this.#attempt(`list ${prefix}`, () =>
        this.#client.listObjectsV2Query(this.#options.bucket, prefix, token, "", PAGE, ""),
      );
      keys.push(...namesBelow(prefix, page.objects));
      const next = page.isTruncated ? page.nextContinuationToken : "";
      if (next !== "" && next === token) {
        const { origin } = new URL(this.#options.endpoint);
        throw new StoreError(
          "StoreRefused",
          `the store at ${origin} says again and again that there is more of ${prefix}, and tells of the same; expected a listing that ends`,
        );
      }
      token = next;
    } while (token !== "");
    // S3 sorts by UTF-8 bytes, and everyone here by UTF-16 units.
    return keys.sort();
  }

  async deletePrefix(prefix: string): Promise<void> {
    const keys = await this.list(prefix);
    for (let start = 0; start < keys.length; start += PAGE) {
      await this.#deleteKeys(`delete ${prefix}`, keys.slice(start, start + PAGE));
    }
  }

  async page(prefix: string, after: string, count: number): Promise<string[]> {
    checkPrefix(prefix);
    checkPrefix(after);
    const { objects } = await this.#attempt(`list ${prefix}`, () =>
      this.#client.listObjectsV2Query(this.#options.bucket, prefix, "", "", Math.min(count, PAGE), after),
    );
    return namesBelow(prefix, objects);
  }

  async deleteKeys(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#deleteKeys(`delete ${keys[0]} and others`, keys);
  }

  uri(key: string): string {
    checkKey(key);
    return `s3://${this.#options.bucket}/${key}`;
  }

  async grantGet(key: string, seconds: number): Promise<string> {
    checkKey(key);
    return this.#client.presignedGetObject(this.#options.bucket, key, Math.ceil(seconds));
  }

  async grantPut(key: string, seconds: number): Promise<string> {
    checkKey(key);
    return this.#client.presignedPutObject(this.#options.bucket, key, Math.ceil(seconds));
  }

  async grantPost(prefix: string, seconds: number, maxBytes: number): Promise<PostGrant> {
    checkPrefix(prefix);
    if (prefix === "") throw new Error("a grant for the whole store was asked for; expected a prefix");
    const policy = this.#client.newPostPolicy();
    policy.setBucket(this.#options.bucket);
    policy.setKeyStartsWith(prefix);
    policy.setExpires(new Date(Date.now() + Math.ceil(seconds) * 1000));
    policy.setContentLengthRange(0, maxBytes);
    const { postURL, formData } = await this.#client.presignedPostPolicy(policy);
    return { url: postURL, fields: formData as Record<string, string> };
  }

  async #open(key: string): Promise<StoredStream> {
    const body = (await this.#client.getObject(this.#options.bucket, key)) as http.IncomingMessage;
    return { size: Number(body.headers["content-length"]), body };
  }

  async #put(key: string, body: Uint8Array, headers: Record<string, string>): Promise<void> {
    const request = { method: "PUT", bucketName: this.#options.bucket, objectName: key, headers };
    const payload = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    await this.#client.makeRequestAsyncOmit(request, payload);
  }

  async #deleteKeys(what: string, keys: readonly string[]): Promise<void> {
    await this.#attempt(what, async () => {
      const results = await this.#client.removeObjects(this.#options.bucket, [...keys]);
      // In quiet mode what is told is what went wrong.
      const wrong = results.find((result) => result?.Error !== undefined)?.Error;
      if (wrong !== undefined) throw Object.assign(new Error(wrong.Message), { code: wrong.Code });
    });
  }

  async #attempt<T>(what: string, action: () => Promise<T>, key?: string): Promise<T> {
    const waits = this.#options.retryAfterMs ?? RETRY_AFTER_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await action();
      } catch (error) {
        if (key !== undefined && ABSENT.has(codeOf(error) ?? "")) throw new NotFoundError(key);
        const wait = waits[attempt];
        if (error instanceof StoreError) throw error;
        if (wait === undefined || !isPassing(error)) throw this.#explain(what, error);
        await sleep(wait * (0.5 + Math.random()));
      }
    }
  }

  #explain(what: string, error: unknown): StoreError {
    const { endpoint, bucket, accessKey, secretKey } = this.#options;
    const { origin } = new URL(endpoint);
    // What a server says is a stranger's text: it may repeat what it was sent.
    const shown = [accessKey, secretKey]
      .filter((secret) => secret !== "")
      .reduce((text, secret) => text.replaceAll(secret, "…"), messageOf(error))
      .slice(0, 400)
      .replaceAll(/\?\S+/g, "?…");
    const code = codeOf(error);
    const detail = code === undefined || shown.includes(code) ? shown : `${code}: ${shown}`;
    if (isPassing(error)) {
      return new StoreError(
        "StoreUnavailable",
        `the store at ${origin} did not ${what}: ${detail}; is it running, and reachable from here?`,
      );
    }
    return new StoreError(
      "StoreRefused",
      `the store at ${origin} refused to ${what} in bucket ${bucket}: ${detail}; check bucket, credentials and their rights`,
    );
  }
}

/** What else a listing names is none of what was asked for, and may be about to be deleted. */
function namesBelow(prefix: string, objects: readonly { readonly name?: string }[]): string[] {
  return objects.flatMap(({ name }) => (typeof name === "string" && name.startsWith(prefix) ? [name] : []));
}

/** Requests that end when the store falls silent, and answers that tell to come back later, read to their end. */
function patient(library: typeof http | typeof https, silenceMs: number): typeof http | typeof https {
  const request = (options: http.RequestOptions, onResponse: (response: http.IncomingMessage) => void) => {
    const sent = library.request(options, (response) => {
      if (PASSING_STATUSES.has(response.statusCode ?? 0) && response.statusCode !== 409) response.resume();
      onResponse(response);
    });
    sent.setTimeout(silenceMs, () => {
      sent.destroy(Object.assign(new Error(`no answer within ${silenceMs} ms`), { code: "ETIMEDOUT" }));
    });
    return sent;
  };
  // Of the whole module the client calls this alone.
  return { ...library, request } as typeof http | typeof https;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

/** The client puts into an error's message what stands in a reply's element, which is an object where that has elements of its own. */
function messageOf(error: unknown): string {
  const message: unknown = error instanceof Error ? error.message : error;
  return typeof message === "string" ? message : (JSON.stringify(message) ?? String(message));
}

/** Whether the same request may succeed a moment later. */
function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined && PASSING_CODES.has(code)) return true;
  const said = error instanceof Error ? messageOf(error) : "";
  return /Retryable HTTP status|socket hang up|aborted|network socket disconnected/i.test(said);
}

const PASSING_CODES = new Set([
  ...[
    "ECONNREFUSED",
    "ECONNRESET",
    "ECONNABORTED",
    "EPIPE",
    "ETIMEDOUT",
    "ESOCKETTIMEDOUT",
    "EAI_AGAIN",
    "ENOTFOUND",
  ],
  ...["EHOSTUNREACH", "ENETUNREACH", "ERR_STREAM_PREMATURE_CLOSE"],
  ...["SlowDown", "SlowDownRead", "SlowDownWrite", "InternalError", "ServiceUnavailable", "RequestTimeout"],
  ...["OperationAborted", "ConditionalRequestConflict", "XMinioServerNotInitialized", "XMinioStorageFull"],
]);
