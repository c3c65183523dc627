/** NetworkPolicies let through and block as Kubernetes says, so that tests of tool pods' fences mean something. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { image } from "./choice.ts";
import { eventually, type Manifest, withCluster } from "./cluster.ts";

const cluster = withCluster();

/** A pod under `restricted` with Python in it. */
function pod(namespace: string, name: string, labels: Record<string, string>, program: string): Manifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: { app: name, ...labels } },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "python",
          image: image("runner"),
          imagePullPolicy: "IfNotPresent",
          command: ["python", "-c", program],
          ports: [
            { name: "main", containerPort: 8080 },
            { name: "other", containerPort: 8081 },
          ],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          resources: { requests: { cpu: "10m" }, limits: { cpu: "500m", memory: "64Mi" } },
        },
      ],
    },
  };
}
const SERVER = `
import socket, threading
def serve(port):
    listener = socket.create_server(("0.0.0.0", port))
    while True:
        listener.accept()[0].close()
for port in (8080, 8081):
    threading.Thread(target=serve, args=(port,)).start()
`;
/** Says open or closed for every host:port of its arguments; a packet that is dropped is given two seconds. */
const DIAL = `
import socket, sys
from concurrent.futures import ThreadPoolExecutor
def dial(target):
    host, port = target.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        return "open"
    except OSError:
        return "closed"
print(" ".join(ThreadPoolExecutor(32).map(dial, sys.argv[1:])))
`;

type Rules = { readonly ingress?: unknown[]; readonly egress?: unknown[]; readonly policyTypes?: string[] };
const policy = (namespace: string, app: string, rules: Rules): Manifest => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { namespace, name: "under-test" },
  spec: { podSelector: { matchLabels: { app } }, ...rules },
});

let here: string;
let there: string;
const addresses: Record<string, string> = {};

/** What a client finds at each target, each written `name:port`, where a name is a pod or `service`. */
async function dial(client: "friend" | "stranger" | "foreigner", targets: string[]): Promise<string[]> {
  const hosts = targets.map((target) => target.replace(/^[^:]+/, (name) => addresses[name] ?? name));
  const namespace = client === "foreigner" ? there : here;
  const answer = await cluster.exec(namespace, client, "python", "-c", DIAL, ...hosts);
  if (answer.code !== 0) throw new Error(answer.errors);
  return answer.out.trim().split(" ");
}

/** Applies a policy alone, and waits until the clients find what is expected. */
async function expectUnder(rules: Manifest | undefined, expected: Record<string, string>): Promise<void> {
  await cluster.kubectl("delete", "networkpolicy", "--all", "-n", here);
  if (rules !== undefined) await cluster.apply(rules);
  const clients = ["friend", "stranger", "foreigner"] as const;
  const look = async () => {
    const found: Record<string, string> = {};
    for (const client of clients) {
      const targets = Object.keys(expected)
        .filter((key) => key.startsWith(`${client} `))
        .map((key) => key.slice(client.length + 1));
      const answers = targets.length === 0 ? [] : await dial(client, targets);
      targets.forEach((target, index) => {
        found[`${client} ${target}`] = answers[index] ?? "?";
      });
    }
    return found;
  };
  // A policy that was just applied takes a moment to be in force on pods that run already.
  let found = await look();
  for (let attempt = 0; attempt < 10 && JSON.stringify(found) !== JSON.stringify(expected); attempt++) {
    found = await look();
  }
  expect(found).toEqual(expected);
}

beforeAll(async () => {
  here = await cluster.namespace("policies-here");
  there = await cluster.namespace("policies-there", { team: "foreign" });
  const idle = "import time\nwhile True: time.sleep(3600)";
  await cluster.apply(
    pod(here, "server", {}, SERVER),
    pod(here, "friend", { role: "friend" }, idle),
    pod(here, "stranger", {}, idle),
    pod(there, "foreigner", { role: "friend" }, idle),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace: here, name: "server" },
      spec: { selector: { app: "server" }, ports: [{ name: "s", port: 80, targetPort: 8080 }] },
    },
  );
  const pods: [string, string][] = [
    [here, "server"],
    [here, "friend"],
    [here, "stranger"],
    [there, "foreigner"],
  ];
  for (const [namespace, name] of pods) {
    await cluster.kubectl("wait", "--for=condition=Ready", `pod/${name}`, "-n", namespace, "--timeout=120s");
    addresses[name] = (
      await cluster.kubectl("get", "pod", name, "-n", namespace, "-o", "jsonpath={.status.podIP}")
    ).trim();
  }
  addresses.service = (
    await cluster.kubectl("get", "service", "server", "-n", here, "-o", "jsonpath={.spec.clusterIP}")
  ).trim();
  addresses.api = await cluster.kubectl(
    "get",
    "service",
    "kubernetes",
    "-n",
    "default",
    "-o",
    "jsonpath={.spec.clusterIP}",
  );
  addresses.named = `server.${here}.svc.cluster.local`;
  await eventually("the Service", 30, async () => (await dial("friend", ["service:80"]))[0] === "open");
});

