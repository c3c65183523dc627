/** The API server, asked with a user's own token: what it answers is what the user may do. */
import { createHash } from "node:crypto";
import { ApiError, ApiServer } from "../../../operator/cluster/kubernetes/api-server.ts";
import { ConsoleError, type Refusal } from "../errors.ts";

export type ClusterAddress = {
  /** Such as https://kubernetes.default.svc. */
  readonly server: string;
  /** Certificate that the server's is signed with; the system's own where absent. */
  readonly caFile: string | undefined;
};

export type UserApi = Pick<ApiServer, "request" | "send" | "watch">;

const REFUSALS: Readonly<Record<number, Refusal>> = {
  403: "Denied",
  404: "Missing",
  409: "Conflict",
  413: "TooLarge",
  422: "Invalid",
  400: "Invalid",
  429: "TooMany",
};

export function userApi({ server, caFile }: ClusterAddress, token: string): UserApi {
  return ApiServer.forUser(server, caFile, token);
}

/** What the API server refused, in its own words; anything else: it did not answer. */
export async function asked<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw new ConsoleError("Unavailable", "the API server does not answer: try again in a moment");
    }
    const { code, message, problems } = error;
    // It says no more than "Unauthorized".
    if (code === 401) {
      throw new ConsoleError(
        "Unauthenticated",
        "the API server does not take this token: sign in with another",
      );
    }
    throw new ConsoleError(
      REFUSALS[code] ?? "Unavailable",
      message.slice(0, 1000),
      problems === undefined ? undefined : { problems },
    );
  }
}

/** Who the token belongs to, as the API server says. */
export async function userOf(api: UserApi): Promise<string> {
  type Review = { readonly status?: { readonly userInfo?: { readonly username?: string } } };
  const review = await asked(
    api.request<Review>("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
    }),
  );
  const name = review.status?.userInfo?.username;
  // A server that takes anonymous requests answers those with a wrong token 401; this is for one with no token at all.
  if (name === undefined || name === "system:anonymous") {
    throw new ConsoleError("Unauthenticated", "the API server does not know this token");
  }
  return name.slice(0, 512);
}

/** Whether the user may do this with that resource. */
export async function may(
  api: UserApi,
  verb: string,
  resource: string,
  place: { readonly namespace: string; readonly name: string },
): Promise<boolean> {
  type Review = { readonly status?: { readonly allowed?: boolean } };
  const { status } = await asked(
    api.request<Review>("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: { group: "autoai.dev", resource, verb, ...place } },
      },
    }),
  );
  return status?.allowed === true;
}

/** When a token ends by its own words (seconds since 1970), where it has any; whether it is good is the API server's to say. */
export function endOf(token: string): number | undefined {
  const [, payload = ""] = token.split(".");
  try {
    const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { exp?: unknown };
    return typeof exp === "number" ? exp : undefined;
  } catch {
    return undefined;
  }
}

/** A name for a token in this process, that the token cannot be told from. */
export const nameOf = (token: string): string => createHash("sha256").update(token).digest("hex");
