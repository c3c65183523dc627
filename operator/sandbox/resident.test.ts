/** Programs that stay: what they see, how they are heard, and how they end. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BARE, type Bench, LIMITS, openBench } from "../../test/attacks/bench.ts";
import type { Resident, ResidentProgram } from "./resident.ts";

let bench: Bench;
let folder: string;
let shared: string;
beforeAll(async () => {
  bench = openBench();
  folder = mkdtempSync(join(tmpdir(), "resident-"));
  shared = join(folder, "shared");
  mkdirSync(shared, { mode: 0o755 });
  await bench.store.put("models/m", new TextEncoder().encode("the model"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  bench.close();
});

const start = async (source: string, more: Partial<ResidentProgram> = {}): Promise<Resident> => {
  const launch = await bench.executor.resident(
    {
      environment: BARE,
      inputs: { "package/model": "models/m" },
      shared,
      command: (place) => ["-c", source, place.workspace, place.shared],
      limits: LIMITS,
      ...more,
    },
    new AbortController().signal,
  );
  return launch();
};

const LOOK = `
import json, os, socket, sys
workspace, shared = sys.argv[1:]
def tried(action):
    try:
        action()
        return "could"
    except OSError as error:
        return type(error).__name__
found = {
    "model": open(workspace + "/package/model").read(),
    "shared": os.listdir(shared),
    "writes": [tried(lambda: open(path, "w")) for path in (shared + "/x", workspace + "/package/model", "/x")],
    "user": os.geteuid(),
    "secrets": [name for name in os.environ if "KEY" in name or "TOKEN" in name or "HOME" == name and "sandbox" not in os.environ[name]],
    "network": tried(lambda: socket.create_connection(("1.1.1.1", 53), 1)),
    "interfaces": [name for _, name in socket.if_nameindex()],
}
peer = socket.socket(socket.AF_UNIX)
peer.connect(shared + "/s")
peer.sendall(json.dumps(found).encode())
peer.close()
import time
time.sleep(600)
`;

describe("a resident program", () => {
  it("speaks over the shared socket, and sees its inputs, no network, no secret and no place to write", async () => {
    const heard = Promise.withResolvers<string>();
    const server = createServer((peer) => text(peer).then(heard.resolve, heard.reject));
    await new Promise<void>((resolve) => server.listen(join(shared, "s"), resolve));
    chmodSync(join(shared, "s"), 0o666);
    const resident = await start(LOOK);
    const found = JSON.parse(await Promise.race([heard.promise, resident.ended]));
    expect(found).toMatchObject({
      model: "the model",
      shared: ["s"],
      secrets: [],
      interfaces: ["lo"],
    });
    expect(found.writes).not.toContain("could");
    expect(found.user).not.toBe(0);
    expect(found.network).not.toBe("could");
    resident.kill();
    expect(await resident.ended).toBe("it was ended");
    await new Promise((resolve) => server.close(resolve));
  });

  it("tells how it ended: what it raised, or the limit that ended it", async () => {
    const raised = await start("raise ValueError('no model')");
    expect(await raised.ended).toBe("it ended with exit code 1: ValueError: no model");
    const greedy = await start("a = []\nwhile True: a.append(bytearray(10_000_000))", {
      limits: { ...LIMITS, memoryBytes: 200 * 1024 ** 2 },
    });
    expect(await greedy.ended).toMatch(/^it was ended: OutOfMemory/);
  });

  it("is not started where there is no sandbox, unless that is allowed", async () => {
    const open = openBench({ home: bench.home, store: bench.store, bwrap: "/nowhere/bwrap" });
    await expect(
      open.executor.resident(
        { environment: BARE, inputs: {}, shared, command: () => ["-c", "pass"], limits: LIMITS },
        new AbortController().signal,
      ),
    ).rejects.toMatchObject({ reason: "SandboxUnavailable" });
  });
});
