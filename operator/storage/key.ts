/** Keys of an ArtifactStore: what is accepted everywhere, so that no store reads one as a way out of itself. */

// Control characters, and the backslash that Windows reads as a separator.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u001f\u007f\\]/;
const MAX_KEY_BYTES = 1024;
const MAX_SEGMENT_BYTES = 240;

export class InvalidKeyError extends Error {
  override readonly name = "InvalidKeyError";
}

/** Throws InvalidKeyError unless the key is `segment/segment/...` with no empty, `.`, `..` or hidden segment. */
export function checkKey(key: string): void {
  checkText(key, key);
  for (const segment of key.split("/")) {
    if (segment === "") throw fault(key, "an empty segment");
    checkSegment(key, segment);
  }
}

/** As checkKey, for the beginning of a key: may be empty and may end anywhere. */
export function checkPrefix(prefix: string): void {
  checkText(prefix, prefix);
  const segments = prefix.split("/");
  const last = segments.pop() ?? "";
  for (const segment of segments) {
    if (segment === "") throw fault(prefix, "an empty segment");
    checkSegment(prefix, segment);
  }
  if (last !== "") checkSegment(prefix, last);
}

function checkText(key: string, text: string): void {
  if (FORBIDDEN.test(text)) throw fault(key, "control characters or a backslash");
  if (Buffer.byteLength(text) > MAX_KEY_BYTES) throw fault(key, `more than ${MAX_KEY_BYTES} bytes`);
}

function checkSegment(key: string, segment: string): void {
  if (segment.startsWith(".")) throw fault(key, `the segment ${JSON.stringify(segment)}`);
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES)
    throw fault(key, `a segment of more than ${MAX_SEGMENT_BYTES} bytes`);
}

function fault(key: string, what: string): InvalidKeyError {
  const shown = JSON.stringify(key.length > 120 ? `${key.slice(0, 120)}…` : key);
  return new InvalidKeyError(
    `store key ${shown} has ${what}; expected names of letters and digits, joined by slashes`,
  );
}
