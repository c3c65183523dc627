"""How dates are written, and their ISO 8601 form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

TIME = (
    r"(?:[Tt ] *(?P<h>\d{1,2}):(?P<n>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?"
    r"(?: ?(?P<p>[AaPp][Mm]))?(?: ?(?P<z>[Zz]|[+-]\d{2}(?::?\d{2})?))?)?"
)
MONTH_NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
NAMED = r"(?P<b>(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))(?i:[a-z]{0,6})\.?"
YEAR, DAY, MONTH = r"(?P<y>\d{4})", r"(?P<d>\d{1,2})", r"(?P<m>\d{1,2})"
MONTH_DASHED, MONTH_DOTTED = r"-(?P<m2>\d{1,2})-", r"\.(?P<m3>\d{1,2})\."
ANY_MONTH = f"(?:/{MONTH}/|{MONTH_DASHED}|{MONTH_DOTTED})"
MONTH_FIRST = rf"(?:{MONTH}/{DAY}/|(?P<m2>\d{{1,2}})-(?P<d2>\d{{1,2}})-)"
# By order of the parts. Only years of four digits: 01.02.03 could be anything.
ORDERS: dict[str, str] = {
    "YYYY-MM-DD": f"^{YEAR}{ANY_MONTH}{DAY}{TIME}$",
    "D/M/YYYY": f"^{DAY}{ANY_MONTH}{YEAR}{TIME}$",
    "M/D/YYYY": f"^{MONTH_FIRST}{YEAR}{TIME}$",
    "D Mon YYYY": f"^{DAY}[ -]{NAMED}[ -]{YEAR}{TIME}$",
    "Mon D, YYYY": f"^{NAMED} {DAY},? {YEAR}{TIME}$",
}


@dataclass(frozen=True)
class Dates:
    """Cells read as dates. `times` has UTC where a zone was given; NaT where `valid` is False."""

    valid: npt.NDArray[np.bool_]
    times: npt.NDArray[np.datetime64]
    has_time: npt.NDArray[np.bool_]
    has_fraction: npt.NDArray[np.bool_]
    has_zone: npt.NDArray[np.bool_]

    def or_else(self, other: Dates) -> Dates:
        """These dates where valid, the other ones elsewhere."""
        return Dates(
            self.valid | other.valid,
            np.where(self.valid, self.times, other.times),
            np.where(self.valid, self.has_time, other.has_time),
            np.where(self.valid, self.has_fraction, other.has_fraction),
            np.where(self.valid, self.has_zone, other.has_zone),
        )


@dataclass(frozen=True)
class DateFormat:
    """What `ColumnProfile.format` says of a date column: `D/M/YYYY hh:mm:ss Z` and the like."""

    order: str
    resolution: str
    """NumPy's unit of the canonical text: D, s or us."""
    zoned: bool

    def __str__(self) -> str:
        time = {"D": "", "s": " hh:mm:ss", "us": " hh:mm:ss.ffffff"}[self.resolution]
        return f"{self.order}{time}{' Z' if self.zoned else ''}"

    @classmethod
    def parse(cls, text: str) -> DateFormat:
        """The inverse of `str`."""
        zoned = text.endswith(" Z")
        text = text.removesuffix(" Z")
        for ending, resolution in ((" hh:mm:ss.ffffff", "us"), (" hh:mm:ss", "s")):
            if text.endswith(ending):
                return cls(text.removesuffix(ending), resolution, zoned)
        return cls(text, "D", zoned)


def read_dates(cells: pa.StringArray, order: str) -> Dates:
    """Reads cells (no nulls) in one order of day, month and year; days that no calendar has are not valid."""
    fields = pc.extract_regex(cells, ORDERS[order])
    matched = fields.is_valid().to_numpy(zero_copy_only=False)

    def number(name: str) -> npt.NDArray[np.int64]:
        texts = pc.struct_field(fields, name) if name in names else None
        if texts is None:
            return np.zeros(len(cells), dtype=np.int64)
        digits = pc.if_else(pc.equal(pc.coalesce(texts, ""), ""), "0", texts)
        whole: npt.NDArray[np.int64] = pc.cast(pc.coalesce(digits, "0"), pa.int64()).to_numpy()
        return whole

    def text(name: str) -> pa.StringArray:
        return pc.coalesce(pc.struct_field(fields, name), "")

    names = {field.name for field in fields.type}
    if "b" in names:
        named = pc.index_in(pc.utf8_lower(text("b")), pa.array(MONTH_NAMES))
        month = pc.fill_null(named, -1).to_numpy().astype(np.int64) + 1
    else:
        month = number("m") + number("m2") + number("m3")
    year, day = number("y"), number("d") + number("d2")
    hour, minute, second = number("h"), number("n"), number("s")
    afternoon = pc.utf8_lower(text("p"))
    is_pm, is_am = boolean(pc.equal(afternoon, "pm")), boolean(pc.equal(afternoon, "am"))
    valid = matched & (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    valid &= (
        (hour <= 23) & (minute <= 59) & (second <= 59) & (~(is_am | is_pm) | ((hour >= 1) & (hour <= 12)))
    )
    months = np.where(valid, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]")
    valid &= day <= ((months + 1).astype("datetime64[D]") - first).astype(np.int64)
    hour = np.where(is_pm, hour % 12 + 12, np.where(is_am, hour % 12, hour))
    fraction = text("f")
    micros = pc.cast(pc.utf8_slice_codeunits(pc.utf8_rpad(fraction, 6, "0"), 0, 6), pa.int64()).to_numpy()
    zone = text("z")
    has_zone = boolean(pc.not_equal(zone, ""))
    seconds = (day - 1) * 86_400 + hour * 3600 + minute * 60 + second
    if has_zone.any():
        offset, inside = zone_seconds(zone)
        valid &= inside
        seconds = seconds - offset
    times = first.astype("datetime64[us]") + (seconds * 1_000_000 + micros)
    times[~valid] = np.datetime64("NaT")
    has_time = boolean(pc.not_equal(text("h"), ""))
    return Dates(
        valid, times, has_time & valid, boolean(pc.not_equal(fraction, "")) & valid, has_zone & valid
    )


def zone_seconds(zone: pa.StringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Seconds east of Greenwich of `Z`, `+hh`, `+hhmm`, `+hh:mm` or nothing; whether there is such a zone."""
    digits = pc.utf8_rpad(pc.replace_substring_regex(zone, "[^0-9]", ""), 4, "0")
    value = pc.cast(digits, pa.int64()).to_numpy()
    sign = np.where(boolean(pc.starts_with(zone, "-")), -1, 1)
    return sign * (value // 100 * 3600 + value % 100 * 60), (value // 100 <= 18) & (value % 100 <= 59)


def iso(dates: Dates, form: DateFormat) -> pa.StringArray:
    """ISO 8601 texts, all alike; null where not valid."""
    texts = np.datetime_as_string(dates.times.astype(f"datetime64[{form.resolution}]"))
    cells = pa.array(texts, type=pa.string(), mask=~dates.valid)
    return pc.binary_join_element_wise(cells, "Z", "") if form.zoned else cells


def boolean(values: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    """As NumPy has it; null is False."""
    mask: npt.NDArray[np.bool_] = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return mask
