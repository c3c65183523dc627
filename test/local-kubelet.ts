/**
 * A kubelet of one machine without a cluster: it runs the containers of a tool pod's own manifest as processes inside bubblewrap, and
 * tells their ends as Kubernetes would. It keeps mounts, users, variables and process namespaces apart, and neither limits nor network:
 * those are tested in a cluster.
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { MemoryPods } from "../operator/sandbox/pods/memory-pods.ts";
import type { PodManifest } from "../operator/sandbox/pods/pods.ts";
import { RUNNER_PATH } from "../operator/sandbox/pods/settings.ts";

const project = join(import.meta.dirname, "..");
const venv = join(project, ".venv");
/** Where the project's Python is in a container, wherever the project lies: a pod may mount over that. */
const PYTHON = "/opt/python";

type Mount = { name: string; mountPath: string; subPath?: string; readOnly?: boolean };
type Container = {
  name: string;
  command: string[];
  env?: { name: string; value: string }[];
  volumeMounts: Mount[];
  securityContext: { runAsUser?: number };
};
type Spec = {
  containers: Container[];
  volumes: {
    name: string;
    emptyDir?: { medium?: string; sizeLimit: string };
    persistentVolumeClaim?: { claimName: string };
  }[];
  securityContext: { runAsUser: number };
};
type State =
  | { waiting: { reason: string } }
  | { running: object }
  | { terminated: { exitCode: number; reason: string; message: string } };

export class LocalKubelet extends MemoryPods {
  readonly home = mkdtempSync(join(tmpdir(), "kubelet-"));
  /** Variables that every container finds beside its own. */
  variables: Record<string, string> = {};
  readonly #running = new Map<string, Map<string, ChildProcess>>();
  readonly stderr = new Map<string, string>();

  override async create(manifest: PodManifest): Promise<"Created" | "Exists"> {
    const made = await super.create(manifest);
    if (made === "Created") this.#start(manifest);
    return made;
  }

  override async remove(namespace: string, name: string): Promise<void> {
    this.kill(namespace, name);
    await super.remove(namespace, name);
  }

