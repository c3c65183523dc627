/** What AutoAI is made of: licences, pinned bytes, bills of materials. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  ALLOWED_FOR_TOOLS,
  isAllowed,
  npmLock,
  npmPackages,
  pythonPackages,
  refused,
  table,
} from "../scripts/licences.ts";
import { type Bom, type Image, ofImage } from "../scripts/sbom.ts";

const ROOT = join(import.meta.dirname, "..");
const text = (path: string): string => readFileSync(join(ROOT, path), "utf8");

describe("licences", () => {
  test("of all that is shipped are allowed, and those of tools", () => {
    const { shipped, tools } = npmPackages();
    expect(refused([...shipped, ...pythonPackages()])).toEqual([]);
    expect(refused(tools, ALLOWED_FOR_TOOLS)).toEqual([]);
  });

  test("of what the console's pages are bundled from count as shipped", () => {
    const names = npmPackages().shipped.map(({ name }) => name);
    for (const name of ["react", "react-dom", "recharts", "@mantine/core", "scheduler"])
      expect(names).toContain(name);
    expect(names).not.toContain("vitest");
  });

  test("are listed in docs/licences.md as they are", () => {
    expect(text("docs/licences.md")).toBe(table());
  });

  test.each([
    ...["GPL-3.0-only", "AGPL-3.0-only", "LGPL-2.1-or-later", "SSPL-1.0", "BUSL-1.1", "MPL-2.0"],
    ...["MIT AND GPL-3.0-only", "(MIT OR Apache-2.0) AND GPL-2.0-only", "UNLICENSED", "none named", ""],
    ...[
      "SEE LICENSE IN LICENSE.md",
      "MIT OR",
      "(MIT",
      "MIT)",
      "MIT Apache-2.0",
      "GPL-2.0-only WITH Classpath",
    ],
  ])("that are not allowed are refused: %j", (licence) => {
    const one = { name: "one", version: "1.0.0", licence };
    expect(refused([{ ...one, licence: "MIT" }, one])).toEqual([one]);
  });

  test.each([
    "MIT",
    "(MIT OR GPL-3.0-only)",
    "MIT AND (GPL-2.0-only OR ISC)",
    "BSD-3-Clause AND 0BSD AND MIT",
  ])("that can be met are allowed: %j", (licence) => expect(isAllowed(licence)).toBe(true));
});

describe("what is installed", () => {
  test("by npm is pinned by a digest", () => {
    const loose = Object.entries(npmLock()).filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? ""));
    expect(loose.map(([path]) => path)).toEqual([]);
  });

  test("by uv is pinned by digests, in each lock", () => {
    const locks = readdirSync(join(ROOT, "runner")).filter((name) => name.endsWith(".txt"));
    expect(locks).toContain("requirements.txt");
    for (const lock of locks) {
      const entries = text(`runner/${lock}`)
        .replaceAll(/^\s*#.*\n/gm, "")
        .replaceAll("\\\n", " ")
        .split("\n")
        .filter((line) => line.trim() !== "");
      for (const entry of entries)
        expect(entry, lock).toMatch(/^[\w.-]+(\[[\w,-]+\])?==\S+.*--hash=sha256:[0-9a-f]{64}/);
    }
  });

  test("into images is what the locks say, on base images that are held by digest", () => {
    const dockerfile = text("Dockerfile");
    const commands = dockerfile.replaceAll("\\\n", " ").split("\n");
    const installs = commands.filter((line) => /\b(npm|pip|uv pip)\b.*\b(install|ci)\b/.test(line));
    expect(installs.length).toBeGreaterThan(2);
    for (const line of installs) {
      for (const [npm] of line.matchAll(/npm (install|ci)\b/g)) expect(npm).toBe("npm ci");
      for (const [pip] of line.matchAll(/pip install[^&]*/g))
        expect(pip).toMatch(/--require-hashes --only-binary :all:/);
    }
    const bases = commands.flatMap((line) => /^FROM (\S+)/.exec(line)?.[1] ?? []);
    const stages = new Set(commands.flatMap((line) => / AS (\S+)$/.exec(line)?.[1] ?? []));
    for (const base of bases)
      expect(stages.has(base) || /^\$\{(NODE|PYTHON)_IMAGE\}$/.test(base), base).toBe(true);
    for (const name of ["NODE_IMAGE", "PYTHON_IMAGE"])
      expect(dockerfile).toMatch(new RegExp(`^ARG ${name}=[a-z]+:[\\w.-]+@sha256:[0-9a-f]{64}$`, "m"));
  });
});

