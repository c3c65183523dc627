/**
 * The fault suite: seeded schedules of what goes wrong, and whether what must hold held. See docs/faults.md.
 *
 *     make faults                                  # 1,000 schedules in this process, in virtual time
 *     make faults ARGS="--schedules 100 --from 5000"
 *     make faults ARGS="--seed 42"                 # one of them again, with all that it did
 */
import { parseArgs } from "node:util";
import { runSchedule } from "./embedded/run.ts";
import { Tally, tell } from "./embedded/table.ts";

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
  },
});
const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join("\n")}\n`);

if (values.seed !== undefined) {
  const run = await runSchedule(numberOf("seed", values.seed));
  print([JSON.stringify(run.schedule, null, 2), ...run.failures]);
  print([...run.struck].map(([what, times]) => `${what}: ${times}`));
  print(tell(run));
  process.exitCode = run.violations.length === 0 ? 0 : 1;
} else {
  const [first, count] = [numberOf("from", values.from), numberOf("schedules", values.schedules)];
  const tally = new Tally();
  const begun = performance.now();
  for (let seed = first; seed < first + count; seed++) {
    const run = await runSchedule(seed);
    tally.add(run);
    if (run.violations.length > 0) print([...tell(run), `  again: make faults ARGS="--seed ${seed}"`]);
  }
  print([...tally.lines(), `${Math.round((performance.now() - begun) / 1000)} s`]);
  process.exitCode = tally.broken.length === 0 ? 0 : 1;
}

function numberOf(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) {
    process.stderr.write(`--${option} ${text}: expected a whole number that is not negative\n`);
    process.exit(2);
  }
  return number;
}
