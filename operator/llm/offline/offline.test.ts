import { describe, expect, it } from "vitest";
import type { Turn } from "../language-model.ts";
import { OfflineModel } from "./index.ts";
import {
  ask,
  BEGINNING,
  column,
  converse,
  FIT_FAILED,
  INSTALLED,
  number,
  PLENTY,
  path,
  request,
  SAVED,
  SEARCH_TIMED_OUT,
  searched,
  written,
} from "./testing.ts";

const SMALL = { rows: 500 };
const LARGE = { rows: 8000 };
const GOES_WELL = {
  install_dependencies: [INSTALLED],
  execute_python_file: [searched(0.9), searched(0.89)],
  save_model_settings: [SAVED],
};

describe("a reply", () => {
  it("says first that no LLM is involved, and costs no tokens", async () => {
    const reply = await new OfflineModel().reply(request([BEGINNING]), new AbortController().signal);
    expect(reply.parts[0]?.text).toMatch(/no LLM/i);
    expect(reply).toMatchObject({
      finish: "Stop",
      model: "offline",
      usage: { promptTokens: 0, outputTokens: 0, totalTokens: 0 },
    });
  });

  it("is the same for the same request, whoever asked before", async () => {
    const author = new OfflineModel();
    const signal = new AbortController().signal;
    await author.reply(request([BEGINNING], LARGE), signal);
    const again = await author.reply(request([BEGINNING], SMALL), signal);
    expect(again).toEqual(await new OfflineModel().reply(request([BEGINNING], SMALL), signal));
  });

  it("is not given once the request was cancelled", async () => {
    const cancelled = AbortSignal.abort(new Error("stopped"));
    await expect(new OfflineModel().reply(request([BEGINNING]), cancelled)).rejects.toThrow("stopped");
  });
});

describe("the way through a job", () => {
  it("saves a draft in its first step, so that any budget ends with a model", async () => {
    const replies = await converse(GOES_WELL, SMALL, { ...PLENTY, steps: 1 });
    expect(path(replies)).toEqual(["save Draft blend"]);
    expect(replies[0]?.calls.map(({ args }) => args.path ?? args.entry)).toEqual([
      "features.py",
      "models.py",
      "train.py",
      "train.py",
    ]);
  });

  it("searches, saves what it found, and ends when another search finds nothing better", async () => {
    expect(path(await converse(GOES_WELL, SMALL))).toEqual([
      "save Draft blend",
      "execute_python_file",
      "save Tuned blend",
      "execute_python_file",
      "done",
    ]);
  });

  it("writes the blend that the search found into the recipe, and claims its score", async () => {
    const replies = await converse(GOES_WELL, SMALL);
    const save = replies[2];
    expect(written(save, "train.py")).toContain(
      '{"weight": 0.6, "model": "boosting", "view": "ordered", "settings": {"learning_rate": 0.05, "max_iter": 80}}',
    );
    expect(save?.calls.at(-1)?.args).toMatchObject({ name: "Tuned blend", claimed_score: 0.9 });
  });

  it("claims an error as a positive number", async () => {
    const script = { ...GOES_WELL, execute_python_file: [searched(-3.5)] };
    const replies = await converse(script, { ...SMALL, task: "Regression" });
    expect(replies[2]?.calls.at(-1)?.args.claimed_score).toBe(3.5);
  });

  it("searches around the blend that was found before, where time is left for another round", async () => {
    const replies = await converse(GOES_WELL, SMALL);
    expect(written(replies[3], "trials.py")).toContain('"settings": {"learning_rate": 0.05, "max_iter": 80}');
  });

  it("goes on from any point of the conversation as if nothing had happened", async () => {
    const replies = await converse(GOES_WELL, LARGE);
    const turns: Turn[] = [BEGINNING];
    for (const [index, reply] of replies.entries()) {
      const remaining = { ...PLENTY, steps: PLENTY.steps - index };
      expect((await ask(request(turns, LARGE, remaining))).turn).toEqual(reply.turn);
      const count = (name: string) =>
        turns
          .flatMap((turn) => (turn.role === "tools" ? turn.responses : []))
          .filter((made) => made.name === name).length;
      turns.push(reply.turn, {
        role: "tools",
        responses: reply.calls.map(({ name }) => {
          const answers = GOES_WELL[name as keyof typeof GOES_WELL] ?? [{ ok: true }];
          return { name, response: answers[Math.min(count(name), answers.length - 1)] ?? { ok: true } };
        }),
      });
    }
  });

  it("with two steps drafts and searches in the first, and saves in the second", async () => {
    expect(path(await converse(GOES_WELL, SMALL, { ...PLENTY, steps: 2 }))).toEqual([
      "save Draft blend",
      "execute_python_file",
      "save Tuned blend",
    ]);
  });

  it("does not begin a search that could not be followed by a save", async () => {
    const few = await converse(GOES_WELL, SMALL, { ...PLENTY, seconds: 25 });
    expect(path(few)).toEqual(["save Draft blend", "done"]);
  });

  it.each([30, 60, 120, 180, 600, 3600])(
    "keeps time to verify what a search of a %i s budget finds",
    async (seconds) => {
      const replies = await converse(GOES_WELL, LARGE, { ...PLENTY, seconds });
      const searches = replies.flatMap(({ calls }) =>
        calls.filter(({ name }) => name === "execute_python_file"),
      );
      for (const { args } of searches) {
        const spent = Number((args.args as string[])[1]);
        expect(spent).toBeLessThanOrEqual(seconds - 12);
        expect(spent).toBeLessThanOrEqual(300);
      }
    },
  );
});