describe("ingress", () => {
  test("without a policy everyone reaches every port, through a Service too", () =>
    expectUnder(undefined, {
      "friend server:8080": "open",
      "friend service:80": "open",
      "stranger server:8081": "open",
      "foreigner server:8080": "open",
      "foreigner service:80": "open",
    }));

  test("a policy without rules keeps everyone out", () =>
    expectUnder(policy(here, "server", { policyTypes: ["Ingress"] }), {
      "friend server:8080": "closed",
      "friend service:80": "closed",
      "foreigner server:8080": "closed",
    }));

  test("a pod selector lets in pods of the policy's namespace alone, and only to the port", () =>
    expectUnder(
      policy(here, "server", {
        ingress: [{ from: [{ podSelector: { matchLabels: { role: "friend" } } }], ports: [{ port: 8080 }] }],
      }),
      {
        "friend server:8080": "open",
        "friend service:80": "open",
        "friend server:8081": "closed",
        "stranger server:8080": "closed",
        "stranger service:80": "closed",
        "foreigner server:8080": "closed",
      },
    ));

  test("a namespace selector lets in the pods of other namespaces; with a pod selector, those alone", async () => {
    const namespaceSelector = { matchLabels: { team: "foreign" } };
    await expectUnder(policy(here, "server", { ingress: [{ from: [{ namespaceSelector }] }] }), {
      "friend server:8080": "closed",
      "foreigner server:8080": "open",
      "foreigner service:80": "open",
    });
    const podSelector = { matchExpressions: [{ key: "role", operator: "DoesNotExist" }] };
    await expectUnder(policy(here, "server", { ingress: [{ from: [{ namespaceSelector, podSelector }] }] }), {
      "foreigner server:8080": "closed",
    });
  });

  test("a port may be named, and a range of ports given", async () => {
    await expectUnder(policy(here, "server", { ingress: [{ ports: [{ port: "other" }] }] }), {
      "friend server:8080": "closed",
      "friend server:8081": "open",
    });
    await expectUnder(policy(here, "server", { ingress: [{ ports: [{ port: 8000, endPort: 8080 }] }] }), {
      "friend server:8080": "open",
      "friend server:8081": "closed",
    });
  });
});

describe("egress", () => {
  test("a policy without rules keeps a pod from pods, Services, the API server and everything outside", () =>
    expectUnder(policy(here, "friend", { policyTypes: ["Egress"] }), {
      "friend server:8080": "closed",
      "friend service:80": "closed",
      "friend api:443": "closed",
      "stranger server:8080": "open",
      "stranger service:80": "open",
      "stranger api:443": "open",
    }));

  test("a rule is about the pod behind a Service: its address, its port", () =>
    expectUnder(
      policy(here, "friend", {
        policyTypes: ["Egress"],
        egress: [{ to: [{ podSelector: { matchLabels: { app: "server" } } }], ports: [{ port: 8080 }] }],
      }),
      { "friend server:8080": "open", "friend service:80": "open", "friend server:8081": "closed" },
    ));

  test("an address block lets through, but for what it excepts", async () => {
    const block = (except: string[]) =>
      policy(here, "friend", {
        policyTypes: ["Egress"],
        egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0", except } }] }],
      });
    await expectUnder(block([]), { "friend server:8080": "open", "friend service:80": "open" });
    await expectUnder(block([`${addresses.server}/32`]), {
      "friend server:8080": "closed",
      "friend service:80": "closed",
      "friend api:443": "open",
    });
  });

  test("DNS can be let through alone", () =>
    expectUnder(
      policy(here, "friend", {
        policyTypes: ["Egress"],
        egress: [
          {
            to: [
              {
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
                podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
              },
            ],
            ports: [{ port: 53, protocol: "UDP" }],
          },
          { to: [{ podSelector: { matchLabels: { app: "server" } } }], ports: [{ port: 8080 }] },
        ],
      }),
      { "friend named:80": "open", "friend api:443": "closed" },
    ));
});

// The agent reads policies by a list when it starts, and by a watch later: both must come to the same.
const AGAIN = "policies are in force as before when the agent was started again";
test.runIf(cluster.own)(cluster.ownOnly(AGAIN, "others have no such agent"), async () => {
  const from = [{ podSelector: { matchLabels: { role: "friend" } } }];
  const rules = policy(here, "server", { ingress: [{ from, ports: [{ port: 8080 }] }] });
  await expectUnder(rules, { "friend server:8080": "open", "stranger server:8080": "closed" });
  const run = join(cluster.kubeconfig, "..");
  const agents = readdirSync("/proc").filter((id) => {
    try {
      return readFileSync(`/proc/${id}/cmdline`, "utf8").endsWith(`agent/main.ts\0${run}\0`);
    } catch {
      return false; // not a process, or one that has ended
    }
  });
  expect(agents).toHaveLength(1);
  process.kill(Number(agents[0]));
  // No pod starts until the agent is there again and has read everything.
  await cluster.apply(pod(here, "late", {}, "import time\nwhile True: time.sleep(3600)"));
  await cluster.kubectl("wait", "--for=condition=Ready", "pod/late", "-n", here, "--timeout=120s");
  expect(await dial("stranger", ["server:8080"])).toEqual(["closed"]);
  expect(await dial("friend", ["server:8080"])).toEqual(["open"]);
});

test("a pod that starts is fenced before its first program runs", async () => {
  await cluster.kubectl("delete", "networkpolicy", "--all", "-n", here);
  await cluster.apply(policy(here, "prisoner", { policyTypes: ["Egress"] }));
  const attempt = `import sys\nsys.argv = ["", "${addresses.server}:8080"]\n${DIAL}`;
  await cluster.apply(pod(here, "prisoner", {}, attempt));
  await cluster.kubectl(
    ...["wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/prisoner", "-n", here, "--timeout=120s"],
  );
  expect((await cluster.kubectl("logs", "prisoner", "-n", here)).trim()).toBe("closed");
});
