"""Dates and instants of an export: what a value says, and how it reads in a file.

A calendar date is never shifted (a birthday is the same day everywhere); an instant is written in the request's zone.
Not here: which zone that is (`domain/timezones.py`).
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.cells import CellStyle, XlsxCell, styled

TextOf: TypeAlias = Callable[[Any], str]
IsoOf: TypeAlias = Callable[[datetime], str]

# Excel counts a 29 February 1900 that never was: its serial numbers are right from the day after.
_FIRST_SHEET_DATE: Final = date(1900, 3, 1)
_FIRST_SHEET_INSTANT: Final = datetime(1900, 3, 1)  # noqa: DTZ001 - sheets know local time only

_DATE_STYLE: Final = CellStyle("yyyy-mm-dd")
_INSTANT_STYLE: Final = CellStyle("yyyy-mm-dd hh:mm:ss")
# Spreadsheets round what they do not show: 23:59:59.7 would read as the next day.
_MILLISECOND_STYLE: Final = CellStyle("yyyy-mm-dd hh:mm:ss.000")

_DATE_TEXT: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ][0-9]{2}:[0-9]{2}.*)?", re.DOTALL)
_INSTANT_TEXT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE_MILLISECONDS: Final = 146_097 * 86_400_000
_ISO_LOCAL_LENGTH: Final = len("2024-05-01T10:00:00")
_MAX_DAYS: Final = 40_000


def to_instant(value: Any) -> datetime | None:
    """The aware datetime a value is: a datetime (naive means UTC), a BSON timestamp, or ISO text with an offset."""
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if isinstance(value, str):
        return _parsed(value)
    convert = getattr(value, "as_datetime", None)
    if not callable(convert):
        return None
    try:
        # A date the driver could not make a datetime of is its milliseconds; asking it again would raise again.
        return _EPOCH + timedelta(milliseconds=int(value)) if hasattr(value, "__int__") else to_instant(convert())
    except OverflowError:
        return None


def to_date(value: Any) -> date | None:
    """The calendar date a value is: of a datetime its day in UTC, of a text its leading `YYYY-MM-DD`."""
    if isinstance(value, str):
        match = _DATE_TEXT.fullmatch(value)
        try:
            return date.fromisoformat(match[1]) if match else None
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    instant = to_instant(value)
    if instant is None:
        return None
    try:
        return instant.astimezone(UTC).date()
    except OverflowError:
        return instant.date()


def far_instant(value: Any) -> str | None:
    """ISO text of a BSON date that Python's calendar cannot hold (the driver gives it as milliseconds), else None."""
    return _far_iso(int(value)) if callable(getattr(value, "as_datetime", None)) and hasattr(value, "__int__") else None


