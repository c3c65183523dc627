/** What search.py printed, checked field by field: the program's output is data, and may be cut. */
import { z } from "zod";
import { KINDS, type Member, VIEWS } from "./members.ts";
import type { PythonValue } from "./python/literals.ts";
import { RESULT_MARK } from "./python/search.ts";

const Result = z.object({
  score: z.number(),
  plain: z.number().nullable(),
  prior_power: z.number().min(0).max(1),
  fit_seconds: z.number().min(0),
  finished: z.int().min(1),
  members: z
    .array(
      z.object({
        model: z.enum(KINDS),
        view: z.enum(VIEWS),
        weight: z.number().positive().max(1),
        settings: z.record(
          z.string().max(40),
          z.union([z.number(), z.boolean(), z.string().max(40), z.null()]),
        ),
      }),
    )
    .min(1)
    .max(16),
});

export type Found = {
  /** The blend's metric by cross-validation, signed so that more is better. */
  readonly score: number;
  /** The same of plain gradient boosting. */
  readonly plain: number | undefined;
  readonly priorPower: number;
  readonly fitSeconds: number;
  readonly finished: number;
  readonly members: readonly Member[];
};

/** The last result, as each takes the place of the one before; undefined where there is none, or none that a search can have. */
export function readSearch(response: Readonly<Record<string, unknown>>): Found | undefined {
  const output = z.object({ head: z.string(), tail: z.string() }).safeParse(response.output);
  if (!output.success) return undefined;
  const lines = `${output.data.head}\n${output.data.tail}`.split("\n");
  const results = lines
    .filter((line) => line.startsWith(RESULT_MARK))
    .flatMap((line) => Result.safeParse(parsed(line.slice(RESULT_MARK.length))).data ?? []);
  const result = results.at(-1);
  if (result === undefined) return undefined;
  return {
    score: result.score,
    plain: result.plain ?? undefined,
    priorPower: result.prior_power,
    fitSeconds: result.fit_seconds,
    finished: result.finished,
    members: result.members.map(({ model, view, settings, weight }) => ({
      kind: model,
      view,
      settings: settings as Record<string, PythonValue>,
      weight,
    })),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
