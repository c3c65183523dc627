/** Numbers as people read them. Always in English notation: a report reads the same wherever it was made. */

export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** "1 row", "12,000 rows". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** About four significant digits, without an exponent where one can do without. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(2).replace("-", "−");
  const digits = size >= 1000 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 };
  return value.toLocaleString("en-US", digits).replace("-", "−");
}

export function percent(share: number): string {
  if (!Number.isFinite(share)) return "–";
  const hundredths = share * 100;
  if (hundredths > 0 && hundredths < 0.1) return "<\u00a00.1\u00a0%";
  return `${hundredths.toLocaleString("en-US", { maximumFractionDigits: hundredths < 10 ? 1 : 0 })}\u00a0%`;
}

/** "0.8517 ± 0.0046", in as many digits as the error deserves. */
export function withError(value: number, standardError: number | undefined): string {
  if (standardError === undefined || !(standardError > 0) || !Number.isFinite(value)) return short(value);
  const digits = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(standardError))));
  if (Math.abs(value) >= 1e9 || standardError < 1e-7) return `${short(value)} ± ${short(standardError)}`;
  const fixed = (number: number) =>
    number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${fixed(value)} ± ${fixed(standardError)}`.replaceAll("-", "−");
}

/** With its sign: "+0.012 ± 0.004". */
export function change(value: number, standardError: number | undefined): string {
  return `${value > 0 ? "+" : ""}${withError(value, standardError)}`;
}

/** "48 s", "3 min 20 s", "1 h 5 min", on one line. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toLocaleString("en-US", { maximumFractionDigits: 1 })}\u00a0s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}\u00a0s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60)
    return whole % 60 === 0 ? `${minutes}\u00a0min` : `${minutes}\u00a0min ${whole % 60}\u00a0s`;
  return minutes % 60 === 0
    ? `${minutes / 60}\u00a0h`
    : `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
}

/** "4.1 MB". */
export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const power = size < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(size) / 3));
  return `${short(Number((size / 1000 ** power).toPrecision(3)))} ${units[power]}`;
}

/** "2026-03-01 12:00:05 UTC"; the text itself where it is no date. */
export function moment(timestamp: string): string {
  const time = new Date(timestamp);
  if (Number.isNaN(time.getTime())) return timestamp;
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
