/** The Open Inference Protocol V2 (https://github.com/kserve/open-inference-protocol), over HTTP. */
import type { FastifyPluginAsync } from "fastify";
import type { Served } from "../app.ts";
import { jsonParser } from "../bodies.ts";
import { RequestError } from "../errors.ts";
import { DATATYPES } from "../schema/datatypes.ts";
import { ERROR_SCHEMA, exampleRow, type JsonSchema } from "../schema/openapi.ts";
import { checkTensors, inputTensors, outputTensors, parseInfer, tensorsOf } from "../schema/tensors.ts";
import { answer } from "./predict.ts";

type Named = { Params: { name: string; version?: string } };

export const openInferenceRoutes: FastifyPluginAsync<Served> = async (fastify, served) => {
  const { model, schema, runtime, maxRows } = served;
  const name = model.manifest.provenance.job.name;
  const about = (summary: string, { path = "", body }: { path?: string; body?: JsonSchema } = {}) => ({
    schema: {
      summary,
      tags: ["Open Inference Protocol V2"],
      ...(body ? { body } : {}),
      ...(path === "" ? {} : { params: paramsSchema(path) }),
      response: {
        "2xx": { description: "As the protocol has it", type: "object", additionalProperties: true },
        "4xx": { description: "Not as expected", ...ERROR_SCHEMA },
        "5xx": { description: "Not now", ...ERROR_SCHEMA },
      },
    },
  });
  /** One model of one version is served, and nothing else is known. */
  const checkNamed = ({ name: asked, version }: Named["Params"]): void => {
    if (asked !== name) {
      throw new RequestError(
        404,
        "UnknownModel",
        `there is no model ${JSON.stringify(asked)}; ${name} is served`,
      );
    }
    if (version !== undefined && version !== model.digest) {
      throw new RequestError(404, "UnknownVersion", `of ${name}, version ${model.digest} is served`);
    }
  };
  // Clients of the protocol send JSON under other types, or none (tritonclient).
  const json = jsonParser(fastify);
  fastify.addContentTypeParser<Buffer>("*", { parseAs: "buffer" }, (request, body, done) => {
    if (request.headers["inference-header-content-length"] === undefined) {
      void json(request, body, done);
      return;
    }
    const message =
      "tensors in binary are not supported: send them as JSON (tritonclient: binary_data=False)";
    done(new RequestError(415, "BinaryTensors", message));
  });
  const notReady = () =>
    new RequestError(
      503,
      "NotReady",
      `the model is not ready: ${runtime.status().lastFailure ?? "starting"}`,
      1,
    );

  fastify.get("/v2", about("The server"), async () => ({ name: "autoai", version: "2", extensions: [] }));
  fastify.get("/v2/health/live", about("Whether the server runs"), async () => ({ live: true }));
  fastify.get("/v2/health/ready", about("Whether the model answers"), async () => {
    if (!runtime.status().ready) throw notReady();
    return { ready: true };
  });
  for (const path of ["/v2/models/:name", "/v2/models/:name/versions/:version"]) {
    fastify.get<Named>(path, about("The model's tensors", { path }), async ({ params }) => {
      checkNamed(params);
      return {
        name,
        versions: [model.digest],
        platform: "autoai_tabular",
        inputs: inputTensors(schema),
        outputs: outputTensors(schema),
        parameters: { content_type: "pd" },
      };
    });
    fastify.get<Named>(`${path}/ready`, about("Whether the model answers", { path }), async ({ params }) => {
      checkNamed(params);
      if (!runtime.status().ready) throw notReady();
      return { name, ready: true };
    });
    fastify.post<Named>(`${path}/infer`, about("Predict", { path, body: inferSchema() }), async (request) => {
      checkNamed(request.params);
      const asked = parseInfer(request.body);
      const { checked, columns } = checkTensors(schema, asked, maxRows);
      const { warnings } = checked;
      const inputs = () => ({ columns: Object.fromEntries(columns) });
      const { prediction } = await answer(served, request, checked, inputs);
      return {
        model_name: name,
        model_version: model.digest,
        id: asked.id ?? request.id,
        parameters: {
          content_type: "pd",
          ...(warnings.length ? { warnings: JSON.stringify(warnings) } : {}),
        },
        outputs: tensorsOf(prediction, schema, asked.outputs),
      };
    });
  }

  function paramsSchema(path: string): JsonSchema {
    const properties = {
      name: { type: "string", enum: [name], description: "Of the model: its job's." },
      ...(path.endsWith(":version")
        ? { version: { type: "string", enum: [model.digest], description: "The model's digest." } }
        : {}),
    };
    return { type: "object", required: Object.keys(properties), properties };
  }

  function inferSchema(): JsonSchema {
    const row = exampleRow(schema);
    const inputs = inputTensors(schema).map((tensor) => ({
      ...tensor,
      shape: [1, 1],
      data: [row[tensor.name]],
    }));
    return {
      type: "object",
      required: ["inputs"],
      properties: {
        id: { type: "string", maxLength: 256 },
        parameters: { type: "object", additionalProperties: true },
        inputs: {
          type: "array",
          minItems: 1,
          items: {
            type: "object",
            required: ["name", "shape", "datatype", "data"],
            properties: {
              name: { type: "string", minLength: 1, maxLength: 256 },
              shape: { type: "array", minItems: 1, maxItems: 2, items: { type: "integer", minimum: 0 } },
              datatype: { type: "string", enum: [...DATATYPES.keys()] },
              parameters: { type: "object", additionalProperties: true },
              data: { type: "array", items: {} },
            },
          },
        },
        outputs: {
          type: "array",
          items: { type: "object", required: ["name"], properties: { name: { type: "string" } } },
        },
      },
      examples: [{ parameters: { content_type: "pd" }, inputs }],
    };
  }
};
