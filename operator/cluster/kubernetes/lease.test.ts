import { expect, test } from "vitest";
import { ApiError } from "./api-server.ts";
import { KubernetesLease } from "./lease.ts";

type Request = {
  readonly verb: string;
  readonly path: string;
  readonly body: unknown;
  readonly contentType?: string;
};

const RECORD = { holder: "operator-1", durationSeconds: 15, acquiredAt: 0, renewedAt: 1500, transitions: 2 };
const PATH = "/apis/coordination.k8s.io/v1/namespaces/autoai-system/leases";

function lease(answer: (request: Request) => unknown) {
  const requests: Request[] = [];
  const request = async (verb: string, path: string, options: Omit<Request, "verb" | "path">) => {
    requests.push({ verb, path, ...options });
    return answer({ verb, path, ...options });
  };
  return { requests, store: new KubernetesLease({ request } as never, "autoai-system", "autoai") };
}

test("a renewal changes the spec alone, of the version that was read: what the installer put beside it stays", async () => {
  const { requests, store } = lease(({ body }) => ({
    ...(body as object),
    metadata: { resourceVersion: "8" },
  }));
  expect(await store.write(RECORD, "7")).toMatchObject({ version: "8", record: RECORD });
  expect(requests).toEqual([
    expect.objectContaining({
      verb: "PATCH",
      path: `${PATH}/autoai`,
      contentType: "application/merge-patch+json",
      body: expect.objectContaining({
        metadata: { name: "autoai", namespace: "autoai-system", resourceVersion: "7" },
        spec: expect.objectContaining({
          holderIdentity: "operator-1",
          renewTime: "1970-01-01T00:00:01.500000Z",
        }),
      }),
    }),
  ]);
});

test("where there is none it is made", async () => {
  const { requests, store } = lease(({ body }) => body);
  await store.write(RECORD, undefined);
  expect(requests).toMatchObject([{ verb: "POST", path: PATH }]);
});

test("one that was installed without a spec is free", async () => {
  const { store } = lease(() => ({ metadata: { resourceVersion: "1" } }));
  expect(await store.get()).toMatchObject({ version: "1", record: { holder: "", durationSeconds: 0 } });
});

test("who was second writes nothing", async () => {
  const { store } = lease(() => {
    throw new ApiError(409, "Conflict", "the object has been modified");
  });
  expect(await store.write(RECORD, "7")).toBeUndefined();
});
