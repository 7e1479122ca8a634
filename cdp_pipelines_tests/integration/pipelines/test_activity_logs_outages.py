"""The CRM's database and MongoDB going away, or answering wrongly, while a company is migrated."""

import logging
from typing import Any

import psycopg
import pytest

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.crm_session import APPLICATION_NAME
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    Migrations,
    assert_adds_up,
    migration_resource,
)
from cdp_pipelines_tests.integration.pipelines.outages import (
    MongoBlink,
    cut_connections,
    losing_mongo,
    said,
    started_again,
)
from cdp_pipelines_tests.integration.resources.http_servers import closed_port

pytestmark = pytest.mark.timeout(240)

SECRET = "hunter2-of-the-crm"


def filled(m: Migrations, rows: int) -> Migrations:
    """Audits by one user whom the launchpad knows."""
    m.crm.user(m.cid, 7, "live@example.com", "Live User")
    for number in range(rows):
        m.crm.audit(m.cid, auditable_id=number + 1, user_id=7, user_type="User")
    return m


@pytest.mark.any_mongo
def test_connections_cut_in_the_middle_of_a_cursor_are_made_anew(migrations: Migrations) -> None:
    m = filled(migrations, 2_000)
    cuts: list[int] = []

    def act(number: int) -> None:
        if number in {2, 5}:
            cuts.append(cut_connections(m))

    assert m.run(resource=m.at_insert(1, act), config={"page_rows": 250}).success
    # The cursor's and the look-ups', which is made anew when there is something to ask.
    assert cuts == [2, 1]
    job = m.job()
    assert_adds_up(job)
    assert (job["records_migrated"], job["match_pct"], len(m.logs())) == (2_000, 100.0, 2_000)


@pytest.mark.any_mongo
def test_the_crm_away_for_good_fails_in_plain_words_without_a_secret(
    migrations: Migrations, caplog: pytest.LogCaptureFixture
) -> None:
    m = migrations
    m.fill(10)
    dsn = f"postgresql://reader:{SECRET}@127.0.0.1:{closed_port()}/crm_production"
    resource = migration_resource(m.env, m.db.name, crm=CrmPostgresResource(dsn=dsn))
    request_id = m.request()
    (run_request,) = m.tick()
    with caplog.at_level(logging.DEBUG):
        result = m.run(config={"request_id": str(request_id)}, tags=run_request.tags, resource=resource)
    assert not result.success
    text = said(result, m.instance) + caplog.text
    assert "CRM_UNAVAILABLE" in text
    assert SECRET not in text
    assert "crm_production" not in text
    assert m.db["crm_activity_log_migration_jobs"].count_documents({}) == 0
    assert "CRM_AUDIT_DATABASE_URL" in text
    # Back in the queue: nobody has to ask again because the CRM was away for a while.
    request = m.the_request(request_id)
    assert (request["status"], request["put_back"]["outage"]) == ("queued", 1)
    assert SECRET not in str(request)
    (again,) = m.tick()
    assert again.run_key != run_request.run_key
    assert m.run_requested(again).success
    assert m.the_request(request_id)["status"] == "completed"


