/** Dates of requests in the form that the column had when the model was trained (runner/autoai_runner/intake/dates.py). */

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** @param format of the feature, such as `D/M/YYYY hh:mm:ss Z`; @returns the canonical text, or undefined for no date */
export function canonicalDate(text: string, format: string | undefined): string | undefined {
  const found = ISO.exec(text.trim());
  if (!found) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone] = found;
  const offset = zone === undefined || zone === "Z" ? "Z" : zone.replace(/^(.\d{2}):?(\d{2})$/, "$1:$2");
  const moment = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  // 31 February would come out as a day of March.
  const exact = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(moment.getTime()) || exact.getUTCDate() !== Number(day)) return undefined;
  const utc = moment.toISOString().slice(0, 19);
  const zoned = format?.endsWith(" Z") ? "Z" : "";
  if (format?.includes("ffffff")) return `${utc}.${fraction.padEnd(6, "0").slice(0, 6)}${zoned}`;
  return format?.includes("hh") ? `${utc}${zoned}` : utc.slice(0, 10);
}
