import { describe, expect, test } from "vitest";
import { LlmRefusedError } from "../language-model.ts";
import { geminiSettings } from "./settings.ts";

const environment = { GEMINI_API_KEY: "AIza-from-the-environment" };

describe("geminiSettings", () => {
  test("takes the key from the environment, and the defaults for the rest", () => {
    expect(geminiSettings(environment)).toEqual({
      apiKey: "AIza-from-the-environment",
      model: "gemini-3.8-flash",
      baseUrl: "https://generativelanguage.googleapis.com",
    });
  });

  test("prefers what is handed in, and trims a key that was read from a file", () => {
    const settings = geminiSettings(environment, {
      apiKey: "AIza-from-a-secret\n",
      name: "tunedModels/churn-1",
    });
    expect(settings).toMatchObject({ apiKey: "AIza-from-a-secret", model: "tunedModels/churn-1" });
  });

  test.each([
    ["http://gemini.fakes.svc:8080", "http://gemini.fakes.svc:8080"],
    ["https://gateway.example/gemini/", "https://gateway.example/gemini"],
    ["", "https://generativelanguage.googleapis.com"],
  ])("AUTOAI_GEMINI_BASE_URL %j is %s", (url, baseUrl) => {
    expect(geminiSettings({ ...environment, AUTOAI_GEMINI_BASE_URL: url }).baseUrl).toBe(baseUrl);
  });

  test.each([
    "gemini",
    "ftp://host",
    "file:///etc/passwd",
    "http://user:hunter2@host",
    "https://host/?key=1",
    "https://host/v1beta",
  ])("AUTOAI_GEMINI_BASE_URL %s is refused, and its password is not repeated", (url) => {
    const read = () => geminiSettings({ ...environment, AUTOAI_GEMINI_BASE_URL: url });
    expect(read).toThrow(LlmRefusedError);
    expect(read).toThrow(/AUTOAI_GEMINI_BASE_URL .*: expected http/);
    expect(read).not.toThrow(/hunter2/);
  });

  test.each(["", "  ", undefined])("no key (%j) names the ways to give one", (key) => {
    expect(() => geminiSettings({ GEMINI_API_KEY: key })).toThrow(/GEMINI_API_KEY.*apiKeySecretRef.*Offline/);
  });

  test.each(["sec ret", "sec\nret", "schlüssel-schlüssel"])(
    "a key no header can hold (%j) is refused without repeating it",
    (key) => {
      const read = () => geminiSettings({ GEMINI_API_KEY: key });
      expect(read).toThrow(/blank, a line break or a character outside ASCII/);
      expect(read).not.toThrow(key);
    },
  );

  test.each(["../secrets", "a/b/c", "gemini?x=1", "gemini pro", "a..b"])(
    "model name %j is refused",
    (name) => {
      expect(() => geminiSettings(environment, { name })).toThrow(/is no model name/);
    },
  );
});
