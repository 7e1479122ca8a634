"""A store call whose answer is lost is tried again, and recognises its own first try: told once, done once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.migrations import Counts, ShardRange
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.resources.cdp_mongo import connect
from cdp_pipelines.stores.alert_causes import AlertCauses
from cdp_pipelines.stores.deliveries import Deliveries
from cdp_pipelines.stores.entity_exports import EntityExports
from cdp_pipelines.stores.export_jobs import ExportJobs
from cdp_pipelines.stores.export_templates import ExportTemplates
from cdp_pipelines.stores.migration_jobs import MigrationJobs
from cdp_pipelines.stores.migration_requests import OUTAGE, UNTAKEN, MigrationRequests
from cdp_pipelines.stores.rate_limits import RateLimits
from cdp_pipelines_tests.support.losing_answers import LosingAnswers, losing_answers

pytestmark = pytest.mark.timeout(120)

Db = Database[dict[str, Any]]
NOW = datetime.now(UTC).replace(microsecond=0)
"""Today: what has had its time is removed by the server, also in the middle of a test."""
LATER = NOW + timedelta(hours=1)
REFUSED = Rejected("EXPORT_REQUEST_INVALID", 422, "no")
A_JOB = {"job_id": "j-1", "job_type": "export", "company_sso_id": "a", "status": "queued", "created_at": NOW}
AN_EXPORT = {"id": "exp_1", "company_sso_id": "a", "status": "SCHEDULED", "created_at": NOW, "attempt": 1}
A_REQUEST = {"_id": "r-1", "kind": "activity_logs", "company_sso_id": "a", "status": "queued", "attempt": 1}


@dataclass
class Lossy:
    """The database through a proxy that loses answers, and directly."""

    db: Db
    plain: Db
    proxy: LosingAnswers

    def losing(self, command: str, collection: str, call: Callable[[], Any]) -> Any:
        """What the call answers although the first answer to its command is lost."""
        self.proxy.lose(command, collection)
        answer = call()
        assert self.proxy.lost == 1
        return answer


@pytest.fixture
def lossy(migrated_db: Db, stack_env: dict[str, str]) -> Iterator[Lossy]:
    with losing_answers(stack_env["CDP_MONGO_URI"]) as proxy:
        client = connect(proxy.uri)
        yield Lossy(client[migrated_db.name], migrated_db, proxy)
        client.close()


def put(db: Db, collection: str, document: dict[str, Any]) -> Any:
    return db[collection].insert_one({"_id": ObjectId(), **document}).inserted_id


def test_an_export_that_is_ended_is_told_of(lossy: Lossy) -> None:
    put(lossy.plain, "bulk_upload_jobs", A_JOB)
    jobs = ExportJobs(lossy.db)
    assert lossy.losing("update", "bulk_upload_jobs", lambda: jobs.end("j-1", "a", "failed", now=NOW))
    assert not jobs.end("j-1", "a", "failed", now=NOW)


def test_an_entity_export_that_is_ended_by_its_run_is_told_of(lossy: Lossy) -> None:
    put(lossy.plain, "exports", AN_EXPORT)
    exports = EntityExports(lossy.db)
    exports.start("exp_1", "a", "run-1", now=NOW)
    end = partial(exports.end, "exp_1", "a", "DONE", now=NOW, run_id="run-1")
    assert lossy.losing("update", "exports", end)
    assert not end()


def test_a_refusal_is_told_of(lossy: Lossy) -> None:
    document_id = put(lossy.plain, "bulk_upload_jobs", A_JOB)
    jobs = ExportJobs(lossy.db)
    assert lossy.losing("update", "bulk_upload_jobs", lambda: jobs.reject(document_id, REFUSED, now=NOW))
    assert not jobs.reject(document_id, REFUSED, now=NOW)


def test_a_request_is_put_back_once(lossy: Lossy) -> None:
    document = {"_id": put(lossy.plain, "exports", AN_EXPORT), **AN_EXPORT}
    exports = EntityExports(lossy.db)
    assert lossy.losing("update", "exports", lambda: exports.put_back(document, now=NOW))
    assert not exports.put_back(document, now=NOW)
    (found,) = lossy.plain["exports"].find()
    assert found["put_back"]["untaken"] == 1


def test_a_migration_job_is_its_own(lossy: Lossy) -> None:
    jobs = MigrationJobs(lossy.db, ACTIVITY_LOGS.jobs)
    name = ACTIVITY_LOGS.jobs.collection
    owned = lossy.losing("insert", name, lambda: jobs.open_new("a", "run-1", {}, now=NOW))
    assert owned is not None
    assert [job["_id"] for job in lossy.plain[name].find()] == [owned.job_id]
    assert jobs.open_new("a", "run-2", {}, now=NOW) is None


@pytest.mark.parametrize("before", ["failed", "in_progress"])
def test_a_migration_job_that_is_gone_on_with_is_its_own(lossy: Lossy, before: str) -> None:
    jobs = MigrationJobs(lossy.db, ACTIVITY_LOGS.jobs)
    owned = jobs.open_new("a", "run-1", {"run_id": "run-1"}, now=NOW)
    assert owned is not None
    if before == "failed":
        assert jobs.end(owned, "failed", now=NOW)
    job = jobs.find(owned.job_id, "a")
    assert job is not None
    again = partial(jobs.reopen, job, "run-2", {"run_id": "run-2"}, now=LATER)
    assert lossy.losing("findAndModify", ACTIVITY_LOGS.jobs.collection, again) is not None
    assert jobs.reopen(job, "run-3", {"run_id": "run-3"}, now=LATER) is None


def test_a_migration_job_that_is_ended_is_told_of(lossy: Lossy) -> None:
    jobs = MigrationJobs(lossy.db, ACTIVITY_LOGS.jobs)
    owned = jobs.open_new("a", "run-1", {}, now=NOW)
    assert owned is not None
    assert lossy.losing("update", ACTIVITY_LOGS.jobs.collection, lambda: jobs.end(owned, "halted", now=NOW))
    assert not jobs.end(owned, "halted", now=NOW)


def test_a_page_is_counted_once(lossy: Lossy) -> None:
    jobs = MigrationJobs(lossy.db, ACTIVITY_LOGS.jobs)
    owned = jobs.open_new("a", "run-1", {}, now=NOW)
    assert owned is not None
    jobs.set_shards(owned, {"shard_0": ShardRange(0, 10)}, total=10, now=NOW)
    page = partial(jobs.advance, owned, "shard_0", Counts(5), {}, from_id=0, to_id=5, done=False, now=NOW)
    job = lossy.losing("findAndModify", ACTIVITY_LOGS.jobs.collection, page)
    assert (job["records_migrated"], job["records_processed"]) == (5, 5)


@pytest.mark.parametrize("why", [UNTAKEN, OUTAGE])
def test_a_migration_request_is_put_back_once(lossy: Lossy, why: str) -> None:
    put(lossy.plain, "migration_requests", A_REQUEST)
    requests = MigrationRequests(lossy.db)
    back = partial(requests.put_back, "r-1", "a", why, now=NOW)
    assert lossy.losing("update", "migration_requests", back)
    assert not back()
    for launch in (2, 3):
        lossy.plain["migration_requests"].update_one({"_id": "r-1"}, {"$set": {"attempt": launch}})
        assert back()
    lossy.plain["migration_requests"].update_one({"_id": "r-1"}, {"$set": {"attempt": 4}})
    assert not back()


def test_a_migration_request_that_is_ended_or_refused_is_told_of(lossy: Lossy) -> None:
    requests = MigrationRequests(lossy.db)
    for name, end in (
        ("r-1", partial(requests.end, "r-1", "a", "failed", now=NOW)),
        ("r-2", partial(requests.reject, "r-2", REFUSED, now=NOW)),
    ):
        put(lossy.plain, "migration_requests", {**A_REQUEST, "_id": name})
        assert lossy.losing("update", "migration_requests", end)
        assert not end()


def test_what_was_only_recorded_may_still_be_sent(lossy: Lossy) -> None:
    deliveries = Deliveries(lossy.db)
    begin = partial(deliveries.begin, "j-1", "a", "email", "failed", now=NOW)
    assert lossy.losing("insert", "deliveries", begin)
    assert not begin()
    deliveries.mark("j-1", "email", "not_sent", error_code="SMTP_REFUSED")
    assert lossy.losing("findAndModify", "deliveries", begin)
    assert not begin()
    (record,) = lossy.plain["deliveries"].find()
    assert record["tries"] == 2, record


def test_an_alert_is_sent_by_who_recorded_it(lossy: Lossy) -> None:
    causes = AlertCauses(lossy.db)
    first = partial(causes.first_time, "x", now=NOW, text="t")
    assert lossy.losing("insert", "alert_causes", first)
    assert not first()
    taken = lossy.losing("findAndModify", "alert_causes", lambda: causes.take_untold(now=LATER))
    assert (taken["_id"], taken["tries"]) == ("x", 2)
    assert causes.take_untold(now=LATER) is None


def test_a_template_that_is_removed_was_there(lossy: Lossy) -> None:
    templates = ExportTemplates(lossy.db)
    templates.save("a", "t", exported_object="order", parameters={}, saved_by="u", now=NOW)
    assert lossy.losing("delete", "export_templates", lambda: templates.remove("a", "t"))
    assert not templates.remove("a", "t")


def test_a_slot_is_taken_once(lossy: Lossy) -> None:
    limits = RateLimits(lossy.db, kind="contact_export", limit=1, window_seconds=60)
    assert lossy.losing("update", "rate_limits", lambda: limits.take("a", "j-1", now=NOW)).taken
    assert not limits.take("a", "j-2", now=NOW).taken
