import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryCluster } from "../../operator/cluster/memory.ts";
import type { ArtifactStore } from "../../operator/storage/artifact-store.ts";
import { MemoryStore } from "../../operator/storage/memory-store.ts";
import { FIXED, type Gate, runEmbedded, type World, worldOfFiles } from "./run-embedded.ts";

const PREFIX = "jobs/default/churn-0b5e2a1c/journal";

/** Everything that a job leaves, the diary apart. */
async function everything(store: ArtifactStore): Promise<Record<string, string>> {
  const keys = await store.list("jobs/");
  const models = await store.list("models/");
  // The report says where things lie, which is the one difference that there may be.
  const root = store.uri("x").slice(0, -1);
  const bodies = await Promise.all(
    [...keys, ...models].map(
      async (key) =>
        [
          key,
          Buffer.from(await store.get(key))
            .toString()
            .replaceAll(root, "store:"),
        ] as const,
    ),
  );
  return Object.fromEntries(bodies);
}

function journalOf(all: Record<string, string>): string[] {
  return Object.entries(all).flatMap(([key, body]) => (key.startsWith(PREFIX) ? [body] : []));
}

/** How often each line stands in the diary, where it is more than once. */
function repeated(lines: readonly string[]): string[] {
  return lines.filter((line, index) => lines.indexOf(line) !== index);
}

/** A crash costs the executions and the reply in flight at that moment (at most as many as run at once), nothing else. */
// Publishing has three at once: the winner's, a baseline's, and what the report is made from.
const IN_FLIGHT = 3;

function memoryWorld(): World & { lines: string[] } {
  const lines: string[] = [];
  return {
    store: new MemoryStore(),
    cluster: new MemoryCluster(FIXED),
    diary: (line) => void lines.push(line),
    lines,
  };
}

/**
 * Every so many awaits and effects: each with AUTOAI_FAULTS=all, as `make faults` has it. Odd, so that it dies before calls and after
 * them.
 */
const [AWAITS_APART, EFFECTS_APART] = process.env.AUTOAI_FAULTS === "all" ? [1, 1] : [3, 5];

const NEVER = new Promise<void>(() => undefined);

/** A gate at which the operator stops for good, as a killed one does; nothing of it passes any more. */
function deadlyGate(at: number, onDeath: () => void): Gate {
  let passed = 0;
  return () => {
    passed += 1;
    if (passed < at) return undefined;
    if (passed === at) onDeath();
    return NEVER;
  };
}

let undisturbed: Record<string, string>;
let awaits = 0;
let effects = 0;

beforeAll(async () => {
  const world = memoryWorld();
  await runEmbedded(world, (effect) => {
    awaits += 1;
    if (effect) effects += 1;
  });
  undisturbed = await everything(world.store);
  expect(repeated(world.lines)).toEqual([]);
  expect(journalOf(undisturbed).at(-1)).toContain('"READY"');
});

describe("an operator that dies and is started again", () => {
  it(`leaves the journal of an undisturbed run, wherever it stopped: one await in ${AWAITS_APART}`, async () => {
    expect(awaits).toBeGreaterThan(1000);
    for (let at = 1; at <= awaits; at += AWAITS_APART) {
      const world = memoryWorld();
      await new Promise<void>((resolve, reject) => {
        runEmbedded(world, deadlyGate(at, resolve)).then(resolve, reject);
      });
      await runEmbedded(world, () => undefined);
      expect(journalOf(await everything(world.store)), `stopped at await ${at}`).toEqual(
        journalOf(undisturbed),
      );
      expect(repeated(world.lines).length, `stopped at await ${at}`).toBeLessThanOrEqual(IN_FLIGHT);
    }
  }, 900_000);

  const folder = mkdtempSync(join(tmpdir(), "autoai-kill-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it(`leaves the same files, killed by SIGKILL: at one effect in ${EFFECTS_APART}`, async () => {
    expect(effects).toBeGreaterThan(200);
    const points = Array.from(
      { length: Math.ceil(effects / EFFECTS_APART) },
      (_, index) => index * EFFECTS_APART + 1,
    );
    const worker = async (): Promise<void> => {
      for (let at = points.shift(); at !== undefined; at = points.shift()) {
        const home = join(folder, String(at));
        expect(await killedAt(home, at), `killed at effect ${at}`).toBe("SIGKILL");
        const world = worldOfFiles(home);
        await runEmbedded(world, () => undefined);
        expect(await everything(world.store), `killed at effect ${at}`).toEqual(undisturbed);
        const lines = readFileSync(join(home, "diary"), "utf8").trim().split("\n");
        expect(repeated(lines).length, `killed at effect ${at}`).toBeLessThanOrEqual(IN_FLIGHT);
        rmSync(home, { recursive: true, force: true });
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, worker));
  }, 1_200_000);
});

/** The signal that ended the process. */
function killedAt(home: string, at: number): Promise<string | null> {
  const program = join(import.meta.dirname, "killed-process.ts");
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, home, String(at)], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "autoai-compile-cache") },
    });
    child.once("error", reject);
    child.once("exit", (_code, signal) => resolve(signal));
  });
}
