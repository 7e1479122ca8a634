from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from cdp_pipelines.domain.contact_export.period import parse_bound
from cdp_pipelines.domain.values.instants import EARLIEST, LATEST, read_instant

JAKARTA, NEW_YORK = ZoneInfo("Asia/Jakarta"), ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "zone", "read"),
    [
        ("2024-05-01T10:00:00Z", JAKARTA, datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01t10:00:00.5+07:00", NEW_YORK, datetime(2024, 5, 1, 3, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-05-01T10:00:00.123456789Z", JAKARTA, datetime(2024, 5, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2024-05-01 10:00:00-05:00", JAKARTA, datetime(2024, 5, 1, 15, tzinfo=UTC)),
        ("2024-05-01", JAKARTA, datetime(2024, 4, 30, 17, tzinfo=UTC)),
        ("2024-03-10", NEW_YORK, datetime(2024, 3, 10, 5, tzinfo=UTC)),
    ],
)
def test_instants_and_dates(text: str, zone: ZoneInfo, read: datetime) -> None:
    assert read_instant(text, zone) == read


def test_a_plain_end_date_is_that_whole_day_also_when_clocks_change() -> None:
    start, end = parse_bound("2024-03-10", NEW_YORK, end=False), parse_bound("2024-03-10", NEW_YORK, end=True)
    assert start is not None
    assert end is not None
    assert (end - start).total_seconds() == 23 * 3600


@pytest.mark.parametrize(
    "text",
    ["", "now", "2024-13-01", "2024-02-30", "2024-05-01T10:00:00", "20240501", "0000-01-01", "2024-05-01T25:00:00Z"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|month|day|hour|year"):
        read_instant(text, JAKARTA)


@pytest.mark.parametrize(
    ("text", "zone", "end", "read"),
    [
        ("0001-01-01", JAKARTA, False, EARLIEST),
        ("0001-01-01", NEW_YORK, False, datetime(1, 1, 1, 4, 56, 2, tzinfo=UTC)),
        ("9999-12-31", NEW_YORK, False, datetime(9999, 12, 31, 5, tzinfo=UTC)),
        ("9999-12-31", NEW_YORK, True, LATEST),
        ("9999-12-31", JAKARTA, True, LATEST),
        ("9999-12-30", JAKARTA, True, datetime(9999, 12, 30, 17, tzinfo=UTC)),
        ("0001-01-01T00:00:00+07:00", JAKARTA, False, EARLIEST),
        ("9999-12-31T23:59:59-05:00", JAKARTA, True, LATEST),
    ],
)
def test_the_ends_of_the_calendar_are_bounds_like_others(text: str, zone: ZoneInfo, end: bool, read: datetime) -> None:
    assert read_instant(text, zone, whole_day_end=end) == read
    assert parse_bound(text, zone, end=end) == read


def test_bson_dates_at_the_ends_of_the_calendar() -> None:
    assert parse_bound(datetime(1, 1, 1, tzinfo=JAKARTA), JAKARTA, end=False) == EARLIEST
    assert parse_bound(datetime(9999, 12, 31, 20, tzinfo=NEW_YORK), JAKARTA, end=True) == LATEST


def test_bson_dates_are_taken_as_they_are() -> None:
    assert parse_bound(datetime(2024, 5, 1), JAKARTA, end=True) == datetime(2024, 5, 1, tzinfo=UTC)  # noqa: DTZ001
    assert parse_bound(None, JAKARTA, end=True) is None
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_bound(5, JAKARTA, end=True)
