"""Recurring entity exports: when a schedule runs, and the request that it then makes (SPEC 4).

A schedule is a cron expression of five fields in an IANA zone. Times are those of the wall clock there: a run at 02:30
on the day that has no 02:30 comes once, at the first minute after the gap; on the day that has two, it comes at the
first of them. Only a schedule for every hour goes by hours that pass: on the long day it has 25.

Belongs here: time rules and the request. Not here: keeping schedules and firing each slot once
(`stores/export_schedules.py`), whether the request may run (its admission, like any other's).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.people_words import Words
from cdp_pipelines.domain.timezones import resolve_timezone

SCHEDULE_INVALID: Final = "invalid_export_schedule"
SCHEDULE_REFUSED: Final = "schedule_refused"
MOST_REFUSALS: Final = 3
"""So many exports in a row may be refused before a schedule is switched off."""
SWITCHED_OFF: Final = Words(
    "The schedule was switched off, because its exports cannot be made. Please correct it, then switch it on again.",
    "Jadwal dinonaktifkan karena ekspornya tidak dapat dibuat. Mohon perbaiki, lalu aktifkan kembali.",
)
TOO_FREQUENT: Final = "schedule_too_frequent"
LONGEST_CRON: Final = 100
LOOK_BACK_DAYS: Final = 400
"""Slots missed before that are not counted, so that a date from long ago costs no more than a year of hours does."""

_FIELDS: Final = 5
_HOURS_A_DAY: Final = 24


@dataclass(frozen=True, slots=True)
class Cadence:
    """When a schedule runs: an expression that has been read, and its zone."""

    cron: str
    zone: ZoneInfo
    every_hour: bool


@dataclass(frozen=True, slots=True)
class DueSlot:
    """What to do about a schedule that is due: run `slot`, forget the `skipped` ones before it, wait for the next.

    All instants are in UTC.
    """

    slot: datetime
    skipped: int
    next_run_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDraft:
    """What a company says of a schedule; the rest of the document is ours. `webhook` is `{url}`."""

    name: str
    exported_object: str
    parameters: Mapping[str, Any]
    cron: str
    timezone: str
    user_sso_id: str
    template: str | None = None
    email: str | None = None
    locale: str | None = None
    webhook: Mapping[str, Any] | None = None
    enabled: bool = True


def read_cadence(cron: object, timezone: object) -> Cadence:
    """Read `30 2 * * MON` and `Asia/Jakarta`, or a label with such an id.

    Raises:
        PermanentFailure: `invalid_export_schedule`, one of them is none, or the expression never comes true;
            `schedule_too_frequent`, it would run more often than once an hour.
    """
    from cronsim import CronSim, CronSimError

    if not isinstance(cron, str) or len(cron) > LONGEST_CRON or len(cron.split()) != _FIELDS:
        raise _invalid("cron", "The cron expression must have five fields, such as 30 2 * * MON.")
    choice = resolve_timezone(timezone)
    if choice.warning is not None:
        raise _invalid("timezone", "The timezone must be an IANA id such as Asia/Jakarta.")
    expression = " ".join(cron.split())
    try:
        times = CronSim(expression, datetime.now(UTC))
        next(times)
    except CronSimError as exc:
        raise _invalid("cron", f"The cron expression is wrong: {exc}.") from exc
    except StopIteration:
        raise _invalid("cron", "The cron expression never comes true.") from None
    if len(times.minutes) > 1:
        raise PermanentFailure(
            TOO_FREQUENT,
            "A schedule may run once an hour at most, so its first field must be one minute, such as 30.",
            details={"cron": expression},
        )
    return Cadence(expression, choice.zone, every_hour=len(times.hours) == _HOURS_A_DAY)


def next_slot(cadence: Cadence, after: datetime) -> datetime:
    """The first time after an instant that the schedule runs, in UTC.

    Raises:
        PermanentFailure: `invalid_export_schedule`, there is none in the next fifty years.
    """
    return next(_slots(cadence, after))


def due_slot(cadence: Cadence, next_run_at: datetime, *, now: datetime) -> DueSlot:
    """Of the slots that have come since `next_run_at`, which is one itself, the newest; the others are skipped."""
    slot, skipped = next_run_at, 0
    for later in _slots(cadence, max(next_run_at, now - timedelta(days=LOOK_BACK_DAYS))):
        if later > now:
            return DueSlot(slot, skipped, later)
        slot, skipped = later, skipped + 1
    raise AssertionError("slots never end")


def _slots(cadence: Cadence, after: datetime) -> Iterator[datetime]:
    """All times after an instant, ascending and each once."""
    from cronsim import CronSim

    local = after.astimezone(cadence.zone)
    if cadence.every_hour:
        # The hours that pass, which cronsim counts where the expression begins with a star.
        minute, _, days = cadence.cron.split(" ", 2)
        times = CronSim(f"{minute} * {days}", local)
    else:
        # On the wall clock; a day earlier, because a time that does not exist moves on.
        times = CronSim(cadence.cron, local.replace(tzinfo=None, fold=0) - timedelta(days=1))
    last = after.astimezone(UTC)
    while True:
        try:
            instant = _instant(next(times), cadence.zone)
        except (StopIteration, OverflowError):
            raise _invalid("cron", "The cron expression does not come true any more.") from None
        if instant > last:
            last = instant
            yield instant


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the wall clock shows this, in UTC; in a gap, the end of the gap; of two, the first."""
    if wall.tzinfo is not None:
        return wall.astimezone(UTC)
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # The offset before the gap carries the time beyond it, by as much as it lies inside; minutes are the unit of cron.
    while instant.astimezone(zone).utcoffset() == (instant - timedelta(minutes=1)).astimezone(zone).utcoffset():
        instant -= timedelta(minutes=1)
    return instant


