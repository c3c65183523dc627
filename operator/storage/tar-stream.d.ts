/** What tar.ts uses of tar-stream, which brings no types. */
declare module "tar-stream" {
  import type { Readable, Writable } from "node:stream";

  type Header = { name: string; size: number; mtime?: Date; type?: string };
  type Pack = Readable & { entry(header: Header): Writable; finalize(): void };
  type Extract = Writable & AsyncIterable<Readable & { readonly header: Header }>;
  export function pack(): Pack;
  export function extract(): Extract;
}
