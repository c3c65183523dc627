/** Every place where a user, a data set or a model may put text of its own, and the page on which a person reads it. */

/** Pages, as embedded.test.ts opens them. */
export type PageName =
  | "dataset"
  | "data set stalled"
  | "training"
  | "transcript"
  | "candidates"
  | "manifest"
  | "job failed"
  | "jobs"
  | "model"
  | "lineage"
  | "answer"
  | "past predictions"
  | "batch"
  | "models"
  | "dashboard"
  | "name of a data set"
  | "address";

/** No page shows it: only programs need it. It is filled all the same, but for what the API server itself writes. */
const NOWHERE = undefined;

const METADATA = {
  "metadata.annotations{}": NOWHERE,
  "metadata.deletionTimestamp": NOWHERE,
  "metadata.finalizers[]": NOWHERE,
  "metadata.generateName": NOWHERE,
  "metadata.managedFields[]{}*": NOWHERE,
  "metadata.ownerReferences[]{}*": NOWHERE,
  "metadata.resourceVersion": NOWHERE,
  "metadata.selfLink": NOWHERE,
  "metadata.uid": NOWHERE,
} as const;

/** Of a candidate, which comes in two kinds of entry. */
const CANDIDATE = {
  "candidate.name": "transcript",
  "candidate.description": "transcript",
  "candidate.warnings[]": "transcript",
  "candidate.verified.versus[].name": "candidates",
  "candidate.verified.all{key}": NOWHERE,
  "candidate.predictions[]": NOWHERE,
  "candidate.recipe.entry": NOWHERE,
  "candidate.recipe.environment": NOWHERE,
  "candidate.recipe.files[].key": NOWHERE,
  "candidate.recipe.files[].path": NOWHERE,
  "candidate.recipe.files[].sha256": NOWHERE,
} as const;

const of = <T extends object>(what: string, fields: T): Record<string, T[keyof T]> =>
  Object.fromEntries(Object.entries(fields).map(([name, where]) => [`${what}.${name}`, where]));

