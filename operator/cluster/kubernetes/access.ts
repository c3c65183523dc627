/** Asks the API server who a token belongs to, and what that user may do. */
import { ApiError, type ApiServer } from "./api-server.ts";

export type Decision = "Allowed" | "Denied" | "Unauthenticated" | "Unavailable";

type TokenReview = {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: {
      readonly username?: string;
      readonly uid?: string;
      readonly groups?: string[];
      readonly extra?: Record<string, string[]>;
    };
  };
};

export type Subject = {
  readonly resource: "trainingjobs" | "datasets" | "modeldeployments";
  readonly namespace: string;
  readonly name: string;
};

/** Whether the owner of the token may get this resource. Unavailable: the operator has no right to ask. */
export async function mayGet(
  api: Pick<ApiServer, "request">,
  token: string,
  { resource, namespace, name }: Subject,
): Promise<Decision> {
  try {
    const review = await api.request<TokenReview>("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
      body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } },
    });
    const user = review.status?.user;
    if (!review.status?.authenticated || !user?.username) return "Unauthenticated";
    const access = await api.request<{ status?: { allowed?: boolean } }>(
      "POST",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      {
        body: {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          spec: {
            user: user.username,
            uid: user.uid,
            groups: user.groups,
            extra: user.extra,
            resourceAttributes: {
              group: "autoai.dev",
              resource,
              verb: "get",
              namespace,
              name,
            },
          },
        },
      },
    );
    return access.status?.allowed ? "Allowed" : "Denied";
  } catch (error) {
    if (error instanceof ApiError && error.code === 403) return "Unavailable";
    throw error;
  }
}
