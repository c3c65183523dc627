/** A real API server of a test's own, with etcd and without nodes: for flags that a cluster's own cannot be given while it runs. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiServer } from "../../operator/cluster/kubernetes/api-server.ts";
import { freePort } from "../minio.ts";
import { eventually } from "./cluster.ts";

export type OwnApiServer = {
  readonly server: string;
  readonly caFile: string;
  /** With the rights of an administrator. */
  readonly admin: ApiServer;
  close(): Promise<void>;
};

export async function startApiServer(flags: readonly string[]): Promise<OwnApiServer> {
  const program = (name: string) =>
    join(
      execFileSync(join(import.meta.dirname, "build"), ["--directory", "kubernetes"], {
        encoding: "utf8",
      }).trim(),
      name,
    );
  const folder = mkdtempSync(join(tmpdir(), "autoai-api-server-"));
  const [keyFile, tokens, certificates] = ["accounts.key", "tokens.csv", "certificates"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  mkdirSync(certificates);
  execFileSync("openssl", [...["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", keyFile]]);
  const token = randomBytes(16).toString("hex");
  writeFileSync(tokens, `${token},admin,1,system:masters\n`, { mode: 0o600 });
  const [clients, peers, port] = [await freePort(), await freePort(), await freePort()];
  const said: string[] = [];
  const run = (command: string, args: readonly string[]): ChildProcess => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.setEncoding("utf8").on("data", (text: string) => said.push(text.slice(0, 2000)));
    return child;
  };
  const [here, at] = [`http://127.0.0.1:${clients}`, `http://127.0.0.1:${peers}`];
  const processes = [
    run("etcd", [
      ...["--data-dir", join(folder, "etcd"), "--unsafe-no-fsync", "--log-level", "error"],
      ...["--listen-client-urls", here, "--advertise-client-urls", here],
      ...["--listen-peer-urls", at, "--initial-advertise-peer-urls", at],
      ...["--initial-cluster", `default=${at}`],
    ]),
    run(program("kube-apiserver"), [
      ...[`--etcd-servers=${here}`, `--secure-port=${port}`, "--bind-address=127.0.0.1"],
      ...[`--cert-dir=${certificates}`, `--token-auth-file=${tokens}`, "--authorization-mode=RBAC"],
      ...["--service-account-issuer=https://kubernetes.test", `--service-account-key-file=${keyFile}`],
      ...[`--service-account-signing-key-file=${keyFile}`, "--service-cluster-ip-range=10.0.0.0/24"],
      ...flags,
    ]),
  ];
  const caFile = join(certificates, "apiserver.crt");
  const server = `https://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    for (const one of processes.reverse()) {
      const ended = new Promise((resolve) => one.once("close", resolve));
      // Nothing of it is kept.
      if (one.exitCode === null && one.signalCode === null && one.kill("SIGKILL")) await ended;
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const admin = await eventually("the API server", 120, async () => {
      try {
        readFileSync(caFile);
        const api = ApiServer.forUser(server, caFile, token);
        return (await api.send("GET", "/readyz")).text === "ok" ? api : undefined;
      } catch {
        return undefined;
      }
    });
    return { server, caFile, admin, close };
  } catch (error) {
    await close();
    throw new Error(`${(error as Error).message}: ${said.slice(-20).join("")}`);
  }
}
