/** Two operators at once, one that is gone in the middle of each phase, a lease that is stolen: every step is run once. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { findMinio, type Minio, startMinio } from "../minio.ts";
import { type Operator, type Story, World } from "./operators.ts";

const program = findMinio();

/** Pods in the middle of each phase, by the label at the end of their names; the phase in which the LLM is asked has none. */
const PHASES = [
  ["prepare", /-split$/],
  ["ask", undefined],
  ["run", /-s2c0$/],
  ["verify", /-s3c0-score$/],
  ["publish", /-reference$/],
] as const;

describe.runIf(program !== undefined)("of several operators", () => {
  let minio: Minio;
  let undisturbed: Story;
  let worlds = 0;
  const world = () => World.start(minio, `world-${++worlds}`);

  beforeAll(async () => {
    minio = await startMinio(String(program));
    await using alone = await world();
    await alone.operator();
    undisturbed = await alone.train();
    expect(alone.failures).toEqual([]);
  });
  afterAll(() => minio?.close());

  /** Calls back once, when the phase is at work: its pod is there, or the LLM was asked for the third time and has not answered. */
  function inTheMiddleOf(phase: RegExp | undefined, at: World, callback: () => Promise<void>): void {
    let isOver = false;
    const once = async (): Promise<void> => {
      if (isOver) return;
      isOver = true;
      await callback();
    };
    if (phase === undefined) at.onAsked = (turn) => (turn === 2 ? once() : undefined);
    else at.onPod = (name) => (phase.test(name) ? once() : undefined);
  }

  /** Whatever happened to the operators, the job is the same, and no pod was made twice. */
  function expectSame(story: Story, repliesMore: number): void {
    expect(story.entries).toEqual(undisturbed.entries);
    expect([...story.pods].sort()).toEqual([...undisturbed.pods].sort());
    expect(story.replies).toBe(undisturbed.replies + repliesMore);
  }

  /** Two, of which the first leads. */
  async function pair(at: World): Promise<readonly [Operator, Operator]> {
    const one = await at.operator();
    await vi.waitFor(() => expect(at.leader).toBe(one.identity), 30_000);
    return [one, await at.operator()];
  }

  it("one alone trains the job, each pod and each reply once", () => {
    expect(undisturbed.state).toBe("READY");
    expect(new Set(undisturbed.pods).size).toBe(undisturbed.pods.length);
    expect(undisturbed.replies).toBe(
      undisturbed.entries.filter(({ type }) => type === "ReplyReceived").length,
    );
    for (const [, phase] of PHASES)
      if (phase)
        expect(
          undisturbed.pods.some((name) => phase.test(name)),
          String(phase),
        ).toBe(true);
  });

  it.each(PHASES)(
    "the second goes on where the first one is gone in the middle of: %s",
    async (name, phase) => {
      await using at = await world();
      const [one] = await pair(at);
      inTheMiddleOf(phase, at, async () => {
        one.kill();
        at.expire();
      });
      const story = await at.train();
      expect(one.isGone()).toBe(true);
      // A reply that was under way is asked for again: nobody wrote it down.
      expectSame(story, name === "ask" ? 1 : 0);
    },
  );

  it.each(PHASES)("a thief takes the lease in the middle of: %s", async (name, phase) => {
    await using at = await world();
    const [one, two] = await pair(at);
    inTheMiddleOf(phase, at, async () => {
      at.steal(two.identity);
      await vi.waitFor(() => expect(one.isGone()).toBe(true), 30_000);
    });
    const story = await at.train();
    expectSame(story, name === "ask" ? 1 : 0);
  });

  it("where both lead at once, which no lease would allow, the journal is that of one", async () => {
    await using at = await world();
    await Promise.all([at.operator({ elected: false }), at.operator({ elected: false })]);
    const story = await at.train();
    expect(story.entries).toEqual(undisturbed.entries);
    expect(new Set(story.pods)).toEqual(new Set(undisturbed.pods));
    // Both may ask for the same reply, of which one is written down.
    expect(story.replies).toBeLessThanOrEqual(2 * undisturbed.replies);
  });
});
