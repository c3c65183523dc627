/** Logs predictions in mode Strict as fast as it can, eight at a time, and says which are acknowledged: to be killed. */
import { writeSync } from "node:fs";
import { PredictionLog } from "../../inference-server/log/prediction-log.ts";

const [folder = "", run = ""] = process.argv.slice(2);
const nothing = () => undefined;
const log = new PredictionLog({
  folder,
  mode: "Strict",
  sample: 1,
  observer: { logged: nothing, dropped: nothing, lag: nothing },
  clock: Date,
  random: Math.random,
  limits: { segmentBytes: 20_000 },
});

async function forEver(lane: number): Promise<void> {
  for (let count = 0; ; count++) {
    const requestId = `${run}-${lane}-${count}`;
    await log.record(() => ({
      requestId,
      model: "m",
      milliseconds: 1,
      inputs: { rows: [{ text: "x".repeat(200) }] },
      predictions: ["yes"],
    }));
    writeSync(1, `${requestId}\n`);
  }
}
for (let lane = 0; lane < 8; lane++) void forEver(lane);
