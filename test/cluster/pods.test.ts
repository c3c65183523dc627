/** The pod executor on a real cluster: what generated code can reach there, and what becomes of a step whatever happens to its pod. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Execution, Limits, SandboxedExecution } from "../../operator/sandbox/executor.ts";
import { RUNNER_PATH } from "../../operator/sandbox/pods/settings.ts";
import { apiOf } from "./api.ts";
import { withCluster } from "./cluster.ts";
import { type Bench, executorOn } from "./executor.ts";
import { environmentsClaim, storePod } from "./minio-pod.ts";
import { storeHere } from "./store.ts";

const CLAIM = "environments";
const MIB = 1024 ** 2;
const LIMITS: Limits = { seconds: 60, cpus: 1, memoryBytes: 256 * MIB, diskBytes: 64 * MIB, processes: 20 };
const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);

const STORE = { accessKey: "test-access-key", secretKey: "test-secret-key" };

const cluster = withCluster();
describe("executions in a cluster", () => {
  let namespace: string;
  let bench: Bench;
  let reached: Awaited<ReturnType<typeof storeHere>>;
  let base: string;

  beforeAll(async () => {
    namespace = await cluster.namespace("pods");
    await cluster.apply(environmentsClaim(namespace, CLAIM), storePod(namespace, STORE));
    await cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/store", "--timeout=120s");
    const address = ["get", "pod", "-n", namespace, "store", "-o", "jsonpath={.status.podIP}"];
    reached = await storeHere(cluster, namespace);
    bench = await executorOn({
      storeHere: reached.endpoint,
      api: apiOf(cluster),
      namespace,
      storeAddress: await cluster.kubectl(...address),
      keys: STORE,
      environmentsClaim: async () => CLAIM,
    });
    base = (await bench.finish(installation("base"))).environment ?? "";
  }, 600_000);
  afterAll(async () => {
    await bench?.close();
    reached?.close();
  });

  function installation(name: string, packages: string[] = []): Execution {
    return {
      kind: "Install",
      name: `install-${name}`,
      owner: `${namespace}/${name}`,
      limits: { ...LIMITS, seconds: 300, memoryBytes: 1024 * MIB, diskBytes: 1024 * MIB },
      packages,
      inputs: {},
      outputs: {},
      outcomeKey: `outcomes/install-${name}.json`,
    };
  }

  function script(name: string, source: string, more: Partial<SandboxedExecution> = {}): SandboxedExecution {
    return {
      kind: "Sandboxed",
      name,
      owner: `${namespace}/${name}`,
      limits: LIMITS,
      inputs: {},
      outputs: {},
      outcomeKey: `outcomes/${name}.json`,
      command: ["-c", source],
      environment: base,
      ...more,
    };
  }

  it("runs generated code in the environment of the claim, and brings its results back", async () => {
    await bench.store.put("inputs/rows.csv", bytes("a,b\n1,2\n3,4\n"));
    const source = `
import pandas, sklearn
frame = pandas.read_csv("data/rows.csv")
open("out.txt", "w").write(str(frame.b.sum()))
print(sklearn.__name__, len(frame))
`;
    const outcome = await bench.finish(
      script("first", source, {
        inputs: { "data/rows.csv": "inputs/rows.csv" },
        outputs: { "out.txt": "results/out.txt" },
        snapshotPrefix: "snapshots/",
      }),
    );
    expect(outcome).toMatchObject({ ended: "Completed", exitCode: 0, output: { head: "sklearn 2\n" } });
    expect(text(await bench.store.get("results/out.txt"))).toBe("6");
    expect(await bench.store.exists(`snapshots/${outcome.workspace}.tar`)).toBe(true);
    expect(await bench.pods.listOwned(`${namespace}/first`)).toEqual([]);
  });

  it("shows generated code no token, no grant, no name, and no way out but to a store that refuses it", async () => {
    const source = `
import glob, os, socket, urllib.request, urllib.error
print("token", os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount"))
text = repr(os.environ)
for path in glob.glob("/proc/[0-9]*/environ"):
    try: text += open(path).read()
    except OSError: pass
print("grant", "X-Amz" in text)
print("socket", os.listdir("/exchange"))
def reach(host, port):
    try:
        socket.create_connection((host, port), 3).close()
        return "open"
    except OSError as error:
        return type(error).__name__
print("api", reach("SERVICE", 443), reach("API", PORT))
print("outside", reach("1.1.1.1", 443))
try: socket.getaddrinfo("kubernetes.default", 443); print("dns yes")
except OSError: print("dns no")
try: urllib.request.urlopen("STORE/autoai/inputs/rows.csv", timeout=5); print("store open")
except urllib.error.HTTPError as error: print("store", error.code)
for path in ("/x", "/environment/x", "/exchange/x", "/opt/autoai/runner/x", "/sandbox/x"):
    try: open(path, "w"); print("wrote", path)
    except OSError: pass
