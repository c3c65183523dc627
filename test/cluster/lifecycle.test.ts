/** A second cluster beside the shared one is brought up and taken down: nothing of it is left on the machine. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { withCluster } from "./cluster.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const { own, ownOnly } = withCluster();
const directory = join(mkdtempSync(join(tmpdir(), "autoai-lifecycle-")), "run");
const environment = { ...process.env, AUTOAI_CLUSTER_NUMBER: "9", AUTOAI_CLUSTER_DIR: directory };
const script = (name: string, ...args: string[]) =>
  execFileSync(join(here, name), args, {
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
const command = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: "utf8" });

/** What a cluster might leave, as the machine itself tells it. */
function machine() {
  const lines = (text: string) => text.split("\n").filter((line) => line.trim() !== "");
  return {
    links: lines(command("ip", "-brief", "link", "show")).map((line) => line.split(/[ @]/)[0]),
    addresses: lines(command("ip", "-brief", "address", "show", "scope", "global")).map(
      (line) => line.split(" ")[0],
    ),
    routes: lines(command("ip", "route", "show")),
    namespaces: lines(command("ip", "netns", "list")),
    nftables: lines(command("nft", "list", "tables")),
    mounts: lines(readFileSync("/proc/self/mountinfo", "utf8")).map((line) => line.split(" ")[4]),
    groups: readdirSync("/sys/fs/cgroup").concat(readdirSync("/sys/fs/cgroup/memory")),
    forwarding: readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim(),
  };
}

afterAll(() => {
  if (own) script("stop", "--quiet");
  rmSync(join(directory, ".."), { recursive: true, force: true });
});

const NAME = "a cluster that is taken down leaves nothing, though pods ran on it";
test.runIf(own)(ownOnly(NAME, "it is what the scripts make and remove"), () => {
  const before = machine();
  expect(script("residue")).toBe("");

  script("start");
  const kubectl = (...args: string[]) =>
    command(
      join(script("build", "--directory", "kubernetes").trim(), "kubectl"),
      ...["--kubeconfig", join(directory, "kubeconfig"), ...args],
    );
  expect(kubectl("get", "pods", "-n", "kube-system", "-o", "jsonpath={.items[*].status.phase}")).toBe(
    "Running",
  );
  const residue = script("residue");
  for (const kind of ["link", "route", "nftables", "cgroup", "process", "directory"]) {
    expect(residue).toMatch(new RegExp(`^${kind}`, "m"));
  }
  expect(machine()).not.toEqual(before);

  script("stop");
  expect(script("residue")).toBe("");
  expect(existsSync(directory)).toBe(false);
  expect(machine()).toEqual(before);
});
