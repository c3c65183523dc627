/** Anything instead of a reply of the store: what is asked comes to an answer of its kind, or to an error that says whose fault it is. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fc } from "../../test/properties.ts";
import { NotFoundError, StoreError } from "./artifact-store.ts";
import { S3Store } from "./minio.ts";

type Reply = { readonly status: number; readonly body: Buffer };

let reply: Reply = { status: 200, body: Buffer.alloc(0) };
let asked = 0;
let server: Server;
let store: S3Store;
beforeAll(async () => {
  server = createServer((request, response) => {
    asked++;
    request.resume();
    request.once("end", () => {
      response.writeHead(reply.status, { "content-type": "application/xml", etag: '"e"' });
      response.end(request.method === "HEAD" ? undefined : reply.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  store = new S3Store({
    ...{ endpoint: `http://127.0.0.1:${port}`, bucket: "bucket", region: "us-east-1" },
    ...{ accessKey: "access", secretKey: "hidden-secret", silenceMs: 2000, retryAfterMs: [] },
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const LISTING = `<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><Prefix>a/</Prefix><KeyCount>2</KeyCount>
<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>
<Contents><Key>a/1</Key><Size>3</Size><ETag>"e"</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>
<Contents><Key>a/2</Key><Size>3</Size><ETag>"e"</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>`;
const ERROR = "<Error><Code>NoSuchKey</Code><Message>hidden-secret</Message><Key>a/1</Key></Error>";
const DELETED =
  "<DeleteResult><Error><Key>a/1</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>";

const part = fc.constantFrom(
  ...[
    "<Contents>",
    "</Contents>",
    "<Contents><Key>b/outside</Key></Contents>",
    "<Key/>",
    "<IsTruncated>true</IsTruncated>",
  ],
  ...[
    "<NextContinuationToken>t</NextContinuationToken>",
    "<ListBucketResult>",
    "</ListBucketResult>",
    "&amp;",
    "&x;",
    "<!--",
  ],
  ...[
    "<Error>",
    "<Code>SlowDown</Code>",
    "<Code/>",
    "<__proto__>1</__proto__>",
    "<DeleteResult>",
    '<!DOCTYPE a [<!ENTITY x "y">]>',
  ],
);
const spoilt = (whole: string) =>
  fc.oneof(
    fc.nat(whole.length).map((end) => whole.slice(0, end)),
    fc
      .tuple(fc.nat(whole.length), fc.nat(80))
      .map(([at, count]) => whole.slice(0, at) + whole.slice(at + count)),
    fc.tuple(fc.nat(whole.length), part).map(([at, more]) => whole.slice(0, at) + more + whole.slice(at)),
  );
const ENDLESS = LISTING.replace(
  "<IsTruncated>false</IsTruncated>",
  "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
);
const replies = fc.record({
  status: fc.constantFrom(200, 200, 200, 204, 206, 301, 400, 403, 404, 412, 416, 429, 500, 503),
  body: fc.oneof(
    spoilt(LISTING).map(Buffer.from),
    fc.oneof(fc.constant(ENDLESS), spoilt(ENDLESS)).map(Buffer.from),
    spoilt(ERROR).map(Buffer.from),
    spoilt(DELETED).map(Buffer.from),
    fc.array(part, { maxLength: 8 }).map((parts) => Buffer.from(parts.join(""))),
    fc.uint8Array({ maxLength: 60 }).map(Buffer.from),
  ),
});

/** The answer, or undefined where the store is said to have refused, or to be away. */
async function tried<T>(what: () => Promise<T>): Promise<T | undefined> {
  try {
    return await what();
  } catch (error) {
    expect(
      [StoreError, NotFoundError].some((kind) => error instanceof kind),
      String(error),
    ).toBe(true);
    expect((error as Error).message).not.toContain("hidden-secret");
    return undefined;
  }
}

test("any reply", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(replies, async (given) => {
      reply = given;
      asked = 0;
      const keys = await tried(() => store.list("a/"));
      for (const key of keys ?? []) expect(key).toMatch(/^a\//);
      // Not for ever, whatever it says of more.
      expect(asked).toBeLessThan(10);
      for (const key of (await tried(() => store.page("a/", "a/", 10))) ?? []) expect(key).toMatch(/^a\//);
      expect([true, false, undefined]).toContain(await tried(() => store.exists("a/1")));
      expect([true, false, undefined]).toContain(await tried(() => store.create("a/1", new Uint8Array([1]))));
      const bytes = await tried(() => store.get("a/1"));
      if (bytes) expect(Buffer.from(bytes)).toEqual(given.status === 204 ? Buffer.alloc(0) : given.body);
      await tried(() => store.deleteKeys(["a/1"]));
      await tried(() => store.copy("a/1", "a/2"));
      await tried(() => store.ensureBucket());
    }),
    {
      numRuns: 150,
      // Elements where a text is expected, found by chance; and what nobody asked for, which chance finds seldom.
      examples: [
        [{ status: 403, body: Buffer.from(ERROR.replace("<Message>", "<Message><Contents>")) }],
        [{ status: 200, body: Buffer.from(LISTING.replaceAll("<Key>a/2<", "<Key>b/outside<")) }],
      ],
    },
  );
});
