/** A home in which every text that a user, a data set or a model can fill tries to become markup. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LogEntry } from "../../inference-server/log/segments.ts";
import { segmentName } from "../../inference-server/log/segments.ts";
import { Dataset } from "../../operator/api/dataset.ts";
import type { Candidate } from "../../operator/api/journal.ts";
import { ModelManifest } from "../../operator/api/model-manifest.ts";
import { ModelDeployment } from "../../operator/api/modeldeployment.ts";
import { TrainingJob } from "../../operator/api/trainingjob.ts";
import { predictionLogFolder } from "../../operator/cli/inferences.ts";
import { type Home, openHome } from "../../operator/embedded/home.ts";
import { encode, journalPrefix, reportKey } from "../../operator/evaluation/context.ts";
import { datasetKeys } from "../../operator/reconcilers/dataset.ts";
import {
  candidate,
  type Draft,
  jobFinished,
  journalOf,
  prepared,
  published,
  publishFailed,
  reply,
  stopped,
  toolFinished,
} from "../builders/entries.ts";
import { hostile } from "./strange-fields.ts";

const PREFIX = "models/default/strange";
const NOW = "2026-01-01T00:00:00Z";
const API = "autoai.dev/v1alpha1" as const;

const metadata = (kind: string, name: string) => {
  const strange = (field: string) => hostile(`${kind}.metadata.${field}`);
  return {
    name,
    annotations: { note: strange("annotations{}") },
    generateName: strange("generateName"),
    selfLink: strange("selfLink"),
    ownerReferences: [{ name: strange("ownerReferences[]{}*") }],
    managedFields: [{ manager: strange("managedFields[]{}*") }],
  };
};

type Truth = "True" | "False" | "Unknown";
/** As the operator sets them, with one more that nobody knows. */
function conditions(kind: string, ready: Truth, more: string[] = []) {
  const [reason, message, type] = ["reason", "message", "type"].map((field) =>
    hostile(`${kind}.status.conditions[].${field}`),
  ) as [string, string, string];
  const one = (name: string, status: Truth) => ({
    type: name as "Ready",
    status,
    reason,
    message,
    lastTransitionTime: NOW,
  });
  return [one("Ready", ready), ...more.map((name) => one(name, "True")), one(type, "False")];
}

/** Makes the Dataset, the READY TrainingJob with so many steps, and the ModelDeployment `strange`, and some that are in other states. */
export async function fillWithStrangers(path: string, steps: number): Promise<void> {
  const home = openHome(path);
  await datasets(home);
  await jobs(home, steps);
  await deployment(home);
}

async function datasets({ cluster, store }: Home): Promise<void> {
  const applied = (name: string, status: Dataset["status"]) =>
    cluster.apply({
      ...Dataset.parse({
        apiVersion: API,
        kind: "Dataset",
        metadata: { name },
        spec: { source: { upload: true } },
      }),
      metadata: metadata("Dataset", name),
      status,
    } as Dataset);
  const strange = (field: string) => hostile(`Dataset.status.${field}`);
  applied("stalled", { conditions: conditions("Dataset", "False", ["Stalled"]) });
  const dataset = applied("strange", {
    conditions: conditions("Dataset", "True"),
    rows: 2,
    columns: 2,
    warnings: [strange("warnings[]")],
    sha256: strange("sha256"),
    storageUri: strange("storageUri"),
    profileUri: strange("profileUri"),
    previewUri: strange("previewUri"),
  });
  const keys = datasetKeys(dataset);
  const text = (field: string) => hostile(`Profile.${field}`);
  const column = {
    name: text("columns[].name"),
    type: "Category",
    missing: 1,
    distinct: 2,
    distinctExact: true,
    meanLength: 3,
    top: [{ value: text("columns[].top[].value"), count: 1 }],
    format: text("columns[].format"),
  };
  const profile = {
    sha256: "0".repeat(64),
    sizeBytes: 1,
    encoding: text("encoding"),
    delimiter: text("delimiter"),
    rows: 2,
    columns: [
      column,
      {
        ...column,
        name: "__proto__",
        type: "Integer",
        min: text("columns[].min"),
        max: text("columns[].max"),
      },
      { ...column, name: hostile("a column's name in a form") },
    ],
    duplicateRows: 0,
    preview: {
      columns: [text("preview.columns[]"), "__proto__", "more"],
      rows: [[text("preview.rows[][]"), "1", "2"]],
    },
    warnings: [
      {
        code: text("warnings[].code"),
        column: text("warnings[].column"),
        message: text("warnings[].message"),
      },
    ],
  };
  await store.put(keys.profile, encode(profile));
  await store.put(keys.canonical, encode('a,b,c\n"<b>",1,2\n'));
}

