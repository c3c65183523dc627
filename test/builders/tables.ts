/** Small data sets with a known truth, the same ones every time. */

/** A seeded generator of numbers in [0, 1): mulberry32. */
export function randomness(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function csv(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return `${[header, ...rows].map((row) => row.join(",")).join("\n")}\n`;
}

/**
 * One column decides, and lies in 3 of 10 rows: nothing can be right more often than 0.7 of the time. The others are
 * noise, so that whoever looks closer sees less.
 */
export function mostlyTrue(rows: number, seed = 7): string {
  const random = randomness(seed);
  return csv(
    ["signal", "noise_a", "noise_b", "colour", "answer"],
    Array.from({ length: rows }, () => {
      const signal = random() < 0.5 ? "low" : "high";
      const truth = random() < 0.7 ? signal === "high" : signal === "low";
      const colour = ["red", "green", "blue"][Math.floor(random() * 3)] ?? "red";
      return [signal, random().toFixed(4), random().toFixed(4), colour, truth ? "yes" : "no"];
    }),
  );
}

/** Six numbers add up to the answer, but for some noise: a linear model is the right one, and trees need far more rows. */
export function linear(rows: number, seed = 11): string {
  const random = randomness(seed);
  return csv(
    ["a", "b", "c", "d", "e", "f", "group", "answer"],
    Array.from({ length: rows }, () => {
      const numbers = Array.from({ length: 6 }, () => random() * 10 - 5);
      const sum = numbers.reduce((total, number) => total + number, 0) + (random() - 0.5) * 6;
      const cells = numbers.map((number) => number.toFixed(3));
      return [...cells, `g${Math.floor(random() * 4)}`, sum > 0 ? "yes" : "no"];
    }),
  );
}

/**
 * Two columns decide, and what they mean for the answer moves on with the days: yesterday tells more of today than last
 * year does. Rows are shuffled, and several are of one day.
 */
export function overTime(rows: number, seed = 13): string {
  const random = randomness(seed);
  const days = Math.ceil(rows / 4);
  const made = Array.from({ length: rows }, () => {
    const day = Math.floor(random() * days);
    const [a, b] = [random() * 10 - 5, random() * 10 - 5];
    const sum = a * (1 - day / days) + b + (random() - 0.5) * 4;
    const date = new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10);
    return [date, a.toFixed(3), b.toFixed(3), sum > 0 ? "yes" : "no"];
  });
  return csv(["day", "a", "b", "answer"], made);
}

/**
 * Rows of a group have much in common that no other group has: its level, which adds to the answer, and a mark by which
 * the group can be told, so that whoever has the group on both sides knows the answer by heart.
 */
export function inGroups(rows: number, groups: number, seed = 17): string {
  const random = randomness(seed);
  const known = Array.from({ length: groups }, () => ({ level: random() * 20 - 10, mark: random() * 100 }));
  const made = Array.from({ length: rows }, (_, row) => {
    const { level, mark } = known[row % groups] as { level: number; mark: number };
    const a = random() * 10 - 5;
    return [
      `g${row % groups}`,
      a.toFixed(3),
      (mark + random() / 100).toFixed(4),
      (a + level + random()).toFixed(3),
    ];
  });
  return csv(["family", "a", "mark", "answer"], made);
}
