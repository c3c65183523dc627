import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ApiServer } from "./api-server.ts";
import { isNewer, type Raw, Reflector, type RestartReason, type Timings } from "./reflector.ts";

/** The wire of one collection: its list, and watches that the test writes to, breaks or leaves silent. */
async function collection() {
  const items = new Map<string, Raw>();
  const watches: { readonly from: string | null; readonly answer: ServerResponse }[] = [];
  let lists = 0;
  let version = 100;
  let refuseWatches = 0;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://api");
    response.setHeader("content-type", "application/json");
    if (url.searchParams.get("watch") !== "true") {
      lists++;
      response.end(
        JSON.stringify({ metadata: { resourceVersion: String(version) }, items: [...items.values()] }),
      );
    } else if (refuseWatches > 0) {
      refuseWatches--;
      response.statusCode = 500;
      response.end(JSON.stringify({ reason: "InternalError", message: "etcd is away" }));
    } else {
      response.flushHeaders();
      watches.push({ from: url.searchParams.get("resourceVersion"), answer: response });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: "c", server: address, skipTLSVerify: true }],
    users: [{ name: "u" }],
    contexts: [{ name: "x", cluster: "c", user: "u" }],
    currentContext: "x",
  });
  const put = (name: string): Raw => {
    const object = { metadata: { name, namespace: "ns", uid: name, resourceVersion: String(++version) } };
    items.set(name, object);
    return object;
  };
  const send = (type: string, object: unknown): void => {
    watches.at(-1)?.answer.write(`${JSON.stringify({ type, object })}\n`);
  };
  return {
    api: new ApiServer(config),
    watches,
    lists: () => lists,
    put,
    send,
    take: (name: string) => items.delete(name),
    refuse: (times: number) => {
      refuseWatches = times;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function watching(timings: Partial<Timings> = {}) {
  const served = await collection();
  served.put("one");
  const changes: string[] = [];
  const restarts: RestartReason[] = [];
  const reflector = new Reflector<Raw>({
    api: served.api,
    path: "/apis/autoai.dev/v1alpha1/trainingjobs",
    onChange: (key, current) => changes.push(`${key} ${current?.metadata.resourceVersion ?? "gone"}`),
    onRestart: (reason) => restarts.push(reason),
    timings: { firstBackoffSeconds: 0.01, ...timings },
  });
  onTestFinished(async () => {
    const stopped = reflector.stop();
    served.close();
    await stopped;
  });
  reflector.start();
  await reflector.ready;
  await vi.waitFor(() => expect(served.watches).toHaveLength(1));
  return { served, reflector, changes, restarts };
}

describe("a cache by list and watch", () => {
  test("has what is listed, and then what the watch tells", async () => {
    const { served, reflector, changes } = await watching();
    expect(served.watches[0]?.from).toBe("101");
    served.send("ADDED", served.put("two"));
    const two = served.put("two");
    served.send("MODIFIED", two);
    await vi.waitFor(() => expect(reflector.get("ns/two")?.metadata.resourceVersion).toBe("103"));
    served.send("DELETED", { metadata: { ...two.metadata, resourceVersion: "104" } });
    await vi.waitFor(() => expect(reflector.get("ns/two")).toBeUndefined());
    expect(changes).toEqual(["ns/one 101", "ns/two 102", "ns/two 103", "ns/two gone"]);
  });

  test("reads what was written, and no older news replaces it", async () => {
    const { served, reflector } = await watching();
    const before = served.put("one");
    const after = served.put("one");
    reflector.put(after);
    expect(reflector.get("ns/one")).toEqual(after);
    served.send("MODIFIED", before);
    served.send("ADDED", served.put("two"));
    await vi.waitFor(() => expect(reflector.get("ns/two")).toBeDefined());
    expect(reflector.get("ns/one")).toEqual(after);
  });

  test("does not let a late answer bring back what is deleted", async () => {
    const { served, reflector } = await watching();
    const answer = served.put("one");
    served.send("DELETED", { metadata: { ...answer.metadata, resourceVersion: "150" } });
    await vi.waitFor(() => expect(reflector.get("ns/one")).toBeUndefined());
    reflector.put(answer);
    expect(reflector.get("ns/one")).toBeUndefined();
  });
});

describe("the guard of a watch", () => {
  test("resumes one that broke where it was", async () => {
    const { served, reflector, restarts } = await watching();
    served.send("ADDED", served.put("two"));
    await vi.waitFor(() => expect(reflector.get("ns/two")).toBeDefined());
    served.watches[0]?.answer.destroy();
    await vi.waitFor(() => expect(served.watches).toHaveLength(2));
    expect(served.watches[1]?.from).toBe("102");
    expect(served.lists()).toBe(1);
    expect(restarts).toEqual(["Failed"]);
  });

  test("goes on after any refusal", async () => {
    const { served, reflector, restarts } = await watching();
    served.refuse(3);
    served.watches[0]?.answer.destroy();
    await vi.waitFor(() => expect(served.watches).toHaveLength(2), { timeout: 5000 });
    served.send("ADDED", served.put("two"));
    await vi.waitFor(() => expect(reflector.get("ns/two")).toBeDefined());
    expect(restarts).toEqual(["Failed", "Failed", "Failed", "Failed"]);
  });

  test("lists anew where the server no longer knows the version, and finds what is gone", async () => {
    const { served, reflector, changes, restarts } = await watching();
    served.take("one");
    served.put("two");
    served.send("ERROR", { code: 410, reason: "Expired", message: "too old resource version" });
    await vi.waitFor(() => expect(served.watches).toHaveLength(2));
    expect(served.lists()).toBe(2);
    expect(reflector.list().map(({ metadata }) => metadata.name)).toEqual(["two"]);
    expect(changes).toEqual(["ns/one 101", "ns/two 102", "ns/one gone"]);
    expect(restarts).toEqual(["Expired"]);
  });

  test("replaces one that is silent, and leaves one alone that bookmarks keep alive", async () => {
    const { served, reflector, restarts } = await watching({ silenceSeconds: 0.4 });
    const beat = setInterval(() => served.send("BOOKMARK", { metadata: { resourceVersion: "140" } }), 50);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(served.watches).toHaveLength(1);
    clearInterval(beat);
    await vi.waitFor(() => expect(served.watches.length).toBeGreaterThan(1), { timeout: 5000 });
    // Bookmarks move the place from which it goes on.
    expect(served.watches[1]?.from).toBe("140");
    expect(restarts[0]).toBe("Silent");
    expect(reflector.get("ns/one")).toBeDefined();
  });

  test("lists now and then in any case, so that what a watch missed is found", async () => {
    const { served, reflector } = await watching({ relistSeconds: 0 });
    served.put("missed");
    served.watches[0]?.answer.end();
    await vi.waitFor(() => expect(reflector.get("ns/missed")).toBeDefined(), { timeout: 5000 });
  });
});

test("versions are compared as numbers", () => {
  expect(isNewer("10", "9")).toBe(true);
  expect(isNewer("9", "10")).toBe(false);
  expect(isNewer("9", "9")).toBe(false);
  expect(isNewer("not-a-number", "9")).toBe(false);
});
