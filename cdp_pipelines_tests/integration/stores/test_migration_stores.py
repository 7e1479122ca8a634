"""The stores that all migrations share, on a real server: one owner, every page once, no other company's jobs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.failures import LISTED_ON_JOB, RowFailure
from cdp_pipelines.domain.migrations import Counts, ShardRange
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.stores.migration_failures import MigrationFailures
from cdp_pipelines.stores.migration_jobs import LEASE_SECONDS, MigrationJobs, Owned
from cdp_pipelines.stores.migration_requests import MigrationRequests
from cdp_pipelines.stores.queue_shape import LAUNCH_SECONDS

Db = Database[dict[str, Any]]
Document = dict[str, Any]
Kept = tuple[RowFailure, Document]
NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)
LATER = NOW + timedelta(seconds=LEASE_SECONDS)
COMPANY, OTHER = "company-a", "company-b"


@pytest.fixture
def db(migrated_db: Db) -> Db:
    return migrated_db


@pytest.fixture
def jobs(db: Db) -> MigrationJobs:
    return MigrationJobs(db, ACTIVITY_LOGS.jobs)


def opened(jobs: MigrationJobs, company: str = COMPANY, run: str = "run-1", **facts: Any) -> Owned:
    owned = jobs.open_new(company, run, {"dry_run": False, **facts}, now=NOW)
    assert owned is not None
    return owned


def found(jobs: MigrationJobs, owned: Owned) -> Document:
    job = jobs.find(owned.job_id, owned.company_sso_id)
    assert job is not None
    return job


def test_of_twenty_that_open_at_once_one_does(jobs: MigrationJobs) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda n: jobs.open_new(COMPANY, f"run-{n}", {}, now=NOW), range(20)))
    assert sum(owned is not None for owned in found) == 1
    assert jobs.open_new(OTHER, "run", {}, now=NOW) is not None


def test_of_twenty_that_go_on_at_once_one_does(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    job = found(jobs, owned)
    with ThreadPoolExecutor(20) as pool:
        taken = list(pool.map(lambda n: jobs.reopen(job, f"next-{n}", {}, now=LATER), range(20)))
    assert sum(each is not None for each in taken) == 1


def test_a_job_is_taken_over_only_from_a_dead_owner(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    job = found(jobs, owned)
    assert jobs.reopen(job, "run-2", {}, now=LATER - timedelta(milliseconds=1)) is None
    assert jobs.reopen(job, "run-2", {}, now=NOW, take_over_from="somebody") is None
    assert jobs.reopen(job, "run-1", {}, now=NOW) == owned
    second = jobs.reopen(job, "run-2", {"starts": 2}, now=LATER)
    assert second is not None
    assert jobs.beat(owned, {"phase": "x"}, now=LATER) is None
    assert jobs.end(owned, "completed", now=LATER) is False
    assert found(jobs, second)["starts"] == 2
    assert jobs.reopen(found(jobs, second), "run-3", {}, now=LATER, take_over_from="run-2") is not None


def test_a_job_that_moved_on_is_not_reopened(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    assert jobs.end(owned, "halted", {"error": {"code": "X"}}, now=NOW)
    halted = found(jobs, owned)
    again = jobs.reopen(halted, "run-2", {}, now=NOW)
    assert again is not None
    assert "error" not in found(jobs, again)
    jobs.end(again, "completed", now=NOW)
    assert jobs.reopen(halted, "run-3", {}, now=LATER) is None
    opened(jobs, run="run-4")
    assert jobs.reopen(found(jobs, again), "run-5", {}, now=LATER) is None


def test_a_page_counts_once_however_often_it_is_told(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    jobs.set_shards(owned, {"shard_0": ShardRange(0, 50), "shard_1": ShardRange(50, 100)}, total=10, now=NOW)
    page = Counts(3, {"contact_not_found": 1}, 1, {"actor_deleted": 2})
    failure = [RowFailure("4", "unreadable_changes", "why")]
    for _ in range(3):
        job = jobs.advance(owned, "shard_0", page, {"failed_rows": failure}, from_id=0, to_id=9, done=False, now=NOW)
        assert job is not None
        assert (job["records_processed"], job["records_migrated"], job["records_failed"]) == (5, 3, 1)
    assert job is not None
    assert (job["records_skipped"], job["notes"]) == ({"contact_not_found": 1}, {"actor_deleted": 2})
    assert (job["progress_pct"], job["failure_rate"]) == (50.0, 0.2)
    assert job["shards"]["shard_0"] == {
        "after": 0, "to": 50, "last_audit_id": 9, "done": False, "processed": 5, "migrated": 3, "skipped": 1,
        "failed": 1,
    }  # fmt: skip
    assert found(jobs, owned)["failed_rows"] == [failure[0].as_document()]
    assert jobs.advance(owned, "shard_0", page, {}, from_id=5, to_id=20, done=False, now=NOW) is None
    assert jobs.advance(Owned(owned.job_id, OTHER, "run-1"), "shard_0", page, {}, from_id=9, to_id=20, done=False,
                        now=NOW) is None  # fmt: skip
    assert jobs.advance(Owned(owned.job_id, COMPANY, "run-2"), "shard_0", page, {}, from_id=9, to_id=20, done=False,
                        now=NOW) is None  # fmt: skip


def test_shards_side_by_side_lose_no_count(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    names = [f"shard_{number}" for number in range(8)]
    jobs.set_shards(owned, {name: ShardRange(0, 100) for name in names}, total=160, now=NOW)

    def work(name: str) -> None:
        for position in range(10):
            page = Counts(1, {"contact_not_found": 1})
            jobs.advance(owned, name, page, {}, from_id=position, to_id=position + 1, done=position == 9, now=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, names))
    job = found(jobs, owned)
    assert (job["records_processed"], job["records_migrated"], job["progress_pct"]) == (160, 80, 100.0)
    assert all(job["shards"][name]["done"] and job["shards"][name]["processed"] == 20 for name in names)


def test_a_job_lists_its_first_failed_rows_only(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    jobs.set_shards(owned, {"shard_0": ShardRange(0, 9_000)}, total=2_000, now=NOW)
    for page in range(2):
        failures = [RowFailure(str(page * 700 + number), "x") for number in range(700)]
        jobs.advance(
            owned,
            "shard_0",
            Counts(failed=700),
            {"failed_rows": failures},
            from_id=page,
            to_id=page + 1,
            done=False,
            now=NOW,
        )
    job = found(jobs, owned)
    assert [row["id"] for row in job["failed_rows"]] == [str(number) for number in range(LISTED_ON_JOB)]
    assert job["records_failed"] == 1_400


def test_values_that_look_like_operators_stay_values(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    jobs.set_shards(owned, {"shard_0": ShardRange(0, 9)}, total=1, now=NOW)
    failure = RowFailure("$records_total", "$x", "$$ROOT")
    jobs.advance(owned, "shard_0", Counts(failed=1), {"failed_rows": [failure]}, from_id=0, to_id=9, done=True, now=NOW)
    assert found(jobs, owned)["failed_rows"] == [failure.as_document()]


def test_jobs_are_found_for_their_own_company_alone(jobs: MigrationJobs) -> None:
    owned = opened(jobs, request_id="r-1")
    jobs.end(owned, "completed", now=NOW)
    dry = jobs.open_new(COMPANY, "run-2", {"dry_run": True}, now=NOW + timedelta(seconds=1))
    assert dry is not None
    assert jobs.latest(COMPANY) == found(jobs, owned)
    assert jobs.latest(COMPANY, dry_runs=True) == jobs.active(COMPANY) == found(jobs, dry)
    assert [job["_id"] for job in jobs.unfinished(limit=5)] == [dry.job_id]
    assert jobs.of_request(COMPANY, "r-1") is not None
    assert sorted(jobs.ids(COMPANY)) == sorted([owned.job_id, dry.job_id])
    assert [job["_id"] for job in jobs.statuses([COMPANY, OTHER])] == [dry.job_id, owned.job_id]
    assert jobs.latest(OTHER) is jobs.active(OTHER) is jobs.of_request(OTHER, "r-1") is None
    assert jobs.find(owned.job_id, OTHER) is None
    assert jobs.ids(OTHER) == []


def test_the_quarantine_keeps_replays_and_forgets(db: Db) -> None:
    failures = MigrationFailures(db, "activity_logs")
    kept = [(RowFailure(str(number), "unreadable_changes", "why"), {"comment": "c"}) for number in range(1, 6)]
    failures.keep("job", COMPANY, [], now=NOW)
    for _ in range(2):
        failures.keep("job", COMPANY, kept, now=NOW)
    failures.keep("job-2", OTHER, kept[:1], now=NOW)
    assert failures.count("job", COMPANY) == 5
    assert failures.count("job", OTHER) == 0
    first = failures.batch("job", COMPANY, after="", size=3)
    assert [row["source_id"] for row in first] == ["1", "2", "3"]
    assert "evidence" not in first[0]
    assert [row["source_id"] for row in failures.batch("job", COMPANY, after=first[-1]["_id"], size=9)] == ["4", "5"]
    assert failures.batch("job", OTHER, after="", size=9) == []
    again = [(RowFailure("2", "write_failed", "now"), {"comment": "d"})]
    failures.failed_again("job", COMPANY, [], replay_id="p", now=LATER)
    failures.failed_again("job", COMPANY, again, replay_id="p", now=LATER)
    assert failures.forget_settled("job", OTHER, up_to="job:9", replay_id="p") == 0
    assert failures.forget_settled("job", COMPANY, up_to=first[-1]["_id"], replay_id="p") == 2
    left = failures.batch("job", COMPANY, after="", size=9)
    assert [(row["source_id"], row["reason_code"]) for row in left] == [
        ("2", "write_failed"), ("4", "unreadable_changes"), ("5", "unreadable_changes"),
    ]  # fmt: skip
    assert failures.forget("job", OTHER) == 0
    assert failures.forget("job", COMPANY) == 3
    assert failures.count("job-2", OTHER) == 1


def queued(db: Db, **changes: Any) -> Any:
    document = {
        "_id": ObjectId(), "kind": "activity_logs", "action": "start", "status": "queued", "company_sso_id": COMPANY,
        "created_at": NOW, **changes,
    }  # fmt: skip
    MigrationRequests(db).insert(document)
    return document["_id"]


def test_a_request_is_claimed_once_and_again_only_after_a_while(db: Db) -> None:
    requests = MigrationRequests(db)
    newer, older = queued(db), queued(db, created_at=NOW - timedelta(hours=1))
    odd, ended = queued(db, status="Queued"), queued(db, status="completed")
    assert [request["_id"] for request in requests.waiting(now=NOW, limit=9)] == [older, newer, odd]
    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(lambda n: requests.claim(newer, f"token-{n}", now=NOW), range(20)))
    assert won.count(True) == 1
    assert requests.claim(newer, "later", now=NOW + timedelta(seconds=LAUNCH_SECONDS))
    assert not requests.claim(ended, "t", now=NOW)
    requests.note_attempt(newer, 2)
    assert requests.statuses([newer])[0]["attempt"] == 2
    oldest = requests.oldest_queued()
    assert oldest is not None
    assert oldest["_id"] == older
    launched = requests.open_requests(launched_before=LATER, limit=9)
    assert [request["_id"] for request in launched] == [newer]


def test_a_request_begins_ends_and_stays_ended(db: Db) -> None:
    requests = MigrationRequests(db)
    request_id = queued(db, cancel_requested=True)
    assert requests.identifier(str(request_id), COMPANY) == request_id
    assert requests.identifier(str(request_id), OTHER) is None
    assert requests.begin(request_id, OTHER, "run", now=NOW) is None
    assert requests.find(request_id, OTHER) is None
    assert not requests.cancel_requested(request_id, OTHER)
    assert not requests.end(request_id, OTHER, "failed", now=NOW)
    begun = requests.begin(request_id, COMPANY, "run", now=NOW)
    assert begun is not None
    assert (begun["status"], begun["run_id"]) == ("processing", "run")
    assert requests.cancel_requested(request_id, COMPANY)
    assert not requests.claim(request_id, "t", now=LATER)
    assert requests.end(request_id, COMPANY, "completed", now=NOW, result={"a": 1})
    assert not requests.end(request_id, COMPANY, "failed", now=NOW)
    assert not requests.reject(request_id, Rejected("X", 409, "m."), now=NOW)
    assert requests.begin(request_id, COMPANY, "run-2", now=NOW) is None
    text = queued(db, _id="as a text")
    assert requests.identifier("as a text", COMPANY) == text
    assert requests.reject(text, Rejected("X", 409, "m."), now=NOW)
    rejected = requests.find(text, COMPANY)
    assert rejected is not None
    assert (rejected["status"], rejected["error"]["code"]) == ("rejected", "X")


def test_a_shard_is_added_to_a_plan_once(jobs: MigrationJobs) -> None:
    owned = opened(jobs)
    assert jobs.set_shards(owned, {"shard_0": ShardRange(0, 10)}, total=10, now=NOW)
    done = Counts(migrated=10)
    assert jobs.advance(owned, "shard_0", done, {}, from_id=0, to_id=10, done=True, now=NOW) is not None
    assert jobs.add_shard(owned, "shard_1", ShardRange(10, 40), rows=30, now=NOW)
    assert not jobs.add_shard(owned, "shard_1", ShardRange(10, 99), rows=30, now=NOW)
    job = found(jobs, owned)
    assert (job["records_total"], job["progress_pct"], job["shards"]["shard_0"]["done"]) == (40, 25.0, True)
    assert job["shards"]["shard_1"] == {"after": 10, "to": 40, "last_audit_id": 10, "done": False}
    assert not jobs.add_shard(Owned(owned.job_id, OTHER, "run-1"), "shard_2", ShardRange(1, 2), rows=1, now=NOW)


def test_what_an_outage_left_unknown_is_kept_apart_from_what_failed(db: Db) -> None:
    failures = MigrationFailures(db, "activity_logs")
    rows: list[Kept] = [(RowFailure("1", "unreadable_changes"), {})]
    people: list[Kept] = [(RowFailure(f"{number}/actor", "degraded_actor"), {}) for number in (2, 3)]
    files: list[Kept] = [(RowFailure("4/image-1.png", "ATTACHMENT_TOO_LARGE"), {})]
    failures.keep("job", COMPANY, rows, now=NOW)
    failures.keep("job", COMPANY, [*people, *files], part=True, now=NOW)

    def kept(*, degraded: bool) -> list[str]:
        return [row["source_id"] for row in failures.batch("job", COMPANY, after="", size=9, degraded=degraded)]

    assert (kept(degraded=False), kept(degraded=True)) == (["1", "4/image-1.png"], ["2/actor", "3/actor"])
    assert (failures.count_rows("job", COMPANY), failures.count_parts("job", COMPANY)) == (1, 1)
    assert failures.count_parts("job", COMPANY, degraded=True) == 2
    # A replay of the failed ones settles nobody else.
    assert failures.forget_settled("job", COMPANY, up_to="job:9", replay_id="r") == 2
    assert (kept(degraded=False), kept(degraded=True)) == ([], ["2/actor", "3/actor"])
    assert failures.forget_these(OTHER, ["job:2/actor"]) == 0
    assert failures.forget_these(COMPANY, ["job:2/actor"]) == 1
    assert failures.forget_these(COMPANY, []) == 0
