/** Checks a manifest offline, with the rules that the API server has. */
import type { z } from "zod";
import { createRuleEvaluator, type RuleEvaluator } from "./cel.ts";
import { closest } from "./closest.ts";
import { ConfigMap, Secret } from "./core.ts";
import type { Dataset } from "./dataset.ts";
import { describeIssue, valueAt } from "./issue.ts";
import { KINDS } from "./kinds.ts";
import { API_VERSION, GROUP } from "./meta.ts";
import type { ModelDeployment } from "./modeldeployment.ts";
import { formatPath, type Problem, quote } from "./problem.ts";
import { brokenReferences } from "./references.ts";
import { repair } from "./repair.ts";
import { type Structural, structural } from "./structural.ts";
import type { TrainingJob } from "./trainingjob.ts";
import { type Path, readYaml, type YamlDocument } from "./yaml.ts";

export { formatProblem, type Problem } from "./problem.ts";

export type Resource = TrainingJob | Dataset | ModelDeployment | ConfigMap | Secret;

export type ValidateOptions = {
  /** How the file is called in problems. */
  readonly file: string;
  /** The embedded run: `file:` addresses are allowed. */
  readonly embedded: boolean;
};

/** A manifest is written by hand; a megabyte is far beyond one, and bounds the work of checking. */
export const MAX_MANIFEST_BYTES = 1_048_576;

/** Of one resource; a manifest with more is not one that somebody wrote, and each costs a search for its place. */
const MAX_FINDINGS = 100;

type KnownKind = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: z.ZodType;
  readonly structure: () => Structural;
};

/** A resource in a file: a document, or an item of a List. */
type Unit = {
  readonly document: YamlDocument;
  readonly base: Path;
  readonly value: unknown;
  readonly label: string;
};

type Rules = { readonly kinds: readonly KnownKind[]; readonly evaluate: RuleEvaluator };

type Finding = {
  readonly path: Path;
  readonly expected: string;
  readonly found?: string;
  readonly action?: string;
};

export type Validated = { readonly documents: Resource[]; readonly problems: Problem[] };

/**
 * Reads every document of a manifest (YAML or JSON) and reports every problem in it (of one resource, the first hundred
 * or so), in the order of the file. Never throws. `documents` are those without a problem of their own, defaults filled in; run them only when
 * `problems` is empty.
 */
export function validateManifests(text: string, options: ValidateOptions): Validated {
  return createManifestValidator()(text, options);
}

/** validateManifests for whoever checks many: schemas and rules are made ready once. */
export function createManifestValidator(): (text: string, options: ValidateOptions) => Validated {
  const rules: Rules = { kinds: knownKinds(), evaluate: createRuleEvaluator() };
  return (text, options) => validate(text, options, rules);
}

