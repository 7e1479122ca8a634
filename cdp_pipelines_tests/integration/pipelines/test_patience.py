"""Outages in the middle of a migration that last longer than any retry: waited for, then taken up by the queue."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.local.state import load_state, state_file
from cdp_pipelines.pipelines.migrations.sensors import COVERAGE_SECONDS_A_TICK
from cdp_pipelines.resources.cdp_mongo import connect
from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations, assert_adds_up
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes
from cdp_pipelines_tests.integration.pipelines.outages import cut_connections

pytestmark = [pytest.mark.any_mongo, pytest.mark.timeout(240)]


@contextmanager
def crm_that_leaves(m: Migrations, *, for_seconds: float | None) -> Iterator[object]:
    """What to call to have the CRM leave; None: until the end of the block."""
    with psycopg.connect(m.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as admin:
        timers: list[threading.Timer] = []

        def back() -> None:
            admin.execute(f'ALTER DATABASE "{m.crm.name}" ALLOW_CONNECTIONS true')

        def act(number: int) -> None:
            if number == 2:
                admin.execute(f'ALTER DATABASE "{m.crm.name}" ALLOW_CONNECTIONS false')
                cut_connections(m)
                if for_seconds is not None:
                    timers.append(threading.Timer(for_seconds, back))
                    timers[0].start()

        try:
            yield act
        finally:
            for timer in timers:
                timer.join()
            back()


def kill_mongo(stack: LocalStack) -> None:
    """As the kernel does that is out of memory: no word to clients, nothing written that was not."""
    process = load_state(state_file(stack.root))["mongo"].process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)


def test_a_crm_that_is_away_for_longer_than_any_retry_is_waited_for(migrations: Migrations) -> None:
    m = migrations
    m.fill(60)
    with crm_that_leaves(m, for_seconds=25) as act:
        result = m.run(resource=m.at_insert(1, act, patience_seconds=60), config={"page_rows": 10})  # type: ignore[arg-type]
    assert result.success
    job = m.job()
    assert_adds_up(job)
    assert (job["status"], job["starts"], job["records_processed"], job["match_pct"]) == ("completed", 1, 60, 100.0)
    assert len(m.logs()) == 60


def test_a_cancel_is_heeded_while_the_crm_is_away(migrations: Migrations) -> None:
    m = migrations
    m.fill(60)
    began = time.monotonic()
    asked = threading.Timer(3, lambda: m.db[m.kind.jobs.collection].update_one({"company_sso_id": m.company}, CANCEL))
    with crm_that_leaves(m, for_seconds=None) as act:
        asked.start()
        result = m.run(resource=m.at_insert(1, act, patience_seconds=200), config={"page_rows": 10})  # type: ignore[arg-type]
    assert not result.success
    assert m.job()["status"] == "canceled"
    assert time.monotonic() - began < 90


CANCEL = {"$set": {"cancel_requested": True}}


def test_what_stays_away_is_taken_up_by_the_queue_three_times(migrations: Migrations) -> None:
    m = migrations
    m.fill(60)
    tries = 0
    with crm_that_leaves(m, for_seconds=None) as act:
        assert not m.run(resource=m.at_insert(1, act), config={"page_rows": 10, "force": True}).success  # type: ignore[arg-type]
        job = m.job()
        assert (job["status"], job["error"]["code"]) == ("failed", "CRM_UNAVAILABLE")
        (request,) = m.db["migration_requests"].find()
        assert (request["status"], request["put_back"]["outage"]) == ("queued", 1)
        for tries in (1, 2, 3):
            # As a run of the queue's, which finds the CRM away once more before it has begun.
            services = m.services()
            services.requests.claim(request["_id"], f"t{tries}", now=services.now())
            services.requests.note_attempt(request["_id"], tries)
            services.requests.begin(request["_id"], m.company, f"run-{tries}", now=services.now())
            if tries < 3:
                assert services.requests.put_back(request["_id"], m.company, "outage", now=services.now())
        assert not services.requests.put_back(request["_id"], m.company, "outage", now=services.now())
    assert tries == 3


def test_a_forced_run_that_is_taken_up_goes_on_and_does_not_begin_anew(migrations: Migrations) -> None:
    m = migrations
    m.fill(60)
    request_id = m.request(options={"page_rows": 10, "force": True})
    (first,) = m.tick()
    with crm_that_leaves(m, for_seconds=None) as act:
        resource = m.at_insert(1, act)  # type: ignore[arg-type]
        assert not m.run(config={"request_id": str(request_id)}, tags=first.tags, resource=resource).success
    before = m.job()
    (again,) = m.tick()
    assert m.run_requested(again).success
    job = m.job()
    assert (job["_id"], job["starts"], job["status"]) == (before["_id"], 2, "completed")
    assert m.the_request(request_id)["status"] == "completed"


def test_notes_wait_for_the_crm_too(notes: Notes) -> None:
    m = notes
    m.fill(40)
    with crm_that_leaves(m, for_seconds=20) as act:
        result = m.run(resource=m.at_insert(1, act, patience_seconds=60), config={"page_rows": 5})  # type: ignore[arg-type]
    assert result.success
    assert (m.job()["starts"], len(m.notes())) == (1, 40)


def test_mongo_killed_and_back_after_longer_than_any_retry(migrations: Migrations, stack: LocalStack) -> None:
    m = migrations
    m.fill(60)
    killed: list[threading.Timer] = []

    def act(number: int) -> None:
        if number == 3 and not killed:
            kill_mongo(stack)
            killed.append(threading.Timer(45, stack.start_one, args=("mongo",)))
            killed[0].start()

    try:
        result = m.run(resource=m.at_insert(1, act, patience_seconds=120), config={"page_rows": 10})
    finally:
        for timer in killed:
            timer.join()
        stack.start_one("mongo")
    assert killed
    assert result.success
    job = m.job()
    assert_adds_up(job)
    assert (job["starts"], job["records_processed"], job["match_pct"], len(m.logs())) == (1, 60, 100.0, 60)


def test_what_mongo_confirmed_is_there_after_it_was_killed(migrations: Migrations, stack: LocalStack) -> None:
    pages = 5
    with connect(migrations.env["CDP_MONGO_URI"]) as client:
        logs = ActivityLogs(client[migrations.db.name], migrations.company)
        for page in range(pages):
            rows = [
                (
                    number,
                    {"company_sso_id": migrations.company, "source_tag": "crm_migration", "external_id": f"a:{number}"},
                )
                for number in range(page * 50, page * 50 + 50)
            ]
            assert logs.insert(rows).inserted == 50
        kill_mongo(stack)
    stack.start_one("mongo")
    assert migrations.db["activity_logs"].count_documents({"company_sso_id": migrations.company}) == pages * 50


def test_a_plan_whose_shards_are_gone_is_made_again(migrations: Migrations) -> None:
    m = migrations
    m.fill(60)
    jobs = m.db[m.kind.jobs.collection]

    def act(number: int) -> None:
        if number == 2:
            jobs.update_one({"company_sso_id": m.company}, {"$set": {"status": "failed", "shards": {}}})

    assert not m.run(resource=m.at_insert(1, act), config={"page_rows": 10}).success
    assert m.job()["shards"] == {}
    assert m.run().success
    assert (m.job()["match_pct"], len(m.logs())) == (100.0, 60)


def test_a_slow_crm_does_not_eat_the_tick(migrations: Migrations) -> None:
    m = migrations
    companies = [m.company, *(m.add_company(people=1)[0] for _ in range(5))]
    for company in companies:
        m.request(company_sso_id=company)
    for statement in (
        "ALTER TABLE crm_people RENAME TO crm_people_table",
        "CREATE FUNCTION slow() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(8); RETURN true; END'",
        "CREATE VIEW crm_people AS SELECT * FROM crm_people_table WHERE slow()",
    ):
        m.crm.connection.execute(statement)
    began = time.monotonic()
    requests = m.tick()
    seconds = time.monotonic() - began
    # Everybody is launched at once: who could not be measured is measured by the run.
    assert sorted(str(request.partition_key) for request in requests) == sorted(companies)
    assert seconds < COVERAGE_SECONDS_A_TICK + 20
    assert m.sweep(ahead=timedelta(0)).ended == 0
