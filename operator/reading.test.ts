/** What is handed out, and to whom: the API server is one that answers reviews as it is told to. */
import { buffer, text } from "node:stream/consumers";
import { beforeEach, describe, expect, test } from "vitest";
import { journalOf, prepared } from "../test/builders/entries.ts";
import { DIGEST, FILES, MANIFEST, PREFIX, publishTo } from "../test/builders/published.ts";
import type { Dataset } from "./api/dataset.ts";
import type { JournalEntry } from "./api/journal.ts";
import type { TrainingJob } from "./api/trainingjob.ts";
import type { ApiServer } from "./cluster/kubernetes/api-server.ts";
import { ApiError } from "./cluster/kubernetes/api-server.ts";
import { dataKey, encode, journalPrefix, reportKey } from "./evaluation/context.ts";
import type { ArtifactName, ArtifactResource } from "./observability/artifacts.ts";
import { Reading } from "./reading.ts";
import { datasetKeys } from "./reconcilers/dataset.ts";
import { ImmutableCache } from "./storage/immutable-cache.ts";
import { MemoryStore } from "./storage/memory-store.ts";
import { unpackTar } from "./storage/tar.ts";

const job = {
  kind: "TrainingJob",
  metadata: { namespace: "team", name: "churn", uid: "11111111-2222" },
  status: { model: { digest: DIGEST } },
} as TrainingJob;
const dataset = {
  kind: "Dataset",
  metadata: { namespace: "team", name: "rows", uid: "33333333-4444" },
} as Dataset;

let store: MemoryStore;
let reviews: { path: string; spec: Record<string, unknown> }[];
/** Who holds which token, and what they may get. */
const USERS: Readonly<Record<string, { name: string; may: string }>> = {
  ann: { name: "ann@team", may: "trainingjobs team churn" },
  bob: { name: "bob@team", may: "datasets team rows" },
};
const api = {
  request: async (_verb: string, path: string, { body }: { body: { spec: Record<string, unknown> } }) => {
    reviews.push({ path, spec: body.spec });
    if (path.endsWith("tokenreviews")) {
      if (body.spec.token === "unreviewed") throw new ApiError(403, "Forbidden", "no");
      const user = USERS[String(body.spec.token)];
      return { status: { authenticated: user !== undefined, user: { username: user?.name } } };
    }
    const { user, resourceAttributes } = body.spec as {
      user: string;
      resourceAttributes: Record<string, string>;
    };
    const { resource, namespace, name, verb, group } = resourceAttributes;
    const may = Object.values(USERS).find((one) => one.name === user)?.may;
    return {
      status: {
        allowed: verb === "get" && group === "autoai.dev" && may === `${resource} ${namespace} ${name}`,
      },
    };
  },
} as unknown as ApiServer;
const cluster = {
  get: async (kind: string, key: string) =>
    [job, dataset].find(
      (one) => one.kind === kind && `${one.metadata.namespace}/${one.metadata.name}` === key,
    ),
};
let entries: ImmutableCache<JournalEntry>;
const reading = () => new Reading({ api, cluster: cluster as never, store, entries });
const ask = (
  token: string,
  artifact: ArtifactName,
  resource: ArtifactResource = "trainingjobs",
  name = "churn",
) => reading().artifact({ token, resource, namespace: "team", name, artifact });

beforeEach(async () => {
  store = new MemoryStore();
  entries = new ImmutableCache(1000);
  reviews = [];
  await publishTo(store);
  await store.put(reportKey(job), encode("<p>report</p>"));
  const profile = {
    sha256: "0".repeat(64),
    ...{
      sizeBytes: 1,
      encoding: "utf-8",
      delimiter: ",",
      rows: 1,
      columns: [],
      duplicateRows: 0,
      warnings: [],
    },
    preview: { columns: ["x"], rows: [["1"]] },
  };
  await store.put(dataKey(job, "profile.json"), encode(profile));
  await store.put(datasetKeys(dataset).profile, encode(profile));
  await store.put(datasetKeys(dataset).preview, encode(profile.preview));
});

async function found(answer: ReturnType<typeof ask>) {
  const one = await answer;
  if (one.outcome !== "Found") throw new Error(one.message);
  return one.file;
}

