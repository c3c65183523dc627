/** Runs the job of run-embedded.ts and kills itself, by SIGKILL, at the n-th effect: node killed-process.ts FOLDER N */
import { runEmbedded, worldOfFiles } from "./run-embedded.ts";

const [folder = "", at = "0"] = process.argv.slice(2);
let passed = 0;
await runEmbedded(worldOfFiles(folder), (effect) => {
  if (effect) passed += 1;
  if (effect && passed === Number(at)) process.kill(process.pid, "SIGKILL");
});
process.stdout.write(String(passed));