/** Found in the schemas by free-texts.ts, every one of them. */
export const SCHEMA_FIELDS: Readonly<Record<string, PageName | undefined>> = {
  ...of("Dataset", METADATA),
  "Dataset.status.conditions[].type": NOWHERE,
  "Dataset.status.conditions[].reason": NOWHERE,
  "Dataset.status.conditions[].message": "data set stalled",
  "Dataset.status.previewUri": NOWHERE,
  "Dataset.status.profileUri": NOWHERE,
  "Dataset.status.sha256": NOWHERE,
  "Dataset.status.storageUri": NOWHERE,
  // Counted; the profile has their words.
  "Dataset.status.warnings[]": NOWHERE,

  "Profile.columns[].name": "dataset",
  "Profile.columns[].min": "dataset",
  "Profile.columns[].max": "dataset",
  "Profile.columns[].top[].value": "dataset",
  "Profile.columns[].format": NOWHERE,
  "Profile.delimiter": NOWHERE,
  "Profile.encoding": NOWHERE,
  "Profile.preview.columns[]": "dataset",
  "Profile.preview.rows[][]": "dataset",
  "Profile.warnings[].message": "dataset",
  "Profile.warnings[].code": NOWHERE,
  "Profile.warnings[].column": NOWHERE,

  ...of("TrainingJob", METADATA),
  "TrainingJob.spec.target": "jobs",
  "TrainingJob.spec.goal": "manifest",
  "TrainingJob.spec.evaluation.column": "manifest",
  // Quantities: the API takes numbers with a unit alone.
  "TrainingJob.spec.sandbox.resources.cpu*": "manifest",
  "TrainingJob.spec.sandbox.resources.disk*": "manifest",
  "TrainingJob.spec.sandbox.resources.memory*": "manifest",
  "TrainingJob.status.conditions[].type": NOWHERE,
  "TrainingJob.status.conditions[].reason": "job failed",
  "TrainingJob.status.conditions[].message": "job failed",
  "TrainingJob.status.progress.activity": "jobs",
  "TrainingJob.status.warnings[]": NOWHERE,
  "TrainingJob.status.model.name": "models",
  "TrainingJob.status.model.description": NOWHERE,
  "TrainingJob.status.model.digest": "lineage",
  "TrainingJob.status.model.uri": "lineage",
  "TrainingJob.status.journalUri": NOWHERE,
  "TrainingJob.status.reportUri": NOWHERE,

  ...of("ModelDeployment", METADATA),
  "ModelDeployment.spec.resources.cpu*": NOWHERE,
  "ModelDeployment.spec.resources.memory*": NOWHERE,
  "ModelDeployment.status.conditions[].type": NOWHERE,
  "ModelDeployment.status.conditions[].reason": NOWHERE,
  "ModelDeployment.status.conditions[].message": "models",
  "ModelDeployment.status.lastFailure": "models",
  "ModelDeployment.status.modelDigest": NOWHERE,
  "ModelDeployment.status.trainingJob": "models",
  "ModelDeployment.status.url": "models",

  "ModelManifest.name": "model",
  "ModelManifest.description": "model",
  "ModelManifest.target": "answer",
  // Of these the answer has those that it tells the probability of.
  "ModelManifest.classes[]": NOWHERE,
  "ModelManifest.features[].name": "model",
  "ModelManifest.features[].categories[]": "model",
  // In the place of a reference row, where there is none.
  "ModelManifest.features[].example": NOWHERE,
  "ModelManifest.features[].format": NOWHERE,
  "ModelManifest.features[].min": "model",
  "ModelManifest.features[].max": "model",
  "ModelManifest.files{key}": NOWHERE,
  "ModelManifest.provenance.environment": "lineage",
  "ModelManifest.provenance.operatorVersion": "lineage",
  "ModelManifest.provenance.llm.model": "lineage",
  "ModelManifest.provenance.job.name": NOWHERE,
  "ModelManifest.provenance.job.namespace": NOWHERE,
  "ModelManifest.provenance.job.uid": NOWHERE,
  "ModelManifest.provenance.split.column": NOWHERE,

  "DatasetPrepared.at": NOWHERE,
  "DatasetPrepared.classes[]": NOWHERE,
  "DatasetPrepared.datasetSha256": NOWHERE,
  "DatasetPrepared.environment": NOWHERE,
  "DatasetPrepared.packages[].name": NOWHERE,
  "DatasetPrepared.packages[].version": NOWHERE,
  "DatasetPrepared.warnings[].code": NOWHERE,
  "DatasetPrepared.warnings[].column": NOWHERE,
  "DatasetPrepared.warnings[].message": "transcript",
  "CandidateFailed.at": NOWHERE,
  "CandidateFailed.stage": "transcript",
  "CandidateFailed.message": "transcript",
  "CandidateVerified.at": NOWHERE,
  ...of("CandidateVerified", CANDIDATE),
  "ReplyReceived.at": NOWHERE,
  "ReplyReceived.model": "transcript",
  "ReplyReceived.detail": "transcript",
  "ReplyReceived.parts[]{key}": NOWHERE,
  // What of it is shown is in OTHER_FIELDS.
  "ReplyReceived.parts[]{}*": NOWHERE,
  "ToolFinished.at": NOWHERE,
  ...of("ToolFinished", CANDIDATE),
  "ToolFinished.name": "transcript",
  "ToolFinished.response{}*": "transcript",
  "ToolFinished.digest": NOWHERE,
  "ToolFinished.environment.digest": NOWHERE,
  "ToolFinished.environment.packages[].name": NOWHERE,
  "ToolFinished.environment.packages[].version": NOWHERE,
  "ToolFinished.environment.requested[]": NOWHERE,
  "ToolFinished.file.key": NOWHERE,
  "ToolFinished.file.path": NOWHERE,
  "ToolFinished.file.sha256": NOWHERE,
  "ToolFinished.id": NOWHERE,
  "ToolFinished.workspace": NOWHERE,
  "AgentStopped.at": NOWHERE,
  "AgentStopped.message": "transcript",
  "PublishFailed.at": NOWHERE,
  "PublishFailed.message": "transcript",
  "ModelPublished.at": NOWHERE,
  "ModelPublished.name": "transcript",
  "ModelPublished.warnings[]": "transcript",
  "ModelPublished.description": NOWHERE,
  "ModelPublished.digest": NOWHERE,
  "ModelPublished.final.all{key}": NOWHERE,
  "ModelPublished.final.versus[].name": NOWHERE,
  // Where the package is: another one would be another model.
  "ModelPublished.prefix": NOWHERE,
  "JobSuspended.at": NOWHERE,
  "JobSuspended.reason": "transcript",
  "JobResumed.at": NOWHERE,
  "JobFinished.at": NOWHERE,
  "JobFinished.reason": "transcript",
  "JobFinished.message": "transcript",
};

/** What no schema has a name for. */
export const OTHER_FIELDS = {
  "a reply's thought": "transcript",
  "a call's name": "transcript",
  "a call's path": "transcript",
  "a call's arguments": "transcript",
  "a file's code": "transcript",
  "a tool's output": "transcript",
  "a tool's traceback": "transcript",
  "a column's name in a form": "training",
  "ModelDeployment.status.runtime": "models",
  "a reference row's cell": "model",
  "a prediction": "answer",
  "a class with its probability": "answer",
  "a warning of an answer": "answer",
  "a field that moved it": "answer",
  "a logged input": "past predictions",
  "a logged prediction": "past predictions",
  "a logged request's id": NOWHERE,
  "a refused row": "batch",
  "a file of rows": "batch",
  "a file that is uploaded": "name of a data set",
  "a name in an address": "address",
  // In a cluster: sign-in.test.ts.
  "a user's name": NOWHERE,
} as const satisfies Readonly<Record<string, PageName | undefined>>;

export const FIELDS: Readonly<Record<string, PageName | undefined>> = { ...SCHEMA_FIELDS, ...OTHER_FIELDS };

const NUMBERS = new Map(Object.keys(FIELDS).map((field, index) => [field, index + 1]));

/** As it is to be read on the page. The number says which one works, should one. */
export function literal(field: string): string {
  const number = NUMBERS.get(field);
  if (number === undefined) throw new Error(`strange-fields.ts has no field ${field}`);
  return `<img src=x onerror=alert(${number})>`;
}

/** Ends an attribute and an element, should it stand in one. Thirty-odd characters: most bounds let it pass. */
export const hostile = (field: string): string => `"></b>${literal(field)}`;
