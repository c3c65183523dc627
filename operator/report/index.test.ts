import { describe, expect, test } from "vitest";
import { reportData, reportInput } from "../../test/builders/report-input.ts";
import { fc } from "../../test/properties.ts";
import type { JournalEntry } from "../api/journal.ts";
import { Task } from "../api/metrics.ts";
import { type ReportInput, renderReport } from "./index.ts";

/** What a person reads: without markup, as one line. */
function words(page: string): string {
  return page
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/<[^>]*>/g, " ")
    .replaceAll("&#39;", "'")
    .replaceAll(/[\s\u00a0]+/g, " ");
}

const headings = (page: string) => [...page.matchAll(/<h2[^>]*>([^<]*)/g)].map(([, text]) => text);

const ALL_SECTIONS = [
  "Warnings (1)",
  "On the final rows",
  "What the model looks at",
  "What was tried",
  "The data",
  "How it was evaluated",
  "The recipe",
  "Provenance",
];

describe("a report", () => {
  test.each(Task.options)("of a %s answers in the order of a sceptical reader", async (task) => {
    expect(headings(await renderReport(reportInput({ task })))).toEqual(ALL_SECTIONS);
  });

  test("is a pure function of its input", async () => {
    expect(await renderReport(reportInput())).toBe(await renderReport(reportInput()));
  });

  test("loads nothing and runs nothing", async () => {
    for (const task of Task.options) {
      const page = await renderReport(reportInput({ task }));
      expect(page).toContain(
        `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:;`,
      );
      expect(page).not.toMatch(/<(script|link|iframe|object|embed|form|base|img|a)\b/i);
      expect(page).not.toMatch(/<[^>]*\s(src|href|xlink:href|on\w+)=/i);
      expect(page).not.toMatch(/url\(|@import/i);
      const addresses = [...page.matchAll(/https?:\/\/[^"<\s]*/g)].map(([address]) => address);
      expect(new Set(addresses)).toEqual(
        new Set(["http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"]),
      );
    }
  });

  test("can be heard: one h1, tables with captions, pictures with descriptions, ids that are unique", async () => {
    for (const task of Task.options) {
      const page = await renderReport(reportInput({ task }));
      expect(page.match(/<h1/g)).toHaveLength(1);
      expect(page.match(/<caption>/g)).toHaveLength(page.match(/<table/g)?.length ?? 0);
      expect(page.match(/<th(?![^>]*scope=)[ >]/g)).toBeNull();
      const pictures = [...page.matchAll(/<div role="img" aria-label="([^"]*)"/g)];
      expect(pictures).toHaveLength(page.match(/<svg/g)?.length ?? 0);
      for (const [, description] of pictures) expect(description?.length).toBeGreaterThan(40);
      const ids = [...page.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test("turns dark with the reader's screen: no colour in a chart is fixed", async () => {
    const page = await renderReport(reportInput({ task: "MulticlassClassification" }));
    const colours = [...page.matchAll(/(?:fill|stroke)="([^"]+)"/g)].map(([, colour]) => colour);
    expect(colours.length).toBeGreaterThan(50);
    expect(colours.filter((colour) => !/^(var\(--[\w-]+\)|none|transparent)$/.test(colour ?? ""))).toEqual(
      [],
    );
  });

  test("defines every colour that it uses, for light, dark and paper alike", async () => {
    const page = await renderReport(reportInput({ task: "MulticlassClassification" }));
    const [light = "", dark = "", paper = ""] = page
      .split(":root {")
      .slice(1)
      .map((part) => part.split("}")[0]);
    const names = (block: string) => [...block.matchAll(/(--[\w-]+):/g)].map(([, name]) => name).sort();
    expect(names(dark)).toEqual(names(light));
    expect(names(paper)).toEqual(names(light));
    const used = new Set([...page.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name));
    const local = ["--tone", "--share", "--start", "--width"];
    expect([...used].filter((name) => !names(light).includes(name) && !local.includes(name ?? ""))).toEqual(
      [],
    );
  });
});

describe("parts that are missing are left out, and said to be", () => {
  test("no numbers of the final rows: scores without charts", async () => {
    const page = await renderReport({ ...reportInput(), data: undefined, files: [] });
    expect(headings(page)).toEqual(
      ALL_SECTIONS.filter((title) => title !== "What the model looks at" && title !== "The recipe"),
    );
    expect(words(page)).toContain("the published model could not be explained");
    expect(words(page)).toContain("RocAuc 0.8552 ± 0.0092");
  });

  test("a model without probabilities: a confusion matrix, and no curves", async () => {
    const { roc: _, precisionRecall: __, calibration: ___, ...data } = reportData("BinaryClassification");
    const page = await renderReport({ ...reportInput(), data });
    expect(page).not.toContain("ROC curve");
    expect(words(page)).toContain("Of 218 rows of class Yes the model finds 127 (58 %)");
  });

  test("nothing but a failure", async () => {
    const input = reportInput({ published: false });
    const entries: JournalEntry[] = [
      {
        type: "JobFinished",
        state: "ERROR",
        reason: "TargetMissing",
        message: "the column Churn was not found",
        sequence: 0,
        at: input.now,
        elapsedSeconds: 2,
      },
    ];
    const page = await renderReport({ ...input, entries, files: [] });
    expect(words(page)).toContain("No model was published: the column Churn was not found");
    expect(words(page)).toContain("No candidate was verified.");
    expect(headings(page)).not.toContain("On the final rows");
  });

  test("a journal without entries", async () => {
    const page = await renderReport({ ...reportInput(), entries: [], data: undefined });
    expect(words(page)).toContain("no candidate is verified yet");
  });
});

describe("bounds", () => {
  test("a job of any size gives a page of a few megabytes at most", async () => {
    const input = reportInput();
    const long = "long ".repeat(20_000);
    const columns = Array.from({ length: 5000 }, (_, index) => ({
      ...(input.profile.columns[2] as ReportInput["profile"]["columns"][number]),
      name: `${index} ${long}`,
    }));
    const attempt = input.entries.find((entry) => entry.type === "ToolFinished" && entry.candidate);
    const failure: JournalEntry = {
      ...(attempt as Extract<JournalEntry, { type: "ToolFinished" }>),
      candidate: undefined,
      response: { ok: false, traceback: long },
    };
    const page = await renderReport({
      ...input,
      entries: [
        ...input.entries,
        ...Array.from({ length: 1500 }, () => [attempt as JournalEntry, failure]).flat(),
      ],
      profile: { ...input.profile, columns },
      files: Array.from({ length: 200 }, (_, index) => ({ path: `${index}.py`, text: long })),
    });
    expect(page.length).toBeLessThan(4_000_000);
    expect(words(page)).toContain("The last 100 of 1,506 candidates");
    expect(words(page)).toContain("The first 200 of 5,000 columns");
    expect(words(page)).toContain("further characters are in the model package");
  });
});

const PAYLOADS = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  "</style></title></pre><svg onload=alert(1)>",
  "<!-- ]]> -->",
  "&lt;script&gt; &#x3c;",
  "javascript:alert(1) url(https://example.org/x) @import",
  `\${1} {{1}} \u202e\u0000\ud800\u2028`,
  "__proto__",
  "constructor",
  "datum.x; width; \\' \" `",
];

/** Texts by a stranger, never empty: an empty one may rightly leave its line out. */
const hostile = fc
  .tuple(fc.constantFrom("", ...PAYLOADS), fc.string({ unit: "binary", maxLength: 20 }))
  .map(([payload, noise]) => `x${payload}${noise}`);

/** The input with every text that a stranger could have written replaced. */
function written(input: ReportInput, next: () => string): ReportInput {
  const names = new Map<string, string>();
  const stranger = (text: string) => {
    const known = names.get(text) ?? `${next()}${names.size}`;
    names.set(text, known);
    return known;
  };
  const TEXTS = new Set(
    "name,message,description,traceback,value,min,max,format,column,class,of,text,path,entry,goal,target,model,version,encoding,digest,prefix,uri,journalUri,environment,datasetSha256,claim".split(
      ",",
    ),
  );
  const visit = (value: unknown, key: string): unknown => {
    if (typeof value === "string") return TEXTS.has(key) || key === "classes" ? stranger(value) : value;
    if (Array.isArray(value)) return value.map((item) => visit(item, key));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, visit(item, name)]));
  };
  return { ...(visit({ ...input, version: "v", now: "n" }, "") as ReportInput), now: input.now };
}

/** Tags with the names of their attributes: all that markup can do, without any text. */
function skeleton(page: string): string[] {
  return [...page.matchAll(/<[^>]*>/g)].map(([tag]) =>
    tag.replaceAll(/="[^"]*"/g, "=").replaceAll(/\s+/g, " "),
  );
}

test("no text of data, model or user becomes markup: the page's tags are those of an innocent job", async () => {
  const inputs = await Promise.all(
    Task.options.map(async (task) => {
      const input = reportInput({ task, model: "gemini-2.5-pro" });
      return { input, innocent: skeleton(await renderReport(written(input, () => "innocent"))) };
    }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...inputs),
      fc.array(hostile, { minLength: 1, maxLength: 20 }),
      async ({ input, innocent }, texts) => {
        let index = 0;
        const page = await renderReport(written(input, () => texts[index++ % texts.length] ?? "x"));
        expect(skeleton(page)).toEqual(innocent);
        expect(page.isWellFormed()).toBe(true);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        expect(page).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u202a-\u202e\u2066-\u2069]/);
      },
    ),
    { numRuns: 25 },
  );
});

test("texts of strangers do reach the page, as text", async () => {
  const page = await renderReport(written(reportInput(), () => "<script>alert(1)</script>"));
  expect(page.match(/&lt;script&gt;alert\(1\)&lt;\/script&gt;/g)?.length).toBeGreaterThan(50);
});

describe("a job in which nothing but the prior baseline was verified", () => {
  const input = reportInput({ published: false });
  const data = reportData("BinaryClassification");
  const still = data.importance?.columns.map((column) => ({ ...column, drop: 0, standardError: 0 })) ?? [];
  const published = reportInput({ scores: [] }).entries.find((entry) => entry.type === "ModelPublished");
  const page = () =>
    renderReport({
      ...input,
      entries: [
        ...input.entries.slice(0, 2),
        { ...(published as Extract<JournalEntry, { type: "ModelPublished" }>), candidate: 0 },
      ],
      data: {
        ...data,
        confusion: {
          classes: ["No", "Yes"],
          counts: [
            [582, 0],
            [218, 0],
          ],
        },
        importance: { ...(data.importance as NonNullable<typeof data.importance>), columns: still },
      },
    });

  test("says so, and that there was no better one to compare with", async () => {
    const text = words(await page());
    expect(text).toContain("Nothing but the prior baseline was verified, so it is the model");
    expect(text).toContain("In this job only one of them was: compare with care.");
  });

  test("shows it in the picture, and that it looks at nothing", async () => {
    const text = words(await page());
    expect(await page()).toMatch(/aria-label="Verified RocAuc of 1 candidate over the time worked\./);
    expect(text).toContain("At nothing: whichever column's cells are shuffled");
    expect(text).toContain("the model finds 0 (0 %). It calls no row Yes.");
  });
});

describe("with split Group", () => {
  const spec = { evaluation: { split: "Group", column: "Region" } };
  const grouped = (groups: number | undefined): ReportInput => {
    const input = reportInput({ spec });
    return {
      ...input,
      entries: input.entries.map((entry) =>
        entry.type === "ModelPublished" && groups !== undefined
          ? { ...entry, final: { ...entry.final, groups } }
          : entry,
      ),
    };
  };

  test("says of how many groups the errors are drawn, and when these are few", async () => {
    expect(words(await renderReport(grouped(40)))).toContain(
      "standard errors by bootstrap, for which whole groups are drawn: 40 groups are among the final rows.",
    );
    expect(words(await renderReport(grouped(5)))).toContain(
      "5 groups are among the final rows, so few that the errors are rough.",
    );
  });

  test("says when the errors are too small, for there was one group to draw from", async () => {
    expect(words(await renderReport(grouped(undefined)))).toContain("the errors are larger than shown");
  });
});
