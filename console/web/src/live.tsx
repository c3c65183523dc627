/** The resources, as they are now: pages of them are asked for, and one stream says what changes. */
import {
  keepPreviousData,
  notifyManager,
  type QueryClient,
  type UseQueryResult,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Listed, Overview } from "../../server/listed.ts";
import type { Update } from "../../server/router/resources.ts";
import type { Row, RowOf } from "../../server/rows.ts";
import { api } from "./api.ts";

export type Kind = Row["kind"];
export type Place = { readonly namespace: string; readonly name: string };

export type Live = {
  /** Loading until the stream is there; Broken while it is being made again. */
  readonly connection: "Loading" | "Live" | "Broken";
  /** Of which it tells; undefined: all there are. */
  readonly namespace: string | undefined;
};

const LiveContext = createContext<Live>({ connection: "Loading", namespace: undefined });

export const useLive = (): Live => useContext(LiveContext);

/** At most so often pages are asked for anew, however much changes. */
const REFRESH_MS = 1000;
const SOON_MS = 100;
/** What is in another namespace than the stream tells of is looked at now and then. */
const ELSEWHERE_MS = 5000;

export function useRow<K extends Kind>(kind: K, place: Place): UseQueryResult<RowOf[K]> {
  const { namespace } = useLive();
  return useQuery({
    queryKey: ["rows", "one", kind, `${place.namespace}/${place.name}`],
    queryFn: async () => (await api.resources.get.query({ kind, place })) as RowOf[K],
    refetchInterval: namespace === undefined || namespace === place.namespace ? false : ELSEWHERE_MS,
    staleTime: 0,
  });
}

export type Asked = {
  readonly ready?: boolean;
  readonly find?: string;
  readonly from?: number;
  readonly limit?: number;
};

/** Some of a kind, newest first. What was shown stays until the next ones are there, but for that of another namespace. */
export function useRows<K extends Kind>(kind: K, asked: Asked = {}): UseQueryResult<Listed<RowOf[K]>> {
  const { namespace } = useLive();
  return useQuery({
    queryKey: ["rows", "page", namespace, kind, asked],
    queryFn: async () =>
      (await api.resources.list.query({ ...within(namespace), kind, ...asked })) as Listed<RowOf[K]>,
    placeholderData: (before, query) =>
      query?.queryKey[2] === namespace && query?.queryKey[3] === kind ? keepPreviousData(before) : undefined,
    staleTime: 0,
  });
}

export function useOverview(): UseQueryResult<Overview> {
  const { namespace } = useLive();
  return useQuery({
    queryKey: ["rows", "overview", namespace],
    queryFn: () => api.resources.overview.query(within(namespace)),
    staleTime: 0,
  });
}

const within = (namespace: string | undefined): { namespace?: string } =>
  namespace === undefined ? {} : { namespace };

export function LiveProvider({
  namespace,
  children,
}: {
  namespace: string | undefined;
  children: ReactNode;
}) {
  const [connection, setConnection] = useState<Live["connection"]>("Loading");
  const [attempt, setAttempt] = useState(0);
  const queries = useQueryClient();

  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt is what makes the stream anew
  useEffect(() => {
    const shown = picture(queries);
    let again: ReturnType<typeof setTimeout> | undefined;
    const broken = (): void => {
      setConnection((before) => (before === "Loading" ? "Loading" : "Broken"));
      // Whether it is the session that is over shows here.
      void queries.invalidateQueries({ queryKey: ["me"] });
      again = setTimeout(() => setAttempt((count) => count + 1), 2000);
    };
    const subscription = api.resources.changes.subscribe(within(namespace), {
      onData({ data }) {
        setConnection("Live");
        shown.take(data);
      },
      onConnectionStateChange({ state }) {
        if (state === "connecting") setConnection((before) => (before === "Live" ? "Broken" : before));
        // It goes on where it was; where nothing happened meanwhile, nothing comes.
        if (state === "pending") setConnection((before) => (before === "Broken" ? "Live" : before));
      },
      onError: broken,
      onComplete: broken,
    });
    return () => {
      subscription.unsubscribe();
      shown.stop();
      clearTimeout(again);
    };
  }, [namespace, attempt]);

  return <LiveContext value={{ connection, namespace }}>{children}</LiveContext>;
}

/** Puts what changed into what is shown, at once, and asks for pages anew, now and then: order and counts are the server's. */
function picture(queries: QueryClient): { take: (update: Update) => void; stop: () => void } {
  let waiting = new Map<string, Row>();
  let refreshedAt = 0;
  let drawing: ReturnType<typeof setTimeout> | undefined;
  let refreshing: ReturnType<typeof setTimeout> | undefined;
  const draw = (): void => {
    drawing = undefined;
    const rows = waiting;
    waiting = new Map();
    notifyManager.batch(() => {
      for (const row of rows.values()) {
        queries.setQueriesData<Row>(
          { queryKey: ["rows", "one", row.kind, row.key] },
          (known) => known && row,
        );
      }
      queries.setQueriesData<Listed>({ queryKey: ["rows", "page"] }, (page) => page && renewed(page, rows));
    });
  };
  const refresh = (): void => {
    refreshing = undefined;
    // An answer that is on its way was given before this change, and would count as new.
    if (queries.isFetching({ queryKey: ["rows"] }) > 0) later();
    else {
      refreshedAt = Date.now();
      void queries.invalidateQueries({ queryKey: ["rows"] });
    }
  };
  const later = (): void => {
    refreshing ??= setTimeout(refresh, Math.max(SOON_MS, refreshedAt + REFRESH_MS - Date.now()));
  };
  return {
    take(update) {
      if (update.type === "Changed") {
        waiting.set(idOf(update.row), update.row);
        drawing ??= setTimeout(draw, SOON_MS);
      }
      later();
    },
    stop() {
      clearTimeout(drawing);
      clearTimeout(refreshing);
    },
  };
}

function renewed(page: Listed, rows: ReadonlyMap<string, Row>): Listed {
  if (!page.rows.some((row) => rows.has(idOf(row)))) return page;
  return { ...page, rows: page.rows.map((row) => rows.get(idOf(row)) ?? row) };
}

const idOf = ({ kind, key }: Row): string => `${kind}:${key}`;
