/** The server as a program, as a container runs it. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltPackage, modelPackage, PYTHON, ROW, RUNNER } from "../test/builders/model-package.ts";
import { workerArguments } from "./python.ts";

let model: BuiltPackage;
let folder: string;
beforeAll(async () => {
  model = await modelPackage("faulty");
  folder = mkdtempSync(join(tmpdir(), "server-"));
});
afterAll(() => {
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

function program(...args: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "server.ts"), ...args]);
  let said = "";
  const heard = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      for (const look of heard) look();
    });
  }
  const ended = new Promise<{ code: number | null; said: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, said })),
  );
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(said);
        if (found) resolve(found[1] ?? "");
      };
      heard.add(look);
      look();
      ended.then(() => reject(new Error(`ended before ${pattern}: ${said}`)), reject);
    });
  return { child, ended, until };
}

test("refuses another package than it was told, with one line and exit code 2", async () => {
  const other = "b".repeat(64);
  const { ended } = program(
    "--package",
    model.directory,
    "--digest",
    other,
    "--socket",
    join(folder, "a.sock"),
  );
  const { code, said } = await ended;
  expect(code).toBe(2);
  expect(said.trim().split("\n")).toHaveLength(1);
  expect(JSON.parse(said).msg).toContain(`expected digest ${other}, found ${model.digest}`);
});

const needed = () => [
  ...["--package", model.directory, "--digest", model.digest, "--socket", join(folder, "z.sock")],
];
test.each([
  ["an option that there is not", 2, () => [...needed(), "--prot", "80"], "'--prot'"],
  ["an option without its value", 2, () => ["--digest"], "--digest"],
  ["a value out of its bounds", 2, () => [...needed(), "--max-rows", "0"], "expected a number from 1"],
  ["a log where there is a file", 1, () => [...needed(), "--log-folder", PYTHON], "cannot be kept in"],
])("ends on %s with exit code %i and one line", async (_, expected, given, told) => {
  const { code, said } = await program(...given()).ended;
  expect(code).toBe(expected);
  expect(said.trim().split("\n")).toHaveLength(1);
  expect(JSON.parse(said).msg).toContain(told);
});

test("serves by a worker that somebody else starts, and again by the next one; SIGTERM ends it well; each line that it logs is JSON", async () => {
  const socketPath = join(folder, "b.sock");
  const { child, ended, until } = program(
    ...["--package", model.directory, "--digest", model.digest, "--socket", socketPath],
    ...["--port", "0", "--host", "127.0.0.1"],
  );
  const startWorker = () =>
    spawn(
      PYTHON,
      workerArguments({ runnerDir: RUNNER, directory: model.directory, socketPath, engine: "Auto" }),
      { stdio: "ignore" },
    );
  const first = startWorker();
  const address = await until(/Server listening at (http:\/\/127\.0\.0\.1:\d+)/);
  const ask = async (plan: string) => {
    const reply = await fetch(`${address}/predict`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": `asks-${plan}` },
      body: JSON.stringify({ rows: [{ ...ROW, plan }] }),
    });
    return {
      status: reply.status,
      body: (await reply.json()) as { predictions?: string[]; reason?: string },
    };
  };
  expect((await ask("pro")).body.predictions).toEqual(["yes"]);
  expect((await ask("die")).body.reason).toBe("WorkerUnavailable");
  await new Promise((resolve) =>
    first.exitCode === null ? first.once("exit", resolve) : resolve(undefined),
  );
  const metrics = async () => (await fetch(`${address}/metrics`)).text();
  while (!/^autoai_inference_worker_ends_total\{[^}]*\} 1$/m.test(await metrics()))
    await new Promise((wait) => setTimeout(wait, 50));
  expect(await metrics()).not.toMatch(/^autoai_inference_ready\{/m);
  const second = startWorker();
  while ((await fetch(`${address}/readyz`)).status !== 200) await new Promise((wait) => setTimeout(wait, 50));
  expect((await ask("pro")).status).toBe(200);
  expect(await metrics()).toMatch(/^autoai_inference_ready\{engine="DataFrame"[^}]*\} 1$/m);
  child.kill("SIGTERM");
  const { code, said } = await ended;
  expect(code).toBe(0);
  const lines = said
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const line of lines)
    expect(line).toMatchObject({
      level: expect.any(Number),
      time: expect.any(Number),
      msg: expect.any(String),
    });
  expect(lines).toContainEqual(expect.objectContaining({ msg: "worker ready", engine: "DataFrame" }));
  // Which of the requests went wrong, and why.
  expect(lines).toContainEqual(expect.objectContaining({ reqId: "asks-die", reason: "WorkerUnavailable" }));
  // Its server has gone: the worker ends by itself.
  await new Promise((resolve) =>
    second.exitCode === null ? second.once("exit", resolve) : resolve(undefined),
  );
  expect(second.exitCode).toBe(0);
});
