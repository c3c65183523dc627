/** The resources, as they are now: one stream for all pages, which goes on where it broke. */
import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import type { Update } from "../../server/router/resources.ts";
import type { DatasetRow, DeploymentRow, JobRow, Row } from "../../server/rows.ts";
import { api } from "./api.ts";

type RowOf = { Dataset: DatasetRow; TrainingJob: JobRow; ModelDeployment: DeploymentRow };

export type Live = {
  /** Loading until everything came once; Broken while the stream is being made again. */
  readonly connection: "Loading" | "Live" | "Broken";
  readonly rows: ReadonlyMap<string, Row>;
  readonly denied: readonly Row["kind"][];
};

const LiveContext = createContext<Live>({ connection: "Loading", rows: new Map(), denied: [] });

export const useLive = (): Live => useContext(LiveContext);

/** Newest first. */
export function useRows<K extends Row["kind"]>(kind: K): readonly RowOf[K][] {
  const { rows } = useLive();
  return useMemo(
    () =>
      [...rows.values()]
        .filter((row): row is RowOf[K] => row.kind === kind)
        .sort((one, other) => ordered(other.created, one.created) || ordered(one.key, other.key)),
    [rows, kind],
  );
}

/** By code points: thousands of names are sorted at each change, and a language's rules take twenty times as long. */
const ordered = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

export function LiveProvider({
  namespace,
  children,
}: {
  namespace: string | undefined;
  children: ReactNode;
}) {
  const [live, setLive] = useState<Live>({ connection: "Loading", rows: new Map(), denied: [] });
  const [attempt, setAttempt] = useState(0);
  const queries = useQueryClient();

  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt is what makes the stream anew
  useEffect(() => {
    // Many changes at once are one picture.
    let waiting: Update[] = [];
    let frame = 0;
    let again: ReturnType<typeof setTimeout> | undefined;
    const flush = (): void => {
      const updates = waiting;
      waiting = [];
      frame = 0;
      setLive((before) => updates.reduce(applied, { ...before, connection: "Live" as const }));
    };
    const broken = (): void => {
      setLive((before) => ({
        ...before,
        connection: before.connection === "Loading" ? "Loading" : "Broken",
      }));
      // Whether it is the session that is over shows here.
      void queries.invalidateQueries({ queryKey: ["me"] });
      again = setTimeout(() => setAttempt((count) => count + 1), 2000);
    };
    const subscription = api.resources.changes.subscribe(namespace === undefined ? {} : { namespace }, {
      onData({ data }) {
        waiting.push(data);
        frame ||= requestAnimationFrame(flush);
      },
      onConnectionStateChange({ state }) {
        if (state !== "connecting") return;
        setLive((before) => (before.connection === "Live" ? { ...before, connection: "Broken" } : before));
      },
      onError: broken,
      onComplete: broken,
    });
    return () => {
      subscription.unsubscribe();
      cancelAnimationFrame(frame);
      clearTimeout(again);
    };
  }, [namespace, attempt]);

  return <LiveContext value={live}>{children}</LiveContext>;
}

function applied(before: Live, update: Update): Live {
  if (update.type === "All") {
    return {
      ...before,
      rows: new Map(update.rows.map((row) => [idOf(row.kind, row.key), row])),
      denied: update.denied,
    };
  }
  const rows = new Map(before.rows);
  if (update.type === "Changed") rows.set(idOf(update.row.kind, update.row.key), update.row);
  else rows.delete(idOf(update.kind, update.key));
  return { ...before, rows };
}

export const idOf = (kind: Row["kind"], key: string): string => `${kind}:${key}`;
