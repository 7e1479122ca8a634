"""`period` of a contact export: RFC 3339 instants, start included, end excluded; a plain date is that whole day.

Source: SPEC 1.1. "That whole day" is taken in the request's zone, so `end_date: 2024-05-31` includes all of May 31.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.values.instants import read_instant, to_utc


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open range of instants in UTC; None is open on that side."""

    start: datetime | None
    end: datetime | None


def parse_bound(raw: object, zone: ZoneInfo, *, end: bool) -> datetime | None:
    """One bound of a period: a text as above, a BSON date, or nothing."""
    if raw is None or raw == "":
        return None
    if isinstance(raw, datetime):
        return to_utc(raw)
    if isinstance(raw, str):
        return read_instant(raw.strip(), zone, whole_day_end=end)
    raise ValueError("neither an RFC 3339 instant nor a plain date")
