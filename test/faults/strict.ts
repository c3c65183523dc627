/**
 * One schedule of the Strict prediction log: the inference server is killed under load at moments that follow from the seed, again and
 * again on one folder, while a proxy has what it sends to the store meet faults. Time is real here.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type LogEntry, readLog } from "../../inference-server/log/segments.ts";
import { predictionLogPrefix } from "../../operator/api/prediction-log.ts";
import { logGrant } from "../../operator/serving/log-grant.ts";
import { S3Store } from "../../operator/storage/minio.ts";
import { type BuiltPackage, PYTHON, ROOT, ROW, RUNNER } from "../builders/model-package.ts";
import type { Minio } from "../minio.ts";
import { Weather } from "./embedded/line.ts";
import { Random } from "./embedded/random.ts";
import { type Episode, FAULTS, type Schedule } from "./embedded/schedule.ts";
import { FaultProxy } from "./wire/proxy.ts";

const LANES = 8;
const MOST_REQUESTS = 300;
const DEPLOYMENT = { namespace: "team", name: "churn" };
/** A server that starts, answers, and is killed takes about so many seconds. */
const ROUND_SECONDS = 4;

export type StrictRun = {
  readonly schedule: Pick<Schedule, "seed" | "operators" | "elected">;
  readonly violations: readonly string[];
  readonly struck: ReadonlyMap<string, number>;
  readonly seconds: number;
  readonly acknowledged: number;
};

export type StrictOptions = {
  readonly seed: number;
  /** How often the server is killed. */
  readonly rounds: number;
  readonly model: BuiltPackage;
  /** Absent: the log stays on the disk. */
  readonly minio: Minio | undefined;
};

export async function runStrict({ seed, rounds, model, minio }: StrictOptions): Promise<StrictRun> {
  const begun = performance.now();
  const seconds = (): number => (performance.now() - begun) / 1000;
  const random = new Random(seed);
  const episodes = Array.from({ length: random.integer(1, 4) }, (): Episode => {
    const from = random.between(0, rounds * ROUND_SECONDS);
    const until = from + random.between(1, 2 * ROUND_SECONDS);
    return { seam: "store", fault: random.pick(FAULTS.store), from, until, share: random.pick([0.3, 1]) };
  });
  const weather = new Weather({ episodes }, new Random(seed ^ 0x5eed), seconds);
  const folder = mkdtempSync(join(tmpdir(), "strict-"));
  const bucket = `strict-${seed}`;
  const store = minio && new S3Store({ ...minio.options, bucket });
  await store?.ensureBucket();
  const proxy = minio && (await FaultProxy.to(minio.options.endpoint, { seam: "store", weather }));
  const violations: string[] = [];
  const asked = new Set<string>();
  const acknowledged = new Set<string>();
  const server = async (): Promise<Started> => {
    const grantFile = join(folder, "grant.json");
    if (store && proxy) {
      const grant = await logGrant(store, DEPLOYMENT, Date.now());
      const { pathname } = new URL(grant.url);
      writeFileSync(grantFile, JSON.stringify({ ...grant, url: `${proxy.url}${pathname}` }));
    }
    return start(model, folder, store ? grantFile : undefined);
  };
  try {
    for (let round = 0; round < rounds; round++) {
      const { child, address, ended } = await server();
      let left = random.integer(1, MOST_REQUESTS);
      const wait = random.between(0, 20);
      await load(address, round, asked, (id) => {
        acknowledged.add(id);
        // Not in the turn in which an answer came: at any moment of what the server does next.
        if (--left === 0) setTimeout(() => child.kill("SIGKILL"), wait);
      });
      await ended;
      weather.count("server killed");
      if (child.signalCode !== "SIGKILL") violations.push(`the server ended by ${child.signalCode}`);
    }
    // Nothing goes wrong any more.
    episodes.length = 0;
    const last = await server();
    last.child.kill("SIGTERM");
    const code = await last.ended;
    if (code !== 0) violations.push(`the last server ended with ${code}`);
    const kept = readdirSync(join(folder, "log"));
    if (store && kept.length > 0) violations.push(`${kept.join()} is left on the disk`);
    const times = new Map<string, number>();
    for (const id of await logged(folder, store)) times.set(id, (times.get(id) ?? 0) + 1);
    for (const id of acknowledged)
      if (!times.has(id)) violations.push(`the prediction ${id} was acknowledged and is not in the log`);
    for (const [id, count] of times) {
      if (count > 1) violations.push(`the prediction ${id} is ${count} times in the log`);
      if (!asked.has(id)) violations.push(`the prediction ${id} is in the log, and nobody asked for it`);
    }
  } finally {
    proxy?.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return {
    schedule: { seed, operators: 1, elected: true },
    ...{ violations, struck: weather.struck, seconds: seconds(), acknowledged: acknowledged.size },
  };
}

type Started = {
  readonly child: ChildProcess;
  readonly address: string;
  readonly ended: Promise<number | null>;
};

/** A server on the folder, once it answers. */
async function start(
  { directory, digest }: BuiltPackage,
  folder: string,
  grantFile: string | undefined,
): Promise<Started> {
  const child = spawn(
    process.execPath,
    [
      join(ROOT, "inference-server", "server.ts"),
      ...["--package", directory, "--digest", digest, "--socket", join(folder, "worker.sock")],
      ...["--port", "0", "--host", "127.0.0.1", "--python", PYTHON, "--runner", RUNNER],
      ...["--log-mode", "Strict", "--log-folder", join(folder, "log")],
      ...(grantFile === undefined ? [] : ["--log-ship", grantFile, "--log-segment-seconds", "1"]),
    ],
    { stdio: ["ignore", "pipe", "ignore"] },
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
async function logged(folder: string, store: S3Store | undefined): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLog(join(folder, "log"), 0)) lines.push(line);
  const { namespace, name } = DEPLOYMENT;
  for (const key of (await store?.list(predictionLogPrefix(namespace, name))) ?? []) {
    const text = gunzipSync((await store?.get(key)) ?? "").toString("utf8");
    lines.push(...text.trimEnd().split("\n"));
  }
  return lines.map((line) => (JSON.parse(line) as LogEntry).requestId);
}
