/** Progress on stderr: a bar that redraws itself on a terminal, a line for each change elsewhere. */
import { DEFAULT_METRIC } from "../api/metrics.ts";
import type { TrainingJob } from "../api/trainingjob.ts";

export type Progress = {
  show(job: TrainingJob): void;
  /** Prints a line that stays. */
  line(text: string): void;
  end(): void;
};

const BAR_WIDTH = 20;
const REDRAW_MS = 500;

export function createProgress(stream: NodeJS.WriteStream, now: () => number = Date.now): Progress {
  const jobs = new Map<string, { job: TrainingJob; at: number }>();
  let drawn = false;
  let lastLine = "";
  const draw = (): void => {
    const shown = [...jobs.values()].findLast(({ job }) => job.status?.state === "TRAINING");
    if (!shown) return;
    const text = barText(shown.job, (now() - shown.at) / 1000).slice(0, (stream.columns ?? 120) - 1);
    stream.write(`\r\u001b[2K${text}`);
    drawn = true;
  };
  const clear = (): void => {
    if (drawn) stream.write("\r\u001b[2K");
    drawn = false;
  };
  const timer = stream.isTTY ? setInterval(draw, REDRAW_MS) : undefined;
  timer?.unref();
  return {
    show(job) {
      jobs.set(job.metadata.name, { job, at: now() });
      if (stream.isTTY) {
        draw();
        return;
      }
      // In a log, bad input is one line that says so: the rest begins once the data are in order.
      if (!isPrepared(job)) return;
      const line = plainText(job);
      if (line !== lastLine) stream.write(`${line}\n`);
      lastLine = line;
    },
    line(text) {
      clear();
      stream.write(`${text}\n`);
    },
    end() {
      clearInterval(timer);
      clear();
    },
  };
}

/** `churn [######--------------] step 3/30  RocAuc 0.8512  1m04s, 1m56s left  executing tune.py` */
export function barText(job: TrainingJob, sinceSeconds = 0): string {
  const { progress, usage } = job.status ?? {};
  const { maxSeconds } = job.spec.budget;
  const elapsed = Math.min(maxSeconds, (usage?.seconds ?? 0) + sinceSeconds);
  const steps = progress ? progress.step / Math.max(1, progress.maxSteps) : 0;
  const part = Math.min(1, Math.max(steps, elapsed / maxSeconds));
  const full = Math.round(part * BAR_WIDTH);
  const bar = "#".repeat(full).padEnd(BAR_WIDTH, "-");
  const left = duration(Math.max(0, maxSeconds - elapsed));
  const step = progress ? `step ${progress.step}/${progress.maxSteps}` : "step 0";
  return `${job.metadata.name} [${bar}] ${step}  ${bestText(job)}  ${duration(elapsed)}, ${left} left  ${progress?.activity ?? ""}`;
}

function isPrepared(job: TrainingJob): boolean {
  return Boolean(
    job.status?.conditions?.some(({ type, status }) => type === "DatasetPrepared" && status === "True"),
  );
}

function plainText(job: TrainingJob): string {
  const { progress, usage } = job.status ?? {};
  const step = progress ? `step ${progress.step}/${progress.maxSteps}` : "step 0";
  return `${job.metadata.name}  ${step}  ${bestText(job)}  ${duration(usage?.seconds ?? 0)}  ${progress?.activity ?? ""}`;
}

function bestText(job: TrainingJob): string {
  const best = job.status?.bestCandidate;
  if (!best) return "no score yet";
  const { metric } = job.spec.evaluation;
  const { task } = job.spec;
  const name = metric ?? (task === "Auto" ? "best" : DEFAULT_METRIC[task]);
  return `${name} ${best.verifiedScore}`;
}

/** 75 → "1m15s" */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  const rest = `${whole % 60}s`;
  if (hours > 0) return `${hours}h${String(minutes).padStart(2, "0")}m`;
  return minutes > 0 ? `${minutes}m${rest.padStart(3, "0")}` : rest;
}
