import { describe, expect, test } from "vitest";
import { GeminiModel, geminiSettings } from "../../operator/llm/gemini.ts";
import {
  type FunctionCall,
  functionCalls,
  type LlmRequest,
  LlmUnavailableError,
  type ToolResponse,
  type Turn,
} from "../../operator/llm/language-model.ts";
import { type Script, startGeminiServer } from "./gemini-server.ts";
import * as scripts from "./scripts.ts";

type Answer = (call: FunctionCall) => ToolResponse["response"];

/** A tool for every call, as it answers when all is well. */
const fine: Answer = ({ name }) =>
  name === "save_model_settings" ? { ok: true, verifiedScore: 0.8 } : { ok: true };

/** Plays an agent that does as it is told, for at most `steps` requests, and returns the calls that it made. */
async function play(script: Script, steps: number, answer: Answer = fine) {
  await using server = await startGeminiServer({ script });
  const gemini = new GeminiModel(
    geminiSettings({ GEMINI_API_KEY: "test-key", AUTOAI_GEMINI_BASE_URL: server.url }),
  );
  const turns: Turn[] = [{ role: "user", text: "Go." }];
  const calls: FunctionCall[] = [];
  let tokens = 0;
  let faults = 0;
  for (let step = 0; step < steps; step++) {
    const request = { system: "s", turns, tools: [], maxOutputTokens: 1000 } as unknown as LlmRequest;
    const reply = await gemini.reply(request, new AbortController().signal).catch((error: unknown) => {
      if (error instanceof LlmUnavailableError) return undefined;
      throw error;
    });
    tokens += reply?.usage.totalTokens ?? 0;
    if (reply?.finish !== "Stop") {
      faults++;
      continue;
    }
    turns.push({ role: "model", parts: reply.parts });
    const asked = functionCalls(reply.parts);
    calls.push(...asked);
    if (asked.length === 0) {
      if (calls.length > 0) break;
      turns.push({ role: "user", text: "Call a tool." });
    } else {
      turns.push({ role: "tools", responses: asked.map((call) => ({ ...call, response: answer(call) })) });
    }
  }
  return { calls, tokens, faults, complaints: server.complaints, names: calls.map(({ name }) => name) };
}

const SAVED = ["write_python_file", "write_python_file", "execute_python_file", "save_model_settings"];

describe("scripts for whole jobs", () => {
  test("success writes, runs and saves", async () => {
    expect(await play(scripts.success(), 20)).toMatchObject({ names: SAVED, complaints: [], faults: 0 });
    const installing = await play(scripts.success({ packages: ["lightgbm"] }), 20);
    expect(installing.calls[0]).toMatchObject({
      name: "install_dependencies",
      args: { packages: ["lightgbm"] },
    });
  });

  test("selfCorrection mends the program only when the traceback comes back", async () => {
    let runs = 0;
    const failsOnce: Answer = (call) =>
      call.name === "execute_python_file" && runs++ === 0
        ? { ok: false, traceback: "Traceback\nKeyError: 'the target, surely'" }
        : fine(call);
    const { names, complaints } = await play(scripts.selfCorrection(), 20, failsOnce);
    expect(complaints).toEqual([]);
    expect(names.filter((name) => name === "execute_python_file")).toHaveLength(2);
    await expect(play(scripts.selfCorrection(), 20)).rejects.toThrow(/expected the newest turn to match/);
  });

  test("overclaims, memoriser and thief save a model", async () => {
    const thiefs: Answer = (call) => ({ ...fine(call), output: "THIEF FOUND 0" });
    for (const { script, answer } of [
      { script: scripts.overclaims(), answer: fine },
      { script: scripts.memoriser(), answer: fine },
      { script: scripts.memoriserFromRows([[{ a: 1, b: "é😀" }, "x"]]), answer: fine },
      { script: scripts.thief(), answer: thiefs },
    ]) {
      const { names, complaints } = await play(script, 20, answer);
      expect(complaints).toEqual([]);
      expect(names.at(-1)).toBe("save_model_settings");
    }
  });

  test("the endless ones never end: by the same call, by new ones, by talk", async () => {
    const same = await play(scripts.endlessRepeat(), 12);
    expect(new Set(same.calls.slice(1).map(({ args }) => JSON.stringify(args))).size).toBe(1);
    const novel = await play(scripts.endlessNovelty(), 12);
    expect(new Set(novel.calls.map(({ args }) => JSON.stringify(args))).size).toBe(12);
    const talk = await play(scripts.endlessTalk(), 12);
    expect(talk).toMatchObject({ calls: [], complaints: [] });
  });

  test("tokenGlutton costs what it says, each time", async () => {
    expect((await play(scripts.tokenGlutton({ tokens: 50_000 }), 5)).tokens).toBe(250_000);
  });

  test("sleeper goes on when it is told of the time limit", async () => {
    const limited: Answer = (call) =>
      call.name === "execute_python_file" ? { ok: false, ended: "TimedOut" } : fine(call);
    expect((await play(scripts.sleeper(), 20, limited)).names.at(-1)).toBe("save_model_settings");
  });

  test("rainy gets through every fault to the same end", async () => {
    expect(await play(scripts.rainy(), 40)).toMatchObject({ names: SAVED, complaints: [], faults: 10 });
  });

  test("a script is named by a file or by its name, and nothing else", () => {
    expect(scripts.loadScript({ use: "success" })).toEqual(scripts.success());
    expect(() => scripts.loadScript({ use: "nonsense" })).toThrow(/--use one of success/);
  });
});
