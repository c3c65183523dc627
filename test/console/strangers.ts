/** A home in which every text that a user, a data set or a model can fill tries to become markup. */
import { Dataset } from "../../operator/api/dataset.ts";
import { ModelManifest } from "../../operator/api/model-manifest.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { openHome } from "../../operator/embedded/home.ts";
import { encode, journalPrefix, reportKey } from "../../operator/evaluation/context.ts";
import { datasetKeys } from "../../operator/reconcilers/dataset.ts";
import {
  candidate,
  type Draft,
  jobFinished,
  journalOf,
  prepared,
  published,
  reply,
  toolFinished,
} from "../builders/entries.ts";

/** Told apart, so that the one that works is known. */
export const hostile = (where: string): string =>
  `"><img src=x onerror="alert('${where}')"><script>alert("${where}")</script>javascript:alert('${where}')`;

const PREFIX = "models/default/strange";
const NOW = "2026-01-01T00:00:00Z";
const condition = (message: string) => ({
  type: "Ready" as const,
  status: "True" as const,
  reason: "TakenIn",
  message,
  lastTransitionTime: NOW,
});

/** Makes the Dataset `strange` and the READY TrainingJob `strange`, with so many steps in its transcript. */
export async function fillWithStrangers(path: string, steps: number): Promise<void> {
  const { cluster, store } = openHome(path);
  const applied = cluster.apply(
    Dataset.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "Dataset",
      metadata: { name: "strange" },
      spec: { source: { upload: true } },
    }),
  );
  await cluster.updateStatus(applied, {
    conditions: [condition(hostile("condition"))],
    rows: 2,
    columns: 2,
    warnings: ["x"],
  });
  const keys = datasetKeys(applied);
  const name = hostile("column");
  const column = {
    name,
    type: "Category",
    missing: 1,
    distinct: 2,
    distinctExact: true,
    meanLength: 3,
    top: [{ value: hostile("value").slice(0, 60), count: 1 }],
  };
  const profile = {
    sha256: "0".repeat(64),
    sizeBytes: 1,
    encoding: "utf-8",
    delimiter: ",",
    rows: 2,
    columns: [column, { ...column, name: "__proto__", type: "Integer", min: "0", max: "2" }],
    duplicateRows: 0,
    preview: { columns: [name, "__proto__"], rows: [[hostile("cell"), "1"]] },
    warnings: [{ code: "Leak", message: hostile("warning") }],
  };
  await store.put(keys.profile, encode(profile));
  await store.put(keys.canonical, encode('a,b\n"<b>",1\n'));

  const job = cluster.apply(
    TrainingJob.parse({
      apiVersion: "autoai.dev/v1alpha1",
      kind: "TrainingJob",
      metadata: { name: "strange" },
      spec: {
        dataset: { datasetRef: { name: "strange" } },
        target: hostile("target"),
        goal: hostile("goal"),
      },
    }),
  );
  const model = {
    name: hostile("model").slice(0, 120),
    description: hostile("description"),
    uri: "file:///x",
    digest: "0".repeat(64),
    finalScore: "0.8",
  };
  await cluster.updateStatus(job, {
    state: "READY",
    conditions: [condition(hostile("job's condition"))],
    progress: { step: 1, maxSteps: 2, activity: hostile("activity") },
    model,
    warnings: [hostile("job's warning")],
  });
  const entries = journalOf(...drafts(steps));
  const prefix = journalPrefix(job);
  for (const entry of entries) {
    await store.put(`${prefix}/${String(entry.sequence).padStart(6, "0")}.json`, encode(entry));
  }
  await store.put(
    reportKey(job),
    encode(
      `<!doctype html><p>A report</p><script>alert("report"); parent.alert("report")</script><img src=x onerror=alert("report")>`,
    ),
  );
  await store.put(`${PREFIX}/model.json`, encode(manifest(model)));
  await store.put(
    `${PREFIX}/reference.csv`,
    encode(`"${hostile("feature").replaceAll('"', '""')}"\n"<b>"\n`),
  );
}

function drafts(steps: number): Draft[] {
  const strange = candidate({
    number: 2,
    score: 0.8,
    name: hostile("candidate").slice(0, 120),
    description: hostile("candidate's"),
    warnings: [hostile("candidate's warning")],
    claimedScore: 0.9,
  });
  const turn = (step: number): Draft[] => [
    reply(
      step,
      [
        {
          name: "write_python_file",
          args: { path: hostile("path"), content: `# ${hostile("code")}\nprint(${step})\n` },
        },
      ],
      {
        parts: [
          { text: hostile("thought") },
          {
            functionCall: {
              name: "write_python_file",
              args: { path: "train.py", content: `# ${hostile("code")}\nprint(${step})\n` },
            },
          },
        ],
        model: hostile("llm"),
      },
    ),
    toolFinished(step, 0, hostile("tool"), {
      response: {
        ok: false,
        note: hostile("result"),
        output: { head: `${hostile("output")}\n`.repeat(20), tail: "" },
        traceback: hostile("traceback"),
      },
      ...(step === 1 ? { candidate: strange } : {}),
    }),
  ];
  return [
    prepared({ warnings: [{ code: "Leak", message: hostile("leak") }] }),
    { type: "CandidateFailed", origin: "PriorBaseline", stage: "fit", message: hostile("failure") },
    ...Array.from({ length: steps }, (_, step) => turn(step + 1)).flat(),
    {
      ...published(2),
      name: hostile("published"),
      prefix: PREFIX,
      warnings: [hostile("published warning")],
    } as Draft,
    { ...jobFinished("READY"), message: hostile("end") } as Draft,
  ];
}

function manifest({ name, description }: { name: string; description: string }): ModelManifest {
  const sha = "0".repeat(64);
  return ModelManifest.parse({
    schemaVersion: 1,
    name,
    description,
    task: "BinaryClassification",
    target: hostile("manifest's target"),
    classes: [hostile("class"), "yes"].sort(),
    metric: "RocAuc",
    features: [
      {
        name: hostile("feature"),
        type: "Category",
        nullable: true,
        categories: [hostile("category").slice(0, 60)],
        min: hostile("min").slice(0, 60),
        max: "x",
        example: hostile("example"),
      },
    ],
    scores: { verified: 0.8, standardError: 0.01, final: 0.8, finalStandardError: 0.01, baselineFinal: 0.7 },
    provenance: {
      job: { name: "strange" },
      datasetSha256: sha,
      split: { by: "Random", method: "Holdout", folds: 0, seed: 0, finalPercent: 20 },
      publish: "AsScored",
      rows: 10,
      origin: "Agent",
      recipe: sha,
      environment: hostile("environment").slice(0, 80),
      operatorVersion: hostile("version").slice(0, 64),
      llm: { provider: "Gemini", model: hostile("author").slice(0, 120) },
      createdAt: NOW,
    },
    files: {},
  });
}
