"""When schedules run, over days that are longer and shorter, and the requests that they make."""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

from cdp_pipelines.domain.entity_export.schedules import (
    DueSlot,
    _slots,
    due_slot,
    export_id,
    next_slot,
    read_cadence,
    request_of,
)
from cdp_pipelines.domain.errors import PermanentFailure

BERLIN = "Europe/Berlin"


def slots(cron: str, zone: str, after: str, count: int) -> list[str]:
    """The next times, on the wall clock there."""
    cadence = read_cadence(cron, zone)
    found = islice(_slots(cadence, datetime.fromisoformat(after)), count)
    return [slot.astimezone(cadence.zone).isoformat(timespec="minutes") for slot in found]


def test_the_zone_counts() -> None:
    assert slots("30 2 * * MON", "Asia/Jakarta", "2026-11-27T00:00+00:00", 2) == [
        "2026-11-30T02:30+07:00",
        "2026-12-07T02:30+07:00",
    ]
    assert next_slot(read_cadence("0 0 * * *", "Asia/Jakarta"), datetime(2026, 1, 1, tzinfo=UTC)) == datetime(
        2026, 1, 1, 17, tzinfo=UTC
    )


def test_a_time_that_does_not_exist_comes_once_after_the_gap() -> None:
    assert slots("30 2 * * *", BERLIN, "2026-03-28T12:00+01:00", 3) == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
        "2026-03-31T02:30+02:00",
    ]


def test_a_time_that_comes_twice_runs_at_the_first() -> None:
    expected = ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
    assert slots("30 2 * * *", BERLIN, "2026-10-24T12:00+02:00", 2) == expected
    # Asked between the two, and at the second.
    assert slots("30 2 * * *", BERLIN, "2026-10-25T02:45+02:00", 1) == expected[1:]
    assert slots("30 2 * * *", BERLIN, "2026-10-25T02:15+01:00", 1) == expected[1:]
    assert slots("30 2 * * *", BERLIN, "2026-10-25T02:30+01:00", 1) == expected[1:]


def test_every_second_hour_goes_by_the_wall_clock() -> None:
    assert slots("30 */2 * * *", BERLIN, "2026-10-25T00:45+02:00", 2) == [
        "2026-10-25T02:30+02:00",
        "2026-10-25T04:30+01:00",
    ]
    assert slots("30 */2 * * *", BERLIN, "2026-03-29T00:45+01:00", 2) == [
        "2026-03-29T03:00+02:00",
        "2026-03-29T04:30+02:00",
    ]


@pytest.mark.parametrize("cron", ["0 * * * *", "0 */1 * * *", "0 0-23 * * *"])
@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 25), ("2026-03-29", 23), ("2026-06-01", 24)])
def test_every_hour_goes_by_the_hours_that_pass(cron: str, day: str, hours: int) -> None:
    cadence = read_cadence(cron, BERLIN)
    start = datetime.fromisoformat(day).replace(tzinfo=cadence.zone)
    found = list(islice(_slots(cadence, start.astimezone(UTC) - timedelta(seconds=1)), hours + 1))
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}
    assert found[-1].astimezone(cadence.zone).isoformat() == (start + timedelta(days=1)).isoformat()


def test_a_gap_at_midnight_and_a_day_that_was_left_out() -> None:
    assert slots("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00+02:00", 2) == [
        "2026-04-24T01:00+03:00",
        "2026-04-25T00:00+03:00",
    ]
    assert slots("0 9 * * *", "Pacific/Apia", "2011-12-29T12:00-10:00", 2) == [
        "2011-12-31T00:00+14:00",
        "2011-12-31T09:00+14:00",
    ]
    assert slots("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00+10:30", 1) == ["2026-10-04T02:30+11:00"]


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "America/Santiago", "Africa/Cairo", "Asia/Jakarta"])
@pytest.mark.parametrize("cron", ["0 0 * * *", "30 1 * * *", "30 2 * * *", "0 3 * * *", "59 23 * * *"])
def test_once_each_day_of_three_years(zone: str, cron: str) -> None:
    cadence = read_cadence(cron, zone)
    start = datetime(2025, 6, 1, 23, 59, 30, tzinfo=cadence.zone)
    found = list(islice(_slots(cadence, start.astimezone(UTC)), 365 * 3))
    days = [slot.astimezone(cadence.zone).date() for slot in found]
    assert days == [start.date() + timedelta(days=number + 1) for number in range(365 * 3)]