async function jobs(home: Home, steps: number): Promise<void> {
  const { cluster, store } = home;
  const status = (field: string) => hostile(`TrainingJob.status.${field}`);
  const applied = (name: string, of: TrainingJob["status"]): TrainingJob => {
    const plain = TrainingJob.parse({
      apiVersion: API,
      kind: "TrainingJob",
      metadata: { name },
      spec: {
        dataset: { datasetRef: { name: "strange" } },
        target: hostile("TrainingJob.spec.target"),
        goal: hostile("TrainingJob.spec.goal"),
        evaluation: { split: "Group", column: hostile("TrainingJob.spec.evaluation.column") },
      },
    });
    const [cpu, disk, memory] = ["cpu", "disk", "memory"].map((one) =>
      hostile(`TrainingJob.spec.sandbox.resources.${one}*`),
    ) as [string, string, string];
    return cluster.apply({
      ...plain,
      metadata: metadata("TrainingJob", name),
      spec: { ...plain.spec, sandbox: { ...plain.spec.sandbox, resources: { cpu, disk, memory } } },
      status: of,
    } as TrainingJob);
  };
  const about = {
    warnings: [status("warnings[]")],
    journalUri: status("journalUri"),
    reportUri: status("reportUri"),
    progress: { step: 1, maxSteps: 2, activity: status("progress.activity") },
  };
  applied("failed", {
    ...about,
    state: "ERROR",
    conditions: conditions("TrainingJob", "False", ["Stalled"]),
  });
  applied("working", {
    ...about,
    state: "TRAINING",
    conditions: conditions("TrainingJob", "Unknown", ["Reconciling"]),
  });
  const job = applied("strange", {
    ...about,
    state: "READY",
    conditions: conditions("TrainingJob", "True"),
    model: {
      name: status("model.name"),
      description: status("model.description"),
      uri: status("model.uri"),
      digest: status("model.digest"),
      finalScore: "0.8",
    },
  });
  const prefix = journalPrefix(job);
  for (const entry of journalOf(...drafts(steps))) {
    const strange = { ...entry, at: hostile(`${entry.type}.at`) };
    await store.put(`${prefix}/${String(entry.sequence).padStart(6, "0")}.json`, encode(strange));
  }
  await store.put(
    reportKey(job),
    encode(
      `<!doctype html><p>A report</p><script>alert("report"); parent.alert("report")</script><img src=x onerror=alert("report")>`,
    ),
  );
  await store.put(`${PREFIX}/model.json`, encode(manifest()));
  const quoted = (field: string) => `"${hostile(field).replaceAll('"', '""')}"`;
  await store.put(
    `${PREFIX}/reference.csv`,
    encode(`${quoted("ModelManifest.features[].name")},n\n${quoted("a reference row's cell")},1\n`),
  );
  const folder = predictionLogFolder(home, job);
  mkdirSync(folder, { recursive: true });
  const logged: LogEntry = {
    time: new Date().toISOString(),
    requestId: hostile("a logged request's id"),
    model: "0".repeat(64),
    milliseconds: 1,
    inputs: { rows: [{ a: hostile("a logged input") }] },
    predictions: [hostile("a logged prediction")],
  };
  writeFileSync(join(folder, segmentName(Date.now(), "00000000")), `${JSON.stringify(logged)}\n`);
}

async function deployment({ cluster }: Home): Promise<void> {
  const plain = ModelDeployment.parse({
    apiVersion: API,
    kind: "ModelDeployment",
    metadata: { name: "strange" },
    spec: { modelRef: { trainingJob: "strange" } },
  });
  const [cpu, memory] = ["cpu", "memory"].map((one) => hostile(`ModelDeployment.spec.resources.${one}*`)) as [
    string,
    string,
  ];
  cluster.apply({
    ...plain,
    metadata: metadata("ModelDeployment", "strange"),
    status: strangeServing(),
    spec: { ...plain.spec, resources: { cpu, memory } },
  } as ModelDeployment);
}

/** What the operator says of a deployment, as far as the API lets it be any text. */
export function strangeServing(): NonNullable<ModelDeployment["status"]> {
  const text = (field: string) => hostile(`ModelDeployment.status.${field}`);
  return {
    conditions: conditions("ModelDeployment", "False", ["Stalled"]),
    url: text("url"),
    trainingJob: text("trainingJob"),
    modelDigest: text("modelDigest"),
    lastFailure: text("lastFailure"),
    runtime: text("runtime") as "Onnx",
  };
}

function strangeCandidate(kind: string): Candidate {
  const text = (field: string) => hostile(`${kind}.candidate.${field}`);
  const verified = candidate({ score: 0.8 }).verified;
  return {
    ...candidate({ number: kind === "ToolFinished" ? 3 : 2, score: 0.8, claimedScore: 0.9 }),
    name: text("name"),
    description: text("description"),
    warnings: [text("warnings[]")],
    predictions: [text("predictions[]")],
    verified: {
      ...verified,
      all: { [text("verified.all{key}")]: 1 },
      versus: [{ name: text("verified.versus[].name"), gain: 0.1, standardError: 0.01 }],
    },
    recipe: {
      files: [
        {
          path: text("recipe.files[].path"),
          key: text("recipe.files[].key"),
          sha256: text("recipe.files[].sha256").padEnd(64),
        },
      ],
      entry: text("recipe.entry"),
      environment: text("recipe.environment"),
    },
  };
}

