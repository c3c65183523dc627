/** Configuration of the operator in a cluster: environment variables, set by the chart. */
import { isIP } from "node:net";
import { z } from "zod";

export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const namespace = z.string().regex(NAMESPACE, "must be the name of a namespace").max(63);
const CIDR = z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, "must be an address range such as 10.0.0.0/8");

/** A variable that holds JSON; absent or empty: undefined. */
function json<S extends z.ZodType>(schema: S) {
  return z
    .string()
    .optional()
    .transform((text, context): unknown => {
      if (text === undefined || text === "") return undefined;
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "must be JSON" });
        return z.NEVER;
      }
    })
    .pipe(schema.optional());
}

const text = z.string().min(1, "must not be empty");
const port = z.coerce.number().int().min(1).max(65535);

const Environment = z.object({
  AUTOAI_WATCH_NAMESPACES: z
    .string()
    .default("")
    .transform((list) =>
      list
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== ""),
    )
    .pipe(z.array(namespace)),
  AUTOAI_NAMESPACE: namespace,
  AUTOAI_IDENTITY: text.max(253),
  AUTOAI_LEASE: z.string().max(253).default("autoai-operator"),
  AUTOAI_STORE_ENDPOINT: z.url({
    protocol: /^https?$/,
    error: "must be http://host:port or https://host:port",
  }),
  AUTOAI_STORE_BUCKET: text.max(63).default("autoai"),
  AUTOAI_STORE_REGION: text.max(63).default("us-east-1"),
  AUTOAI_STORE_ACCESS_KEY: text,
  AUTOAI_STORE_SECRET_KEY: text,
  AUTOAI_RUNNER_IMAGE: text,
  AUTOAI_RUNNER_PULL_POLICY: z.enum(["IfNotPresent", "Always", "Never"]).default("IfNotPresent"),
  AUTOAI_INFERENCE_SERVER_IMAGE: z.string().default(""),
  AUTOAI_ENVIRONMENTS_CLAIM: z.string().max(253).default(""),
  AUTOAI_POD_NODE_SELECTOR: json(z.record(z.string(), z.string())),
  AUTOAI_POD_TOLERATIONS: json(z.array(z.record(z.string(), z.unknown()))),
  AUTOAI_POD_IMAGE_PULL_SECRETS: json(z.array(z.strictObject({ name: text.max(253) })).max(16)),
  AUTOAI_STORE_SELECTOR: json(
    z.union([
      z.strictObject({ namespace, podLabels: z.record(z.string(), z.string()) }),
      z.strictObject({ cidr: CIDR }),
    ]),
  ),
  AUTOAI_STORE_PORT: port.default(9000),
  AUTOAI_INDEX_URL: z.union([z.literal(""), z.url({ protocol: /^https?$/ })]).default(""),
  AUTOAI_INDEX_EGRESS: json(
    z.array(
      z.strictObject({
        cidr: CIDR,
        except: z.array(CIDR).optional(),
        ports: z.array(z.int().min(1).max(65535)).optional(),
      }),
    ),
  ),
  AUTOAI_HTTP_PORT: port.default(8080),
  AUTOAI_ARTIFACTS: z.enum(["Retain", "Delete"]).default("Retain"),
  AUTOAI_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error"]).default("info"),
});

/** A store that is named by its address needs no selector. With anything else tool pods would reach more than the store. */
function addressOf(endpoint: string): { readonly cidr: string } {
  const host = new URL(endpoint).hostname.replace(/^\[|\]$/g, "");
  const version = isIP(host);
  if (version === 0) {
    throw new ConfigurationError(
      `AUTOAI_STORE_SELECTOR: is not set, and AUTOAI_STORE_ENDPOINT has the name ${host}: say by {"namespace", "podLabels"} or {"cidr"} where the store is, for the NetworkPolicies of tool pods`,
    );
  }
  return { cidr: `${host}/${version === 4 ? 32 : 128}` };
}

/** As the chart sets it; GEMINI_API_KEY and AUTOAI_GEMINI_BASE_URL are read by the language model itself. */
export type Configuration = ReturnType<typeof readConfiguration>;

/** Throws ConfigurationError that names every variable at fault; values are not repeated, for some are secret. */
export function readConfiguration(env: Readonly<Record<string, string | undefined>>) {
  const parsed = Environment.safeParse(env);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => {
      const [variable, ...path] = issue.path.map(String);
      const isMissing = variable !== undefined && env[variable] === undefined;
      const where = path.length ? ` (at ${path.join(".")})` : "";
      return `${variable}${where}: ${isMissing ? "is not set" : issue.message}`;
    });
    throw new ConfigurationError(
      `the environment is not as the operator needs it:\n  ${[...new Set(faults)].join("\n  ")}\n(docs/cluster.md lists the variables; the chart sets them)`,
    );
  }
  const at = parsed.data;
  return {
    watchNamespaces: at.AUTOAI_WATCH_NAMESPACES,
    namespace: at.AUTOAI_NAMESPACE,
    identity: at.AUTOAI_IDENTITY,
    lease: at.AUTOAI_LEASE || "autoai-operator",
    store: {
      endpoint: at.AUTOAI_STORE_ENDPOINT,
      bucket: at.AUTOAI_STORE_BUCKET,
      region: at.AUTOAI_STORE_REGION,
      accessKey: at.AUTOAI_STORE_ACCESS_KEY,
      secretKey: at.AUTOAI_STORE_SECRET_KEY,
      selector: at.AUTOAI_STORE_SELECTOR ?? addressOf(at.AUTOAI_STORE_ENDPOINT),
      port: at.AUTOAI_STORE_PORT,
    },
    runner: { image: at.AUTOAI_RUNNER_IMAGE, pullPolicy: at.AUTOAI_RUNNER_PULL_POLICY },
    inferenceServer: { image: at.AUTOAI_INFERENCE_SERVER_IMAGE || undefined },
    environmentsClaim: at.AUTOAI_ENVIRONMENTS_CLAIM || undefined,
    pods: {
      nodeSelector: at.AUTOAI_POD_NODE_SELECTOR,
      tolerations: at.AUTOAI_POD_TOLERATIONS,
      imagePullSecrets: at.AUTOAI_POD_IMAGE_PULL_SECRETS?.map(({ name }) => name),
    },
    index: { url: at.AUTOAI_INDEX_URL || undefined, egress: at.AUTOAI_INDEX_EGRESS },
    httpPort: at.AUTOAI_HTTP_PORT,
    artifacts: at.AUTOAI_ARTIFACTS,
    logLevel: at.AUTOAI_LOG_LEVEL,
  };
}
