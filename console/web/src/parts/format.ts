/** Numbers, sizes and times for people. */

export function bytes(count: number | undefined): string {
  if (count === undefined) return "";
  const units = ["B", "kB", "MB", "GB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

export function count(value: number | undefined): string {
  return value === undefined ? "" : value.toLocaleString("en");
}

export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function score(value: number, standardError?: number): string {
  if (standardError === undefined || standardError <= 0) return String(Number(value.toPrecision(5)));
  const digits = Math.min(6, Math.max(0, 2 - Math.ceil(Math.log10(standardError))));
  return `${value.toFixed(digits)} ± ${standardError.toFixed(digits)}`;
}

export function when(iso: string | undefined): string {
  if (!iso) return "";
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? ""
    : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** A name that Kubernetes takes, from whatever a file is called. */
export function nameFrom(file: string): string {
  const name = file
    .replace(/\.[a-z0-9]{1,5}$/i, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 50)
    .replace(/-+$/, "");
  return name === "" ? "data" : name;
}
