import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Profile } from "../api/profile.ts";
import { installation, openHome } from "../embedded/home.ts";
import { once } from "../embedded/once.ts";
import { bringSource, sourceProblem } from "../embedded/source.ts";
import { EXIT, UsageError } from "./exit.ts";
import { table } from "./list.ts";
import { printable } from "./summary.ts";

/** `autoai preview`: what the intake makes of a file. Keeps nothing. */
export async function preview(
  file: string,
  options: { json?: boolean },
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const uri = pathToFileURL(resolve(file)).href;
  const problem = await sourceProblem({ uri });
  if (problem) throw new UsageError(problem);
  const folder = mkdtempSync(join(tmpdir(), "autoai-preview-"));
  try {
    const home = openHome(folder);
    const runner = once(home, installation(env), true);
    const input = `${runner.prefix}/source.csv`;
    await bringSource(home.cluster, home.store)({ uri }, "default", input);
    const outcome = await runner.run({
      kind: "Trusted",
      verb: "ingest",
      request: {
        input: "source.csv",
        format: { delimiter: "Auto", encoding: "Auto" },
        canonical: "canonical.csv",
      },
      inputs: { "source.csv": input },
      outputs: {},
    });
    if (outcome.refusal) throw new UsageError(`${file}: ${outcome.refusal.message}`);
    const profile = Profile.parse(outcome.result);
    process.stdout.write(options.json ? `${JSON.stringify(profile, null, 2)}\n` : previewText(file, profile));
    return EXIT.ready;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const SHOWN_CELL = 24;

/** A profile for people. */
export function previewText(file: string, profile: Profile): string {
  const { rows, columns, encoding, delimiter, sha256, sizeBytes } = profile;
  const cut = (text: string): string => {
    const clean = printable(text);
    return clean.length > SHOWN_CELL ? `${clean.slice(0, SHOWN_CELL - 1)}…` : clean;
  };
  const facts = columns.map(({ name, type, missing, distinct, distinctExact, min, max, top }) => [
    cut(name),
    type,
    String(missing),
    `${distinctExact ? "" : "~"}${distinct}`,
    min === undefined
      ? top
          .slice(0, 3)
          .map(({ value }) => cut(value))
          .join(", ")
      : `${min} to ${max}`,
  ]);
  return [
    `${printable(file)}: ${rows} rows, ${columns.length} columns, ${sizeBytes} bytes, ${encoding}, delimiter ${JSON.stringify(delimiter)}, SHA-256 ${sha256}\n`,
    table([["COLUMN", "TYPE", "MISSING", "DISTINCT", "VALUES"], ...facts]),
    table([profile.preview.columns.map(cut), ...profile.preview.rows.map((row) => row.map(cut))]),
    profile.warnings.map(({ code, message }) => `warning: ${printable(message)} (${code})\n`).join(""),
  ]
    .filter((part) => part !== "")
    .join("\n");
}
