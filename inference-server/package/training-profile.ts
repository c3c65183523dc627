/** `profile.json` of a package: how the rows that the model was trained on are distributed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { TrainingProfile } from "../../operator/api/training-profile.ts";
import { faultsOf, ModelRefusedError } from "../errors.ts";
import type { ModelPackage } from "./verify.ts";

const PROFILE_FILE = "profile.json";

/**
 * undefined where the package has none: earlier versions wrote none, and the model serves as well without.
 * @throws ModelRefusedError where it is something else
 */
export async function readTrainingProfile(model: ModelPackage): Promise<TrainingProfile | undefined> {
  if (!(PROFILE_FILE in model.manifest.files)) return undefined;
  try {
    return TrainingProfile.parse(JSON.parse(await readFile(join(model.directory, PROFILE_FILE), "utf8")));
  } catch (error) {
    throw new ModelRefusedError(`${PROFILE_FILE} is no training profile: ${faultsOf(error)}`, {
      cause: error,
    });
  }
}
