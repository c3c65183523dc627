/**
 * Fetches a file from a public HTTPS address, and nothing else: whoever can write a manifest must not read the inside of
 * the cluster through the operator. Every hop's host is resolved once, every address it has is checked, and the connection
 * goes to a checked address, so that a name that changes its mind (DNS rebinding) changes nothing.
 */
import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { Agent, request } from "undici";
import { WaitingError } from "../engine/errors.ts";

export type FetchReason =
  /** The address may not be asked. */
  | "SourceForbidden"
  /** There is nothing there. */
  | "SourceNotFound"
  /** It would not give it to us. */
  | "SourceRefused"
  | "SourceTooLarge"
  /** What came is no CSV. */
  | "InvalidSource"
  /** No answer; another try may help. */
  | "SourceUnavailable";

export class FetchError extends Error {
  override readonly name = "FetchError";
  readonly reason: FetchReason;
  constructor(reason: FetchReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export type FetchOptions = {
  readonly maxBytes: number;
  readonly maxRedirects?: number;
  /** For the whole of it. */
  readonly timeoutSeconds?: number;
  /** Certificate authorities beside those that Node knows. */
  readonly ca?: string;
  /** Addresses of a host; by the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Whether an address may be asked. */
  readonly isAllowed?: (address: string) => boolean;
  /** The operator's own store: http, private addresses and any content type are fine, and nothing is followed. */
  readonly trusted?: boolean;
  /** Told, before the body is read, how much memory reading it takes at most. What it throws is thrown. */
  readonly onSize?: (bytes: number) => void;
};

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What servers call a CSV. */
const TYPES =
  /^(text\/(?!html|xml|css|javascript)|application\/(csv|x-csv|octet-stream|vnd\.ms-excel|x-download|force-download)|binary\/octet-stream)/i;
/** Public addresses at which a cloud answers its own machines. */
const METADATA: ReadonlySet<string> = new Set(["168.63.129.16"]);

export async function fetchBytes(uri: string, options: FetchOptions): Promise<Uint8Array> {
  const { maxRedirects = 5, timeoutSeconds = 120 } = options;
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  const agent = new Agent({
    connect: {
      lookup: checkedLookup(options),
      timeout: 10_000,
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    },
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  });
  try {
    let url = new URL(uri);
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const next: Uint8Array | URL = await fetchHop(url, agent, signal, options);
      if (next instanceof Uint8Array) return next;
      url = next;
    }
    throw new FetchError("SourceRefused", `${shown(uri)} redirects more than ${maxRedirects} times`);
  } catch (error) {
    throw fetchError(error, uri, timeoutSeconds);
  } finally {
    await agent.destroy();
  }
}

/** The bytes, or where to ask next. */
async function fetchHop(
  url: URL,
  dispatcher: Agent,
  signal: AbortSignal,
  options: FetchOptions,
): Promise<Uint8Array | URL> {
  const { trusted = false } = options;
  if (!trusted) checkUrl(url, options);
  const { statusCode, headers, body } = await request(url, {
    dispatcher,
    signal,
    method: "GET",
    headers: {
      accept: "text/csv, text/plain, */*;q=0.1",
      "accept-encoding": "identity",
      "user-agent": "autoai",
    },
  });
  try {
    if (REDIRECTS.has(statusCode) && !trusted) {
      const location = String(headers.location ?? "");
      if (location === "" || !URL.canParse(location, url.href)) {
        throw new FetchError("SourceRefused", `${shown(url)} redirects to no address`);
      }
      return new URL(location, url);
    }
    checkStatus(statusCode, url);
    if (!trusted) checkHeaders(headers, url);
    return await readBody(body as AsyncIterable<Buffer>, Number(headers["content-length"]), url, options);
  } finally {
    body.on("error", () => undefined);
    body.destroy();
  }
}

async function readBody(
  body: AsyncIterable<Buffer>,
  length: number,
  url: URL,
  { maxBytes, onSize }: FetchOptions,
): Promise<Uint8Array> {
  if (length > maxBytes) throw tooLarge(url, maxBytes);
  // Of unknown length, it is held in pieces and as a whole for a moment.
  onSize?.(Number.isFinite(length) ? length : maxBytes * 2);
  if (Number.isFinite(length)) {
    const whole = new Uint8Array(length);
    let size = 0;
    for await (const chunk of body) {
      whole.set(chunk, size);
      size += chunk.length;
    }
    return whole;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(url, maxBytes);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function checkUrl(url: URL, options: FetchOptions): void {
  if (url.protocol !== "https:") {
    throw new FetchError("SourceForbidden", `${shown(url)} is not https; a redirect has to stay with https`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new FetchError("SourceForbidden", `${shown(url)} carries a user or password`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // An address that is written out is never looked up.
  if (isIP(host) !== 0) checkAddress(host, host, options);
}

function checkStatus(code: number, url: URL): void {
  if (code === 200) return;
  const message = `${shown(url)} was answered with ${code}`;
  if (code === 404 || code === 410)
    throw new FetchError("SourceNotFound", `${message}: there is nothing there`);
  if (code === 408 || code === 429 || code >= 500) throw new FetchError("SourceUnavailable", message);
  throw new FetchError("SourceRefused", message);
}

function checkHeaders(headers: Readonly<Record<string, string | string[] | undefined>>, url: URL): void {
  const type = String(headers["content-type"] ?? "");
  if (type !== "" && !TYPES.test(type)) {
    throw new FetchError("InvalidSource", `${shown(url)} is ${type.slice(0, 80)}; expected a CSV`);
  }
  const encoding = String(headers["content-encoding"] ?? "identity");
  if (encoding !== "identity") {
    throw new FetchError(
      "InvalidSource",
      `${shown(url)} came as ${encoding.slice(0, 40)} though that was not asked for; expected a plain CSV`,
    );
  }
}

/** A lookup that Node's sockets use: the addresses that were checked are those that are connected to. */
function checkedLookup(options: FetchOptions): LookupFunction {
  const resolve = options.resolve ?? systemResolve;
  return (host, { all }, callback) => {
    resolve(host).then(
      (addresses) => {
        try {
          if (!options.trusted) for (const address of addresses) checkAddress(address, host, options);
          const found = addresses.map((address) => ({ address, family: isIP(address) }));
          const first = found[0];
          if (!first) throw new FetchError("SourceNotFound", `the host ${host} has no address`);
          if (all) callback(null, found);
          else callback(null, first.address, first.family);
        } catch (error) {
          callback(error as Error, "", 4);
        }
      },
      (error: Error) => callback(error, "", 4),
    );
  };
}

async function systemResolve(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function checkAddress(address: string, host: string, { isAllowed = isPublic }: FetchOptions): void {
  if (isAllowed(address)) return;
  throw new FetchError(
    "SourceForbidden",
    `the host ${host} is not a public address; data sets are read from the internet alone: put the file into the store or a ConfigMap`,
  );
}

/** Whether it is an address of the internet: no private, loopback, link-local, shared, multicast or reserved one. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  // What is mapped into IPv6 is judged by what it is.
  const parsed = ipaddr.process(address);
  return parsed.range() === "unicast" && !METADATA.has(parsed.toString());
}

function fetchError(error: unknown, uri: string, timeoutSeconds: number): Error {
  if (error instanceof WaitingError) return error;
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof FetchError) return at;
  const { code = "", name = "", message = "" } = error as { code?: string; name?: string; message?: string };
  if (name === "TimeoutError") {
    return new FetchError("SourceUnavailable", `${shown(uri)} was not read within ${timeoutSeconds} s`);
  }
  if (code === "ENOTFOUND") return new FetchError("SourceNotFound", `the host of ${shown(uri)} is not known`);
  if (/CERT|TLS|SSL|SIGNED|ISSUER/.test(code)) {
    return new FetchError("SourceRefused", `${shown(uri)} has no certificate that can be trusted: ${code}`);
  }
  return new FetchError(
    "SourceUnavailable",
    `${shown(uri)} could not be read: ${code || name} ${message}`.trim(),
    {
      cause: error,
    },
  );
}

function tooLarge(url: URL, maxBytes: number): FetchError {
  return new FetchError(
    "SourceTooLarge",
    `${shown(url)} has more than ${maxBytes} bytes (100 MB): take a sample of its rows`,
  );
}

/** Without the query: it may hold a signature. */
function shown(uri: string | URL): string {
  const url = new URL(uri);
  return `${url.protocol}//${url.host}${url.pathname}`.slice(0, 300);
}
