/** The ONNX runtime: which exports it serves, which the gate holds back, and what a planted graph cannot do. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PYTHON, packed, ROOT, ROW } from "../../test/builders/model-package.ts";
import { modelServer } from "../../test/builders/model-server.ts";
import { difference, readReference, TOLERANCES } from "../package/reference.ts";
import type { RowBatch } from "../runtime/runtime.ts";
import { schemaOf } from "../schema/columns.ts";
import { onnxEngine, type WireRows } from "./engine.ts";
import { onnxLauncher } from "./launch.ts";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "onnx-models-"));
  const program = join(ROOT, "test", "fakes", "programs", "onnx_models.py");
  await promisify(execFile)(PYTHON, [program, root], {
    env: { PYTHONDONTWRITEBYTECODE: "1", OMP_NUM_THREADS: "1" },
  });
}, 300_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const SERVED = "Served";
const NO_TREES = "not exported: ValueError: Unable to create node";
/** What becomes of each export: served, held back by the gate, or not made by skl2onnx in the first place. */
const EXPECTED: Readonly<Record<string, string>> = {
  LogisticRegression: SERVED,
  SGDClassifier: SERVED,
  LinearSVC: "not exported: NameError",
  SVC: SERVED,
  GaussianNB: SERVED,
  BernoulliNB: SERVED,
  KNeighborsClassifier: SERVED,
  MLPClassifier: SERVED,
  LinearDiscriminantAnalysis: "the probability of reference row 1 is",
  QuadraticDiscriminantAnalysis: SERVED,
  DecisionTreeClassifier: SERVED,
  RandomForestClassifier: SERVED,
  ExtraTreesClassifier: SERVED,
  GradientBoostingClassifier: SERVED,
  AdaBoostClassifier: SERVED,
  HistGradientBoostingClassifier: NO_TREES,
  "HistGradientBoostingClassifier of categories": NO_TREES,
  LGBMClassifier: "not exported: MissingShapeCalculator",
  "missing category": "the probability of reference row 6 is",
  "filled category": "not exported: NotImplementedError",
  Ridge: SERVED,
  PoissonRegressor: SERVED,
  SVR: SERVED,
  // At the first whole number that 32 bits do not hold.
  KNeighborsRegressor: "the prediction of reference row 5 is",
  MLPRegressor: SERVED,
  RandomForestRegressor: SERVED,
  GradientBoostingRegressor: SERVED,
  HistGradientBoostingRegressor: NO_TREES,
};

const wire = ({ count, numbers, texts }: RowBatch): WireRows => ({
  count,
  numbers: Float64Array.from(numbers.flatMap((column) => [...column])),
  texts,
});

test.each(Object.entries(EXPECTED))("the export of %s", async (name, expected) => {
  const directory = join(root, name);
  const refused = join(directory, "refused.txt");
  if (existsSync(refused)) {
    expect(`not exported: ${readFileSync(refused, "utf8")}`).toContain(expected);
    return;
  }
  const model = packed(name, directory, /Regressor|Ridge|SVR/.test(name));
  const schema = schemaOf(model.manifest);
  const { rows, expected: published } = await readReference(model, schema);
  const engine = await onnxEngine(
    readFileSync(join(directory, "model.onnx")),
    schema.columns,
    schema.classes,
    1,
  );
  const { numbers, probabilities } = await engine.predict(wire(rows));
  const values = numbers.subarray(0, rows.count);
  const found = probabilities ? { values, probabilities: numbers.subarray(rows.count) } : { values };
  const differs = difference(found, published, TOLERANCES.Onnx);
  expect(differs ?? SERVED).toContain(expected);
});

describe("a server asked for the runtime Onnx", () => {
  const packageOf = (name: string) => packed(name, join(root, name), /Ridge|file|ends/.test(name));

  test("answers without Python, and says what serves", async () => {
    const model = packageOf("LogisticRegression");
    await using server = await modelServer(model.directory, { runtime: "Onnx", digest: model.digest });
    const about = await server.get("/v1/model");
    expect(about.body.runtime).toMatchObject({ ready: true, engine: "Onnx" });
    await using pipeline = await modelServer(model.directory, { runtime: "DataFrame" });
    const rows = [ROW, { ...ROW, age: 20, income: null }, { ...ROW, plan: "unheard of" }];
    const [found, exact] = await Promise.all([server, pipeline].map((one) => one.post("/predict", { rows })));
    expect(found?.status, JSON.stringify(found?.body)).toBe(200);
    expect(found?.body.predictions).toEqual(exact?.body.predictions);
    for (const [row, { yes }] of found?.body.probabilities.entries() ?? []) {
      expect(yes).toBeCloseTo(exact?.body.probabilities[row].yes, 5);
    }
  });

  test("Auto has the pipeline's own answers, whatever the package holds", async () => {
    await using server = await modelServer(packageOf("LogisticRegression").directory, { runtime: "Auto" });
    expect(server.runtime.status().engine).toBe("Compiled");
  });

  test("refuses an export that does not answer as the pipeline did, and one that is not there", async () => {
    await expect(modelServer(packageOf("missing category").directory, { runtime: "Onnx" })).rejects.toThrow(
      /not the model that was published: the (prediction|probability) of reference row/,
    );
    await expect(modelServer(packageOf("filled category").directory, { runtime: "Onnx" })).rejects.toThrow(
      "the package has no model.onnx",
    );
  });

  test("refuses a graph that reads files outside of its package, and ends one that never ends", async () => {
    await expect(modelServer(packageOf("reads a file").directory, { runtime: "Onnx" })).rejects.toThrow(
      "Absolute path not allowed",
    );
    await expect(
      modelServer(packageOf("never ends").directory, {
        runtime: "Onnx",
        limits: { loadMilliseconds: 2000 },
      }),
    ).rejects.toThrow("ended before the model was ready");
  });

  test("does not take a worker of another engine for it", async () => {
    const { directory } = packageOf("LogisticRegression");
    await using server = await modelServer(directory, { runtime: "Compiled" });
    expect(server.runtime.status().engine).toBe("Compiled");
    await expect(
      modelServer(directory, { runtime: "Compiled", launch: onnxLauncher(directory) }),
    ).rejects.toThrow("the runtime Compiled was asked for, and the worker that came has the Onnx engine");
  });
});
