/** An environment has one name everywhere: the rules of the operator and those of install pods are the same. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { python, runnerDir } from "../../../test/attacks/bench.ts";
import { fc } from "../../../test/properties.ts";
import { askPython } from "../python.ts";
import { environmentDigest, normaliseLock } from "../requirements.ts";

/** What install.py says of each text: the lock, and its digest for the Python that was asked. */
function inPython(texts: readonly string[]): { lock: string; digest: string }[] {
  const program = `
import json, sys
from autoai_runner.install import digest_of, normalise_lock
locks = [normalise_lock(text) for text in json.load(sys.stdin)]
print(json.dumps([{"lock": lock, "digest": digest_of(lock)} for lock in locks]))`;
  const env = { PYTHONPATH: runnerDir, PYTHONDONTWRITEBYTECODE: "1" };
  return JSON.parse(
    execFileSync(python, ["-c", program], { input: JSON.stringify(texts), env, encoding: "utf8" }),
  );
}

it("names the base environment and any other lock as the operator does", async () => {
  const piece = fc.constantFrom(
    ...[
      "numpy==2.4.6 ; python_full_version < '3.12'",
      "a==1",
      "b [extra] == 2",
      "    --hash=sha256:ff",
      " --hash=sha256:0a",
    ],
    ...[" \\\n", " \\\r\n", "\n", "\r\n", "# via x", "    # -r y", "  ", "\t", "é==1"],
  );
  const texts = fc.sample(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
    300,
  );
  texts.push(readFileSync(join(runnerDir, "environment.txt"), "utf8"));
  const facts = await askPython(python);
  expect(inPython(texts)).toEqual(
    texts.map(normaliseLock).map((lock) => ({ lock, digest: environmentDigest(lock, facts) })),
  );
});
