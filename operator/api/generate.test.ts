import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";

const script = join(import.meta.dirname, "generate.ts");
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "autoai-generate-"));
  execFileSync(process.execPath, [script, "--root", folder]);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const check = (root: string) =>
  spawnSync(process.execPath, [script, "--check", "--root", root], { encoding: "utf8" });

test("what was just generated is fresh", () => {
  expect(check(folder).status).toBe(0);
  expect(existsSync(join(folder, "crds/autoai.dev_trainingjobs.yaml"))).toBe(true);
  expect(existsSync(join(folder, "docs/reference/trainingjob.md"))).toBe(true);
});

test("--check names a file that was edited, one that is missing and one that does not belong, and mends none", () => {
  appendFileSync(join(folder, "crds/autoai.dev_datasets.yaml"), "# by hand\n");
  rmSync(join(folder, "docs/reference/journal.md"));
  writeFileSync(join(folder, "crds/other.yaml"), "");
  for (let time = 0; time < 2; time++) {
    const { status, stderr } = check(folder);
    expect(status).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/^crds\/autoai.dev_datasets.yaml: .*npm run generate$/),
      expect.stringMatching(/^docs\/reference\/journal.md: .*npm run generate$/),
      expect.stringMatching(/^crds\/other.yaml: .*delete it$/),
    ]);
  }
});

test("the repository's own generated files are fresh", () => {
  const { stderr, status } = check(join(import.meta.dirname, "..", ".."));
  expect(stderr).toBe("");
  expect(status).toBe(0);
});

test("a CRD means the same to readers of YAML 1.1, such as kubectl, which takes a plain Off for false", () => {
  const crds = join(folder, "crds");
  for (const name of readdirSync(crds)) {
    const text = readFileSync(join(crds, name), "utf8");
    expect(parse(text, { version: "1.1" }), name).toEqual(parse(text));
  }
});
