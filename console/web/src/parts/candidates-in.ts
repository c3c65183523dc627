import type { CandidateView, EntryView } from "../../../server/transcript.ts";

export type Dated = CandidateView & { readonly elapsed: number };

/** The candidates of a transcript, with when each was verified. */
export function candidatesIn(entries: readonly EntryView[]): Dated[] {
  return entries.flatMap((entry) => {
    if (entry.type !== "Candidate" && entry.type !== "Tool") return [];
    return entry.candidate ? [{ ...entry.candidate, elapsed: entry.elapsed }] : [];
  });
}
