/** The console on one machine: over the embedded home, on the loopback address, for whoever reads the terminal. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { type Installation, openHome } from "../../../operator/embedded/home.ts";
import { consoleApp } from "../app.ts";
import { ConsoleError } from "../errors.ts";
import { Sessions } from "../session.ts";
import { EmbeddedGateway } from "./gateway.ts";
import { EmbeddedModels } from "./models.ts";
import { EmbeddedWork } from "./work.ts";

export type EmbeddedConsoleOptions = {
  readonly homePath: string;
  readonly installation: Installation;
  readonly env: NodeJS.ProcessEnv;
  /** 0: any that is free. */
  readonly port: number;
  readonly unsafeNoSandbox: boolean;
  readonly pages?: string;
  readonly sessionSeconds?: number;
  readonly now?: () => number;
  /** Told the address to open, once at the start and anew each time that one was used. */
  readonly onAddress: (url: string) => void;
  readonly onFault: (what: string, error: unknown) => void;
};

export type RunningConsole = {
  readonly origin: string;
  readonly app: FastifyInstance;
  close(): Promise<void>;
};

const SESSION_SECONDS = 12 * 3600;
const HOST = "127.0.0.1";

export async function startEmbeddedConsole(options: EmbeddedConsoleOptions): Promise<RunningConsole> {
  const { installation, env, onFault, now = Date.now } = options;
  const home = openHome(options.homePath);
  const uploadFolder = join(home.path, "uploads");
  mkdirSync(uploadFolder, { recursive: true, mode: 0o700 });
  const work = new EmbeddedWork({
    home,
    installation,
    env,
    // The built-in author's programs run without a sandbox where there is none; who asks an LLM is refused before.
    allowUnsandboxed: true,
    onFailure: onFault,
  });
  const missing = options.unsafeNoSandbox ? undefined : await work.sandboxMissing();
  const models = new EmbeddedModels({
    home,
    installation,
    env,
    unsafeNoSandbox: options.unsafeNoSandbox,
    now,
  });
  const gateway = new EmbeddedGateway({
    home,
    work,
    models,
    about: {
      mode: "Embedded",
      version: installation.version,
      providers: env.GEMINI_API_KEY && missing === undefined ? ["Offline", "Gemini"] : ["Offline"],
      namespace: "default",
    },
    env,
    uploadFolder,
    unsandboxed: missing,
    onFault,
  });

  let origins: readonly string[] = [];
  let ticket = "";
  const issue = (): void => {
    ticket = randomBytes(32).toString("base64url");
    options.onAddress(`${origins[0]}/sign-in#${ticket}`);
  };
  const app = await consoleApp({
    sessions: new Sessions({ key: randomBytes(32), seconds: options.sessionSeconds ?? SESSION_SECONDS, now }),
    async signIn(credential) {
      if (!isSame(credential, ticket)) {
        throw new ConsoleError(
          "Unauthenticated",
          "this address was used before, or is none: the terminal shows the one that is good",
        );
      }
      issue();
      return { user: env.USER || "you" };
    },
    gatewayOf: () => gateway,
    origins: () => origins,
    // Browsers keep cookies by host alone: consoles on two ports are told apart by name.
    cookieName: `autoai-console-${options.port || process.pid}`,
    secure: false,
    how: "Address",
    ...(options.pages === undefined ? {} : { pages: options.pages }),
    onFault,
  });
  await app.listen({ port: options.port, host: HOST });
  const address = app.server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  origins = [`http://${HOST}:${port}`, `http://localhost:${port}`];
  work.start();
  issue();
  return {
    origin: origins[0] ?? "",
    app,
    async close() {
      gateway.close();
      await app.close();
      await models.close();
      await work.stop();
    },
  };
}

function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && left.length > 0 && timingSafeEqual(left, right);
}