@pytest.mark.parametrize(
    "cron",
    [None, 5, "", "@daily", "* * * *", "0 0 2 * * *", "60 0 * * *", "0 24 * * *", "0 0 30 2 *", "a 0 * * *",
     "0 0 0 * *", "0 0 * 13 *", "0 0 * * 9", "0 0 * * " + "1," * 60],
    ids=lambda cron: str(cron)[:15],
)  # fmt: skip
def test_expressions_that_are_none(cron: object) -> None:
    with pytest.raises(PermanentFailure, match="cron expression") as caught:
        read_cadence(cron, "UTC")
    assert (caught.value.code, caught.value.details["field"]) == ("invalid_export_schedule", "cron")


@pytest.mark.parametrize("zone", [None, "", 7, "WIB", "Mars/Olympus", "../etc/passwd"])
def test_zones_that_are_none(zone: object) -> None:
    with pytest.raises(PermanentFailure, match="IANA id") as caught:
        read_cadence("0 0 * * *", zone)
    assert (caught.value.code, caught.value.details["field"]) == ("invalid_export_schedule", "timezone")


@pytest.mark.parametrize("cron", ["* * * * *", "*/30 * * * *", "0,59 2 * * *", "0-1 2 1 1 *"])
def test_more_often_than_hourly_is_refused(cron: str) -> None:
    with pytest.raises(PermanentFailure) as caught:
        read_cadence(cron, "UTC")
    assert caught.value.code == "schedule_too_frequent"


def test_labels_and_spaces_are_read() -> None:
    cadence = read_cadence("  30   2 * *  mon ", "(GMT+07:00) Asia/Jakarta")
    assert (cadence.cron, cadence.zone.key) == ("30 2 * * mon", "Asia/Jakarta")


def test_only_the_newest_missed_slot_is_due() -> None:
    daily = read_cadence("0 2 * * *", "UTC")
    first = datetime(2026, 1, 1, 2, tzinfo=UTC)
    day = timedelta(days=1)
    assert due_slot(daily, first, now=first) == DueSlot(first, 0, first + day)
    assert due_slot(daily, first, now=first + day - timedelta(seconds=1)) == DueSlot(first, 0, first + day)
    assert due_slot(daily, first, now=first + day) == DueSlot(first + day, 1, first + 2 * day)
    assert due_slot(daily, first, now=first + 9.5 * day) == DueSlot(first + 9 * day, 9, first + 10 * day)


def test_a_date_from_long_ago_costs_little() -> None:
    began = time.monotonic()
    due = due_slot(read_cadence("0 * * * *", BERLIN), datetime(1970, 1, 1, tzinfo=UTC), now=datetime.now(UTC))
    assert timedelta(0) < due.next_run_at - datetime.now(UTC) <= timedelta(hours=1)
    assert due.skipped >= 400 * 24
    assert time.monotonic() - began < 5


SCHEDULE: dict[str, Any] = {
    "_id": "sch_1",
    "company_sso_id": "company-1",
    "name": "weekly",
    "exported_object": "voucher",
    "parameters": {"format": "CSV"},
    "template": None,
    "user_sso_id": "u1",
    "webhook": {"url": "https://hooks.example.com/"},
    "cron": "0 2 * * *",
    "enabled": True,
}
SLOT = datetime(2026, 1, 1, 2, tzinfo=UTC)


def test_the_request_of_a_slot() -> None:
    request = request_of(SCHEDULE, SLOT, now=SLOT + timedelta(seconds=3))
    assert request == {
        "id": export_id("sch_1", SLOT),
        "company_sso_id": "company-1",
        "exported_object": "voucher",
        "status": "SCHEDULED",
        "channel": "API",
        "parameters": {"format": "CSV"},
        "schedule_id": "sch_1",
        "schedule_name": "weekly",
        "scheduled_for": SLOT,
        "progress": 0,
        "total": None,
        "result": None,
        "error": None,
        "created_at": SLOT + timedelta(seconds=3),
        "updated_at": SLOT + timedelta(seconds=3),
        "user_sso_id": "u1",
        "webhook": {"url": "https://hooks.example.com/"},
    }


def test_ids_belong_to_one_slot_of_one_schedule() -> None:
    jakarta = read_cadence("0 2 * * *", "Asia/Jakarta").zone
    assert export_id("sch_1", SLOT) == export_id("sch_1", SLOT.astimezone(jakarta))
    assert len({export_id("sch_1", SLOT), export_id("sch_2", SLOT), export_id("sch_1", SLOT + timedelta(hours=1))}) == 3