@pytest.mark.any_mongo
def test_the_crm_going_away_for_good_keeps_the_cursors(migrations: Migrations) -> None:
    m = filled(migrations, 1_000)
    request_id = m.request(options={"page_rows": 100})
    (run_request,) = m.tick()
    with psycopg.connect(m.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as admin:

        def act(number: int) -> None:
            if number == 3:
                admin.execute(f'ALTER DATABASE "{m.crm.name}" ALLOW_CONNECTIONS false')
                cut_connections(m)

        try:
            result = m.run(config={"request_id": str(request_id)}, tags=run_request.tags, resource=m.at_insert(1, act))
        finally:
            admin.execute(f'ALTER DATABASE "{m.crm.name}" ALLOW_CONNECTIONS true')
    assert not result.success
    job, request = m.job(), m.the_request(request_id)
    assert_adds_up(job)
    assert (job["status"], job["error"]["code"]) == ("failed", "CRM_UNAVAILABLE")
    assert (request["status"], request["put_back"]["outage"]) == ("queued", 1)
    assert job["shards"]["shard_0"]["last_audit_id"] == job["records_processed"] > 0
    assert m.crm.name not in said(result, m.instance)
    (again,) = m.tick()
    assert m.run_requested(again).success
    job = m.job()
    assert (job["starts"], job["records_processed"], job["match_pct"], len(m.logs())) == (2, 1_000, 100.0, 1_000)
    assert m.the_request(request_id)["status"] == "completed"


@pytest.mark.any_mongo
def test_a_mapping_that_does_not_fit_is_named(migrations: Migrations) -> None:
    m = migrations
    m.fill(3)
    m.crm.connection.execute("ALTER TABLE audits RENAME COLUMN comment TO remark")
    result = m.run()
    job = m.job()
    assert (result.success, job["status"], job["error"]["code"]) == (False, "failed", "CRM_MAPPING_MISMATCH")
    assert "CDP_CRM_MAPPING_FILE" in job["error"]["message"]
    m.crm.connection.execute("ALTER TABLE audits RENAME COLUMN remark TO comment")
    assert m.run().success
    assert (m.job()["_id"], m.job()["status"]) == (job["_id"], "completed")


@pytest.mark.any_mongo
def test_what_the_crm_would_write_while_we_read_is_refused(migrations: Migrations) -> None:
    """The session is read-only, so not even a view of the CRM's with a side effect can write for us."""
    m = migrations
    m.fill(3)
    for statement in (
        "CREATE TABLE written (at timestamp)",
        "CREATE FUNCTION spy() RETURNS boolean LANGUAGE sql AS 'INSERT INTO written VALUES (now()) RETURNING true'",
        "ALTER TABLE crm_people RENAME TO crm_people_table",
        "CREATE VIEW crm_people AS SELECT * FROM crm_people_table WHERE spy()",
    ):
        m.crm.connection.execute(statement)
    assert m.crm.connection.execute("SELECT count(*) FROM crm_people").fetchone() == (2,)
    result = m.run()
    assert not result.success
    assert "CRM_REFUSED" in said(result, m.instance)
    assert m.crm.connection.execute("SELECT count(*) FROM written").fetchone() == (2,)


@pytest.mark.any_mongo
def test_the_crm_sees_who_reads_and_that_it_only_reads(migrations: Migrations) -> None:
    m = migrations
    m.fill(30)
    seen: list[tuple[Any, ...]] = []

    def act(_: int) -> None:
        seen.extend(
            m.crm.connection.execute(
                "SELECT application_name, query FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        )

    assert m.run(resource=m.at_insert(1, act), config={"page_rows": 10}).success
    assert seen
    assert {name for name, _ in seen} == {APPLICATION_NAME}


@pytest.mark.any_mongo
def test_a_statement_that_takes_too_long_is_ended(migrations: Migrations, monkeypatch: pytest.MonkeyPatch) -> None:
    m = migrations
    m.fill(3)
    monkeypatch.setenv("CDP_CRM_STATEMENT_SECONDS", "1")
    with m.crm.connection.transaction():
        m.crm.connection.execute("LOCK TABLE crm_people IN ACCESS EXCLUSIVE MODE")
        result = m.run()
    assert not result.success
    assert "CRM_TIMEOUT" in said(result, m.instance)
    assert m.run().success


def test_mongo_dying_while_a_page_is_written_is_waited_out(migrations: Migrations, stack: LocalStack) -> None:
    m = filled(migrations, 40)
    assert m.run(config={"page_rows": 10}).success
    expected = m.logs()
    m.db["activity_logs"].delete_many({})
    blink = MongoBlink(stack)
    result = m.run(resource=m.at_insert(2, blink), config={"page_rows": 10, "force": True})
    assert blink.waited_for()
    assert result.success
    assert m.logs() == expected
    assert_adds_up(m.job())
    assert m.job()["match_pct"] == 100.0


@pytest.mark.any_mongo
def test_mongo_away_for_good_fails_the_run_and_a_start_goes_on(migrations: Migrations, stack: LocalStack) -> None:
    m = filled(migrations, 40)
    resource = losing_mongo(m, stack, "activity_logs")
    request_id = m.request(options={"page_rows": 10})
    (run_request,) = m.tick()
    with started_again(stack) as starter:
        result = m.run(config={"request_id": str(request_id)}, tags=run_request.tags, resource=resource)
    assert not result.success
    assert "MONGO_UNAVAILABLE" in said(result, m.instance)
    assert starter.heard == 1
    job = m.job()
    assert (job["status"], job["records_processed"], len(m.logs())) == ("in_progress", 10, 10)
    assert m.sweep().ended == 1
    assert (m.job()["status"], m.job()["error"]["code"]) == ("failed", "MONGO_UNAVAILABLE")
    assert m.the_request(request_id)["status"] == "queued"
    (again,) = m.tick()
    assert m.run_requested(again).success
    job = m.job()
    assert_adds_up(job)
    assert (job["starts"], job["records_migrated"], job["match_pct"], len(m.logs())) == (2, 40, 100.0, 40)
