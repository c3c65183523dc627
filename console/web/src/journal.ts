/** A job's transcript as it grows. */
import { useEffect, useState } from "react";
import type { EntryView } from "../../server/transcript.ts";
import { api } from "./api.ts";

export type JournalState = {
  readonly entries: readonly EntryView[];
  /** Everything up to now is here. */
  readonly current: boolean;
  readonly over: boolean;
  readonly error: unknown;
};

const NOTHING: JournalState = { entries: [], current: false, over: false, error: undefined };

export function useJournal(namespace: string, name: string): JournalState {
  const [state, setState] = useState(NOTHING);
  useEffect(() => {
    let waiting: EntryView[] = [];
    let ended: Partial<JournalState> = {};
    let timer: ReturnType<typeof setTimeout> | undefined;
    // Hundreds of entries at once are drawn once.
    const flush = (): void => {
      timer = undefined;
      const news = waiting;
      const end = ended;
      waiting = [];
      ended = {};
      setState((before) => {
        const last = before.entries.at(-1)?.sequence ?? -1;
        const entries = news.filter(({ sequence }) => sequence > last);
        return {
          ...before,
          ...end,
          entries: entries.length === 0 ? before.entries : [...before.entries, ...entries],
        };
      });
    };
    const soon = (): void => {
      timer ??= setTimeout(flush, 50);
    };
    const subscription = api.jobs.journal.subscribe(
      { place: { namespace, name } },
      {
        onData({ data }) {
          if (data.type === "Entry") waiting.push(data.entry);
          else ended = { ...ended, current: true, over: data.over };
          soon();
        },
        onError(error) {
          ended = { ...ended, error };
          soon();
        },
      },
    );
    return () => {
      subscription.unsubscribe();
      clearTimeout(timer);
      setState(NOTHING);
    };
  }, [namespace, name]);
  return state;
}