class OffsetsByDay(dict[int, tuple[timedelta, str] | None]):
    """The offset that holds all through a day in UTC (by ordinal), and how ISO-8601 writes it; None: it changes.

    Asking the zone costs more than all else about a timestamp, and timestamps share days.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        super().__init__()
        self._zone = zone
        self._starts: dict[int, timedelta | None] = {}
        self._by_offset: dict[timedelta, tuple[timedelta, str] | None] = {}

    def __missing__(self, ordinal: int) -> tuple[timedelta, str] | None:
        if len(self) >= _MAX_DAYS:
            self.clear()
            self._starts.clear()
        offset = self._at_start(ordinal)
        # No zone has ever changed its offset twice within one day and ended where it was.
        same = offset is not None and offset == self._at_start(ordinal + 1)
        found = self[ordinal] = self._written(offset) if offset is not None and same else None
        return found

    def _written(self, offset: timedelta) -> tuple[timedelta, str] | None:
        if offset not in self._by_offset:
            text = datetime(2000, 1, 1, tzinfo=timezone(offset)).isoformat()[_ISO_LOCAL_LENGTH:]
            # An offset with seconds, as before standard time, cannot be written in ISO-8601.
            self._by_offset[offset] = (offset, text) if len(text) == len("+07:00") else None
        return self._by_offset[offset]

    def _at_start(self, ordinal: int) -> timedelta | None:
        if ordinal not in self._starts:
            try:
                start = datetime.fromordinal(ordinal).replace(tzinfo=self._zone)
                self._starts[ordinal] = self._zone.fromutc(start).utcoffset()
            except (OverflowError, ValueError):
                self._starts[ordinal] = None
        return self._starts[ordinal]


def iso_writer(zone: ZoneInfo, offsets: OffsetsByDay | None = None) -> IsoOf:
    """A function that writes a datetime (naive means UTC) as `2024-05-01T10:00:00+07:00` in the zone."""
    known = OffsetsByDay(zone) if offsets is None else offsets

    def slowly(instant: datetime) -> str:
        try:
            return _iso_slowly(instant.astimezone(zone))
        except OverflowError:
            # At the ends of the calendar the zone's wall clock has no date: the instant as it came is right too.
            return _iso_slowly(instant)

    def iso(instant: datetime) -> str:
        if instant.tzinfo is not None:
            return slowly(instant)
        offset = known[instant.toordinal()]
        if offset is None:
            return slowly(instant.replace(tzinfo=UTC))
        text = (instant + offset[0]).isoformat()
        if len(text) != _ISO_LOCAL_LENGTH and text.endswith("000"):
            text = text[:-3]
        return text + offset[1]

    return iso


def date_csv(text_of: TextOf) -> Callable[[Any], str]:
    """`YYYY-MM-DD`."""

    def cell(value: Any) -> str:
        if type(value) is datetime and value.tzinfo is None:
            return value.date().isoformat()
        day = to_date(value)
        return text_of(value) if day is None else day.isoformat()

    return cell


def date_xlsx(text_of: TextOf) -> Callable[[Any], XlsxCell]:
    """A date cell; a day that sheets cannot count is ISO text."""

    def cell(value: Any) -> XlsxCell:
        day = value.date() if type(value) is datetime and value.tzinfo is None else to_date(value)
        if day is None:
            return text_of(value)
        return day.isoformat() if day < _FIRST_SHEET_DATE else styled((day, _DATE_STYLE))

    return cell


def instant_csv(text_of: TextOf, iso: IsoOf) -> Callable[[Any], str]:
    """ISO-8601 with the offset of the zone."""

    def cell(value: Any) -> str:
        if type(value) is datetime:
            return iso(value)
        instant = to_instant(value)
        return text_of(value) if instant is None else iso(instant)

    return cell


def instant_xlsx(text_of: TextOf, iso: IsoOf, zone: ZoneInfo, offsets: OffsetsByDay) -> Callable[[Any], XlsxCell]:
    """A date-time cell that shows the zone's wall clock; an instant that sheets cannot count is ISO text."""

    def wall_clock(instant: datetime) -> datetime | None:
        if instant.tzinfo is None:
            offset = offsets[instant.toordinal()]
            if offset is not None:
                return instant + offset[0]
            instant = instant.replace(tzinfo=UTC)
        try:
            return instant.astimezone(zone).replace(tzinfo=None)
        except OverflowError:
            return None

    def cell(value: Any) -> XlsxCell:
        instant = value if type(value) is datetime else to_instant(value)
        if instant is None:
            return text_of(value)
        local = wall_clock(instant)
        if local is None or local < _FIRST_SHEET_INSTANT:
            return iso(instant)
        return styled((local, _MILLISECOND_STYLE if local.microsecond else _INSTANT_STYLE))

    return cell


def _iso_slowly(moment: datetime) -> str:
    """Milliseconds only where there are some, and an offset of whole minutes, which is all that ISO-8601 has."""
    offset = moment.utcoffset() or timedelta(0)
    minutes = timedelta(minutes=offset // timedelta(minutes=1))
    if minutes != offset:
        moment = (moment.replace(tzinfo=None) - (offset - minutes)).replace(tzinfo=timezone(minutes))
    if not moment.microsecond:
        return moment.isoformat(timespec="seconds")
    return moment.isoformat(timespec="microseconds" if moment.microsecond % 1000 else "milliseconds")


def _far_iso(milliseconds: int) -> str:
    """An instant outside the years 1 to 9999, in UTC: the calendar repeats every 400 years."""
    cycles, rest = divmod(milliseconds, _CYCLE_MILLISECONDS)
    near = _EPOCH + timedelta(milliseconds=rest)
    return f"{near.year + 400 * cycles:+07d}{near.replace(tzinfo=None).isoformat(timespec='seconds')[4:]}Z"


def _parsed(text: str) -> datetime | None:
    if not _INSTANT_TEXT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
