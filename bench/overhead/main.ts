/**
 * Operator overhead of the embedded run: wall time less LLM and executions, as a share of a job of about 60 s.
 *
 * Run by `make bench-overhead`. The job is that of examples/binary-churn.yaml, by the command line as users run it: once
 * with provider Offline and once with the scripted Gemini endpoint of test/fakes.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parse, stringify } from "yaml";
import { startGeminiServer } from "../../test/fakes/gemini-server.ts";
import { measured, type Recording, type Round } from "./intervals.ts";
import { exploring } from "./script.ts";
import { writeResults } from "./table.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "60" },
    timeline: { type: "boolean" },
    providers: { type: "string", default: "Offline,Gemini" },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seconds) || seconds < 10)
  throw new Error("expected --rounds of 1 or more and --seconds of 10 or more, both whole");

type Provider = "Offline" | "Gemini";
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "autoai-bench");
const home = join(cache, "overhead-home");
mkdirSync(home, { recursive: true });
const scratch = mkdtempSync(join(tmpdir(), "autoai-overhead-"));

/** The example's job, with the provider and the budget of this bench. */
function manifest(provider: Provider, budget: number): string {
  const job = parse(readFileSync(join(ROOT, "examples/binary-churn.yaml"), "utf8"));
  job.spec.dataset.uri = `file:${join(ROOT, "examples/data/churn.csv")}`;
  job.spec.llm = { provider };
  job.spec.budget = { ...job.spec.budget, maxSeconds: budget };
  const path = join(scratch, `${provider}-${budget}.yaml`);
  writeFileSync(path, stringify(job));
  return path;
}

async function runJob(provider: Provider, budget: number): Promise<Round> {
  // Gemini's job ends by its script: its budget is only to be enough.
  await using server =
    provider === "Gemini"
      ? await startGeminiServer({ script: exploring({ seconds: Math.round(budget / 12), times: 4 }) })
      : undefined;
  const file = manifest(provider, provider === "Gemini" ? budget * 5 : budget);
  const record = join(scratch, "record.json");
  rmSync(record, { force: true });
  const { GEMINI_API_KEY: _, ...inherited } = process.env;
  const address = server ? { GEMINI_API_KEY: "bench", AUTOAI_GEMINI_BASE_URL: server.url } : {};
  const load = loadavg()[0] ?? 0;
  const clock = () => performance.timeOrigin + performance.now();
  const from = clock();
  const { code, said } = await ended(
    spawn(
      process.execPath,
      [
        ...["--import", join(ROOT, "bench/overhead/record.ts"), join(ROOT, "operator/cli.ts")],
        ...["run", "-f", file, "--replace", "--home", home],
      ],
      {
        env: { ...inherited, ...address, AUTOAI_BENCH_RECORD: record },
        stdio: ["ignore", "ignore", "pipe"],
      },
    ),
  );
  const to = clock();
  if (code !== 0) throw new Error(`autoai run with ${provider} ended with exit code ${code}: ${said}`);
  const recording = JSON.parse(readFileSync(record, "utf8")) as Recording;
  if (recording.children.length === 0)
    throw new Error("no child process was seen: the recording does not work");
  if (values.timeline !== undefined) printTimeline(recording, from, to);
  return measured(recording, { from, to }, load);
}

/** What was under way when, in seconds from the start, for whoever looks for where time goes. */
function printTimeline({ children, replies }: Recording, start: number, to: number): void {
  const second = (at: number) => ((at - start) / 1000).toFixed(2).padStart(7);
  for (const { from, to, what } of [...children, ...replies].sort((a, b) => a.from - b.from))
    process.stderr.write(`${second(from)} ${second(to)} ${what}\n`);
  process.stderr.write(`${second(to)} end\n`);
}

function ended(child: ReturnType<typeof spawn>): Promise<{ code: number | null; said: string }> {
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-2000);
  });
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (code) => done({ code, said }));
  });
}

try {
  const results: Partial<Record<Provider, Round[]>> = {};
  if (!existsSync(join(home, "environments"))) {
    process.stderr.write("bench-overhead: a job that is not measured, to install environments\n");
    await runJob("Offline", 20);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const provider of values.providers.split(",") as Provider[]) {
      if (provider !== "Offline" && provider !== "Gemini") throw new Error(`unknown provider ${provider}`);
      process.stderr.write(`bench-overhead: ${provider}, round ${round} of ${rounds}\n`);
      const measuredRound = await runJob(provider, seconds);
      const known = results[provider] ?? [];
      known.push(measuredRound);
      results[provider] = known;
      console.log(writeResults(ROOT, results, seconds));
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
