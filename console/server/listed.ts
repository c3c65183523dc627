/** What pages show of thousands of rows: some of them at a time, and what a dashboard says of all. */
import type { KindName } from "../../operator/cluster/cluster.ts";
import type { JobRow, Row, RowOf } from "./rows.ts";

export type Wanted = {
  /** Those alone that are ready. */
  readonly ready: boolean;
  /** Words of a name, a state or a message. */
  readonly find: string;
  readonly from: number;
  readonly limit: number;
};

export type Listed<R extends Row = Row> = {
  readonly rows: readonly R[];
  /** How many there are, whatever is sought; and how many of them fit. */
  readonly total: number;
  readonly matching: number;
};

export function listed<R extends Row>(all: readonly R[], { ready, find, from, limit }: Wanted): Listed<R> {
  const some = ready ? all.filter(({ state }) => state === "Ready") : all;
  const words = find.trim().toLowerCase();
  const found =
    words === ""
      ? some
      : some.filter(({ key, state, message }) => `${key} ${state} ${message}`.toLowerCase().includes(words));
  return { rows: found.slice(from, from + limit), total: some.length, matching: found.length };
}

/** How many, and the newest of them. */
type Some<R> = { readonly count: number; readonly newest: readonly R[] };

export type Overview = {
  readonly total: number;
  readonly running: Some<JobRow>;
  readonly ready: Some<JobRow>;
  readonly attention: Some<Row>;
  /** Spent by all jobs that are there. */
  readonly seconds: number;
  readonly tokens: number;
  /** Kinds that the user may not list. */
  readonly denied: readonly KindName[];
};

const SHOWN = 8;

export function overviewOf(
  { TrainingJob: jobs, Dataset, ModelDeployment }: { readonly [K in KindName]: readonly RowOf[K][] },
  denied: readonly KindName[],
): Overview {
  const some = <R extends Row>(rows: readonly R[], ...states: readonly Row["state"][]): Some<R> => {
    const found = rows.filter(({ state }) => states.includes(state));
    return { count: found.length, newest: found.slice(0, SHOWN) };
  };
  return {
    total: jobs.length + Dataset.length + ModelDeployment.length,
    running: some(jobs, "Working", "Waiting"),
    ready: some(jobs, "Ready"),
    attention: some<Row>([...jobs, ...Dataset, ...ModelDeployment], "Stalled", "Failed"),
    seconds: jobs.reduce((sum, { seconds }) => sum + seconds, 0),
    tokens: jobs.reduce((sum, { tokens }) => sum + tokens, 0),
    denied,
  };
}

/** The name, or where it is taken the first of `name-2`, `name-3`, ... that is not. */
export function freeName(name: string, rows: readonly Pick<Row, "name">[]): string {
  const taken = new Set(rows.map((row) => row.name));
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}
