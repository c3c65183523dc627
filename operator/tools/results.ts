/** What each tool answers: the `response` of a ToolResponse. Bounded, plain JSON, written for a model to act on. */
import type { Outcome, Output } from "../sandbox/executor.ts";

export type InstallResult =
  | { ok: true; installed: { name: string; version: string }[] }
  | { ok: false; error: string };

export type WriteResult =
  | { ok: true; path: string; bytes: number }
  | { ok: false; error: string; line?: number };

export type ExecuteResult = {
  /** Ended by itself with exit code 0. */
  ok: boolean;
  ended: Outcome["ended"];
  exitCode: number | null;
  seconds: number;
  peakMemoryMb: number;
  output: Output;
  traceback?: string;
  /** What to know or do about it, where `ended` is not Completed. */
  error?: string;
  notKept?: string[];
};

export type SaveResult =
  | {
      ok: true;
      candidate: number;
      verifiedScore: number;
      standardError: number;
      claimedScore?: number;
      /** Whether it is the best so far. */
      best: boolean;
      /** Gain over the best before it, positive is better, and whether it is within one standard error. */
      gain: number;
      gainIsNoise: boolean;
      /** Wall-clock seconds that its verification took. */
      seconds: number;
      warnings: string[];
    }
  | {
      ok: false;
      stage: "Entry" | "Fit" | "Load" | "Predict" | "Robustness" | "Score";
      error: string;
      output?: Output;
      traceback?: string;
    };