function validate(text: string, { file, embedded }: ValidateOptions, rules: Rules): Validated {
  const whole = (expected: string, action: string): Problem => {
    return { file, line: 1, column: 1, document: "manifest", field: "", expected, action };
  };
  const size = Buffer.byteLength(text);
  if (size > MAX_MANIFEST_BYTES) {
    const expected = `must be at most ${MAX_MANIFEST_BYTES} bytes, found ${size}`;
    return {
      documents: [],
      problems: [whole(expected, "split it into several files, and put data into a CSV")],
    };
  }
  const { documents: read, faults } = readYaml(text);
  const problems = faults.map(
    ({ position, document, message, action }): Problem => ({
      file,
      ...position,
      document: `document ${document}`,
      field: "",
      expected: message,
      action,
    }),
  );
  const good = new Map<Resource, Unit>();
  const seen = new Map<string, number>();
  const units = read.flatMap(unitsOf);
  for (const unit of units) {
    const { resource, findings } = check(unit, rules, embedded);
    findings.push(...duplicate(unit, seen));
    for (const finding of findings) problems.push(problemOf(finding, unit, file));
    if (resource && findings.length === 0) good.set(resource, unit);
  }
  for (const { resource, ...finding } of brokenReferences([...good.keys()])) {
    const unit = good.get(resource);
    if (unit) problems.push(problemOf(finding, unit, file));
    good.delete(resource);
  }
  if (units.length === 0 && problems.length === 0) {
    problems.push(whole("must hold at least one resource, found none", "see the examples folder"));
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return { documents: [...good.keys()], problems };
}

function knownKinds(): KnownKind[] {
  const core = [
    { apiVersion: "v1", kind: "ConfigMap", schema: ConfigMap },
    { apiVersion: "v1", kind: "Secret", schema: Secret },
  ];
  const own = KINDS.map(({ kind, schema }) => ({ apiVersion: API_VERSION, kind, schema }));
  return [...own, ...core].map(({ apiVersion, kind, schema }) => {
    let made: Structural | undefined;
    // Most manifests hold one kind, and making a schema structural is most of the work of a short one.
    const structure = () => {
      made ??= structural(schema);
      return made;
    };
    return { apiVersion, kind, schema, structure };
  });
}

/** A document is one resource; a List, as `kubectl get -o yaml` writes it, is its items. Empty documents are none. */
function unitsOf(document: YamlDocument): Unit[] {
  const { value } = document;
  if (value === null || value === undefined) return [];
  if (isFields(value) && value.kind === "List" && value.apiVersion === "v1" && Array.isArray(value.items)) {
    return value.items.map((item, index) => {
      return {
        document,
        base: ["items", index],
        value: item,
        label: labelOf(item, document, ["items", index]),
      };
    });
  }
  return [{ document, base: [], value, label: labelOf(value, document, []) }];
}

function labelOf(value: unknown, document: YamlDocument, base: Path): string {
  const kind = isFields(value) && typeof value.kind === "string" ? value.kind : undefined;
  const metadata = isFields(value) && isFields(value.metadata) ? value.metadata : {};
  const name = typeof metadata.name === "string" ? metadata.name : undefined;
  if (kind === undefined) return `resource at line ${document.locate(base).line}`;
  return `${kind.slice(0, 64)} ${name === undefined ? "without name" : name.slice(0, 64)}`;
}

function check(
  unit: Unit,
  { kinds, evaluate }: Rules,
  embedded: boolean,
): { resource?: Resource; findings: Finding[] } {
  const known = identify(unit.value, kinds);
  if ("path" in known) return { findings: [known] };
  const structure = known.structure();
  const { value, issues, without } = repair(known.schema, structure, unit.value);
  const secret = known.kind === "Secret";
  const unquoted = (path: Path) => (secret ? undefined : unit.document.unquoted([...unit.base, ...path]));
  const findings = issues
    .slice(0, MAX_FINDINGS)
    .flatMap((issue) => describeIssue(issue, structure, unit.value, unquoted));
  const told: Finding[] = secret ? findings.map(({ found: _, ...finding }) => finding) : findings;
  const broken = evaluate(structure, value, { embedded, without }).map(({ path, message }): Finding => {
    const given = valueAt(unit.value, path);
    const telling = typeof given === "string" || typeof given === "number";
    return { path, expected: message, ...(telling ? { found: quote(given) } : {}) };
  });
  return { resource: value as Resource, findings: [...told, ...broken] };
}

/** The kind that the resource says it is, or what is wrong with what it says. */
function identify(value: unknown, kinds: readonly KnownKind[]): KnownKind | Finding {
  if (!isFields(value)) {
    return {
      path: [],
      expected: "must be a resource with apiVersion, kind, metadata and spec",
      found: quote(value),
    };
  }
  const { apiVersion, kind } = value;
  const exact = kinds.find((known) => known.apiVersion === apiVersion && known.kind === kind);
  if (exact) return exact;
  const sameKind = kinds.find((known) => known.kind === kind);
  if (sameKind) {
    return {
      path: ["apiVersion"],
      expected: `must be ${sameKind.apiVersion} for kind ${sameKind.kind}`,
      found: quote(apiVersion),
    };
  }
  const names = kinds.map((known) => known.kind);
  const near = typeof kind === "string" ? closest(kind, names) : undefined;
  return {
    path: ["kind"],
    expected: `must be one of ${names.join(", ")}`,
    found: quote(kind),
    action:
      near === undefined
        ? `this file may hold resources of ${GROUP}, ConfigMaps and Secrets`
        : `did you mean ${near}?`,
  };
}

/** The API server would take the second one for a change of the first. */
function duplicate(unit: Unit, seen: Map<string, number>): Finding[] {
  const metadata = isFields(unit.value) && isFields(unit.value.metadata) ? unit.value.metadata : {};
  const kind = isFields(unit.value) ? unit.value.kind : undefined;
  const { name, namespace } = metadata;
  if (typeof kind !== "string" || typeof name !== "string") return [];
  const key = JSON.stringify([kind, namespace ?? "", name]);
  const first = seen.get(key);
  if (first === undefined) {
    seen.set(key, unit.document.locate(unit.base).line);
    return [];
  }
  const expected = `must be unique: a ${kind} of this name stands at line ${first} already`;
  return [{ path: ["metadata", "name"], expected, action: "choose another name" }];
}

function problemOf(finding: Finding, unit: Unit, file: string): Problem {
  const { path, expected, found, action } = finding;
  return {
    file,
    ...unit.document.locate([...unit.base, ...path]),
    document: unit.label,
    field: formatPath(path),
    expected,
    ...(found === undefined ? {} : { found }),
    ...(action === undefined ? {} : { action }),
  };
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
