/**
 * The Strict prediction log under `kill -9`: the server is killed under load, again and again, on one folder, and what it
 * acknowledged is in the log, once; in the store, where there is a MinIO. More rounds: AUTOAI_KILL_ROUNDS=100.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LogEntry, readLog } from "../../inference-server/log/segments.ts";
import { predictionLogPrefix } from "../../operator/api/prediction-log.ts";
import { logGrant } from "../../operator/serving/log-grant.ts";
import { type BuiltPackage, modelPackage, PYTHON, ROOT, ROW, RUNNER } from "../builders/model-package.ts";
import { findMinio, type Minio, startMinio } from "../minio.ts";

const ROUNDS = Number(process.env.AUTOAI_KILL_ROUNDS ?? 3);
const LANES = 8;
const MOST_REQUESTS = 300;
const DEPLOYMENT = { namespace: "team", name: "churn" };

let folder: string;
let minio: Minio | undefined;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "strict-"));
  const program = findMinio();
  minio = program === undefined ? undefined : await startMinio(program);
});
afterEach(async () => {
  await minio?.close();
  rmSync(folder, { recursive: true, force: true });
});

const logFolder = () => join(folder, "log");

/** A server on the folder, once it answers. */
async function serverOn({
  directory,
  digest,
}: BuiltPackage): Promise<{ child: ChildProcess; address: string; ended: Promise<number | null> }> {
  const grantFile = join(folder, "grant.json");
  if (minio) writeFileSync(grantFile, JSON.stringify(await logGrant(minio.store, DEPLOYMENT, Date.now())));
  const child = spawn(
    process.execPath,
    [
      join(ROOT, "inference-server", "server.ts"),
      ...[
        "--package",
        directory,
        "--digest",
        digest,
        "--socket",
        join(folder, "worker.sock"),
        "--port",
        "0",
        "--host",
        "127.0.0.1",
      ],
      ...["--python", PYTHON, "--runner", RUNNER, "--log-mode", "Strict", "--log-folder", logFolder()],
      ...(minio ? ["--log-ship", grantFile, "--log-segment-seconds", "1"] : []),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  let said = "";
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const found = /Server listening at (http:\/\/127\.0\.0\.1:\d+)/.exec(said);
      if (found) resolve(found[1] ?? "");
    });
    ended.then(() => reject(new Error(`the server ended: ${said}`)), reject);
  });
  return { child, address, ended };
}

/** Asks until the server is gone. */
async function load(
  address: string,
  round: number,
  asked: Set<string>,
  onAnswer: (id: string) => void,
): Promise<void> {
  const lane = async (number: number): Promise<void> => {
    for (let count = 0; ; count++) {
      const id = `${round}-${number}-${count}`;
      asked.add(id);
      const reply = await fetch(`${address}/predict`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-request-id": id },
        body: JSON.stringify({ rows: [ROW] }),
      }).catch(() => undefined);
      if (!reply) return;
      // The status is enough: it is sent when the entry is on disk.
      if (reply.status === 200) onAnswer(id);
      await reply.arrayBuffer().catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
}

/** Ids of all entries, on disk and in the store. */
async function logged(): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLog(logFolder(), 0)) lines.push(line);
  for (const key of (await minio?.store.list(predictionLogPrefix("team", "churn"))) ?? []) {
    const text = gunzipSync((await minio?.store.get(key)) ?? "").toString("utf8");
    lines.push(...text.trimEnd().split("\n"));
  }
  return lines.map((line) => (JSON.parse(line) as LogEntry).requestId);
}

test("killed under load, again and again, the server has logged every prediction that it gave, once", {
  timeout: (ROUNDS + 1) * 60_000,
}, async () => {
  using model = await modelPackage("logistic");
  const asked = new Set<string>();
  const acknowledged = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const { child, address, ended } = await serverOn(model);
    let left = 1 + Math.floor(Math.random() * MOST_REQUESTS);
    await load(address, round, asked, (id) => {
      acknowledged.add(id);
      // Not in the turn in which an answer came: at any moment of what the server does next.
      if (--left === 0) setTimeout(() => process.kill(child.pid ?? 0, "SIGKILL"), Math.random() * 20);
    });
    await ended;
    expect(child.signalCode).toBe("SIGKILL");
  }
  const last = await serverOn(model);
  last.child.kill("SIGTERM");
  expect(await last.ended).toBe(0);
  if (minio) expect(readdirSync(logFolder())).toEqual([]);
  const ids = await logged();
  const unique = new Set(ids);
  expect(ids.length).toBe(unique.size);
  expect([...acknowledged].filter((id) => !unique.has(id))).toEqual([]);
  expect(ids.filter((id) => !asked.has(id))).toEqual([]);
  expect(acknowledged.size).toBeGreaterThan(ROUNDS);
});
