/**
 * Logs predictions in mode Strict, one after the other, and says what became of them: to be run where no file may grow
 * (`ulimit -f 0`), as on a disk that takes names and no bytes.
 */
import { readdirSync, writeSync } from "node:fs";
import { PredictionLog } from "../../inference-server/log/prediction-log.ts";

const [folder = "", count = "0"] = process.argv.slice(2);
const said: string[] = [];
const refused: string[] = [];
let dropped = 0;
const log = new PredictionLog({
  folder,
  mode: "Strict",
  sample: 1,
  observer: {
    logged: () => undefined,
    dropped: (entries) => {
      dropped += entries;
    },
    lag: () => undefined,
  },
  clock: Date,
  random: Math.random,
  log: { warn: (message) => said.push(message), info: (message) => said.push(message) },
});
for (let number = 0; number < Number(count); number++) {
  const entry = { requestId: `r${number}`, model: "m", milliseconds: 1, inputs: {}, predictions: [1] };
  await log.record(() => entry).catch((error: Error) => refused.push(error.message));
}
await log.close();
writeSync(
  1,
  JSON.stringify({ said, refused, dropped, files: readdirSync(folder), waiting: log.folder?.waiting }),
);