it("a blend may take as long to fit as the draft did, and leaves time to verify it", async () => {
  const baselines = [{ name: "prior", verifiedScore: 0.5, standardError: 0.01, seconds: 12 }];
  // The draft: three rounds of 4 s, half of it for fits.
  const script = { ...GOES_WELL, save_model_settings: [{ ...SAVED, seconds: 12 }] };
  for (const seconds of [60, 70, 180]) {
    const replies = await converse(script, { ...SMALL, baselines }, { ...PLENTY, steps: 4, seconds });
    const [, spent, , fit] = (replies[1]?.calls.at(-1)?.args.args ?? []) as string[];
    expect(Number(fit)).toBeGreaterThanOrEqual(2);
    expect(Number(spent) + 3 * (Number(fit) + 2)).toBeLessThanOrEqual(seconds);
  }
});

describe("a busy machine", () => {
  const busy = {
    ...LARGE,
    baselines: [{ name: "prior", verifiedScore: 0.5, standardError: 0.01, seconds: 40 }],
  };

  it("gets fewer trials in the same time", async () => {
    const idle = {
      ...LARGE,
      baselines: [{ name: "prior", verifiedScore: 0.5, standardError: 0.01, seconds: 6 }],
    };
    const trials = async (parts: typeof LARGE) => {
      const replies = await converse(GOES_WELL, parts, { ...PLENTY, seconds: 150 });
      const search = replies.find(({ calls }) => calls.some(({ name }) => name === "execute_python_file"));
      return written(search, "trials.py").split('"stops"').length - 1;
    };
    expect(await trials(busy)).toBeLessThan(await trials(idle));
  });

  it("is not given a search whose find could not be verified in what is left", async () => {
    const slow = { ...GOES_WELL, save_model_settings: [{ ...SAVED, seconds: 60 }] };
    expect(path(await converse(slow, busy, { ...PLENTY, seconds: 80 }))).toEqual([
      "save Draft blend",
      "done",
    ]);
  });
});

it("a search that finds nothing better than plain boosting ends without another save", async () => {
  const plain = [{ model: "boosting", view: "ordered", settings: {}, weight: 1 }];
  const script = { ...GOES_WELL, execute_python_file: [searched(0.8, plain)] };
  expect(path(await converse(script, SMALL))).toEqual(["save Draft blend", "execute_python_file", "done"]);
});

it("of several results of a search the last whole one counts", async () => {
  const lines = [searched(0.8), searched(0.9)].map(({ output }) => (output as { head: string }).head);
  const cut = {
    ok: false,
    ended: "TimedOut",
    output: { head: lines.join(""), tail: 'RESULT {"sco', truncated: 9 },
  };
  const replies = await converse({ ...GOES_WELL, execute_python_file: [cut] }, SMALL);
  expect(replies[2]?.calls.at(-1)?.args).toMatchObject({ name: "Tuned blend", claimed_score: 0.9 });
});

