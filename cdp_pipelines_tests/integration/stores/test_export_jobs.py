from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.stores.export_jobs import LAUNCH_SECONDS, LEASE_SECONDS, ExportJobs, NotStarted, Started

Db = Database[dict[str, Any]]
NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)
COMPANY = "company-a"


@pytest.fixture
def jobs(migrated_db: Db) -> ExportJobs:
    return ExportJobs(migrated_db)


def queue(jobs: ExportJobs, job_id: str = "job-1", **changes: Any) -> dict[str, Any]:
    document = {
        "job_id": job_id, "job_type": "export", "status": "queued", "company_sso_id": COMPANY, "created_at": NOW,
        "email": "ann@example.com", "contact_ids": ["x"], **changes,
    }  # fmt: skip
    jobs.insert({key: value for key, value in document.items() if value is not ...})
    found = jobs.find(job_id)
    assert found is not None
    return found


def test_the_oldest_waits_first_and_others_documents_are_not_ours(jobs: ExportJobs, migrated_db: Db) -> None:
    queue(jobs, "new", created_at=NOW)
    queue(jobs, "old", created_at=NOW - timedelta(hours=1))
    queue(jobs, "done", status="completed")
    migrated_db["bulk_upload_jobs"].insert_one({"job_id": "import", "status": "queued"})
    assert [d["job_id"] for d in jobs.waiting(now=NOW, limit=10)] == ["old", "new"]
    assert [d["job_id"] for d in jobs.waiting(now=NOW, limit=1)][:1] == ["old"]


@pytest.mark.parametrize("status", ["Queued", "", None, 5, ...])
def test_a_status_that_does_not_exist_is_found_to_be_refused(jobs: ExportJobs, status: Any) -> None:
    document = queue(jobs, status=status)
    assert [d["_id"] for d in jobs.waiting(now=NOW, limit=10)] == [document["_id"]]
    assert jobs.claim(document["_id"], "t", now=NOW)
    assert jobs.reject(document["_id"], Rejected("EXPORT_REQUEST_INVALID", 422, "m."), now=NOW)


def test_one_of_many_claims_wins_and_stands_for_a_while(jobs: ExportJobs) -> None:
    document = queue(jobs)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: jobs.claim(document["_id"], f"token-{n}", now=NOW), range(8)))
    assert won.count(True) == 1
    later = NOW + timedelta(seconds=LAUNCH_SECONDS)
    assert jobs.waiting(now=later - timedelta(seconds=1), limit=10) == []
    assert len(jobs.waiting(now=later, limit=10)) == 1
    assert jobs.claim(document["_id"], "again", now=later)


def test_a_rejected_request_is_terminal_with_its_error(jobs: ExportJobs) -> None:
    document = queue(jobs)
    rejected = Rejected("FORBIDDEN", 403, "No.", {"a": 1})
    assert jobs.reject(document["_id"], rejected, now=NOW)
    assert not jobs.reject(document["_id"], rejected, now=NOW)
    stored = jobs.find("job-1")
    assert stored is not None
    assert stored["error"] == {"code": "FORBIDDEN", "http_status": 403, "message": "No.", "details": {"a": 1}}
    assert stored["expires_at"] == NOW + timedelta(days=7)


def test_one_run_owns_a_job(jobs: ExportJobs) -> None:
    queue(jobs)
    first = jobs.start("job-1", COMPANY, "run-1", now=NOW)
    assert isinstance(first, Started)
    assert not first.resumed
    assert jobs.start("job-1", COMPANY, "run-2", now=NOW) == NotStarted("processing", "run-1")
    again = jobs.start("job-1", COMPANY, "run-1", now=NOW)
    assert isinstance(again, Started)
    assert again.resumed


def test_a_dead_owner_is_succeeded(jobs: ExportJobs) -> None:
    queue(jobs)
    jobs.start("job-1", COMPANY, "run-1", now=NOW)
    later = NOW + timedelta(seconds=LEASE_SECONDS)
    assert isinstance(jobs.start("job-1", COMPANY, "run-2", now=later), Started)
    assert isinstance(jobs.start("job-1", COMPANY, "run-3", now=later, take_over_from="run-2"), Started)
    assert not jobs.beat("job-1", COMPANY, "run-2", now=later).owned


def test_another_company_cannot_start_a_job(jobs: ExportJobs) -> None:
    queue(jobs)
    assert jobs.start("job-1", "company-b", "run-1", now=NOW) is None
    assert jobs.find("job-1", company_sso_id="company-b") is None


def test_a_beat_writes_progress_renews_and_tells_of_a_cancel(jobs: ExportJobs) -> None:
    queue(jobs)
    jobs.start("job-1", COMPANY, "run-1", now=NOW)
    later = NOW + timedelta(minutes=5)
    assert not jobs.beat("job-1", COMPANY, "run-1", now=later, success_count=7).cancel_requested
    stored = jobs.find("job-1")
    assert stored is not None
    assert stored["success_count"] == 7
    assert stored["lease"]["expires_at"] == later + timedelta(seconds=LEASE_SECONDS)
    assert jobs.request_cancel("job-1") == "processing"
    assert jobs.beat("job-1", COMPANY, "run-1", now=later).cancel_requested


def test_a_job_ends_once(jobs: ExportJobs) -> None:
    queue(jobs)
    jobs.start("job-1", COMPANY, "run-1", now=NOW)
    assert not jobs.end("job-1", COMPANY, "failed", now=NOW, run_id="run-2")
    assert jobs.end("job-1", COMPANY, "completed", now=NOW, run_id="run-1")
    assert not jobs.end("job-1", COMPANY, "failed", now=NOW)
    assert jobs.start("job-1", COMPANY, "run-2", now=NOW) == NotStarted("completed", None)
    assert jobs.request_cancel("job-1") == "completed"


def test_a_job_id_is_unique_but_imports_need_none(jobs: ExportJobs, migrated_db: Db) -> None:
    queue(jobs)
    with pytest.raises(DuplicateKeyError):
        migrated_db["bulk_upload_jobs"].insert_one({"job_id": "job-1", "job_type": "export"})
    migrated_db["bulk_upload_jobs"].insert_many([{"status": "queued"}, {"status": "queued"}])


def test_purging_leaves_counts_and_no_person(jobs: ExportJobs) -> None:
    queue(jobs, success_count=3)
    assert not jobs.purge("job-1", COMPANY, now=NOW)
    jobs.end("job-1", COMPANY, "completed", now=NOW, changes={"result": {"url": "u"}, "list_failed_rows": [1]})
    assert not jobs.purge("job-1", "company-b", now=NOW)
    assert jobs.purge("job-1", COMPANY, now=NOW)
    stored = jobs.find("job-1")
    assert stored is not None
    assert stored["success_count"] == 3
    assert not stored.keys() & {"email", "contact_ids", "result", "list_failed_rows"}


def test_open_jobs_are_those_launched_some_time_ago(jobs: ExportJobs) -> None:
    for number in range(3):
        document = queue(jobs, f"job-{number}")
        jobs.claim(document["_id"], "t", now=NOW)
    jobs.end("job-2", COMPANY, "failed", now=NOW)
    assert jobs.open_jobs(launched_before=NOW - timedelta(seconds=1), limit=10) == []
    first = jobs.open_jobs(launched_before=NOW, limit=1)
    rest = jobs.open_jobs(launched_before=NOW, limit=10, after=first[0]["_id"])
    assert [d["job_id"] for d in first + rest] == ["job-0", "job-1"]
