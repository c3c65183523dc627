/** What the scripted Gemini endpoint has the job do: explore for a while, then fit and save a linear model. */
import type { Script } from "../../test/fakes/gemini-server.ts";
import { execute, save, write } from "../../test/fakes/scripts.ts";

const EXPLORE = `import sys, time
from columns import load

features, target, task = load()
end = time.monotonic() + float(sys.argv[1])
rounds = 0
while time.monotonic() < end:
    features.describe()
    rounds += 1
print(sys.argv[2], "rounds:", rounds)
`;

export function exploring({ seconds, times }: { seconds: number; times: number }): Script {
  const explorations = Array.from({ length: times }, (_, index) => ({
    calls: [execute("explore.py", String(seconds), String(index))],
  }));
  return [
    { calls: [write("columns.py"), write("train.py"), write("explore.py", EXPLORE)] },
    ...explorations,
    { expect: '"ok":true', calls: [execute("train.py")] },
    { expect: '"ok":true', calls: [save("train.py", "linear-model")] },
    { expect: "verifiedScore", text: "Saved; I stop here." },
  ];
}