describe("an artifact is for who may get the object", () => {
  test("the API server is asked whose the token is, and whether that user may get this very object", async () => {
    expect((await ask("ann", "report")).outcome).toBe("Found");
    expect(reviews.map(({ path }) => path.split("/").at(-1))).toEqual([
      "tokenreviews",
      "subjectaccessreviews",
    ]);
    expect(reviews[1]?.spec).toMatchObject({
      user: "ann@team",
      resourceAttributes: { group: "autoai.dev", resource: "trainingjobs", namespace: "team", name: "churn" },
    });
  });

  test.each([
    ["a user who may get something else", "bob", "trainingjobs", "churn", "Denied"],
    ["a user of the job, for the data set", "ann", "datasets", "rows", "Denied"],
    ["a token that nobody knows", "eve", "trainingjobs", "churn", "Unauthenticated"],
    ["an operator that may not review", "unreviewed", "trainingjobs", "churn", "Unavailable"],
  ] as const)(
    "%s is refused before the store is looked into",
    async (_who, token, resource, name, outcome) => {
      store = new Proxy(store, {
        get: () => {
          throw new Error("the store was asked");
        },
      });
      expect((await ask(token, "profile", resource, name)).outcome).toBe(outcome);
    },
  );
});

describe("what is handed out", () => {
  test("the report, the profile and the preview, of a job and of a data set", async () => {
    const report = await found(ask("ann", "report"));
    expect(await text(report.body)).toBe("<p>report</p>");
    expect(report).toMatchObject({ name: "churn.html", size: 13 });
    const preview = { columns: ["x"], rows: [["1"]] };
    for (const [token, resource, name] of [
      ["ann", "trainingjobs", "churn"],
      ["bob", "datasets", "rows"],
    ] as const) {
      const profile = await text((await found(ask(token, "profile", resource, name))).body);
      expect(JSON.parse(profile)).toMatchObject({ preview });
      expect(JSON.parse(await text((await found(ask(token, "preview", resource, name))).body))).toEqual(
        preview,
      );
    }
  });

  test("the model package: model.json first, then every file that it names, and nothing else", async () => {
    await store.put(`${PREFIX}/secret`, encode("not of the package"));
    const files: Record<string, string> = {};
    for await (const { path, body } of unpackTar((await found(ask("ann", "model"))).body)) {
      files[path] = await text(body);
    }
    expect(files).toEqual({ "model.json": new TextDecoder().decode(MANIFEST), ...FILES });
    expect(Object.keys(files)[0]).toBe("model.json");
  });

  test.each([
    ["report", () => store.deletePrefix(reportKey(job))],
    ["model", () => store.deletePrefix(PREFIX)],
  ] as const)("a %s that is not there yet is missing", async (artifact, remove) => {
    await remove();
    expect((await ask("ann", artifact)).outcome).toBe("Missing");
  });

  test("a data set has neither report nor model", async () => {
    for (const artifact of ["report", "model"] as const)
      expect((await ask("bob", artifact, "datasets", "rows")).outcome).toBe("Missing");
  });

  test("a digest in the status that is none leads nowhere", async () => {
    const digest = "../../../team-b/secret";
    const other = { ...job, status: { model: { digest } } } as TrainingJob;
    const answer = await new Reading({
      api,
      cluster: { get: async () => other } as never,
      store,
      entries,
    }).artifact({
      token: "ann",
      resource: "trainingjobs",
      namespace: "team",
      name: "churn",
      artifact: "model",
    });
    expect(answer.outcome).toBe("Missing");
  });
});

describe("a journal", () => {
  const journal = (token: string, after: number) =>
    reading().journal({ token, namespace: "team", name: "churn", after });
  beforeEach(async () => {
    for (const entry of journalOf(prepared(), { type: "JobResumed" }, { type: "JobResumed" }))
      await store.put(`${journalPrefix(job)}/${String(entry.sequence).padStart(6, "0")}.json`, encode(entry));
  });

  test("is for who may get the job, from a number on", async () => {
    expect(await journal("bob", -1)).toMatchObject({ outcome: "Denied" });
    const all = await journal("ann", -1);
    expect(all).toMatchObject({ outcome: "Found", job, entries: [{ sequence: 0 }, { sequence: 1 }, {}] });
    expect(await journal("ann", 1)).toMatchObject({ entries: [{ sequence: 2 }] });
  });

  test("is not read anew for who asks again", async () => {
    const asked: string[] = [];
    const { get } = store;
    store.get = (key) => {
      asked.push(key);
      return get.call(store, key);
    };
    const first = await journal("ann", -1);
    expect(await journal("ann", -1)).toEqual(first);
    expect(asked).toHaveLength(3);
  });
});

describe("what was changed in the store since it was published", () => {
  test.each([
    ["of another digest", "Weights"],
    ["too long", "weights and more"],
    ["too short", "weight"],
  ])("breaks the archive off where a file is %s", async (_how, content) => {
    await store.put(`${PREFIX}/trained_model.joblib`, encode(content));
    await expect(buffer((await found(ask("ann", "model"))).body)).rejects.toThrow(
      /trained_model.joblib of the model package has/,
    );
  });

  test("is not handed out where it is model.json", async () => {
    await store.put(`${PREFIX}/model.json`, encode("{}"));
    const answer = await ask("ann", "model");
    expect(answer).toMatchObject({ outcome: "Unavailable", message: expect.stringContaining("was changed") });
  });
});
