/** What came of many schedules, fault by fault. */
import type { Run as EmbeddedRun } from "./run.ts";
import type { Schedule } from "./schedule.ts";

type Run = Pick<EmbeddedRun, "violations" | "struck" | "seconds"> & {
  readonly schedule: Pick<Schedule, "seed" | "operators" | "elected">;
};

type Row = { times: number; schedules: number; readonly broken: number[] };

export class Tally {
  readonly #rows = new Map<string, Row>();
  readonly #broken: Run[] = [];
  #schedules = 0;
  #seconds = 0;

  add(run: Run): void {
    this.#schedules++;
    this.#seconds += run.seconds;
    const { operators, elected, seed } = run.schedule;
    const isBroken = run.violations.length > 0;
    if (isBroken) this.#broken.push(run);
    const struck = new Map(run.struck);
    if (operators > 1) struck.set(elected ? "two operators" : "two operators that both lead", 1);
    if (struck.size === 0) struck.set("nothing", 1);
    for (const [what, times] of struck) {
      const row = this.#rows.get(what) ?? { times: 0, schedules: 0, broken: [] };
      this.#rows.set(what, row);
      row.times += times;
      row.schedules++;
      if (isBroken) row.broken.push(seed);
    }
  }

  get broken(): readonly Run[] {
    return this.#broken;
  }

  /** Lines of a table: fault, times tried, schedules with it, held or not, seed of one in which it was not. */
  lines(): string[] {
    const rows = [...this.#rows].sort(([one], [other]) => (one < other ? -1 : 1));
    const cells = [
      ["fault", "times", "schedules", "held", "seed"],
      ...rows.map(([what, { times, schedules, broken }]) => [
        what,
        String(times),
        String(schedules),
        broken.length === 0 ? "held" : "BROKEN",
        broken.length === 0 ? "" : String(broken[0]),
      ]),
    ];
    const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
    const table = cells.map((row) =>
      row
        .map((cell, column) =>
          column === 1 || column === 2
            ? cell.padStart(widths[column] ?? 0)
            : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    );
    const hours = (this.#seconds / 3600).toFixed(1);
    return [
      ...table,
      "",
      `${this.#schedules} schedules, ${hours} hours: ${this.#broken.length} with an invariant broken`,
    ];
  }
}

/** One run, for who looks into it. */
export function tell(run: Run): string[] {
  return [
    `seed ${run.schedule.seed}: ${run.violations.length === 0 ? "held" : "BROKEN"}`,
    ...run.violations.map((violation) => `  ${violation.slice(0, 1000)}`),
  ];
}
