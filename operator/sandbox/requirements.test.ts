import { describe, expect, it } from "vitest";
import { fc } from "../../test/properties.ts";
import { normaliseLock, requirementProblem } from "./requirements.ts";

describe("requirementProblem", () => {
  it.each([
    "lightgbm",
    "xgboost==3.0.5",
    "ray[tune, data] >=2,<3",
    "a.b_c-d~=1.0",
    "x (>=1.0)",
    "torch==2.5.1+cpu",
    "y != 1.*",
  ])("accepts %s", (text) => expect(requirementProblem([text])).toBeUndefined());

  it.each([
    "",
    " ",
    "-r requirements.txt",
    "--index-url=http://evil",
    "--extra-index-url http://evil x",
    "-e .",
    ".",
    "./local",
    "/etc/passwd",
    "x.whl/../y",
    "git+https://example.com/x",
    "https://example.com/x.whl",
    "x @ https://example.com/x.whl",
    "x@file:///x",
    "x --hash=sha256:0",
    "x\n--index-url http://evil",
    "x\\",
    "x # comment",
    "x; python_version < '4'",
    "$HOME",
    "%X%",
    "x==1 y",
    "x".repeat(300),
  ])("refuses %j", (text) => expect(requirementProblem([text])).toMatch(/not the name of a package/));

  it("lets nothing through that a requirements file reads as more than one name with versions", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
        if (requirementProblem([text]) === undefined) {
          expect(text).toMatch(/^[A-Za-z0-9]/);
          expect(text).not.toMatch(/[\n\r/\\@:;#$'"]|:\/\/|--/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("bounds the number of packages", () => {
    expect(requirementProblem(Array.from({ length: 30 }, (_, n) => `p${n}`))).toBeUndefined();
    expect(requirementProblem(Array.from({ length: 31 }, (_, n) => `p${n}`))).toMatch(/at most 30/);
  });
});

describe("normaliseLock", () => {
  it("makes equal locks equal texts, whatever their comments, order and layout", () => {
    const one =
      "# header\nb==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:1\n    # via a\na==1 ; python_version < '3.12' --hash=sha256:3\n";
    const other =
      "a==1  ;  python_version < '3.12' \\\r\n  --hash=sha256:3\r\nb==2 --hash=sha256:1 --hash=sha256:2 # via\n";
    expect(normaliseLock(one)).toBe(normaliseLock(other));
    expect(normaliseLock(one)).toBe(
      "a==1 ; python_version < '3.12' \\\n    --hash=sha256:3\nb==2 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n",
    );
    expect(normaliseLock(normaliseLock(one))).toBe(normaliseLock(one));
  });
});
