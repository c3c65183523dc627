/** Builders for this folder's tests: briefings, requests, and a conversation that goes on as the operator's would. */
import type { ColumnProfile } from "../../api/profile.ts";
import type { Briefing, LlmRequest, Remaining, ToolResponse, Turn } from "../language-model.ts";
import { functionCalls } from "../language-model.ts";
import { OfflineModel } from "./index.ts";

type Response = ToolResponse["response"];

export function column(
  name: string,
  type: ColumnProfile["type"],
  rest: Partial<ColumnProfile> = {},
): ColumnProfile {
  return { name, type, missing: 0, distinct: 20, distinctExact: true, top: [], meanLength: 5, ...rest };
}

export function number(name: string, rest: Partial<ColumnProfile> = {}): ColumnProfile {
  return column(name, "Number", {
    min: "0",
    max: "10",
    mean: 5,
    standardDeviation: 2,
    distinct: 200,
    ...rest,
  });
}

export type BriefingParts = Partial<Omit<Briefing, "profile" | "split">> & {
  readonly columns?: readonly ColumnProfile[];
  readonly rows?: number;
  readonly classes?: readonly string[];
  readonly method?: "Holdout" | "CrossValidation";
};

export function briefing(parts: BriefingParts = {}): Briefing {
  const { columns, rows = 1000, classes, method = "CrossValidation", ...rest } = parts;
  const task = rest.task ?? "BinaryClassification";
  const target = rest.target ?? "y";
  const features = columns ?? [number("a"), column("b", "Category", { distinct: 4 })];
  return {
    goal: undefined,
    target,
    task,
    metric: task === "Regression" ? "Rmse" : "RocAuc",
    direction: task === "Regression" ? "Minimize" : "Maximize",
    acceptanceScore: undefined,
    seed: 0,
    profile: {
      sha256: "0".repeat(64),
      sizeBytes: 1,
      encoding: "utf-8",
      delimiter: ",",
      rows,
      columns: [
        ...features,
        task === "Regression" ? number(target) : column(target, "Category", { distinct: 2 }),
      ],
      duplicateRows: 0,
      preview: { columns: [], rows: [] },
      warnings: [],
    },
    split: {
      task,
      classes: [...(classes ?? (task === "Regression" ? [] : ["no", "yes"]))],
      method,
      folds: method === "Holdout" ? 0 : 5,
      rows: {
        train: Math.round(rows * 0.6),
        selection: Math.round(rows * 0.2),
        final: Math.round(rows * 0.2),
        dropped: 0,
      },
      warnings: [],
      files: {},
    },
    splitBy: { kind: "Random" },
    baselines: [{ name: "boosting", verifiedScore: 0.8, standardError: 0.01, seconds: 8 }],
    packages: [],
    stepTimeoutSeconds: 300,
    cpus: 2,
    ...rest,
  };
}

export const PLENTY: Remaining = { steps: 30, seconds: 600, tokens: 1_000_000 };

export function request(
  turns: readonly Turn[],
  parts: BriefingParts = {},
  remaining: Remaining = PLENTY,
): LlmRequest {
  return { system: "", turns, tools: [], maxOutputTokens: 16_384, briefing: briefing(parts), remaining };
}

export const BEGINNING: Turn = { role: "user", text: "Predict the target column." };

export const INSTALLED: Response = { ok: true, installed: [{ name: "lightgbm", version: "4.7.0" }] };
export const SAVED: Response = {
  ok: true,
  candidate: 2,
  verifiedScore: 0.85,
  standardError: 0.01,
  best: true,
  gain: 0.05,
  gainIsNoise: false,
  seconds: 12,
  warnings: [],
};
export const FIT_FAILED: Response = {
  ok: false,
  stage: "Fit",
  error: "train.py exited with code 1",
  traceback: "Traceback (most recent call last):\nValueError: no such thing",
};

export type FoundMember = { model: string; view: string; settings: Record<string, unknown>; weight: number };

export function searched(score: number, members?: readonly FoundMember[]): Response {
  const result = {
    score,
    plain: 0.8,
    prior_power: 0,
    fit_seconds: 2,
    finished: 12,
    members: members ?? [
      { model: "boosting", view: "ordered", settings: { learning_rate: 0.05, max_iter: 80 }, weight: 0.6 },
      { model: "linear", view: "linear", settings: { C: 0.3 }, weight: 0.4 },
    ],
  };
  const head = `trial 0\nRESULT ${JSON.stringify(result)}\n`;
  return {
    ok: true,
    ended: "Completed",
    exitCode: 0,
    seconds: 20,
    peakMemoryMb: 300,
    output: { head, tail: "", truncated: 0 },
  };
}
export const SEARCH_TIMED_OUT: Response = {
  ok: false,
  ended: "TimedOut",
  exitCode: null,
  seconds: 60,
  peakMemoryMb: 300,
  output: { head: "", tail: "", truncated: 0 },
  error: "the program ran into the time limit",
};

export type Call = { readonly name: string; readonly args: Readonly<Record<string, unknown>> };
export type Reply = { readonly text: string; readonly calls: readonly Call[]; readonly turn: Turn };

/** One reply of a fresh author: nothing can have been kept from an earlier one. */
export async function ask(made: LlmRequest): Promise<Reply> {
  const reply = await new OfflineModel().reply(made, new AbortController().signal);
  const [first] = reply.parts;
  return {
    text: typeof first?.text === "string" ? first.text : "",
    calls: functionCalls(reply.parts).map(({ name, args }) => ({ name, args: args as Call["args"] })),
    turn: { role: "model", parts: reply.parts },
  };
}

/** How the tools answer: by name, one response after another; the last one stays. Writing always works. */
export type Script = Readonly<Record<string, readonly Response[]>>;

/** Plays a whole conversation; returns the replies. */
export async function converse(
  script: Script,
  parts: BriefingParts = {},
  remaining: Remaining = PLENTY,
): Promise<Reply[]> {
  const turns: Turn[] = [BEGINNING];
  const replies: Reply[] = [];
  const asked: Record<string, number> = {};
  for (let steps = remaining.steps; steps > 0 && replies.length < 40; steps--) {
    const reply = await ask(request(turns, parts, { ...remaining, steps }));
    replies.push(reply);
    if (reply.calls.length === 0) break;
    const responses = reply.calls.map(({ name, args }): ToolResponse => {
      if (name === "write_python_file") {
        return { name, response: { ok: true, path: args.path, bytes: String(args.content).length } };
      }
      const answers = script[name] ?? [];
      const count = asked[name] ?? 0;
      asked[name] = count + 1;
      return {
        name,
        response: answers[Math.min(count, answers.length - 1)] ?? { ok: false, error: "no answer" },
      };
    });
    turns.push(reply.turn, { role: "tools", responses });
  }
  return replies;
}

/** The names of the tools called, writing left out, and of what was saved. */
export function path(replies: readonly Reply[]): string[] {
  return replies.flatMap(({ calls }) =>
    calls.length === 0
      ? ["done"]
      : calls.flatMap(({ name, args }) =>
          name === "write_python_file"
            ? []
            : name === "save_model_settings"
              ? [`save ${String(args.name)}`]
              : [name],
        ),
  );
}

export function written(reply: Reply | undefined, file: string): string {
  const call = reply?.calls.find(({ name, args }) => name === "write_python_file" && args.path === file);
  return String(call?.args.content ?? "");
}
