/**
 * Attacks that are tried as things are, where each has to be refused, and once more with one guard taken away, where it has to succeed:
 * so it is known that the guard stopped it, and not chance. What came of each is a line of test-results/attacks.jsonl, of which
 * `make attacks` makes a table.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const RESULTS = join(import.meta.dirname, "../../test-results");

/** What an attack got; nothing where it was refused. */
export type Got = string | null | undefined | false;

export type Attack = {
  /** From where it is tried. */
  readonly place: string;
  /** What has to stop it. */
  readonly guard: string;
  /** Tries it as things are. */
  readonly attempt: (number: number) => Promise<Got> | Got;
  /** How often at the most; ATTACK_TIMES where that is less. */
  readonly times?: number;
  /** The same, where the guard is not. */
  readonly without: { readonly how: string; readonly attempt: () => Promise<Got> | Got };
};

/** How often each attack is tried: 1 by default, more by `make attacks TIMES=n`. */
export const TIMES = Math.max(1, Number(process.env.ATTACK_TIMES ?? 1));

/** A test: the attack is refused every time, and succeeds without its guard. */
export function attack(name: string, { place, guard, attempt, times = TIMES, without }: Attack): void {
  test(`${name} (${place})`, async () => {
    const tries = Math.min(times, TIMES);
    const got: string[] = [];
    for (let number = 0; number < tries; number++) {
      const one = await attempt(number);
      if (one) got.push(one);
    }
    const through = (await without.attempt()) || undefined;
    const line = { attack: name, place, guard, tried: tries, got, how: without.how, through };
    mkdirSync(RESULTS, { recursive: true });
    appendFileSync(join(RESULTS, "attacks.jsonl"), `${JSON.stringify(line)}\n`);
    expect(got, "it has to be refused").toEqual([]);
    expect(through, `it has to succeed ${without.how}: else nothing is known of the guard`).toBeDefined();
  });
}
