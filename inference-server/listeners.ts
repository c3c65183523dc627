/**
 * One port, several listening sockets: those that connect while the server is busy are taken many at a time.
 *
 * libuv takes one connection of a socket in each turn of its loop (libuv/libuv#3696). Under load a turn is some 5 to 10 ms of checking
 * rows and writing answers, so that a hundred who connect at once would wait for half a second, whatever the model takes. Linux
 * spreads them over the sockets of a port (SO_REUSEPORT), and of each one is taken in a turn.
 */
import { once } from "node:events";
import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { promisify } from "node:util";
import type { FastifyInstance, FastifyListenOptions } from "fastify";

/** Sockets of the port. */
const LISTENERS = 16;

export type Address = {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
};

export class Listeners {
  readonly #fastify: FastifyInstance;
  readonly #more: Server[] = [];
  #isLeaving = false;

  /** @param fastify before it is ready */
  constructor(fastify: FastifyInstance) {
    this.#fastify = fastify;
    fastify.addHook("onSend", async (_, reply) => {
      if (this.#isLeaving) reply.header("connection", "close");
    });
  }

  /**
   * Resolves to the URL.
   * @throws EADDRINUSE, EACCES and others of listen(2)
   */
  async listen(address: Address): Promise<string> {
    // Elsewhere sockets of one port are refused, or do not share what comes.
    if (process.platform !== "linux") return this.#fastify.listen(address);
    await needFree(address);
    // Fastify gives Node what it is given; its own types do not know of this.
    const shared: FastifyListenOptions & ListenOptions = { ...address, reusePort: true };
    const url = await this.#fastify.listen(shared);
    const main = this.#fastify.server;
    const bound = main.address();
    if (bound === null || typeof bound === "string") return url;
    // As http.Server makes its own.
    const options = { allowHalfOpen: true, noDelay: true };
    while (this.#more.length < LISTENERS - 1) {
      const one = createServer(options, (socket: Socket) => main.emit("connection", socket));
      this.#more.push(one.listen({ host: bound.address, port: bound.port, reusePort: true }));
      await once(one, "listening");
    }
    return url;
  }

  /** Connections that are open, of all sockets. */
  async connections(): Promise<number> {
    const counts = [this.#fastify.server, ...this.#more].map((one) =>
      promisify(one.getConnections.bind(one))(),
    );
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  /** Goes on taking and answering, and asks each client to connect anew for its next request: to whoever takes its place. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** Takes nobody any more; resolves when all who were taken are answered and gone. */
  async close(): Promise<void> {
    this.leave();
    const ended = this.#more.map((one) => once(one.close(), "close"));
    await Promise.all([...ended, this.#fastify.close()]);
  }
}

/** @throws where somebody listens there, be it one who would share the port */
async function needFree(address: Address): Promise<void> {
  if (address.port === 0) return;
  const probe = createServer();
  probe.listen(address);
  await once(probe, "listening");
  await once(probe.close(), "close");
}