  /** Kills the containers of a pod, or one of them. */
  kill(namespace: string, name: string, container?: string): void {
    for (const [which, child] of this.#running.get(`${namespace}/${name}`) ?? [])
      if (container === undefined || container === which) child.kill("SIGKILL");
  }

  close(): void {
    for (const children of this.#running.values())
      for (const child of children.values()) child.kill("SIGKILL");
    rmSync(this.home, { recursive: true, force: true });
  }

  #start({ metadata: { namespace, name }, spec }: PodManifest): void {
    const { containers, volumes, securityContext } = spec as unknown as Spec;
    const directory = join(this.home, "pods", namespace, name);
    // Of what only one container mounts and memory holds: the size. Of the rest: a directory.
    const places = new Map<string, string | number>();
    for (const { name: volume, emptyDir, persistentVolumeClaim: claim } of volumes) {
      const users = containers.filter(({ volumeMounts }) =>
        volumeMounts.some((mount) => mount.name === volume),
      );
      if (emptyDir?.medium === "Memory" && users.length === 1) places.set(volume, Number(emptyDir.sizeLimit));
      else if (claim) places.set(volume, join(this.home, "claims", namespace, claim.claimName));
      else places.set(volume, join(directory, volume));
    }
    const states = new Map<string, State>(containers.map((one) => [one.name, { running: {} }]));
    const tell = () => {
      const over = [...states.values()].every((state) => "terminated" in state);
      const phase = over ? "Failed" : "Running";
      const containerStatuses = [...states].map(([container, state]) => ({ name: container, state }));
      this.change(namespace, name, { nodeName: "local", status: { phase, containerStatuses } });
    };
    const children = new Map<string, ChildProcess>();
    for (const container of containers) {
      const log = join(directory, `${container.name}.termination`);
      open(directory);
      writeFileSync(log, "");
      chmodSync(log, 0o666);
      const user = container.securityContext.runAsUser ?? securityContext.runAsUser;
      const child = spawn("bwrap", bubblewrap(container, places, user, log, this.variables), {
        stdio: ["ignore", "ignore", "pipe"],
      });
      child.stderr?.on("data", (data) =>
        this.stderr.set(container.name, (this.stderr.get(container.name) ?? "") + data),
      );
      child.once("exit", (code, signal) => {
        const exitCode = code ?? 137;
        const message = existsSync(log) ? readFileSync(log, "utf8") : "";
        const reason = exitCode === 0 ? "Completed" : "Error";
        states.set(container.name, { terminated: { exitCode, reason: signal ? "Killed" : reason, message } });
        if (existsSync(directory)) void this.get(namespace, name).then((view) => view && tell());
      });
      children.set(container.name, child);
    }
    this.#running.set(`${namespace}/${name}`, children);
    tell();
  }
}

/** As root the user is changed to in earnest; anyone else stays who they are, under the name of that user. */
const AS_ROOT = process.geteuid?.() === 0;

function bubblewrap(
  container: Container,
  places: ReadonlyMap<string, string | number>,
  user: number,
  log: string,
  more: Record<string, string>,
): string[] {
  const args = [
    "--unshare-pid",
    "--unshare-ipc",
    "--as-pid-1",
    "--die-with-parent",
    "--new-session",
    "--clearenv",
  ];
  args.push(`--cap-drop`, "ALL");
  if (AS_ROOT) args.push("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP");
  else args.push("--unshare-user", "--uid", String(user), "--gid", String(user));
  for (const path of ["/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64"]) {
    const about = lstatSync(path, { throwIfNoEntry: false });
    if (about?.isSymbolicLink()) args.push("--symlink", readlinkSync(path), path);
    else if (about) args.push("--ro-bind", path, path);
  }
  args.push("--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp");
  const base = readFileSync(join(venv, "pyvenv.cfg"), "utf8").match(/^home = (.*)\/bin$/m)?.[1] ?? "/usr";
  const mounts = [
    { from: realpathSync(venv), to: PYTHON, readOnly: true },
    ...(base.startsWith("/usr") ? [] : [{ from: base, to: base, readOnly: true }]),
    { from: join(project, "runner"), to: RUNNER_PATH, readOnly: true },
    { from: log, to: "/dev/termination-log", readOnly: false },
    ...container.volumeMounts.flatMap(({ name, mountPath, subPath, readOnly }) => {
      const place = places.get(name) ?? "";
      if (typeof place === "number") return [];
      const from = join(place, subPath ?? "");
      open(from);
      return [{ from, to: mountPath, readOnly: readOnly ?? false }];
    }),
  ];
  for (const { from, to, readOnly } of mounts) {
    for (const above of parents(to))
      if (!above.startsWith("/usr")) args.push("--perms", "0755", "--dir", above);
    args.push(readOnly ? "--ro-bind" : "--bind", from, to);
  }
  for (const { name, mountPath } of container.volumeMounts) {
    const size = places.get(name);
    if (typeof size !== "number") continue;
    for (const above of parents(mountPath)) args.push("--perms", "0755", "--dir", above);
    args.push("--perms", "0777", "--size", String(size), "--tmpfs", mountPath);
  }
  const variables = {
    PATH: `${join(PYTHON, "bin")}:/usr/bin:/bin`,
    PYTHONPATH: RUNNER_PATH,
    PYTHONDONTWRITEBYTECODE: "1",
    ...more,
    ...Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value])),
  };
  for (const [name, value] of Object.entries(variables)) args.push("--setenv", name, value);
  args.push("--remount-ro", "/", "--chdir", "/", "--");
  if (AS_ROOT)
    args.push(
      "setpriv",
      `--reuid=${user}`,
      `--regid=${user}`,
      "--clear-groups",
      "--bounding-set=-all",
      "--no-new-privs",
    );
  return [...args, ...container.command];
}

function parents(path: string): string[] {
  const segments = dirname(path)
    .split("/")
    .filter((segment) => segment !== "");
  return segments.map((_, depth) => `/${segments.slice(0, depth + 1).join("/")}`);
}

/** A directory that every user may write to, as volumes of pods are. */
function open(path: string): void {
  if (existsSync(path)) return;
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
}
