"""Instants that requests name: RFC 3339, or a plain date, which is that whole day in the request's zone (SPEC 1.1).

Not here: how instants are written into files (`moments.py`).
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

PLAIN_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


def read_instant(text: str, zone: ZoneInfo, *, whole_day_end: bool = False) -> datetime:
    """An RFC 3339 instant, or the start of a plain date in `zone` (its end with `whole_day_end`), in UTC.

    Raises:
        ValueError: it is neither, or it lies outside what a calendar can hold.
    """
    if PLAIN_DATE.fullmatch(text):
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
