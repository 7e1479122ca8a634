from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cdp_pipelines.domain.entity_export.schedules import ScheduleDraft, due_slot, read_cadence, request_of
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.stores.export_schedules import ExportSchedules

Db = Database[dict[str, Any]]
NOW = datetime(2026, 5, 1, 10, tzinfo=UTC)
SLOT = datetime(2026, 5, 2, 2, tzinfo=UTC)
DAY = timedelta(days=1)
DRAFT = ScheduleDraft(
    name="nightly",
    exported_object="voucher",
    parameters={"format": "CSV"},
    cron="0 2 * * *",
    timezone="UTC",
    user_sso_id="u1",
    email="person@example.com",
)


@pytest.fixture
def schedules(mongo_db: Db) -> ExportSchedules:
    mongo_db["export_schedules"].create_index([("company_sso_id", 1), ("name", 1)], unique=True)
    mongo_db["export_schedules"].create_index([("next_run_at", 1)])
    return ExportSchedules(mongo_db)


def test_saving_finding_and_removing(schedules: ExportSchedules) -> None:
    saved = schedules.save("a", DRAFT, now=NOW)
    schedules.save("b", DRAFT, now=NOW)
    schedules.save("a", replace(DRAFT, name="another"), now=NOW)
    assert saved == schedules.find("a", "nightly")
    assert (saved["next_run_at"], saved["missed"], saved["last_run_at"]) == (SLOT, 0, None)
    assert "template" not in saved
    assert [schedule["name"] for schedule in schedules.list("a")] == ["another", "nightly"]
    assert schedules.remove("a", "nightly")
    assert not schedules.remove("a", "nightly")
    assert schedules.find("b", "nightly") is not None


def test_saving_again_keeps_a_slot_that_is_due_unless_its_times_change(schedules: ExportSchedules) -> None:
    first = schedules.save("a", DRAFT, now=NOW)
    later = SLOT + timedelta(seconds=5)
    second = schedules.save("a", replace(DRAFT, email=None, template="t"), now=later)
    assert (second["next_run_at"], second["created_at"], second["template"]) == (SLOT, NOW, "t")
    assert first["_id"] == second["_id"]
    assert "email" not in second
    assert schedules.save("a", replace(DRAFT, cron="0 3 * * *"), now=later)["next_run_at"] == SLOT + timedelta(hours=1)
    for wrong in (replace(DRAFT, cron="* * * * *"), replace(DRAFT, timezone="x"), replace(DRAFT, name="")):
        with pytest.raises(PermanentFailure):
            schedules.save("a", wrong, now=NOW)


def test_a_due_schedule_fires_once_and_waits_for_the_next_slot(schedules: ExportSchedules, mongo_db: Db) -> None:
    schedules.save("a", DRAFT, now=NOW)
    schedules.save("b", replace(DRAFT, enabled=False), now=NOW)
    assert schedules.due(SLOT - timedelta(seconds=1), 10) == []
    (due,) = schedules.due(SLOT, 10)
    fired = schedules.fire(due, now=SLOT)
    assert schedules.due(SLOT, 10) == []
    (export,) = mongo_db["exports"].find({})
    assert (export["id"], export["status"], export["email"]) == (fired, "SCHEDULED", "person@example.com")
    after = schedules.find("a", "nightly")
    assert after is not None
    assert (after["next_run_at"], after["last_slot"], after["last_export_id"]) == (SLOT + DAY, SLOT, fired)


def test_after_downtime_the_newest_slot_runs_and_the_others_are_counted(
    schedules: ExportSchedules, mongo_db: Db
) -> None:
    schedules.save("a", DRAFT, now=NOW)
    back = SLOT + 5 * DAY + timedelta(hours=3)
    schedules.fire(schedules.due(back, 10)[0], now=back)
    (export,) = mongo_db["exports"].find({})
    assert export["scheduled_for"] == SLOT + 5 * DAY
    after = schedules.find("a", "nightly")
    assert after is not None
    assert (after["missed"], after["next_run_at"]) == (5, SLOT + 6 * DAY)


def test_many_who_fire_at_once_make_one_request(schedules: ExportSchedules, mongo_db: Db) -> None:
    schedules.save("a", DRAFT, now=NOW)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [schedules.fire(due, now=SLOT) for due in schedules.due(SLOT, 10)], range(8)))
    assert mongo_db["exports"].count_documents({}) == 1
    after = schedules.find("a", "nightly")
    assert after is not None
    assert (after["next_run_at"], after["missed"]) == (SLOT + DAY, 0)


def test_killed_between_the_request_and_moving_on(schedules: ExportSchedules, mongo_db: Db) -> None:
    schedule = schedules.save("a", DRAFT, now=NOW)
    assert schedules.enqueue(request_of(schedule, SLOT, now=SLOT))
    mongo_db["exports"].update_one({}, {"$set": {"status": "DONE"}})

    (due,) = schedules.due(SLOT + timedelta(minutes=1), 10)
    schedules.fire(due, now=SLOT + timedelta(minutes=1))
    (export,) = mongo_db["exports"].find({})
    assert (export["status"], export["created_at"]) == ("DONE", SLOT)
    assert schedules.due(SLOT + timedelta(minutes=1), 10) == []


def test_one_who_read_before_a_change_moves_nothing(schedules: ExportSchedules) -> None:
    stale = schedules.save("a", DRAFT, now=NOW)
    schedules.save("a", replace(DRAFT, cron="0 3 * * *"), now=NOW)
    slot = due_slot(read_cadence("0 2 * * *", "UTC"), SLOT, now=SLOT)
    assert not schedules.advance(stale, slot, "exp_1", now=SLOT)
    assert not schedules.switch_off(stale, PermanentFailure("x", "y"), now=SLOT)


def test_a_schedule_that_cannot_run_is_switched_off_and_the_others_go_on(
    schedules: ExportSchedules, mongo_db: Db
) -> None:
    schedules.save("a", DRAFT, now=NOW)
    schedules.save("b", DRAFT, now=NOW)
    mongo_db["export_schedules"].update_one({"company_sso_id": "a"}, {"$set": {"cron": "every night"}})
    fired = [schedules.fire(due, now=SLOT) for due in schedules.due(SLOT, 10)]
    assert sorted(exported is None for exported in fired) == [False, True]
    off = schedules.find("a", "nightly")
    assert off is not None
    assert (off["enabled"], off["error"]["code"]) == (False, "invalid_export_schedule")

    schedules.save("a", DRAFT, now=SLOT)
    assert schedules.set_enabled("a", "nightly", enabled=False, now=SLOT)
    assert schedules.set_enabled("a", "nightly", enabled=True, now=SLOT + 3 * DAY)
    on = schedules.find("a", "nightly")
    assert on is not None
    assert (on["enabled"], on["error"], on["next_run_at"], on["missed"]) == (True, None, SLOT + 4 * DAY, 0)
    assert not schedules.set_enabled("c", "nightly", enabled=True, now=SLOT)
