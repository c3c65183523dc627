/** How bodies are read: JSON in UTF-8 as it is, or one clear error; and what is answered to bytes that are no request. */
import { isUtf8 } from "node:buffer";
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { FastifyBodyParser, FastifyInstance } from "fastify";
import { RequestError } from "./errors.ts";

/** JSON alone is read, under its own type; whatever else is 415. */
export function readJsonBodies(fastify: FastifyInstance): void {
  fastify.removeContentTypeParser(["application/json", "text/plain"]);
  fastify.addContentTypeParser("application/json", { parseAs: "buffer" }, jsonParser(fastify));
}

/** Of what is given more than once in an object, the last counts, as JSON.parse has it. */
export function jsonParser(fastify: FastifyInstance): FastifyBodyParser<Buffer> {
  const parse = fastify.getDefaultJsonParser("remove", "ignore");
  return (request, body, done) => {
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      const found = JSON.stringify(encoding.slice(0, 40));
      done(
        new RequestError(
          415,
          "EncodedBody",
          `bodies are read as they are: send it without the encoding ${found}`,
        ),
      );
    } else if (!isUtf8(body)) {
      // Read leniently, a cell would be another text than the one that was sent.
      done(new RequestError(400, "InvalidRequest", "the body is not UTF-8, as JSON has to be"));
    } else parse(request, body.toString("utf8"), done);
  };
}

const NOT_HTTP: Readonly<Record<string, readonly [string, string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "TimedOut", "the request did not arrive in time"],
  HPE_HEADER_OVERFLOW: [
    "431 Request Header Fields Too Large",
    "HeadersTooLarge",
    "the headers are too large",
  ],
};

/** The answer to bytes that are no request, in the form that every error has. Closes the connection. */
export function answerNoRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const [status, reason, sentence] = NOT_HTTP[error.code ?? ""] ?? [
    "400 Bad Request",
    "InvalidRequest",
    "this is no HTTP request: its lengths, headers or line are wrong",
  ];
  const body = JSON.stringify({ error: sentence, reason, requestId: randomUUID() });
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroy(error);
}
