/** A copy of a part of the product in which a guard is taken away: lines of it are replaced. No switch of the product does so. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** File → what stands there, and what stands there instead. */
export type Changes = Readonly<Record<string, readonly (readonly [before: string, after: string])[]>>;

/** Copies a folder without its tests, and changes it. Throws where what is to be changed does not stand there any more. */
export function copyWith(from: string, to: string, changes: Changes): void {
  cpSync(from, to, {
    recursive: true,
    filter: (path) => !/\/(tests|__pycache__|node_modules)(\/|$)|\.test\.ts$/.test(path.slice(from.length)),
  });
  for (const [file, edits] of Object.entries(changes)) {
    const path = join(to, file);
    let text = readFileSync(path, "utf8");
    for (const [before, after] of edits) {
      if (!text.includes(before)) throw new Error(`${file} has no ${before}: what guards there now?`);
      text = text.replace(before, after);
    }
    writeFileSync(path, text);
  }
}
