import type { EntryOf } from "../api/journal.ts";
import type { JobContext } from "./context.ts";
import type { FinalScore } from "./publish.ts";

export async function explainModel(_context: JobContext, _prepared: EntryOf<"DatasetPrepared">, _winner: FinalScore): Promise<boolean> {
  return true;
}
