/** What a person may have meant. */

/** The candidate that the word was meant to be, if one is near: another case, a part of it, or a slip of the keys. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const meant = bare(word.slice(0, 64));
  if (meant === "") return undefined;
  const same = candidates.find((candidate) => bare(candidate) === meant);
  if (same !== undefined) return same;
  const slips = candidates
    .map((candidate) => ({ candidate, distance: editDistance(meant, bare(candidate)) }))
    .filter(
      ({ distance }) => distance <= Math.max(1, Math.floor(meant.length * 0.4)) && distance < meant.length,
    )
    .sort((a, b) => a.distance - b.distance);
  if (slips[0]) return slips[0].candidate;
  const parts = candidates.filter((candidate) => {
    const other = bare(candidate);
    return meant.length >= 3 && other.length >= 3 && (other.includes(meant) || meant.includes(other));
  });
  return parts.sort((a, b) => a.length - b.length)[0];
}

/** Case, blanks, '-' and '_' are where spellings of one name differ. */
export function bare(word: string): string {
  return word.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
