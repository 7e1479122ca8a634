"""Instants that requests name: RFC 3339, or a plain date, which is that whole day in the request's zone (SPEC 1.1).

Not here: how instants are written into files (`moments.py`).
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

PLAIN_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
LATEST: Final = datetime.max.replace(tzinfo=UTC)
"""The ends of the calendar: what a zone would carry beyond them stays there."""


def to_utc(moment: datetime) -> datetime:
    """The instant in UTC (naive means UTC); at the ends of the calendar the end itself."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return EARLIEST if moment.year == EARLIEST.year else LATEST


def read_instant(text: str, zone: ZoneInfo, *, whole_day_end: bool = False) -> datetime:
    """An RFC 3339 instant, or the start of a plain date in `zone` (its end with `whole_day_end`), in UTC.

    People write 0001-01-01 and 9999-12-31 for "no bound"; what lies beyond the calendar in UTC is its end.

    Raises:
        ValueError: it is neither.
    """
    if PLAIN_DATE.fullmatch(text):
        day = date.fromisoformat(text)
        if whole_day_end and day == date.max:
            return LATEST
        day = day + timedelta(days=1) if whole_day_end else day
        return to_utc(datetime(day.year, day.month, day.day, tzinfo=zone))
    if _INSTANT.fullmatch(text):
        # Python 3.11 reads at most microseconds; what is finer cannot be stored in a BSON date anyway.
        trimmed = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
        return to_utc(datetime.fromisoformat(trimmed))
    raise ValueError("neither an RFC 3339 instant nor a plain date")
