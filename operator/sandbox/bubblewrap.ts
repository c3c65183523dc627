/**
 * Command lines of bubblewrap: what a sandboxed process sees, as pure functions of what it needs.
 *
 * Where the operator runs as root, a user namespace alone would not do: user 0 outside, whatever it is called inside,
 * owns /proc/sys and is exempt from the limit on processes. There the mounts are made by root, and the supervisor
 * changes to a user that nobody else is (see confine.become). Everyone else gets a user namespace.
 */
import { execFile } from "node:child_process";
import { lstatSync, readlinkSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import type { PythonFacts } from "./python.ts";

/** Where things are inside. One file system of limited size holds workspace, home and temporary files. */
export const ROOT = "/sandbox";
export const WORKSPACE = `${ROOT}/workspace`;
export const ENVIRONMENT = "/environment";
export const RUNNER = "/autoai";
/** Temporary files of a worker's children. */
export const SCRATCH = "/scratch";
const SHARED_MEMORY_BYTES = 64 * 1024 ** 2;

export type Bubblewrap = { readonly path: string; readonly asRoot: boolean };

/** Read-only mount of a host path. */
export type Mount = { readonly from: string; readonly to: string };

const NAMESPACES = [
  ...["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"],
  ...["--hostname", "sandbox", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"],
];

/** The system's libraries and the interpreter; nothing of /etc but the linker's index, nothing of any home. */
function systemMounts(python: PythonFacts): string[] {
  const args = ["--ro-bind", "/usr", "/usr"];
  for (const name of ["/bin", "/sbin", "/lib", "/lib32", "/lib64"]) {
    const about = lstatSync(name, { throwIfNoEntry: false });
    if (about?.isSymbolicLink()) args.push("--symlink", readlinkSync(name), name);
    else if (about?.isDirectory()) args.push("--ro-bind", name, name);
  }
  args.push("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache");
  if (!python.basePrefix.startsWith("/usr/") && python.basePrefix !== "/usr") {
    args.push(...readOnly([{ from: python.basePrefix, to: python.basePrefix }]));
  }
  return [...args, ...["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]];
}

/** Arguments for generated code under the supervisor, up to the program itself. */
export function sandboxArguments(
  host: Bubblewrap,
  python: PythonFacts,
  options: {
    readonly diskBytes: number;
    readonly mounts: readonly Mount[];
    readonly inputs: readonly Mount[];
  },
): string[] {
  return [
    ...NAMESPACES,
    ...(host.asRoot
      ? ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
      : ["--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000"]),
    "--as-pid-1",
    ...systemMounts(python),
    ...[
      "--perms",
      "1777",
      "--size",
      String(Math.min(SHARED_MEMORY_BYTES, options.diskBytes)),
      "--tmpfs",
      "/dev/shm",
      "--remount-ro",
      "/dev",
    ],
    // Closed beside its directories: a program that writes ../x is told that it may not.
    ...["--perms", "0555", "--size", String(options.diskBytes), "--tmpfs", ROOT],
    ...[WORKSPACE, `${ROOT}/home`, `${ROOT}/tmp`].flatMap((path) => ["--perms", "0777", "--dir", path]),
    ...["--symlink", `${ROOT}/tmp`, "/tmp"],
    ...readOnly(options.mounts),
    ...readOnly(options.inputs, "0777"),
    ...["--remount-ro", "/", "--chdir", ROOT, "--"],
  ];
}

/** Arguments for the runner's own code, which reads untrusted bytes: no network, its directory and nothing else. */
export function trustedArguments(
  python: PythonFacts,
  options: {
    readonly directory: Mount;
    readonly mounts: readonly Mount[];
    readonly inputs: readonly Mount[];
    /** Whether it makes user namespaces itself: in one of its own, and there not as user 0, whom nobody may map. */
    readonly nests: boolean;
  },
): string[] {
  return [
    ...NAMESPACES.filter((argument) => argument !== "--clearenv"),
    ...(options.nests ? ["--unshare-user", "--uid", "1000", "--gid", "1000"] : ["--unshare-user-try"]),
    ...systemMounts(python),
    ...["--tmpfs", "/tmp"],
    ...readOnly(options.mounts),
    ...["--bind", options.directory.from, options.directory.to],
    // Where a worker's children find the directory of their request, and put their own temporary files: what is
    // mounted below /tmp would be gone if they covered that.
    ...(options.nests ? ["--dir", "/job", "--dir", SCRATCH, "--remount-ro", "/tmp"] : []),
    ...options.inputs.flatMap(({ from, to }) => ["--ro-bind", from, to]),
    ...["--remount-ro", "/", "--chdir", options.directory.to, "--"],
  ];
}

/** Mounts, and the directories above them: left to itself, bubblewrap closes those to all but their owner. */
function readOnly(mounts: readonly Mount[], permissions = "0755"): string[] {
  const above = new Set<string>();
  for (const { to } of mounts) {
    for (let path = dirname(to); path !== "/" && path !== WORKSPACE; path = dirname(path)) above.add(path);
  }
  return [
    ...[...above].sort().flatMap((path) => ["--perms", permissions, "--dir", path]),
    ...mounts.flatMap(({ from, to }) => ["--ro-bind", from, to]),
  ];
}

/** Tries sandboxes, once. The reason, for a person, where there is none. */
export async function probe(
  path: string,
  python: PythonFacts,
): Promise<{ readonly bubblewrap: Bubblewrap } | { readonly missing: string }> {
  // A container's root may lack the right to mount, and still have user namespaces.
  const ways = process.geteuid?.() === 0 ? [true, false] : [false];
  let missing = "";
  for (const asRoot of ways) {
    const host = { path, asRoot };
    const args = sandboxArguments(host, python, { diskBytes: 1024 ** 2, mounts: [], inputs: [] });
    try {
      await promisify(execFile)(path, [...args, python.executable, "-I", "-S", "-B", "-c", "pass"], {
        env: {},
      });
      return { bubblewrap: host };
    } catch (error) {
      const failure = error as NodeJS.ErrnoException & { stderr?: string };
      if (failure.code === "ENOENT") return { missing: `${path} is not installed` };
      const said = (failure.stderr ?? failure.message).trim().split("\n").slice(-3).join("; ").slice(0, 400);
      missing ||= `${path} cannot make a sandbox here: ${said}`;
    }
  }
  return { missing };
}
