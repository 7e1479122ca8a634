"""The rules of the queue, on both kinds of exports; only names differ."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.stores.entity_exports import EntityExports
from cdp_pipelines.stores.export_jobs import ExportJobs
from cdp_pipelines.stores.export_queue import LEASE_SECONDS, ExportQueue, NotStarted, Started
from cdp_pipelines.stores.queue_shape import LAUNCH_SECONDS

Db = Database[dict[str, Any]]
NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)
COMPANY = "company-a"


@pytest.fixture(params=[ExportJobs, EntityExports], ids=["contact", "entity"])
def jobs(migrated_db: Db, request: pytest.FixtureRequest) -> ExportQueue:
    made: ExportQueue = request.param(migrated_db)
    return made


@pytest.fixture
def contact_jobs(migrated_db: Db) -> ExportJobs:
    return ExportJobs(migrated_db)


def queue(jobs: ExportQueue, job_id: str = "job-1", **changes: Any) -> dict[str, Any]:
    shape = jobs.shape
    document = {
        shape.id_field: job_id, **shape.scope, "status": shape.queued, "company_sso_id": COMPANY, "created_at": NOW,
        "email": "ann@example.com", "contact_ids": ["x"], **changes,
    }  # fmt: skip
    jobs.insert({key: value for key, value in document.items() if value is not ...})
    found = jobs.find(job_id)
    assert found is not None
    return found


def ids(jobs: ExportQueue, documents: list[dict[str, Any]]) -> list[str]:
    return [document[jobs.shape.id_field] for document in documents]


def stored(jobs: ExportQueue, job_id: str = "job-1") -> dict[str, Any]:
    document = jobs.find(job_id, company_sso_id=COMPANY)
    assert document is not None
    return document


def test_the_oldest_waits_first(jobs: ExportQueue) -> None:
    queue(jobs, "new", created_at=NOW)
    queue(jobs, "old", created_at=NOW - timedelta(hours=1))
    queue(jobs, "done", status=jobs.shape.terminal[0])
    assert ids(jobs, jobs.waiting(now=NOW, limit=10)) == ["old", "new"]
    assert ids(jobs, jobs.waiting(now=NOW, limit=1))[:1] == ["old"]
    oldest = jobs.oldest_queued()
    assert oldest is not None
    assert ids(jobs, [oldest]) == ["old"]


def test_others_documents_are_not_ours(contact_jobs: ExportJobs, migrated_db: Db) -> None:
    migrated_db["bulk_upload_jobs"].insert_one({"job_id": "import", "status": "queued", "created_at": NOW})
    assert contact_jobs.waiting(now=NOW, limit=10) == []
    assert contact_jobs.oldest_queued() is None
    assert contact_jobs.find("import") is None


@pytest.mark.parametrize("status", ["Queued", "", None, 5, ...])
def test_a_status_that_does_not_exist_is_found_to_be_refused(contact_jobs: ExportJobs, status: Any) -> None:
    document = queue(contact_jobs, status=status)
    assert [d["_id"] for d in contact_jobs.waiting(now=NOW, limit=10)] == [document["_id"]]
    assert contact_jobs.claim(document["_id"], "t", now=NOW)
    assert contact_jobs.reject(document["_id"], Rejected("EXPORT_REQUEST_INVALID", 422, "m."), now=NOW)


def test_one_of_many_claims_wins_and_stands_for_a_while(jobs: ExportQueue) -> None:
    document = queue(jobs)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: jobs.claim(document["_id"], f"token-{n}", now=NOW), range(8)))
    assert won.count(True) == 1
    later = NOW + timedelta(seconds=LAUNCH_SECONDS)
    assert jobs.waiting(now=later - timedelta(seconds=1), limit=10) == []
    assert len(jobs.waiting(now=later, limit=10)) == 1
    assert jobs.claim(document["_id"], "again", now=later)


def test_a_rejected_request_is_terminal_with_its_error(jobs: ExportQueue) -> None:
    document = queue(jobs)
    rejected = Rejected("FORBIDDEN", 403, "No.", {"a": 1})
    assert jobs.reject(document["_id"], rejected, now=NOW)
    assert not jobs.reject(document["_id"], rejected, now=NOW)
    ended = stored(jobs)
    assert ended["status"] == jobs.shape.rejected
    assert ended["error"] == {"code": "FORBIDDEN", "http_status": 403, "message": "No.", "details": {"a": 1}}
    assert ended["expires_at"] == NOW + timedelta(days=7)


def test_one_run_owns_a_job(jobs: ExportQueue) -> None:
    queue(jobs)
    first = jobs.start("job-1", COMPANY, "run-1", now=NOW)
    assert isinstance(first, Started)
    assert not first.resumed
    assert jobs.start("job-1", COMPANY, "run-2", now=NOW) == NotStarted(jobs.shape.working, "run-1")
    again = jobs.start("job-1", COMPANY, "run-1", now=NOW)
    assert isinstance(again, Started)
    assert again.resumed


def test_a_dead_owner_is_succeeded(jobs: ExportQueue) -> None:
    queue(jobs)
    jobs.start("job-1", COMPANY, "run-1", now=NOW)
    later = NOW + timedelta(seconds=LEASE_SECONDS)
    assert isinstance(jobs.start("job-1", COMPANY, "run-2", now=later), Started)
    assert isinstance(jobs.start("job-1", COMPANY, "run-3", now=later, take_over_from="run-2"), Started)
    assert not jobs.beat("job-1", COMPANY, "run-2", now=later).owned


def test_another_company_has_no_hand_on_a_job(jobs: ExportQueue) -> None:
    queue(jobs)
    assert jobs.start("job-1", "company-b", "run-1", now=NOW) is None
    assert jobs.find("job-1", company_sso_id="company-b") is None
    assert jobs.request_cancel("job-1", company_sso_id="company-b") is None
    assert not jobs.end("job-1", "company-b", jobs.shape.terminal[0], now=NOW)
    assert "cancel_requested" not in stored(jobs)


def test_a_beat_writes_progress_renews_and_tells_of_a_cancel(jobs: ExportQueue) -> None:
    queue(jobs)
    jobs.start("job-1", COMPANY, "run-1", now=NOW)
    later = NOW + timedelta(minutes=5)
    assert not jobs.beat("job-1", COMPANY, "run-1", now=later, success_count=7).cancel_requested
    working = stored(jobs)
    assert working["success_count"] == 7
    assert working["lease"]["expires_at"] == later + timedelta(seconds=LEASE_SECONDS)
    assert jobs.request_cancel("job-1") == jobs.shape.working
    assert jobs.beat("job-1", COMPANY, "run-1", now=later).cancel_requested


def test_a_job_ends_once(jobs: ExportQueue) -> None:
    done, failed, *_ = jobs.shape.terminal
    queue(jobs)
    jobs.start("job-1", COMPANY, "run-1", now=NOW)
    assert not jobs.end("job-1", COMPANY, failed, now=NOW, run_id="run-2")
    assert jobs.end("job-1", COMPANY, done, now=NOW, run_id="run-1")
    assert not jobs.end("job-1", COMPANY, failed, now=NOW)
    assert jobs.start("job-1", COMPANY, "run-2", now=NOW) == NotStarted(done, None)
    assert jobs.request_cancel("job-1", company_sso_id=COMPANY) == done


def test_a_request_id_is_unique(jobs: ExportQueue) -> None:
    queue(jobs)
    with pytest.raises(PermanentFailure, match="11000"):
        jobs.insert({**jobs.shape.scope, jobs.shape.id_field: "job-1", "company_sso_id": "company-b"})


def test_imports_may_have_any_job_id(contact_jobs: ExportJobs, migrated_db: Db) -> None:
    queue(contact_jobs)
    migrated_db["bulk_upload_jobs"].insert_many(
        [{"job_id": "job-1", "job_type": kind} for kind in ("import", "x", None)]
    )
    assert contact_jobs.request_cancel("job-1") == "queued"
    assert migrated_db["bulk_upload_jobs"].count_documents({"cancel_requested": True}) == 1
    # Two exports without an id each end with words for a person, so both must get into the queue.
    of_export = {"job_type": "export", "status": "queued"}
    migrated_db["bulk_upload_jobs"].insert_many([{**of_export}, {**of_export}, {**of_export, "job_id": 5}])
    migrated_db["bulk_upload_jobs"].insert_one({**of_export, "job_id": 5})


def test_imports_need_no_job_id(contact_jobs: ExportJobs, migrated_db: Db) -> None:
    queue(contact_jobs)
    migrated_db["bulk_upload_jobs"].insert_many([{"status": "queued"}, {"status": "queued"}])


def test_purging_leaves_counts_and_no_person(contact_jobs: ExportJobs) -> None:
    queue(contact_jobs, success_count=3)
    assert not contact_jobs.purge("job-1", COMPANY, now=NOW)
    contact_jobs.end("job-1", COMPANY, "completed", now=NOW, changes={"result": {"url": "u"}, "list_failed_rows": [1]})
    assert not contact_jobs.purge("job-1", "company-b", now=NOW)
    assert contact_jobs.purge("job-1", COMPANY, now=NOW)
    purged = stored(contact_jobs)
    assert purged["success_count"] == 3
    assert not purged.keys() & {"email", "contact_ids", "result", "list_failed_rows"}


def test_purging_an_entity_export_leaves_what_was_asked_but_for_the_filters(migrated_db: Db) -> None:
    exports = EntityExports(migrated_db)
    parameters = {"format": "CSV", "filters": {"email": {"conditions": {"$is": ["ann@example.com"]}}}}
    queue(exports, parameters=parameters, webhook={"url": "https://example.com"}, object_keys=["a", "b"])
    exports.end("job-1", COMPANY, "DONE", now=NOW, changes={"result": {"url": "u"}, "total": 3})
    assert exports.purge("job-1", COMPANY, now=NOW)
    purged = stored(exports)
    assert (purged["total"], purged["parameters"]) == (3, {"format": "CSV"})
    assert not purged.keys() & {"email", "webhook", "result", "object_keys"}


def test_open_jobs_are_those_launched_some_time_ago(jobs: ExportQueue) -> None:
    for number in range(3):
        document = queue(jobs, f"job-{number}")
        jobs.claim(document["_id"], "t", now=NOW)
    jobs.end("job-2", COMPANY, jobs.shape.terminal[1], now=NOW)
    assert jobs.open_jobs(launched_before=NOW - timedelta(seconds=1), limit=10) == []
    first = jobs.open_jobs(launched_before=NOW, limit=1)
    rest = jobs.open_jobs(launched_before=NOW, limit=10, after=first[0]["_id"])
    assert ids(jobs, first + rest) == ["job-0", "job-1"]
    assert first[0]["company_sso_id"] == COMPANY


def test_a_job_whose_run_was_started_by_hand_is_open_too(jobs: ExportQueue) -> None:
    queue(jobs)
    jobs.start("job-1", COMPANY, "run-1", now=NOW)
    assert jobs.open_jobs(launched_before=NOW - timedelta(seconds=1), limit=10) == []
    assert ids(jobs, jobs.open_jobs(launched_before=NOW, limit=10)) == ["job-1"]


@pytest.mark.parametrize("keys", ["a", ["a", "b"]])
def test_files_that_stayed_are_found_until_they_are_gone(jobs: ExportQueue, keys: Any) -> None:
    ended: dict[str, Any] = {"status": jobs.shape.failed, "cleanup_pending": True}
    queue(jobs, "no-file", **ended)
    queue(jobs, "at-work", **{**ended, "status": jobs.shape.working, jobs.shape.files_field: keys})
    queue(jobs, **{**ended, jobs.shape.files_field: keys})
    (pending,) = jobs.with_cleanup_pending(limit=10)
    assert jobs.shape.files(pending) == list(keys)
    jobs.cleanup_done("job-1", COMPANY)
    assert jobs.with_cleanup_pending(limit=10) == []
