/** Manifests from files: read, checked with the rules of the API server, file: addresses made absolute. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { formatProblem, type Resource, validateManifests } from "../api/validate.ts";
import { absoluteFileUri } from "../embedded/source.ts";
import { UsageError } from "./exit.ts";

/** The text of a manifest; `-` is standard input. */
export function readManifest(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new UsageError(`${file}: there is no such file`);
    if (code === "EISDIR") throw new UsageError(`${file} is a folder; expected a manifest (YAML or JSON)`);
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/** The resources of a manifest, ready to be run here. Throws UsageError with a line for each problem. */
export function loadManifests(file: string): Resource[] {
  const { documents, problems } = validateManifests(readManifest(file), { file, embedded: true });
  if (problems.length > 0) throw new UsageError(problems.map(formatProblem).join("\n"));
  if (documents.length === 0) throw new UsageError(`${file} holds no resource; expected a TrainingJob`);
  const folder = file === "-" ? process.cwd() : dirname(resolve(file));
  return documents.map((document) => withAbsoluteFiles(document, folder));
}

function withAbsoluteFiles(document: Resource, folder: string): Resource {
  if (document.kind === "TrainingJob" && document.spec.dataset.uri !== undefined) {
    const dataset = { ...document.spec.dataset, uri: absoluteFileUri(document.spec.dataset.uri, folder) };
    return { ...document, spec: { ...document.spec, dataset } };
  }
  if (document.kind === "Dataset" && document.spec.source.uri !== undefined) {
    const source = { ...document.spec.source, uri: absoluteFileUri(document.spec.source.uri, folder) };
    return { ...document, spec: { ...document.spec, source } };
  }
  return document;
}
