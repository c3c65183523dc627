/** `autoai report -n`, `autoai model -n`, `autoai preview -n`: what lies in the store of a cluster's operator. */
import { createWriteStream, renameSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { Profile } from "../api/profile.ts";
import { TrainingJob } from "../api/trainingjob.ts";
import { DamagedPackageError } from "../evaluation/package-entries.ts";
import type { ArtifactName, ArtifactResource } from "../observability/artifacts.ts";
import { unpackTar } from "../storage/tar.ts";
import { EXIT, UsageError } from "./exit.ts";
import { OperatorService, type OperatorServiceOptions } from "./operator-service.ts";
import { requireFree, writePackage } from "./package-folder.ts";
import { previewText } from "./preview.ts";
import { printable } from "./summary.ts";

/** `autoai report -n NAMESPACE JOB`: the report into a file, JOB.html where none is named; `-` for standard output. */
export async function clusterReport(
  name: string,
  options: OperatorServiceOptions & { readonly output?: string },
): Promise<number> {
  const operator = OperatorService.of(name, options, "trainingjobs");
  const body = await artifact(operator, options.namespace, "trainingjobs", name, "report");
  if (options.output === "-") {
    await pipeline(body, process.stdout, { end: false });
    return EXIT.ready;
  }
  const file = resolve(options.output ?? `${name}.html`);
  const partial = `${file}.partial-${process.pid}`;
  try {
    await pipeline(body, createWriteStream(partial, { flags: "wx" }));
    renameSync(partial, file);
  } finally {
    rmSync(partial, { force: true });
  }
  process.stdout.write(`${file}\n`);
  return EXIT.ready;
}

/** `autoai model -n NAMESPACE JOB --output DIR`: the package, checked against the digest in the job's status. */
export async function clusterModel(
  name: string,
  options: OperatorServiceOptions & { readonly output: string },
): Promise<number> {
  const operator = OperatorService.of(name, options, "trainingjobs");
  requireFree(options.output);
  const { namespace } = options;
  const read = await operator.object(name).catch((error) => {
    throw operator.explained(error);
  });
  const { status } = TrainingJob.parse(read);
  const digest = status?.model?.digest;
  if (digest === undefined) {
    throw new UsageError(`job ${namespace}/${name} is ${status?.state ?? "not begun"}, and has no model`);
  }
  const body = await artifact(operator, namespace, "trainingjobs", name, "model");
  try {
    await writePackage(options.output, digest, unpackTar(body));
  } catch (error) {
    if (error instanceof DamagedPackageError || isOfDisk(error)) throw error;
    throw brokenOff(error);
  }
  process.stdout.write(`${resolve(options.output)}\n`);
  return EXIT.ready;
}

/** `autoai preview -n NAMESPACE DATASET`: what the intake made of a Dataset. */
export async function clusterPreview(
  name: string,
  options: OperatorServiceOptions & { readonly json?: boolean },
): Promise<number> {
  const operator = OperatorService.of(name, options, "datasets");
  const body = await artifact(operator, options.namespace, "datasets", name, "profile");
  const profile = Profile.parse(JSON.parse((await buffer(body)).toString()));
  process.stdout.write(
    options.json ? `${JSON.stringify(profile, null, 2)}\n` : previewText(printable(name), profile),
  );
  return EXIT.ready;
}

/** Throws what a user is told of a refusal before anything came; the stream breaks where what comes is not whole. */
async function artifact(
  operator: OperatorService,
  namespace: string,
  resource: ArtifactResource,
  name: string,
  what: ArtifactName,
): Promise<Readable> {
  const pieces = operator.stream(`/artifacts/${resource}/${namespace}/${name}/${what}`, {});
  try {
    const first = await pieces.next();
    return Readable.from(following(first, pieces), { objectMode: false });
  } catch (error) {
    throw operator.explained(error);
  }
}

async function* following(
  first: IteratorResult<Uint8Array>,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (first.done) return;
    yield first.value;
    yield* rest;
  } catch (error) {
    throw brokenOff(error);
  } finally {
    await rest.return(undefined);
  }
}

/** What came is not whole, for whatever reason that lies before this machine. */
class BrokenOffError extends Error {
  override readonly name = "BrokenOffError";
}

function brokenOff(error: unknown): Error {
  if (error instanceof BrokenOffError) return error;
  const { message } = error as Error;
  return new BrokenOffError(`it broke off on its way: ${message}; try again`, { cause: error });
}

/** No space, no right, no such folder: errors of system calls, which those of fetch and of archives are not. */
function isOfDisk(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
}
