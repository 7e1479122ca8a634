"""The CRM, its database or its API, going away while notes are migrated: what is kept, and what it is called."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pymongo import monitoring

from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    BEFORE,
    assert_adds_up,
    migration_resource,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes
from cdp_pipelines_tests.integration.pipelines.notes_outages import PAGE, PRIVATE, SECRET, filled, nothing_leaking
from cdp_pipelines_tests.integration.pipelines.outages import cut_connections, said
from cdp_pipelines_tests.integration.resources.http_servers import (
    Answer,
    Asked,
    RecordingServer,
    closed_port,
    recording_server,
)

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def nothing_leaks(notes: Notes, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with nothing_leaking(notes, caplog):
        yield


@contextmanager
def crm_locked(m: Notes) -> Iterator[None]:
    """At the end the CRM's database takes connections again."""
    try:
        yield
    finally:
        with psycopg.connect(m.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{m.crm.name}" ALLOW_CONNECTIONS true')


def lock_crm(m: Notes) -> None:
    with psycopg.connect(m.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{m.crm.name}" ALLOW_CONNECTIONS false')
    cut_connections(m)


class Comparing(monitoring.CommandListener):
    """Acts once, when the job says that the comparison begins."""

    def __init__(self, act: Any) -> None:
        self._act, self.began = act, False

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if not self.began and "'reconcile'" in str(event.command.get("update")):
            self.began = True
            self._act()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Not needed."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


class CrmServer:
    """The CRM's HTTP API over some notes; `failures` are used up first, by questions that `fails_at` picks."""

    def __init__(self, rows: int) -> None:
        self.notes = [
            {
                "id": number,
                "note": f"<p>{PRIVATE}</p>",
                "creator_id": 7,
                "crm_person_id": 1,
                "crm_note_type_id": 1,
                "created_at": f"{BEFORE.isoformat()}Z",
                "updated_at": f"{BEFORE.isoformat()}Z",
            }
            for number in range(1, rows + 1)
        ]
        self.failures: list[Answer] = []
        self.fails_at: tuple[int, int] = (0, 0)
        self.failed = 0

    def __call__(self, asked: Asked) -> Answer:
        query = parse_qs(urlsplit(asked.path).query)
        page, per_page = int(query["page"][0]), int(query["per_page"][0])
        if (page, per_page) == self.fails_at and self.failures:
            self.failed += 1
            return self.failures.pop(0)
        found = self.notes[(page - 1) * per_page : page * per_page]
        pagination = {"page": page, "per_page": per_page, "total": len(self.notes)}
        body = json.dumps({"data": found, "pagination": pagination}).encode()
        return 200, {"Content-Type": "application/json"}, body


def from_api(m: Notes, server: RecordingServer) -> MigrationResource:
    """Resources of a run that reads notes over HTTP, and waits only a moment between its tries."""
    api = CrmNotesResource(
        source="http", root_url=server.url, authorization=f"Bearer {SECRET}", retry_waits=[0.01, 0.01, 0.01]
    )
    return m.with_resources(crm_notes=api)


@pytest.mark.any_mongo
def test_the_crm_away_before_anything_fails_in_plain_words(notes: Notes) -> None:
    m = filled(notes, 10)
    dsn = f"postgresql://reader:{SECRET}@127.0.0.1:{closed_port()}/crm_production"
    resource = migration_resource(m.env, m.db.name, crm=CrmPostgresResource(dsn=dsn))
    request_id = m.request()
    (run_request,) = m.tick()
    result = m.run(config={"request_id": str(request_id)}, tags=run_request.tags, resource=resource)
    assert not result.success
    text = said(result, m.instance)
    assert "CRM_UNAVAILABLE" in text
    assert "crm_production" not in text
    request = m.the_request(request_id)
    assert (request["status"], request["put_back"]["outage"]) == ("queued", 1)
    assert m.db["crm_notes_migration_jobs"].count_documents({}) == 0
    (again,) = m.tick()
    assert m.run_requested(again).success
    assert m.the_request(request_id)["status"] == "completed"
    assert (m.job()["status"], len(m.notes())) == ("completed_success", 10)


@pytest.mark.any_mongo
def test_the_crm_going_away_for_good_keeps_the_cursors(notes: Notes) -> None:
    m = filled(notes, 300)
    request_id = m.request(options={"page_rows": 50})
    (run_request,) = m.tick()
    locked: list[int] = []

    def act(number: int) -> None:
        if not locked:
            locked.append(number)
            lock_crm(m)

    with crm_locked(m):
        result = m.run(config={"request_id": str(request_id)}, tags=run_request.tags, resource=m.at_insert(2, act))
    assert not result.success
    job, request = m.job(), m.the_request(request_id)
    assert_adds_up(job)
    assert (job["status"], job["error"]["code"]) == ("failed", "CRM_UNAVAILABLE")
    assert (request["status"], request["put_back"]["outage"]) == ("queued", 1)
    assert job["shards"]["shard_0"]["last_note_id"] == job["notes_processed"] == len(m.notes()) > 0
    (again,) = m.tick()
    assert m.run_requested(again).success
    job = m.job()
    assert (job["status"], job["starts"], job["notes_migrated"]) == ("completed_success", 2, 300)
    assert len(m.notes()) == 300


@pytest.mark.any_mongo
def test_the_crm_away_for_the_comparison_only_skips_it_and_a_second_start_does_it(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody keeps the table of notes locked, so that the CRM takes too long."""
    m = filled(notes, 20)
    monkeypatch.setenv("CDP_CRM_STATEMENT_SECONDS", "1")
    request_id = m.request(options=PAGE)
    (run_request,) = m.tick()
    with psycopg.connect(m.crm.dsn) as locking:
        comparing = Comparing(lambda: locking.execute("LOCK TABLE crm_notes IN ACCESS EXCLUSIVE MODE"))
        result = m.run(config={"request_id": str(request_id)}, tags=run_request.tags, resource=m.watching(comparing))
    assert (result.success, comparing.began) == (True, True)
    job, request = m.job(), m.the_request(request_id)
    assert (job["status"], job["match_pct"], job["notes_migrated"]) == ("completed_with_errors", None, 20)
    assert job["validation"] == {"code": "VALIDATION_SKIPPED", "cause": "CRM_TIMEOUT"}
    assert (request["status"], request["result"]["validation"]["code"]) == (
        "completed_with_errors", "VALIDATION_SKIPPED",
    )  # fmt: skip
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "match_pct"]
    assert not check.passed
    assert m.run().success
    job = m.job()
    assert (job["status"], job["match_pct"], job.get("validation")) == ("completed_success", 100.0, None)
    # What is there already is not gone over again: the start only compares.
    assert (job["starts"], job["notes_migrated"], job["notes_skipped"], len(m.notes())) == (2, 20, 0, 20)


@pytest.mark.any_mongo
def test_the_api_failing_past_its_budget_keeps_the_cursors(notes: Notes) -> None:
    m = filled(notes, 0)
    crm = CrmServer(50)
    crm.fails_at, crm.failures = (3, 10), [503] * 4
    with recording_server(crm) as server:
        resource = from_api(m, server)
        result = m.run(resource=resource, config=PAGE)
        assert not result.success
        job = m.job()
        assert_adds_up(job)
        assert (job["status"], job["error"]["code"]) == ("failed", "CRM_EXTRACT_FAILED")
        assert "CRM_API_ROOT_URL" in job["error"]["message"]
        assert (crm.failed, job["notes_processed"], len(m.notes())) == (4, 20, 20)
        assert job["shards"]["shard_0"]["last_note_id"] == 20
        assert server.url not in said(result, m.instance)
        assert m.run(resource=resource).success
    job = m.job()
    assert (job["status"], job["starts"], job["notes_migrated"]) == ("completed_success", 2, 50)


@pytest.mark.any_mongo
def test_the_api_failing_within_its_budget_is_waited_out(notes: Notes) -> None:
    m = filled(notes, 0)
    crm = CrmServer(30)
    crm.fails_at, crm.failures = (2, 10), [503, 423, (429, {"Retry-After": "0"}, b"")]
    with recording_server(crm) as server:
        assert m.run(resource=from_api(m, server), config=PAGE).success
    assert (crm.failed, m.job()["status"], len(m.notes())) == (3, "completed_success", 30)


@pytest.mark.any_mongo
def test_the_api_away_for_the_comparison_only_skips_it(notes: Notes) -> None:
    m = filled(notes, 0)
    crm = CrmServer(30)
    # Comparing asks for the largest pages there are.
    crm.fails_at, crm.failures = (1, 1_000), ["hang up"] * 100
    with recording_server(crm) as server:
        resource = from_api(m, server)
        assert m.run(resource=resource, config=PAGE).success
        job = m.job()
        assert (job["status"], job["match_pct"]) == ("completed_with_errors", None)
        assert job["validation"] == {"code": "VALIDATION_SKIPPED", "cause": "CRM_EXTRACT_FAILED"}
        crm.failures.clear()
        assert m.run(resource=resource).success
    job = m.job()
    assert (job["status"], job["match_pct"], job["notes_migrated"]) == ("completed_success", 100.0, 30)