print("user", os.getuid() >= 1000000, open("/proc/self/status").read().split("CapEff:")[1].split()[0])
`;
    const service = await cluster.kubectl(
      ...["get", "service", "kubernetes", "-n", "default", "-o", "jsonpath={.spec.clusterIP}"],
    );
    const server = await apiServer();
    const outcome = await bench.finish(
      script(
        "reach",
        source
          .replace("STORE", bench.endpoint)
          .replace("SERVICE", service)
          .replace("API", server.hostname)
          .replace("PORT", server.port || "443"),
      ),
    );
    expect(outcome.output.head.split("\n")).toEqual([
      "token False",
      "grant False",
      "socket []",
      expect.stringMatching(/^api (?!open)\w+ (?!open)\w+$/),
      expect.stringMatching(/^outside (?!open)/),
      "dns no",
      "store 403",
      "user True 0000000000000000",
      "",
    ]);
  });

  it("ends programs that use more than they may, and says of what", async () => {
    const hungry = await bench.finish(script("hungry", "x = bytearray(150 << 20); y = bytearray(200 << 20)"));
    expect(hungry.ended).toBe("OutOfMemory");
    const forks = await bench.finish(
      script("forks", "import os, time\nfor _ in range(40): os.fork() or time.sleep(60)\ntime.sleep(60)"),
    );
    expect(forks.ended).toBe("TooManyProcesses");
    const full = await bench.finish(script("full", "open('f', 'wb').write(bytes(80 << 20))"));
    expect(full.ended).toBe("DiskFull");
    const slow = await bench.finish(
      script("slow", "import time; time.sleep(60)", { limits: { ...LIMITS, seconds: 1 } }),
    );
    expect(slow.ended).toBe("TimedOut");
    const kernel = await bench.finish(script("kernel", "import os; os.kill(1, 9); print('alive')"));
    expect(kernel).toMatchObject({ ended: "Completed", output: { head: "alive\n" } });
  });

  it("runs a step again whose pod was deleted, and once only what an operator before has begun", async () => {
    const deleted = script("deleted", "import time; time.sleep(3); print('through')");
    const woken = bench.woken(deleted.owner);
    await bench.executor.ensure(deleted);
    await cluster.kubectl("wait", "-n", namespace, "--for=create", "pod/deleted", "--timeout=30s");
    await cluster.kubectl("delete", "pod", "-n", namespace, "deleted", "--force", "--grace-period=0");
    await woken;
    await expect(bench.executor.ensure(deleted)).rejects.toMatchObject({
      reason: "PodDeleted",
      stalled: false,
    });
    expect((await bench.finish(deleted)).output.head).toBe("through\n");

    const restart = script("restart", "import time; time.sleep(2); print(time.monotonic_ns())");
    const before = bench.executorWith({});
    await before.ensure(restart);
    await cluster.kubectl("wait", "-n", namespace, "--for=create", "pod/restart", "--timeout=30s");
    const uid = await podUid(namespace, "restart");
    await before.close();
    const ended = bench.finish(restart);
    await expect.poll(() => podUid(namespace, "restart")).toBe(uid);
    expect((await ended).ended).toBe("Completed");
  });

  it("stalls on what no new pod mends, and says what it is", async () => {
    const missing = bench.executorWith({
      settings: { image: "autoai-runner:absent", pullPolicy: "Never", runnerPath: RUNNER_PATH },
    });
    await expect(bench.finish(script("image", ""), missing)).rejects.toMatchObject({
      reason: "ErrImageNeverPull",
      stalled: true,
    });
    await missing.cancel(`${namespace}/image`);
    const runtime = bench.executorWith({ runtimeClassName: () => "absent" });
    await expect(bench.finish(script("runtime", ""), runtime)).rejects.toMatchObject({
      reason: "RuntimeClassNotFound",
      stalled: true,
    });
    await cluster.apply({
      apiVersion: "v1",
      kind: "ResourceQuota",
      metadata: { name: "none", namespace },
      spec: { hard: { "requests.cpu": "1m" } },
    });
    const over = script("quota", "print('room')");
    await expect
      .poll(() => bench.finish(over).catch((error) => error.reason), { timeout: 30_000 })
      .toBe("QuotaExceeded");
    await cluster.kubectl("delete", "resourcequota", "-n", namespace, "none");
    await expect
      .poll(
        () =>
          bench.finish(over).then(
            ({ output }) => output.head,
            () => undefined,
          ),
        { timeout: 60_000 },
      )
      .toBe("room\n");
  });

  it("cancels: nothing is left of the pod", async () => {
    const long = script("long", "import time; time.sleep(1000)");
    await bench.executor.ensure(long);
    await cluster.kubectl("wait", "-n", namespace, "--for=create", "pod/long", "--timeout=30s");
    await bench.executor.cancel(long.owner);
    expect(await podUid(namespace, "long")).toBe("");
  });

  it("installs nothing the second time, on the claim and in the store", async () => {
    const first = await bench.finish(installation("again"));
    expect(first.environment).toBe(base);
    expect(first.packages?.map(({ name }) => name)).toContain("scikit-learn");
    const unclaimed = bench.executorWith({ environmentsClaim: async () => undefined });
    expect((await bench.finish(installation("store"), unclaimed)).environment).toBe(base);
    const again = installation("store-again");
    expect(await bench.finish(again, unclaimed)).toMatchObject({
      environment: base,
      packages: first.packages,
    });
    // It saw the digest and looked no further: the list of packages is that of the first time.
    expect(JSON.parse(text(await bench.store.get(again.outcomeKey)))).not.toHaveProperty("packages");
    const source = "import sklearn; print(sklearn.__name__)";
    expect((await bench.finish(script("fetched", source), unclaimed)).output.head).toBe("sklearn\n");
  });
});

async function apiServer(): Promise<URL> {
  return new URL(
    await cluster.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"),
  );
}

function podUid(namespace: string, name: string): Promise<string> {
  return cluster.kubectl(
    "get",
    "pod",
    "-n",
    namespace,
    name,
    "--ignore-not-found",
    "-o",
    "jsonpath={.metadata.uid}",
  );
}