def export_id(schedule_id: str, slot: datetime, *, again: int = 0) -> str:
    """`exp_` and 24 hex digits, always the same for a slot of a schedule; `again` counts those that others had."""
    identity = f"{schedule_id}:{slot.astimezone(UTC).isoformat(timespec='seconds')}"
    identity += f":{again}" if again else ""
    return "exp_" + hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def request_of(schedule: Mapping[str, Any], slot: datetime, *, now: datetime, again: int = 0) -> dict[str, Any]:
    """The `exports` document, without `_id`, that a schedule makes for a slot; the same but for `now`, however often.

    Besides a person's it has `schedule_id`, `schedule_name` and `scheduled_for`, the slot.
    """
    request: dict[str, Any] = {
        "id": export_id(str(schedule["_id"]), slot, again=again),
        "company_sso_id": schedule["company_sso_id"],
        # What is wrong with them is for admission to say, as of any other request.
        "exported_object": schedule.get("exported_object"),
        "status": "SCHEDULED",
        "channel": "API",
        "parameters": schedule.get("parameters") or {},
        "schedule_id": schedule["_id"],
        "schedule_name": schedule.get("name"),
        "scheduled_for": slot,
        "progress": 0,
        "total": None,
        "result": None,
        "error": None,
        "created_at": now,
        "updated_at": now,
        "user_sso_id": schedule.get("user_sso_id"),
    }
    optional = ("template", "email", "locale", "webhook")
    return request | {name: schedule[name] for name in optional if schedule.get(name) is not None}


def faulty_request(state: str, failure: PermanentFailure) -> dict[str, Any]:
    """What makes a schedule's request one that admission refuses, for what is wrong with the schedule.

    Its id is the same for the same `state` of a schedule.
    """
    return {
        "id": "exp_" + hashlib.sha256(f"off:{state}".encode("utf-8", "surrogatepass")).hexdigest()[:24],
        "schedule_fault": {"code": failure.code, "message": failure.message, "details": failure.details},
    }


def refused_too_often() -> PermanentFailure:
    """Why a schedule is switched off whose requests are refused."""
    return PermanentFailure(
        SCHEDULE_REFUSED,
        f"The last {MOST_REFUSALS} exports of this schedule were refused; see the last of them. Correct the schedule, "
        "then resume it.",
        details={"refused": MOST_REFUSALS},
    )


def _invalid(field: str, message: str) -> PermanentFailure:
    return PermanentFailure(SCHEDULE_INVALID, message, details={"field": field})
