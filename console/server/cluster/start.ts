/** The console in a cluster: stateless, with no account of its own; who signs in brings the token that is asked with. */
import { randomBytes } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { S3Store } from "../../../operator/storage/minio.ts";
import { type ConsoleOptions, consoleApp } from "../app.ts";
import { ConsoleError } from "../errors.ts";
import { Provider } from "../oidc.ts";
import { MAX_TOKEN_BYTES, Sessions } from "../session.ts";
import { ClusterGateway } from "./gateway.ts";
import { endOf, nameOf, type UserApi, userApi, userOf } from "./user-api.ts";
import { Watches } from "./watches.ts";

const Origin = z.url({ protocol: /^https?$/ }).transform((text) => new URL(text).origin);

export const ClusterConsoleSettings = z.object({
  AUTOAI_CONSOLE_ORIGINS: z
    .string()
    .min(1)
    .transform((text) => text.split(",").map((one) => one.trim()))
    .pipe(z.array(Origin).min(1)),
  AUTOAI_CONSOLE_PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  AUTOAI_CONSOLE_SESSION_SECONDS: z.coerce.number().int().min(60).max(604_800).default(28_800),
  /** Base64 of 32 bytes; made anew at each start where absent, which ends all sessions. */
  AUTOAI_CONSOLE_KEY: z.base64().optional(),
  /** An OpenID provider that the API server trusts; absent: by pasted tokens alone. */
  AUTOAI_CONSOLE_OIDC_ISSUER: z.url({ protocol: /^https$/ }).optional(),
  AUTOAI_CONSOLE_OIDC_CLIENT_ID: z.string().min(1).max(256).optional(),
  AUTOAI_CONSOLE_OIDC_CLIENT_SECRET: z.string().min(1).optional(),
  AUTOAI_CONSOLE_OIDC_SCOPES: z
    .string()
    .regex(/(^| )openid( |$)/, "has the scope openid among its words")
    .default("openid email profile"),
  AUTOAI_CONSOLE_OIDC_LABEL: z.string().min(1).max(64).default("single sign-on"),
  KUBERNETES_SERVICE_HOST: z.string().default(""),
  KUBERNETES_SERVICE_PORT: z.string().default("443"),
  /** In place of the pod's own cluster. */
  AUTOAI_API_SERVER: z.url().optional(),
  AUTOAI_API_SERVER_CA: z.string().optional(),
  AUTOAI_STORE_ENDPOINT: z.url(),
  AUTOAI_STORE_BUCKET: z.string().min(3),
  AUTOAI_STORE_REGION: z.string().default("us-east-1"),
  AUTOAI_STORE_ACCESS_KEY: z.string().min(1),
  AUTOAI_STORE_SECRET_KEY: z.string().min(1),
});
export type ClusterConsoleSettings = z.infer<typeof ClusterConsoleSettings>;

const KEY_BYTES = 32;
const MOST_USERS = 500;

export type ClusterConsole = { readonly app: FastifyInstance; close(): Promise<void> };

export async function startClusterConsole(
  settings: ClusterConsoleSettings,
  options: { readonly version: string; readonly pages?: string; readonly onFault: ConsoleOptions["onFault"] },
): Promise<ClusterConsole> {
  const address = {
    server:
      settings.AUTOAI_API_SERVER ??
      `https://${bracketed(settings.KUBERNETES_SERVICE_HOST)}:${settings.KUBERNETES_SERVICE_PORT}`,
    caFile: settings.AUTOAI_API_SERVER_CA,
  };
  const store = new S3Store({
    endpoint: settings.AUTOAI_STORE_ENDPOINT,
    bucket: settings.AUTOAI_STORE_BUCKET,
    region: settings.AUTOAI_STORE_REGION,
    accessKey: settings.AUTOAI_STORE_ACCESS_KEY,
    secretKey: settings.AUTOAI_STORE_SECRET_KEY,
  });
  const watches = new Watches(Date.now);
  // Connections are kept with it: a handshake for each question would be most of its time.
  const apis = new Map<string, UserApi>();
  const apiOf = (token: string): UserApi => {
    const id = nameOf(token);
    const api = apis.get(id) ?? userApi(address, token);
    apis.delete(id);
    apis.set(id, api);
    if (apis.size > MOST_USERS) apis.delete([...apis.keys()][0] ?? "");
    return api;
  };
  const origins = settings.AUTOAI_CONSOLE_ORIGINS;
  const secure = origins.every((origin) => origin.startsWith("https:"));
  const key = keyOf(settings.AUTOAI_CONSOLE_KEY);
  const app = await consoleApp({
    sessions: new Sessions({
      key,
      seconds: settings.AUTOAI_CONSOLE_SESSION_SECONDS,
      now: Date.now,
    }),
    async signIn(token) {
      if (Buffer.byteLength(token) > MAX_TOKEN_BYTES || !/^[\x21-\x7e]+$/.test(token)) {
        throw new ConsoleError(
          "Unauthenticated",
          `a token is one word of at most ${MAX_TOKEN_BYTES} characters`,
        );
      }
      const user = await userOf(apiOf(token));
      const until = endOf(token);
      return { user, token, ...(until === undefined ? {} : { until }) };
    },
    gatewayOf({ token = "" }) {
      return new ClusterGateway({ api: apiOf(token), token, store, watches, version: options.version });
    },
    origins: () => origins,
    // The prefix has browsers refuse the cookie to any other host and path.
    cookieName: secure ? "__Host-autoai-console" : "autoai-console",
    secure,
    how: "Token",
    provider: providerOf(settings, key),
    onFault: options.onFault,
    ...(options.pages === undefined ? {} : { pages: options.pages }),
  });
  await app.listen({ port: settings.AUTOAI_CONSOLE_PORT, host: "::" });
  return {
    app,
    async close() {
      await app.close();
      await watches.close();
    },
  };
}

function providerOf(settings: ClusterConsoleSettings, key: Uint8Array): Provider | undefined {
  const { AUTOAI_CONSOLE_OIDC_ISSUER: issuer, AUTOAI_CONSOLE_OIDC_CLIENT_ID: clientId } = settings;
  if (issuer === undefined && clientId === undefined) return undefined;
  if (issuer === undefined || clientId === undefined) {
    throw new Error("AUTOAI_CONSOLE_OIDC_ISSUER and AUTOAI_CONSOLE_OIDC_CLIENT_ID: expected both or none");
  }
  return new Provider({
    issuer,
    clientId,
    clientSecret: settings.AUTOAI_CONSOLE_OIDC_CLIENT_SECRET,
    scopes: settings.AUTOAI_CONSOLE_OIDC_SCOPES,
    label: settings.AUTOAI_CONSOLE_OIDC_LABEL,
    key,
    now: Date.now,
  });
}

function keyOf(text: string | undefined): Uint8Array {
  if (text === undefined) return randomBytes(KEY_BYTES);
  const key = Buffer.from(text, "base64");
  if (key.length === KEY_BYTES) return key;
  throw new Error(`AUTOAI_CONSOLE_KEY has ${key.length} bytes; expected base64 of ${KEY_BYTES}`);
}

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);
