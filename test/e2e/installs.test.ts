/** The author without an LLM installs LightGBM in a job of enough rows and time, and does without where it cannot be had. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JournalEntry } from "../../operator/api/journal.ts";
import { manifest } from "../builders/manifests.ts";
import { linear } from "../builders/tables.ts";
import { answers, autoai, type Ended, jobOf, journalOf, MINUTES, place } from "./harness.ts";

const here = place();
/** A package index that has nothing. */
const index = createServer((_, response) => response.writeHead(404).end());
let installed: Ended;
let refused: Ended;
let withLightgbm: JournalEntry[];
let without: JournalEntry[];

beforeAll(async () => {
  await new Promise<void>((resolve) => index.listen(0, "127.0.0.1", resolve));
  here.write("rows.csv", linear(2600));
  // As many steps, rows and seconds as the author wants before it thinks of another library.
  const long = { budget: { maxSteps: 6, maxSeconds: 1800 }, sandbox: { stepTimeoutSeconds: 300 } };
  here.write("with.yaml", manifest({ name: "with", ...long }));
  here.write("without.yaml", manifest({ name: "without", ...long }));
  const run = (file: string, env: Record<string, string>) =>
    autoai(["run", "-f", file, "--home", here.home, "--json"], { cwd: here.folder, env });
  // In this order, so that the base environment is there when the index is not.
  installed = await run("with.yaml", {});
  const { port } = index.address() as AddressInfo;
  refused = await run("without.yaml", { UV_DEFAULT_INDEX: `http://127.0.0.1:${port}/simple` });
  withLightgbm = await journalOf(here, "with");
  without = await journalOf(here, "without");
}, 30 * MINUTES);
afterAll(() => {
  index.close();
  here[Symbol.dispose]();
});

/** What the author said, reply by reply. */
const said = (entries: readonly JournalEntry[]): string =>
  entries
    .flatMap((entry) => (entry.type === "ReplyReceived" ? [JSON.stringify(entry.parts)] : []))
    .join("\n");

describe("a package that the author asks for", () => {
  test("is installed, and the models made with it are compared with the others", () => {
    expect(installed.code, installed.stderr).toBe(0);
    expect(jobOf(installed).status?.state).toBe("READY");
    expect(answers(withLightgbm, "install_dependencies")).toEqual([
      expect.stringMatching(/"ok":true.*"name":"lightgbm"/),
    ]);
    const [search = ""] = answers(withLightgbm, "execute_python_file");
    expect(search).toMatch(/trial +\d+ lightgbm +\w+ +-?\d/);
    expect(search).not.toMatch(/lightgbm: \w*Error/);
  });

  test("and that no index has is done without, and the job ends READY all the same", () => {
    expect(refused.code, refused.stderr).toBe(0);
    expect(jobOf(refused).status?.state).toBe("READY");
    expect(answers(without, "install_dependencies")).toEqual([expect.stringContaining('"ok":false')]);
    expect(said(without)).toContain("LightGBM could not be installed; I go on without it.");
    const searches = answers(without, "execute_python_file").join("\n");
    expect(searches).toMatch(/trial +\d+ boosting/);
    expect(searches).not.toContain("lightgbm");
  });
});
