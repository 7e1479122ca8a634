"""`period` of a contact export: RFC 3339 instants, start included, end excluded; a plain date is that whole day.

Source: SPEC 1.1. "That whole day" is taken in the request's zone, so `end_date: 2024-05-31` includes all of May 31.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_PLAIN_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open range of instants in UTC; None is open on that side."""

    start: datetime | None
    end: datetime | None


def read_instant(text: str, zone: ZoneInfo, *, whole_day_end: bool = False) -> datetime:
    """An RFC 3339 instant, or the start of a plain date in `zone` (its end with `whole_day_end`), in UTC.

    Raises:
        ValueError: it is neither, or it lies outside what a calendar can hold.
    """
    if _PLAIN_DATE.fullmatch(text):
        day = date.fromisoformat(text)
        try:
            day = day + timedelta(days=1) if whole_day_end else day
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        except OverflowError as exc:
            raise ValueError("out of range") from exc
    if _INSTANT.fullmatch(text):
        # Python 3.11 reads at most microseconds; what is finer cannot be stored in a BSON date anyway.
        trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
        try:
            return datetime.fromisoformat(trimmed).astimezone(UTC)
        except OverflowError as exc:
            raise ValueError("out of range") from exc
    raise ValueError("neither an RFC 3339 instant nor a plain date")


def parse_bound(raw: object, zone: ZoneInfo, *, end: bool) -> datetime | None:
    """One bound of a period: a text as above, a BSON date, or nothing."""
    if raw is None or raw == "":
        return None
    if isinstance(raw, datetime):
        return raw.replace(tzinfo=UTC) if raw.tzinfo is None else raw.astimezone(UTC)
    if isinstance(raw, str):
        return read_instant(raw.strip(), zone, whole_day_end=end)
    raise ValueError("neither an RFC 3339 instant nor a plain date")
