/** Rows of what there is, newest first; sorted when somebody asks and something changed. */
import type { KindName } from "../../operator/cluster/cluster.ts";
import type { Row, RowOf } from "./rows.ts";

export class RowIndex {
  readonly #rows = new Map<KindName, Map<string, Row>>();
  readonly #sorted = new Map<KindName, readonly Row[]>();

  set(row: Row): void {
    const rows = this.#rows.get(row.kind) ?? new Map<string, Row>();
    this.#rows.set(row.kind, rows.set(row.key, row));
    this.#sorted.delete(row.kind);
  }

  delete(kind: KindName, key: string): void {
    this.#rows.get(kind)?.delete(key);
    this.#sorted.delete(kind);
  }

  of<K extends KindName>(kind: K): readonly RowOf[K][] {
    const sorted = this.#sorted.get(kind) ?? newestFirst([...(this.#rows.get(kind)?.values() ?? [])]);
    this.#sorted.set(kind, sorted);
    return sorted as readonly RowOf[K][];
  }
}

export function newestFirst<R extends Row>(rows: readonly R[]): readonly R[] {
  return rows.toSorted((one, other) => ordered(other.created, one.created) || ordered(one.key, other.key));
}

/** By code points: thousands of names are sorted at each change, and a language's rules take twenty times as long. */
const ordered = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