describe("what goes wrong", () => {
  it("a draft that fails is followed by simpler models, one after another, and then by an end", async () => {
    const replies = await converse({ save_model_settings: [FIT_FAILED] }, SMALL);
    expect(path(replies)).toEqual([
      "save Draft blend",
      "save Simple model 1",
      "save Simple model 2",
      "save Simple model 3",
      "done",
    ]);
    expect(replies[1]?.text).toContain("no such thing");
    const models = replies.slice(0, 4).map((reply) => written(reply, "train.py"));
    expect(new Set(models).size).toBe(4);
  });

  it("a simpler model that works is the base of the search", async () => {
    const replies = await converse({ ...GOES_WELL, save_model_settings: [FIT_FAILED, SAVED] }, SMALL);
    expect(path(replies).slice(0, 4)).toEqual([
      "save Draft blend",
      "save Simple model 1",
      "execute_python_file",
      "save Tuned blend",
    ]);
  });

  it("a search that times out is followed by a smaller one", async () => {
    const replies = await converse(
      { ...GOES_WELL, execute_python_file: [SEARCH_TIMED_OUT, searched(0.9), searched(0.8)] },
      SMALL,
    );
    expect(path(replies).slice(0, 4)).toEqual([
      "save Draft blend",
      "execute_python_file",
      "execute_python_file",
      "save Tuned blend",
    ]);
    const trials = (index: number) => written(replies[index], "trials.py").split('"stops"').length - 1;
    expect(trials(2)).toBeLessThan(trials(1));
    const seconds = (index: number) =>
      Number((replies[index]?.calls.at(-1)?.args.args as string[] | undefined)?.[1]);
    expect(seconds(2)).toBeLessThan(seconds(1));
  });

  it("a search that fails twice leaves the draft standing", async () => {
    expect(path(await converse({ ...GOES_WELL, execute_python_file: [SEARCH_TIMED_OUT] }, SMALL))).toEqual([
      "save Draft blend",
      "execute_python_file",
      "execute_python_file",
      "done",
    ]);
  });

  it.each([
    ["no result", "trial 0 went well\n"],
    ["half a result", 'RESULT {"score": 0.9, "mem'],
    [
      "a model that does not exist",
      'RESULT {"score":1,"plain":1,"prior_power":0,"fit_seconds":1,"finished":1,"members":[{"model":"eval","view":"tree","settings":{},"weight":1}]}',
    ],
    ["no members", 'RESULT {"score":1,"plain":1,"prior_power":0,"fit_seconds":1,"finished":1,"members":[]}'],
  ])("a search whose output holds %s counts as failed", async (_, head) => {
    const odd = { ok: true, output: { head, tail: "", truncated: 0 } };
    const replies = await converse(
      { ...GOES_WELL, execute_python_file: [odd, searched(0.9), searched(0.8)] },
      SMALL,
    );
    expect(path(replies).slice(0, 4)).toEqual([
      "save Draft blend",
      "execute_python_file",
      "execute_python_file",
      "save Tuned blend",
    ]);
  });

  it("a tuned blend that fails is reduced to its strongest member, once", async () => {
    const replies = await converse({ ...GOES_WELL, save_model_settings: [SAVED, FIT_FAILED, SAVED] }, SMALL);
    expect(path(replies).slice(2, 4)).toEqual(["save Tuned blend", "save Tuned blend, smaller"]);
    expect(written(replies[3], "train.py").match(/"weight"/g)).toHaveLength(1);
    const never = await converse({ ...GOES_WELL, save_model_settings: [SAVED, FIT_FAILED] }, SMALL);
    expect(path(never).slice(2)).toEqual(["save Tuned blend", "save Tuned blend, smaller", "done"]);
  });

  it("a package index out of reach means going on without the package", async () => {
    const refused = {
      ...GOES_WELL,
      install_dependencies: [{ ok: false, error: "the index did not answer" }],
    };
    const replies = await converse(refused, LARGE);
    expect(path(replies).slice(0, 4)).toEqual([
      "save Draft blend",
      "install_dependencies",
      "execute_python_file",
      "save Tuned blend",
    ]);
    expect(written(replies[2], "trials.py")).not.toContain('"model": "lightgbm"');
    expect(written((await converse(GOES_WELL, LARGE))[2], "trials.py")).toContain("lightgbm");
  });
});

describe("the recipe", () => {
  const features = async (columns: Parameters<typeof converse>[1]) =>
    written(
      (await converse({ save_model_settings: [SAVED] }, columns, { ...PLENTY, steps: 1 }))[0],
      "features.py",
    );

  it("leaves out identifiers, constants, empty columns and the column that names the groups", async () => {
    const text = await features({
      columns: [
        number("kept"),
        column("id", "Identifier"),
        column("same", "Category", { distinct: 1 }),
        column("void", "Empty", { distinct: 0 }),
        column("family", "Category"),
      ],
      splitBy: { kind: "Group", column: "family" },
    });
    expect(text).toMatch(/NUMBERS = \[\n {4}"kept",/);
    for (const name of ["id", "same", "void", "family"]) expect(text).toContain(`# Left out: "${name}"`);
  });

  it("treats prose as words, codes as codes, dates as parts", async () => {
    const text = await features({
      columns: [
        column("comment", "Text", { meanLength: 80 }),
        column("ticket", "Category", { distinct: 600, meanLength: 6 }),
        column("opened", "Date", { distinct: 300 }),
      ],
    });
    expect(text).toMatch(/TEXTS = \[\n {4}"comment",/);
    expect(text).toMatch(/CODES = \[\n {4}"ticket",/);
    expect(text).toMatch(/DATES = \[\n {4}"opened",/);
    expect(text).toContain("class TextParts");
  });

  it("holds nothing of what the data do not have", async () => {
    const text = await features({ columns: [number("a")] });
    expect(text).not.toMatch(/class (TextParts|CodeShape|DateParts)/);
    expect(text).not.toContain("import re\n");
  });

  it("prefers rare classes as the metric does", async () => {
    const train = async (metric: "Accuracy" | "BalancedAccuracy") =>
      written(
        (await converse({ save_model_settings: [SAVED] }, { metric }, { ...PLENTY, steps: 1 }))[0],
        "train.py",
      );
    expect(await train("Accuracy")).toContain("PRIOR_POWER = 0\n");
    expect(await train("BalancedAccuracy")).toContain("PRIOR_POWER = 1\n");
  });

  it("fits absolute errors where those are what counts", async () => {
    const replies = await converse(
      { save_model_settings: [SAVED] },
      { task: "Regression", metric: "Mae" },
      { ...PLENTY, steps: 1 },
    );
    expect(written(replies[0], "models.py")).toContain('LOSS = "absolute_error"');
  });
});