describe("scripts/pin-bases", () => {
  /** In a tree of its own, with a skopeo that answers with a manifest that names what it was asked for. */
  function pin(skopeo: string, ...args: string[]): { code: number; errors: string; dockerfile: string } {
    const tree = mkdtempSync(join(tmpdir(), "pin-bases-"));
    try {
      mkdirSync(join(tree, "scripts"));
      mkdirSync(join(tree, "bin"));
      cpSync(join(ROOT, "scripts/pin-bases"), join(tree, "scripts/pin-bases"));
      cpSync(join(ROOT, "Dockerfile"), join(tree, "Dockerfile"));
      writeFileSync(join(tree, "bin/skopeo"), `#!/bin/sh\n${skopeo}\n`, { mode: 0o755 });
      const { status, stderr } = spawnSync(join(tree, "scripts/pin-bases"), args, {
        encoding: "utf8",
        env: { PATH: `${join(tree, "bin")}:${process.env.PATH}` },
      });
      return {
        code: status ?? -1,
        errors: stderr,
        dockerfile: readFileSync(join(tree, "Dockerfile"), "utf8"),
      };
    } finally {
      rmSync(tree, { recursive: true });
    }
  }
  const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

  test("writes the digests of the tags that stand there, or of others, and leaves the rest", () => {
    const { code, dockerfile } = pin('printf "%s" "$3"', "PYTHON_IMAGE=python:3.14-slim");
    const node = /^ARG NODE_IMAGE=([^@]+)/m.exec(text("Dockerfile"))?.[1];
    expect(code).toBe(0);
    expect(dockerfile).toContain(`\nARG NODE_IMAGE=${node}@sha256:${digest(`docker://${node}`)}\n`);
    const python = digest("docker://python:3.14-slim");
    expect(dockerfile).toContain(`\nARG PYTHON_IMAGE=python:3.14-slim@sha256:${python}\n`);
    const rest = (file: string): string => file.replaceAll(/^ARG .*$/gm, "");
    expect(rest(dockerfile)).toBe(rest(text("Dockerfile")));
  });

  test.each([
    ["exit 1", [], "the registry did not answer"],
    ["true", ["NODE_IMAGE=node:26@sha256:00"], "expected NODE_IMAGE=NAME:TAG"],
  ])("leaves the Dockerfile as it is where %s", (skopeo, args, why) => {
    const { code, errors, dockerfile } = pin(skopeo, ...args);
    expect([code, errors]).toEqual([1, expect.stringContaining(why)]);
    expect(dockerfile).toBe(text("Dockerfile"));
  });
});

test("bills of materials have what the images have, with licences, and no tools", () => {
  const flags = ["--sbom-format", "cyclonedx", "--package-lock-only"];
  const all = JSON.parse(
    execFileSync("npm", ["sbom", ...flags], { cwd: ROOT, encoding: "utf8", maxBuffer: 64 * 1024 ** 2 }),
  ) as Bom;
  const { dependencies } = JSON.parse(text("package.json")) as { dependencies: Record<string, string> };
  const locked = npmLock();
  const named = (image: Image): Set<string> => {
    const { components } = ofImage(all, image);
    for (const { name, licenses } of components) expect(licenses, name).toBeDefined();
    return new Set(components.map(({ name, version }) => `${name} ${version}`));
  };
  const images = {
    operator: named("operator"),
    server: named("inference-server"),
    console: named("console"),
  };
  const versioned = (name: string): string => `${name} ${locked[`node_modules/${name}`]?.version}`;
  for (const image of Object.values(images)) {
    for (const name of Object.keys(dependencies)) expect(image).toContain(versioned(name));
    expect(image).not.toContain(versioned("vitest"));
  }
  expect(images.server).toContain(versioned("onnxruntime-node"));
  expect(images.operator).not.toContain(versioned("onnxruntime-node"));
  expect(images.console).toContain(versioned("react"));
  expect(images.operator).not.toContain(versioned("react"));
});
