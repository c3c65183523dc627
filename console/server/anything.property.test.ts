/** Anything instead of what a browser sends: an answer to it, or one clear refusal, and no fault of the console's. */
import { beforeAll, expect, test } from "vitest";
import { memoryGateway, ORIGIN, PAGE } from "../../test/builders/console-gateway.ts";
import { fc } from "../../test/properties.ts";
import { consoleApp } from "./app.ts";
import { draftOf, JobForm } from "./form.ts";
import { Sessions } from "./session.ts";

const NOW = Date.parse("2026-05-01T12:00:00Z");
const RUNS = { numRuns: 150 };

const faults: unknown[] = [];
const sessions = new Sessions({ key: new Uint8Array(32).fill(7), seconds: 3600, now: () => NOW });

let app: Awaited<ReturnType<typeof consoleApp>>;
let cookie = "";
beforeAll(async () => {
  const world = memoryGateway();
  app = await consoleApp({
    sessions,
    signIn: async () => ({ user: "ada" }),
    gatewayOf: () => world,
    origins: () => [ORIGIN],
    cookieName: "autoai-console",
    secure: false,
    how: "Address",
    onFault: (_, error) => faults.push(error),
  });
  cookie = await sessions.seal(sessions.begin("ada"));
});

/** Whatever came of it, it is none of ours. */
function expectNoFault(answer: { readonly statusCode: number }): void {
  expect(answer.statusCode).toBeLessThan(500);
  expect(faults).toEqual([]);
}

test("a cookie is a session that was begun here, or none", async () => {
  const spoilt = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.nat(cookie.length - 1).map((end) => cookie.slice(0, end)),
    fc
      .tuple(fc.nat(cookie.length - 2), fc.constantFrom(..."Aa0_-.=;%"))
      .map(([at, by]) => cookie.slice(0, at) + by + cookie.slice(at + 1)),
  );
  await fc.assert(
    fc.asyncProperty(spoilt, async (given) => {
      const session = await sessions.open(given);
      if (given !== cookie) expect(session).toBeUndefined();
    }),
    RUNS,
  );
});

const PROCEDURES = [
  ...[
    "jobs.get",
    "jobs.draft",
    "jobs.create",
    "jobs.suspend",
    "jobs.remove",
    "resources.list",
    "datasets.get",
  ],
  ...["datasets.create", "models.get", "models.deploy", "me", "nothing.at.all"],
];
const place = fc.record({ namespace: fc.jsonValue(), name: fc.jsonValue() });

test("an input of any procedure", { timeout: 60_000 }, async () => {
  const input = fc.oneof(fc.jsonValue(), place, fc.record({ place, suspend: fc.jsonValue() }), fc.string());
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PROCEDURES), input, fc.boolean(), async (procedure, given, isRaw) => {
      const payload = isRaw && typeof given === "string" ? given : JSON.stringify(given);
      const headers = { ...PAGE, cookie: `autoai-console=${cookie}`, "content-type": "application/json" };
      expectNoFault(await app.inject({ method: "POST", url: `/api/trpc/${procedure}`, headers, payload }));
    }),
    RUNS,
  );
});

test("an upload with any name, offset and piece", { timeout: 60_000 }, async () => {
  const name = fc.oneof(fc.string(), fc.constantFrom("rows", "..", "a/b")).map(encodeURIComponent);
  const offset = fc
    .oneof(fc.string(), fc.double().map(String), fc.bigInt().map(String))
    .map(encodeURIComponent);
  await fc.assert(
    fc.asyncProperty(
      name,
      name,
      offset,
      fc.uint8Array({ maxLength: 60 }),
      async (space, one, from, piece) => {
        const headers = {
          ...PAGE,
          cookie: `autoai-console=${cookie}`,
          "content-type": "application/octet-stream",
        };
        const url = `/api/uploads/${space}/${one}?offset=${from}`;
        expectNoFault(await app.inject({ method: "PUT", url, headers, payload: Buffer.from(piece) }));
      },
    ),
    RUNS,
  );
});

test("a form is a manifest that is right, or problems that say what is wrong with it", () => {
  const form = {
    ...{
      namespace: "default",
      name: "churn",
      dataset: "rows",
      target: "churn",
      task: "Auto",
      method: "Auto",
    },
    ...{
      split: "Random",
      publish: "AsScored",
      maxSteps: 5,
      maxSeconds: 600,
      maxTokens: 1000,
      provider: "Offline",
    },
  } as const;
  const value = fc.oneof(fc.string(), fc.double(), fc.integer(), fc.constant("a: b\n- c"));
  const key = fc.constantFrom(...Object.keys(form), "goal", "column", "folds", "finalPercent", "acceptance");
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value), { maxLength: 3 }), (changes) => {
      const parsed = JobForm.safeParse({ ...form, ...Object.fromEntries(changes) });
      if (!parsed.success) return;
      const { problems, resource } = draftOf(parsed.data, true);
      expect(problems.length > 0).toBe(resource === undefined);
      if (resource) expect(resource.metadata.name).toBe(parsed.data.name);
    }),
    RUNS,
  );
});
