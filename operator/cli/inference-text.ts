/** An entry of the prediction log for a person: a line for each row that was asked. */
import type { LogEntry } from "../../inference-server/log/segments.ts";

const CELL_CHARACTERS = 40;

/**
 *     2026-01-31T12:00:00.000Z  3f2a8c11  yes (0.812)  tenure=3 plan=basic
 *
 * Time, the first eight characters of the request's id, prediction with its probability, and the cells as they came, long ones cut.
 */
export function inferenceText({ time, requestId, predictions, probabilities, inputs }: LogEntry): string {
  const rows = rowsOf(inputs);
  return predictions
    .map((prediction, index) => {
      const probability = probabilities?.[index]?.[String(prediction)];
      const share = probability === undefined ? "" : ` (${probability.toFixed(3)})`;
      const cells = Object.entries(rows(index)).map(([name, value]) => `${shown(name)}=${shown(value)}`);
      return [time, requestId.slice(0, 8), `${shown(prediction)}${share}`, cells.join(" ")].join("  ");
    })
    .join("\n");
}

function rowsOf(inputs: unknown): (index: number) => Readonly<Record<string, unknown>> {
  const { rows, columns } = (inputs ?? {}) as {
    rows?: readonly Readonly<Record<string, unknown>>[];
    columns?: Readonly<Record<string, readonly unknown[]>>;
  };
  return (index) =>
    rows?.[index] ??
    Object.fromEntries(Object.entries(columns ?? {}).map(([name, cells]) => [name, cells[index]]));
}

/** What others sent, on one line, and nothing that a terminal would obey. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return "-";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  const cut = text.length > CELL_CHARACTERS ? `${text.slice(0, CELL_CHARACTERS)}…` : text;
  const quoted = JSON.stringify(cut);
  return quoted === `"${cut}"` && !/[\s=\u007f-\u009f]/.test(cut) && cut !== ""
    ? cut
    : quoted.replace(/[\u007f-\u009f]/g, "?");
}
