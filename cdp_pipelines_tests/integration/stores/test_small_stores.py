from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo.database import Database

from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.stores.alert_causes import AlertCauses
from cdp_pipelines.stores.deliveries import Deliveries
from cdp_pipelines.stores.export_records import ExportRecords
from cdp_pipelines.stores.rate_limits import RateLimits

Db = Database[dict[str, Any]]
NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)


def limits(db: Db, limit: int = 5) -> RateLimits:
    return RateLimits(db, kind="contact_export", limit=limit, window_seconds=3600)


def test_the_window_rolls(mongo_db: Db) -> None:
    counter = limits(mongo_db)
    for minute in range(5):
        assert counter.take("a", f"job-{minute}", now=NOW + timedelta(minutes=minute)).taken
    refused = counter.take("a", "job-6", now=NOW + timedelta(minutes=30))
    assert (refused.taken, refused.retry_after_seconds) == (False, 1800)
    assert counter.take("a", "job-6", now=NOW + timedelta(minutes=60)).taken
    assert not counter.take("a", "job-7", now=NOW + timedelta(minutes=60, seconds=59)).taken


def test_a_job_takes_one_slot_and_companies_do_not_share(mongo_db: Db) -> None:
    counter = limits(mongo_db, limit=1)
    assert counter.take("a", "job-1", now=NOW).taken
    assert counter.take("a", "job-1", now=NOW).taken
    assert not counter.take("a", "job-2", now=NOW).taken
    assert counter.take("b", "job-2", now=NOW).taken


def test_forty_at_once_take_five_slots(mongo_db: Db) -> None:
    counter = limits(mongo_db)
    with ThreadPoolExecutor(16) as pool:
        taken = list(pool.map(lambda n: counter.take("a", f"job-{n}", now=NOW).taken, range(40)))
    assert taken.count(True) == 5


def test_a_limit_of_none_admits_nothing(mongo_db: Db) -> None:
    assert not limits(mongo_db, limit=0).take("a", "job-1", now=NOW).taken


def test_a_delivery_is_begun_once_unless_it_surely_did_not_go_out(mongo_db: Db) -> None:
    deliveries = Deliveries(mongo_db)
    assert deliveries.begin("job-1", "a", "email", "succeeded", now=NOW)
    assert not deliveries.begin("job-1", "a", "email", "succeeded", now=NOW)
    assert not deliveries.begin("job-1", "a", "email", "failed", now=NOW)
    deliveries.mark("job-1", "email", "not_sent", error_code="SMTP_REFUSED")
    assert deliveries.begin("job-1", "a", "email", "failed", now=NOW)
    deliveries.mark("job-1", "email", "sent")
    assert not deliveries.begin("job-1", "a", "email", "failed", now=NOW)
    record = deliveries.find("job-1", "email")
    assert record is not None
    assert (record["variant"], record["tries"]) == ("failed", 2)
    assert deliveries.begin("job-1", "a", "notification", "failed", now=NOW)


def test_concurrent_begins_send_once(mongo_db: Db) -> None:
    deliveries = Deliveries(mongo_db)
    with ThreadPoolExecutor(8) as pool:
        began = list(pool.map(lambda _: deliveries.begin("j", "a", "email", "succeeded", now=NOW), range(8)))
    assert began.count(True) == 1


def test_unsent_failure_emails_come_due(mongo_db: Db) -> None:
    deliveries = Deliveries(mongo_db)
    for job, variant in (("j1", "failed"), ("j2", "succeeded")):
        deliveries.begin(job, "a", "email", variant, now=NOW)
        deliveries.mark(job, "email", "not_sent", error_code="SMTP_UNAVAILABLE")
    due = deliveries.unsent_failure_emails(before=NOW, most_tries=2, limit=10)
    assert [d["job_id"] for d in due] == ["j1"]
    assert deliveries.unsent_failure_emails(before=NOW - timedelta(seconds=1), most_tries=2, limit=10) == []
    assert deliveries.unsent_failure_emails(before=NOW, most_tries=1, limit=10) == []


def test_each_kind_repeats_its_own_emails(mongo_db: Db) -> None:
    contact, entity = Deliveries(mongo_db), Deliveries(mongo_db, "entity_export")
    for deliveries, job in ((contact, "j1"), (entity, "exp_1")):
        deliveries.begin(job, "a", "email", "failed", now=NOW)
        deliveries.mark(job, "email", "not_sent", error_code="SMTP_UNAVAILABLE")
        due = deliveries.unsent_failure_emails(before=NOW, most_tries=2, limit=10)
        assert [d["job_id"] for d in due] == [job]


def test_one_alert_a_cause(mongo_db: Db) -> None:
    causes = AlertCauses(mongo_db)
    assert [causes.first_time(c, now=NOW) for c in ("x", "x", "y")] == [True, False, True]


def test_the_audit_trail_keeps_the_first_word(mongo_db: Db) -> None:
    records = ExportRecords(mongo_db)
    for rows in (1, 2):
        records.audit("j", "a", "completed", {"row_count": rows}, now=NOW)
    (entry,) = mongo_db["export_audit"].find({})
    assert (entry["row_count"], entry["expires_at"]) == (1, NOW + timedelta(days=90))


def test_history_is_the_companys_own_for_two_days(mongo_db: Db) -> None:
    records = ExportRecords(mongo_db)
    for job, company in (("j1", "a"), ("j2", "b")):
        records.keep_history(job, company, {"file_name": "f", "date": NOW, "expires_at": NOW}, now=NOW)
    assert [row["_id"] for row in records.history("a", now=NOW)] == ["j1"]
    assert records.history("a", now=NOW + timedelta(hours=48)) == []


def test_all_failed_rows_are_kept_once(mongo_db: Db) -> None:
    records = ExportRecords(mongo_db)
    rows = [RowFailure(f"{n:04d}", "contact_not_found") for n in range(1500)]
    records.add_failures("j", "a", rows, now=NOW)
    records.add_failures("j", "a", rows[:10], now=NOW)
    assert sum(1 for _ in records.failures("j", "a")) == 1500
    assert list(records.failures("j", "b")) == []
    records.purge("j", "a")
    assert list(records.failures("j", "a")) == []