function drafts(steps: number): Draft[] {
  const code = (step: number) => `# ${hostile("a file's code")}\nprint(${step})\n`;
  const tool = (field: string) => hostile(`ToolFinished.${field}`);
  const turn = (step: number): Draft[] => [
    reply(step, [], {
      model: hostile("ReplyReceived.model"),
      finish: "Malformed",
      detail: hostile("ReplyReceived.detail"),
      parts: [
        { text: hostile("a reply's thought") },
        { [hostile("ReplyReceived.parts[]{key}")]: hostile("ReplyReceived.parts[]{}*") },
        { functionCall: { name: "write_python_file", args: { path: "train.py", content: code(step) } } },
        {
          functionCall: {
            name: hostile("a call's name"),
            args: { path: hostile("a call's path"), content: code(step) },
          },
        },
        { functionCall: { name: "other", args: { note: hostile("a call's arguments") } } },
      ],
    }),
    toolFinished(step, 0, tool("name"), {
      digest: tool("digest"),
      id: tool("id"),
      workspace: tool("workspace"),
      file: { path: tool("file.path"), key: tool("file.key"), sha256: tool("file.sha256").padEnd(64) },
      environment: {
        digest: tool("environment.digest"),
        requested: [tool("environment.requested[]")],
        packages: [
          { name: tool("environment.packages[].name"), version: tool("environment.packages[].version") },
        ],
      },
      response: {
        ok: false,
        note: tool("response{}*"),
        output: { head: `${hostile("a tool's output")}\n`.repeat(20), tail: "" },
        traceback: hostile("a tool's traceback"),
      },
      ...(step === 1 ? { candidate: strangeCandidate("ToolFinished") } : {}),
    }),
  ];
  const text = (kind: string, field: string) => hostile(`${kind}.${field}`);
  const strange = (field: string) => text("DatasetPrepared", field);
  const final = (field: string) => text("ModelPublished", field);
  const { verified } = candidate({ score: 0.8 });
  return [
    prepared({
      datasetSha256: strange("datasetSha256"),
      classes: [strange("classes[]"), "yes"],
      environment: strange("environment"),
      packages: [{ name: strange("packages[].name"), version: strange("packages[].version") }],
      warnings: [
        {
          code: strange("warnings[].code"),
          column: strange("warnings[].column"),
          message: strange("warnings[].message"),
        },
      ],
    }),
    {
      type: "CandidateFailed",
      origin: "PriorBaseline",
      stage: text("CandidateFailed", "stage").slice(-32),
      message: text("CandidateFailed", "message"),
    },
    { type: "CandidateVerified", candidate: strangeCandidate("CandidateVerified") },
    { type: "JobSuspended", reason: text("JobSuspended", "reason") },
    { type: "JobResumed" },
    ...Array.from({ length: steps }, (_, step) => turn(step + 1)).flat(),
    stopped("AgentFinished", text("AgentStopped", "message")),
    { ...publishFailed(1), message: text("PublishFailed", "message") } as Draft,
    {
      ...published(2),
      name: final("name"),
      description: final("description"),
      digest: final("digest"),
      prefix: PREFIX,
      final: {
        ...verified,
        all: { [final("final.all{key}")]: 1 },
        versus: [{ name: final("final.versus[].name"), gain: 0, standardError: 1 }],
      },
      warnings: [final("warnings[]")],
    } as Draft,
    {
      ...jobFinished("READY"),
      reason: text("JobFinished", "reason"),
      message: text("JobFinished", "message"),
    } as Draft,
  ];
}

function manifest(): ModelManifest {
  const text = (field: string) => hostile(`ModelManifest.${field}`);
  const sha = "0".repeat(64);
  return ModelManifest.parse({
    schemaVersion: 1,
    name: text("name"),
    description: text("description"),
    task: "BinaryClassification",
    target: text("target"),
    classes: [text("classes[]"), "yes"].sort(),
    metric: "RocAuc",
    features: [
      {
        name: text("features[].name"),
        type: "Category",
        nullable: true,
        categories: [text("features[].categories[]")],
        format: text("features[].format"),
        example: text("features[].example"),
      },
      {
        name: "n",
        type: "Integer",
        nullable: true,
        min: text("features[].min"),
        max: text("features[].max"),
        example: 1,
      },
    ],
    scores: { verified: 0.8, standardError: 0.01, final: 0.8, finalStandardError: 0.01, baselineFinal: 0.7 },
    provenance: {
      job: {
        namespace: text("provenance.job.namespace"),
        name: text("provenance.job.name"),
        uid: text("provenance.job.uid"),
      },
      datasetSha256: sha,
      split: {
        by: "Group",
        column: text("provenance.split.column"),
        method: "Holdout",
        folds: 0,
        seed: 0,
        finalPercent: 20,
      },
      publish: "AsScored",
      rows: 10,
      origin: "Agent",
      recipe: sha,
      environment: text("provenance.environment"),
      operatorVersion: text("provenance.operatorVersion"),
      llm: { provider: "Gemini", model: text("provenance.llm.model") },
      createdAt: NOW,
    },
    files: { [text("files{key}")]: { sha256: sha, size: 1 } },
  });
}
