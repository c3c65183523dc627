/** The product's own clients under faults of HTTP: a few of the schedules of `make faults ARGS="--wire"`. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startGeminiServer } from "../../fakes/gemini-server.ts";
import { findMinio, type Minio, startMinio } from "../../minio.ts";
import { Weather } from "../embedded/line.ts";
import { Random } from "../embedded/random.ts";
import type { Fault } from "../embedded/schedule.ts";
import { tell } from "../embedded/table.ts";
import type { Story } from "../operators.ts";
import { FaultProxy } from "./proxy.ts";
import { CALM, runOverHttp } from "./run.ts";

vi.setConfig({ testTimeout: 900_000, hookTimeout: 900_000 });

const program = findMinio();

describe.runIf(program !== undefined)("over HTTP", () => {
  let minio: Minio;
  let undisturbed: Story | undefined;
  beforeAll(async () => {
    minio = await startMinio(String(program));
    ({ story: undisturbed } = await runOverHttp(minio, "world-undisturbed", CALM));
  });
  afterAll(() => minio?.close());

  test("every line at once drops, cuts, repeats and refuses some of its requests, and the job is the same", async () => {
    const faults: readonly Fault[] = ["drop", "cut", "duplicate", "503"];
    const episodes = (["API", "store", "LLM"] as const).flatMap((seam) =>
      faults.map((fault) => ({ seam, fault, from: 0, until: 10, share: 0.04 })),
    );
    const watch = { seam: "watch", fault: "410", from: 0, until: 10, share: 0.5 } as const;
    const run = await runOverHttp(
      minio,
      "world-all",
      { ...CALM, episodes: [...episodes, watch] },
      undisturbed,
    );
    expect(tell(run)).toEqual(["seed 0: held"]);
    expect(run.struck.size).toBeGreaterThan(4);
  });
});

test("the proxy answers with the status that is asked for, breaks off, and passes on as it came", async () => {
  await using server = await startGeminiServer({ script: [] });
  const asked = async (fault: Fault | undefined): Promise<string> => {
    const episodes = fault ? [{ seam: "LLM", fault, from: 0, until: 9, share: 1 } as const] : [];
    const proxy = await FaultProxy.to(server.url, {
      seam: "LLM",
      weather: new Weather({ episodes }, new Random(1), () => 1),
    });
    const answer = await fetch(`${proxy.url}/requests`).then(
      async (response) => `${response.status} ${await response.text().catch(() => "broke off")}`,
      () => "no answer",
    );
    proxy.close();
    return answer;
  };
  expect(await asked(undefined)).toBe("200 []");
  expect(await asked("429")).toMatch(/^429 .*RESOURCE_EXHAUSTED/);
  expect(await asked("cut")).toBe("200 broke off");
  expect(await asked("drop")).toBe("no answer");
});
