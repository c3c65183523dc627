/** onnxruntime-node, which is an optional dependency: a front that serves no ONNX model needs none of its 45 MB. */

/** What is used of it; its own types are not there where it is left out. */
type Runtime = {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<Session>;
  };
  readonly Tensor: new (type: string, data: OnnxTensor["data"], shape: readonly number[]) => object;
};
type Session = {
  readonly inputMetadata: readonly ({ readonly name: string } & (
    | { readonly isTensor: true; readonly type: string }
    | { readonly isTensor: false }
  ))[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, object>>): Promise<Readonly<Record<string, { readonly data: unknown }>>>;
};
// Not in the call itself, where the compiler would look for it.
const PACKAGE = "onnxruntime-node";

export type OnnxTensor = {
  readonly type: "float32" | "float64" | "string";
  readonly data: Float32Array | Float64Array | string[];
};

export type OnnxSession = {
  readonly inputs: readonly { readonly name: string; readonly type: string }[];
  readonly outputs: readonly string[];
  /** Columns of so many rows to the outputs, as doubles. Blocks until it is done: onnxruntime-node has no other way. */
  run(columns: ReadonlyMap<string, OnnxTensor>, rows: number): Promise<ReadonlyMap<string, Float64Array>>;
};

/**
 * @param threads that one prediction may use
 * @throws Error where the package is not installed, or the bytes are no model that it can run
 */
export async function openSession(model: Uint8Array, threads: number): Promise<OnnxSession> {
  const ort = await runtime();
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    executionMode: "sequential",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // 3: errors. It would write warnings about models to standard error.
    logSeverityLevel: 3,
  });
  return {
    inputs: session.inputMetadata.map((one) => ({ name: one.name, type: one.isTensor ? one.type : "none" })),
    outputs: session.outputNames,
    async run(columns, rows) {
      const feeds = Object.fromEntries(
        [...columns].map(([name, { type, data }]) => [name, new ort.Tensor(type, data, [rows, 1])]),
      );
      const found = await session.run(feeds);
      return new Map(Object.entries(found).map(([name, tensor]) => [name, doubles(name, tensor.data)]));
    },
  };
}

function doubles(name: string, data: unknown): Float64Array {
  if (data instanceof Float64Array) return data;
  if (data instanceof Float32Array) return Float64Array.from(data);
  throw new Error(`the output ${name} is neither of 32 nor of 64 bit numbers`);
}

async function runtime(): Promise<Runtime> {
  try {
    const { default: found } = (await import(PACKAGE)) as { default: Runtime };
    return found;
  } catch (error) {
    throw new Error(
      `${PACKAGE} is not there (${(error as Error).message}): it is an optional dependency; ONNXRUNTIME_NODE_INSTALL=skip npm install brings it`,
      { cause: error },
    );
  }
}
