/**
 * The fault suite: seeded schedules of what goes wrong, and whether what must hold held. See docs/faults.md.
 *
 *     make faults                                  # 1,000 schedules in this process, in virtual time
 *     make faults ARGS="--schedules 100 --from 5000"
 *     make faults ARGS="--seed 42"                 # one of them again, with all that it did
 *     make faults ARGS="--wire --schedules 20"     # over real HTTP, with a MinIO
 *     make faults ARGS="--strict --schedules 20"   # servers of models killed under load, and a store that fails: the Strict prediction log
 *     make faults ARGS="--cluster 100"             # processes of a real cluster are killed and stopped (make cluster)
 *     make faults ARGS="--cluster 1 --seed 42"
 *     make faults ARGS="--model --faults 3"        # the journal protocol's model alone, with so many faults in a way
 */
import { parseArgs } from "node:util";
import { MemoryStore } from "../../operator/storage/memory-store.ts";
import { modelPackage } from "../builders/model-package.ts";
import { findMinio, type Minio, startMinio } from "../minio.ts";
import { runSchedule } from "./embedded/run.ts";
import { Tally, tell } from "./embedded/table.ts";
import { explore } from "./model/explore.ts";
import { Replay } from "./model/replay.ts";
import { goOnCluster } from "./run-on-cluster.ts";
import { runStrict } from "./strict.ts";
import { CALM, runOverHttp, wireSchedule } from "./wire/run.ts";

/** In each schedule of the Strict log. */
const SERVERS_KILLED = 3;

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    model: { type: "boolean", default: false },
    strict: { type: "boolean", default: false },
    wire: { type: "boolean", default: false },
    cluster: { type: "string" },
    faults: { type: "string", default: "2" },
  },
});
const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n")}\n`);

const first = numberOf("from", values.seed ?? values.from);
const count = values.seed === undefined ? numberOf("schedules", values.schedules) : 1;
if (values.cluster !== undefined)
  process.exit((await goOnCluster(first, numberOf("cluster", values.cluster), print)) ? 0 : 1);
else if (values.wire) await withMinio(goOverHttp);
else if (values.strict) await withMinio(killServers);
else if (values.seed !== undefined) {
  const run = await runSchedule(numberOf("seed", values.seed));
  print([JSON.stringify(run.schedule, null, 2), ...run.failures]);
  print([...run.struck].map(([what, times]) => `${what}: ${times}`));
  print(tell(run));
  process.exitCode = run.violations.length === 0 ? 0 : 1;
} else if (values.model) await checkModel(numberOf("faults", values.faults));
else {
  const tally = new Tally();
  const begun = performance.now();
  for (let seed = first; seed < first + count; seed++) {
    const run = await runSchedule(seed);
    tally.add(run);
    if (run.violations.length > 0) print([...tell(run), `  again: make faults ARGS="--seed ${seed}"`]);
    progress(seed, `${tally.broken.length} of them broken`);
  }
  print([...tally.lines(), `${Math.round((performance.now() - begun) / 1000)} s`]);
  process.exitCode = tally.broken.length === 0 ? 0 : 1;
  await checkModel(numberOf("faults", values.faults));
}

/** Now and then, for whoever waits. */
function progress(seed: number, what: string): void {
  const done = seed - first + 1;
  if (done % 50 === 0 && done < count) process.stderr.write(`${done} of ${count} schedules tried, ${what}\n`);
}

async function withMinio(go: (minio: Minio, tally: Tally) => Promise<void>): Promise<void> {
  const program = findMinio();
  if (program === undefined) {
    process.stderr.write(
      "there is no MinIO here: put `minio` on the PATH, or run test/cluster/build minio\n",
    );
    process.exit(2);
  }
  const minio = await startMinio(program);
  const tally = new Tally();
  try {
    await go(minio, tally);
  } finally {
    await minio.close();
  }
  print(tally.lines());
  process.exit(tally.broken.length === 0 ? 0 : 1);
}

async function goOverHttp(minio: Minio, tally: Tally): Promise<void> {
  const undisturbed = await runOverHttp(minio, "world-undisturbed", CALM);
  for (let seed = first; seed < first + count; seed++) {
    const run = await runOverHttp(minio, `world-${seed}`, wireSchedule(seed), undisturbed.story);
    tally.add(run);
    if (run.violations.length > 0) print([...tell(run), `  again: make faults ARGS="--wire --seed ${seed}"`]);
  }
}

async function killServers(minio: Minio, tally: Tally): Promise<void> {
  using model = await modelPackage("logistic");
  for (let seed = first; seed < first + count; seed++) {
    const run = await runStrict({ seed, rounds: SERVERS_KILLED, model, minio });
    tally.add(run);
    print([`seed ${seed}: ${run.acknowledged} predictions acknowledged`]);
    if (run.violations.length > 0)
      print([...tell(run), `  again: make faults ARGS="--strict --seed ${seed}"`]);
  }
}

/** Every state of the model, and the product on a way through each state with one fault. */
async function checkModel(faults: number): Promise<void> {
  const bounds = { steps: 2, operators: 2, faults };
  const { states, transitions, depth, broken } = explore(bounds);
  print([
    "",
    `journal protocol, ${bounds.operators} operators, ${bounds.steps} steps, ${faults} faults: ${states} states, ${transitions} transitions, ${depth} steps deep: ${broken ? "BROKEN" : "held"}`,
  ]);
  if (broken) print([broken.what, ...broken.trace.map(({ operator, action }) => `  ${operator}: ${action}`)]);
  const differences: string[] = [];
  let ways = 0;
  const few = { ...bounds, faults: 1 };
  for (const trace of explore(few).traces()) {
    ways++;
    await Replay.of(trace, few, new MemoryStore()).catch((error: Error) => differences.push(error.message));
  }
  print([
    `the product on ${ways} ways through every state with 1 fault: ${differences.length} on which it differs`,
    ...differences.slice(0, 5),
  ]);
  if (broken || differences.length > 0) process.exitCode = 1;
}

function numberOf(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) {
    process.stderr.write(`--${option} ${text}: expected a whole number that is not negative\n`);
    process.exit(2);
  }
  return number;
}
