import { describe, expect, test } from "vitest";
import { CHANGES } from "../../test/fixtures/invalid-manifests.ts";
import { AdmissionError, createAdmission } from "./admission.ts";
import type { TrainingJob } from "./trainingjob.ts";
import { type Resource, validateManifests } from "./validate.ts";

function resource(text: string): Resource {
  const { documents, problems } = validateManifests(text, { file: "x.yaml", embedded: true });
  expect(problems).toEqual([]);
  return documents[0] as Resource;
}

describe("a change of a resource", () => {
  const admission = createAdmission({ embedded: true });

  test.each(CHANGES.filter(({ refused }) => refused === undefined))(
    "is accepted: $name",
    ({ before, after }) => {
      expect(admission.admit(resource(after), resource(before))).toEqual(resource(after));
    },
  );

  test.each(CHANGES.filter(({ refused }) => refused !== undefined))(
    "is refused: $name",
    ({ before, after, refused }) => {
      expect(() => admission.admit(resource(after), resource(before))).toThrow(`${refused}: is immutable`);
    },
  );
});

test("defaults are filled in when a resource is created", () => {
  const job = {
    apiVersion: "autoai.dev/v1alpha1",
    kind: "TrainingJob",
    metadata: { name: "churn" },
    spec: { dataset: { datasetRef: { name: "churn" } }, target: "Churn" },
  } as unknown as TrainingJob;
  const admitted = createAdmission({ embedded: false }).admit(job);
  expect(admitted.spec.budget.maxSteps).toBe(30);
  expect(admitted.spec.sandbox.resources).toEqual({ cpu: "2", memory: "4Gi", disk: "2Gi" });
});

test("a file is admitted in the embedded run alone", () => {
  const job = resource(
    "apiVersion: autoai.dev/v1alpha1\nkind: TrainingJob\nmetadata: {name: a}\nspec: {dataset: {uri: 'file:x.csv'}, target: b}",
  );
  expect(createAdmission({ embedded: true }).admit(job)).toEqual(job);
  expect(() => createAdmission({ embedded: false }).admit(job)).toThrow(AdmissionError);
});

test("a kind that is not ours passes as it is", () => {
  const pod = { kind: "Pod", spec: { anything: 1 } };
  expect(createAdmission({ embedded: true }).admit(pod)).toBe(pod);
});
