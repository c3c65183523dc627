import { formatProblem, validateManifests } from "../api/validate.ts";
import { EXIT, UsageError } from "./exit.ts";
import { readManifest } from "./manifest.ts";

/** `autoai validate`: a line for each problem, or for each document that has none. */
export async function validate(options: { filename: string; embedded?: boolean }): Promise<number> {
  const { documents, problems } = validateManifests(readManifest(options.filename), {
    file: options.filename,
    embedded: options.embedded === true,
  });
  if (problems.length > 0) throw new UsageError(problems.map(formatProblem).join("\n"));
  if (documents.length === 0) throw new UsageError(`${options.filename} holds no resource`);
  for (const { kind, metadata } of documents) process.stdout.write(`${kind} ${metadata.name}: valid\n`);
  return EXIT.ready;
}
