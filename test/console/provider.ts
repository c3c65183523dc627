/** A real OpenID provider (oidc-provider) on a loopback address, with a certificate of its own, and a person who signs in at it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Provider from "oidc-provider";

export const CLIENT = "autoai-console";

export type OpenIdProvider = {
  readonly issuer: string;
  /** The file of the certificate, for who is to trust it. */
  readonly caFile: string;
  readonly ca: string;
  /** Of ID tokens from now on. */
  seconds: number;
  /** Whether what it signs is changed afterwards. */
  forges: boolean;
  close(): Promise<void>;
};

export type Wanted = {
  /** Consoles that may have browsers come back. */
  readonly origins: readonly string[];
  readonly secret?: string;
  /** Any that is free where absent. */
  readonly port?: number;
};

/** Takes any name with any password, as <name>@people.test. */
export async function startProvider({ origins, secret, port = 0 }: Wanted): Promise<OpenIdProvider> {
  const folder = mkdtempSync(join(tmpdir(), "autoai-oidc-"));
  const [keyFile, caFile] = [join(folder, "key.pem"), join(folder, "ca.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "2", "-subj", "/CN=provider", "-addext", "subjectAltName=IP:127.0.0.1"],
      ...["-keyout", keyFile, "-out", caFile],
    ],
    { stdio: "pipe" },
  );
  const ca = readFileSync(caFile, "utf8");
  const server = createServer({ key: readFileSync(keyFile), cert: ca });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT,
        redirect_uris: origins.map((origin) => `${origin}/sign-in/callback`),
        response_types: ["code"],
        grant_types: ["authorization_code"],
        // Consoles are reached over plain http in tests.
        application_type: "native",
        ...(secret === undefined
          ? { token_endpoint_auth_method: "none" as const }
          : { client_secret: secret, token_endpoint_auth_method: "client_secret_basic" as const }),
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    // The API server reads the token and asks for nothing more.
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@people.test`, email_verified: true }),
    }),
    ttl: {
      IdToken: () => served.seconds,
      AccessToken: 600,
      AuthorizationCode: 60,
      Interaction: 600,
      Session: 600,
      Grant: 600,
    },
    cookies: { keys: ["a key of a test"] },
  });
  provider.use(async (context, next) => {
    await next();
    const body = context.body as { id_token?: string } | undefined;
    if (!served.forges || body?.id_token === undefined) return;
    const [head = "", claims = "", signature] = body.id_token.split(".");
    const changed = { ...JSON.parse(Buffer.from(claims, "base64url").toString()), email: "root@people.test" };
    body.id_token = [head, Buffer.from(JSON.stringify(changed)).toString("base64url"), signature].join(".");
  });
  server.on("request", provider.callback());
  const served: OpenIdProvider = {
    seconds: 600,
    forges: false,
    issuer,
    caFile,
    ca,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return served;
}

/** Goes through the provider's pages as a browser would, and gives the address that it sends the browser back to. */
export async function signInAt(url: string, name: string): Promise<URL> {
  const cookies = new Map<string, string>();
  const { origin } = new URL(url);
  let [next, form]: [string, Record<string, string> | undefined] = [url, undefined];
  for (let count = 0; count < 20; count++) {
    const response = await fetch(next, {
      redirect: "manual",
      headers: { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join("; ") },
      ...(form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, key = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(key, value);
    }
    const page = await response.text();
    const location = response.headers.get("location");
    if (location !== null) {
      const to = new URL(location, next);
      if (to.origin !== origin) return to;
      [next, form] = [to.href, undefined];
    } else {
      const [, action] = /<form[^>]*action="([^"]+)"/.exec(page) ?? [];
      const [, prompt] = /name="prompt" value="([^"]+)"/.exec(page) ?? [];
      if (action === undefined || prompt === undefined)
        throw new Error(`no form in ${response.status} ${page}`);
      [next, form] = [new URL(action, next).href, { prompt, login: name, password: "x" }];
    }
  }
  throw new Error("the provider does not come to an end");
}
