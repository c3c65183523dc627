/**
 * A proxy between an operator and its API server, store or LLM, which has HTTP requests meet faults. What it passes on it passes on as it
 * came, the Host header included: requests to a store are signed with it.
 */
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Weather } from "../embedded/line.ts";
import type { Fault, Seam } from "../embedded/schedule.ts";

export type ProxyOptions = {
  readonly seam: Extract<Seam, "API" | "store" | "LLM">;
  readonly weather: Weather;
  /** Address to listen on; the loopback's where absent. */
  readonly host?: string;
  /** To be passed on whatever happens: what is not the operator's. */
  readonly spares?: (request: IncomingMessage) => boolean;
  /** What it shows the target, where that is reached by TLS. */
  readonly tls?: Pick<https.RequestOptions, "ca" | "cert" | "key">;
};

/** Longest that a request is held up, in seconds: less than clients wait. */
const LONGEST_DELAY = 2;
const HEADERS_OF_A_HOP = new Set(["connection", "keep-alive", "transfer-encoding", "content-length"]);

export class FaultProxy {
  readonly url: string;
  readonly #server: http.Server;
  readonly #target: URL;
  readonly #options: ProxyOptions;
  readonly #agent: http.Agent;
  #isCut = false;

  private constructor(server: http.Server, target: string, options: ProxyOptions) {
    this.#server = server;
    this.#target = new URL(target);
    this.#options = options;
    const { address, port } = server.address() as AddressInfo;
    this.url = `http://${address}:${port}`;
    this.#agent = new (this.#target.protocol === "https:" ? https : http).Agent({
      keepAlive: true,
      ...options.tls,
    });
    server.on("request", (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async to(target: string, options: ProxyOptions): Promise<FaultProxy> {
    const server = http.createServer();
    server.listen(0, options.host ?? "127.0.0.1");
    await once(server, "listening");
    return new FaultProxy(server, target, options);
  }

  /** From now on the operator hears nothing more, and is not heard. */
  cut(): void {
    this.#isCut = true;
    if (!this.#options.spares) this.#server.closeAllConnections();
  }

  close(): void {
    this.cut();
    this.#server.closeAllConnections();
    this.#server.close();
    this.#agent.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { seam, weather, spares } = this.#options;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (spares?.(request)) return this.#pass(request, body, response);
    if (this.#isCut) return void response.destroy();
    const isWatch = request.url?.includes("watch=true") ?? false;
    const isWrite = request.method !== "GET" && request.method !== "HEAD";
    const fault = isWatch ? weather.draw("watch", false) : weather.draw(seam, isWrite);
    await this.#meet(fault, request, body, response);
  }

  async #meet(
    fault: Fault | undefined,
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
  ): Promise<void> {
    const { seam, weather } = this.#options;
    const { random } = weather;
    switch (fault) {
      case undefined:
        return this.#pass(request, body, response);
      case "delay":
        await pause(random.between(10, LONGEST_DELAY * 1000));
        return this.#pass(request, body, response);
      case "duplicate":
        await this.#pass(request, body, undefined);
        return this.#pass(request, body, response);
      case "drop":
        await pause(random.between(0, LONGEST_DELAY * 1000));
        response.destroy();
        return;
      case "cut":
        return this.#pass(request, body, response, true);
      case "late":
        response.destroy();
        await pause(random.between(10, LONGEST_DELAY * 1000));
        return this.#pass(request, body, undefined);
      default:
        refuse(seam, fault, response);
    }
  }

  /** @param response undefined: the answer is read, and goes nowhere. @param isCut in the middle of its body it breaks off */
  #pass(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse | undefined,
    isCut = false,
  ): Promise<void> {
    const { hostname, port, protocol } = this.#target;
    return new Promise((resolve) => {
      const end = (): void => {
        response?.destroy();
        resolve();
      };
      const onward = (protocol === "https:" ? https : http).request(
        {
          ...{ hostname, port, path: request.url, method: request.method, agent: this.#agent },
          headers: { ...request.headers, "content-length": body.length },
        },
        (answer) => {
          answer.once("error", end);
          answer.once("close", resolve);
          if (!response || response.destroyed) return void answer.resume();
          response.once("close", () => onward.destroy());
          const kept = Object.entries(answer.headers).filter(([name]) => !HEADERS_OF_A_HOP.has(name));
          const length = answer.headers["content-length"];
          response.writeHead(answer.statusCode ?? 502, {
            ...Object.fromEntries(kept),
            ...(length === undefined ? {} : { "content-length": length }),
          });
          response.flushHeaders();
          if (!isCut) answer.pipe(response);
          else
            answer.once("data", (chunk: Buffer) => {
              response.write(chunk.subarray(0, Math.ceil(chunk.length / 2)), end);
            });
          if (isCut) answer.once("end", end);
        },
      );
      onward.once("error", end);
      onward.end(body);
    });
  }
}

/** An answer with that status, as a server of the kind would word it. */
function refuse(seam: ProxyOptions["seam"], fault: Fault, response: ServerResponse): void {
  const code = fault === "full" ? 507 : Number(fault);
  if (seam === "store") {
    const name = {
      409: "OperationAborted",
      429: "SlowDown",
      500: "InternalError",
      503: "ServiceUnavailable",
    }[code];
    response.writeHead(code, { "content-type": "application/xml" });
    response.end(`<Error><Code>${name ?? "XMinioStorageFull"}</Code><Message>a fault</Message></Error>`);
    return;
  }
  response.writeHead(code === 410 ? 200 : code, { "content-type": "application/json" });
  if (seam === "LLM") {
    const status = code === 429 ? "RESOURCE_EXHAUSTED" : "UNAVAILABLE";
    response.end(JSON.stringify({ error: { code, status, message: "a fault" } }));
    return;
  }
  const reason = { 409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError" }[code];
  const status = {
    kind: "Status",
    status: "Failure",
    code,
    reason: reason ?? "ServiceUnavailable",
    message: "a fault",
  };
  // Of a watch it is an event.
  response.end(`${JSON.stringify(code === 410 ? { type: "ERROR", object: status } : status)}\n`);
}
