/** The server over HTTP, asked by programs that were not written for it: a stock client, and one that tries its OpenAPI. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltPackage, modelPackage, PYTHON, ROOT, ROW } from "../test/builders/model-package.ts";
import { modelServer, type TestServer } from "../test/builders/model-server.ts";

const SCHEMATHESIS = join(dirname(PYTHON), "schemathesis");
const CLIENT = join(ROOT, "test", "fakes", "programs", "v2_client.py");
const SEED = 20_261_125;
const EXAMPLES = 15;
const run = promisify(execFile);

let model: BuiltPackage;
let server: TestServer;
let address: string;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "contract-"));
  model = await modelPackage("logistic");
  server = await modelServer(model.directory);
  address = await server.listen({ port: 0, host: "127.0.0.1" });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  model?.[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("tritonclient, which knows no more than the metadata, gets what /predict answers", async () => {
  const rows = [ROW, { ...ROW, plan: "basic", age: 70 }];
  const file = join(folder, "rows.json");
  writeFileSync(file, JSON.stringify(rows));
  const { stdout } = await run(PYTHON, [CLIENT, address.replace("http://", ""), "logistic", file]);
  const found = JSON.parse(stdout);
  const { body } = await server.post("/predict", { rows });
  expect(found).toMatchObject({ live: true, ready: true, version: model.digest, id: "mine" });
  expect(found.outputs.predict).toEqual(body.predictions.map((one: string) => [one]));
  expect(found.outputs.predict_proba).toEqual(body.probabilities.map(Object.values));
  expect(found.refusal).toContain("expected");
}, 60_000);

test("what Schemathesis makes of the OpenAPI is answered as the OpenAPI says, and never by a 5xx", async () => {
  const checks = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
  ];
  const found = await run(
    SCHEMATHESIS,
    [
      ...["run", `${address}/openapi.json`, "--seed", `${SEED}`, "--max-examples", `${EXAMPLES}`],
      ...[
        "--phases",
        "examples,coverage,fuzzing",
        "--checks",
        checks.join(","),
        "--generation-database",
        "none",
      ],
      ...["--no-color", "--continue-on-failure"],
    ],
    { cwd: folder, maxBuffer: 64 * 1024 ** 2, env: { ...process.env, PYTHONWARNINGS: "ignore" } },
  ).catch((error: { stdout: string; stderr: string }) => error);
  expect(found, `${found.stdout}${found.stderr}`.slice(-8000)).not.toBeInstanceOf(Error);
  expect(found.stdout).toMatch(/Tested: 13\b/);
  expect(server.runtime.status()).toMatchObject({ ready: true, restarts: 0 });
  expect((await server.post("/predict", { rows: [ROW] })).status).toBe(200);
}, 300_000);
