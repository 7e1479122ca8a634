"""Each system outside going away while notes are migrated: what is kept, what it is called, and that nothing leaks."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from pymongo import MongoClient, monitoring
from pymongo.database import Database

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.launchpad import LaunchpadResource
from cdp_pipelines.resources.object_store import ObjectStoreResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    BEFORE,
    Document,
    Watcher,
    assert_adds_up,
    migration_resource,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import PNG, Notes, files, keys_of
from cdp_pipelines_tests.integration.pipelines.outages import StartsAgain, cut_connections, said
from cdp_pipelines_tests.integration.resources.http_servers import (
    Answer,
    Asked,
    RecordingServer,
    closed_port,
    recording_server,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.timeout(240)

SECRET = "hunter2-of-the-crm"
TOKEN = "token-of-a-file"
EMAIL = "live@example.com"
PRIVATE = "Budi prefers to be called in the evening"
PAGE = {"page_rows": 10}
EVERY_FIFTH_HAS_A_FILE = 5


@pytest.fixture(autouse=True)
def nothing_leaks(notes: Notes, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever goes away, no run and no log line repeats a secret, the query of an address, or personal data."""
    caplog.set_level(logging.INFO)
    yield
    form = logging.Formatter()
    told = [form.format(record) for record in caplog.get_records("call")]
    told += [str(entry) for run in notes.instance.get_runs() for entry in notes.instance.all_logs(run.run_id)]
    told += [str(job) for job in notes.db["crm_notes_migration_jobs"].find({})]
    told += [str(request) for request in notes.db["migration_requests"].find({})]
    text = "\n".join(told)
    assert notes.company in text
    for private in (SECRET, TOKEN, EMAIL, PRIVATE):
        assert private not in text


def filled(m: Notes, rows: int, files_from: str = "") -> Notes:
    """Notes by one user whom the launchpad knows; every fifth with a file where there is a server of files."""
    m.crm.user(m.cid, 7, EMAIL, "Live User")
    for _ in range(rows):
        number = m.note(creator_id=7, note=f"<p>{PRIVATE}</p>")
        if files_from and number % EVERY_FIFTH_HAS_A_FILE == 0:
            url = f"{files_from}/{number}.png?signature={TOKEN}"
            m.file(number, url, file_name=f"{number}.png", content_type="image/png")
    return m


def owners(m: Notes) -> set[tuple[bool, str | None]]:
    return {(bool(note["owner_id"]), note.get("legacy_owner_label")) for note in m.notes()}


def all_pictures(rows: int) -> Any:
    return files({f"/{number}.png": ("image/png", PNG) for number in range(1, rows + 1)})


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
    assert (request["status"], request["error"]["code"]) == ("failed", "CRM_UNAVAILABLE")
    assert m.db["crm_notes_migration_jobs"].count_documents({}) == 0
    assert m.run().success
    assert (m.job()["status"], len(m.notes())) == ("completed_success", 10)


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
    assert (request["status"], request["error"]["code"]) == ("failed", "CRM_UNAVAILABLE")
    assert job["shards"]["shard_0"]["last_note_id"] == job["notes_processed"] == len(m.notes()) > 0
    assert m.run().success
    job = m.job()
    assert (job["status"], job["starts"], job["notes_migrated"]) == ("completed_success", 2, 300)
    assert len(m.notes()) == 300


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
    assert (job["notes_migrated"], job["notes_skipped"], len(m.notes())) == (0, 20, 20)


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


def test_the_api_failing_within_its_budget_is_waited_out(notes: Notes) -> None:
    m = filled(notes, 0)
    crm = CrmServer(30)
    crm.fails_at, crm.failures = (2, 10), [503, 423, (429, {"Retry-After": "0"}, b"")]
    with recording_server(crm) as server:
        assert m.run(resource=from_api(m, server), config=PAGE).success
    assert (crm.failed, m.job()["status"], len(m.notes())) == (3, "completed_success", 30)


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
    assert (job["status"], job["match_pct"], job["notes_skipped"]) == ("completed_success", 100.0, 30)


def test_mongo_dying_while_a_page_is_written_is_waited_out(notes: Notes, stack: LocalStack) -> None:
    m = filled(notes, 40)
    assert m.run(config=PAGE).success
    expected = m.notes()
    m.db["contact_notes"].delete_many({})
    starters: list[threading.Timer] = []

    def act(number: int) -> None:
        if number == 2 and not starters:
            stack.stop_one("mongo")
            starters.append(threading.Timer(1, stack.start_one, args=("mongo",)))
            starters[0].start()

    result = m.run(resource=m.at_insert(2, act), config={**PAGE, "force": True})
    for starter in starters:
        starter.join()
    assert result.success
    assert starters
    assert m.notes() == expected
    assert_adds_up(m.job())
    assert m.job()["match_pct"] == 100.0


def test_mongo_away_for_good_fails_the_run_and_a_start_goes_on(notes: Notes, stack: LocalStack) -> None:
    m = filled(notes, 40)
    stopped: list[int] = []

    def act(number: int) -> None:
        if not stopped:
            stack.stop_one("mongo")
            stopped.append(number)

    watcher = Watcher("insert", "contact_notes", 2, act)

    class Impatient(CdpMongoResource):
        """Waits for a server for a moment only, so that five attempts take seconds."""

        def database(self) -> Database[Document]:
            if self._client is None:
                self._client = MongoClient(
                    self.uri, tz_aware=True, serverSelectionTimeoutMS=100, event_listeners=[watcher]
                )
            client: MongoClient[Document] = self._client
            return client[self.database_name]

    mongo = Impatient(uri=m.env["CDP_MONGO_URI"], database_name=m.db.name)
    resource = migration_resource(m.env, m.db.name, crm=CrmPostgresResource(dsn=m.crm.dsn), cdp_mongo=mongo)
    starter = StartsAgain(lambda: stack.start_one("mongo"))
    logger = logging.getLogger("cdp_pipelines.pipelines.migrations.conclude")
    logger.addHandler(starter)
    try:
        result = m.run(resource=resource, config=PAGE)
    finally:
        logger.removeHandler(starter)
        stack.start_one("mongo")
    assert not result.success
    assert "MONGO_UNAVAILABLE" in said(result, m.instance)
    assert starter.heard == 1
    job = m.job()
    assert (job["status"], job["notes_processed"], len(m.notes())) == ("in_progress", 10, 10)
    assert m.sweep().ended == 1
    assert m.job()["status"] == "failed"
    assert m.run().success
    job = m.job()
    assert (job["status"], job["starts"], job["notes_migrated"], len(m.notes())) == ("completed_success", 2, 40, 40)


def test_the_object_store_going_away_fails_the_job_and_a_start_goes_on(
    notes: Notes, stack: LocalStack, s3: "S3Client"
) -> None:
    m = notes
    with recording_server(all_pictures(40)) as server:
        filled(m, 40, server.url)
        stopped: list[int] = []

        def act(number: int) -> None:
            if not stopped:
                stopped.append(number)
                stack.stop_one("s3")

        attachments = m.served_by(server).attachments
        request_id = m.request(options=PAGE)
        (run_request,) = m.tick()
        try:
            result = m.run(
                resource=m.at_insert(1, act, attachments=attachments),
                config={"request_id": str(request_id)},
                tags=run_request.tags,
            )
        finally:
            stack.start_one("s3")
        assert not result.success
        job = m.job()
        assert_adds_up(job)
        assert (job["status"], job["error"]["code"]) == ("failed", "OBJECT_STORE_UNAVAILABLE")
        assert m.the_request(request_id)["error"]["code"] == "OBJECT_STORE_UNAVAILABLE"
        assert job["notes_processed"] == len(m.notes()) < 40
        # It is ours to mend: no file is given up for it.
        assert (job["failed_parts"], m.db["migration_failures"].count_documents({})) == ([], 0)
        assert m.run(resource=m.served_by(server)).success
    job = m.job()
    assert (job["status"], job["starts"], job["notes_migrated"]) == ("completed_success", 2, 40)
    assert job["failed_parts"] == []
    assert [len(note["attachments"]) for note in m.notes()] == [0, 0, 0, 0, 1] * 8
    assert len(keys_of(s3, m.env["CDP_S3_BUCKET"], m.company)) == 8


@pytest.mark.parametrize("how", ["nothing listens", "500", "hang up"])
def test_the_server_of_files_away_costs_files_and_no_note(notes: Notes, how: str, s3: "S3Client") -> None:
    m = notes
    answer: Answer = 500 if how == "500" else "hang up"
    with recording_server([answer]) as server:
        address = f"http://127.0.0.1:{closed_port()}" if how == "nothing listens" else server.url
        filled(m, 10, address)
        trusted = AttachmentFetcherResource(hosts="files.crm.example", trusted_hosts=urlsplit(address).netloc)
        assert m.run(resource=m.with_resources(attachments=trusted)).success
        # Each file is tried twice.
        assert len(server.asked) == (0 if how == "nothing listens" else 4)
    job = m.job()
    assert_adds_up(job)
    assert (job["status"], job["notes_migrated"], job["failure_count"]) == ("completed_success", 10, 0)
    assert {(part["id"], part["reason_code"]) for part in job["failed_parts"]} == {
        ("5/image-1.png", "ATTACHMENT_DOWNLOAD_FAILED"), ("10/image-2.png", "ATTACHMENT_DOWNLOAD_FAILED"),
    }  # fmt: skip
    assert job["notes"]["attachments_failed"] == 2
    assert job["reconciliation"]["notes"] == {"attachments_missing": 2}
    assert {len(note["attachments"]) for note in m.notes()} == {0}
    assert keys_of(s3, m.env["CDP_S3_BUCKET"], m.company) == {}


def test_the_launchpad_away_labels_every_note_and_is_counted(notes: Notes) -> None:
    """Away while the pages are written, back when they are compared."""
    m = filled(notes, 6)
    asked_first: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        # One question is asked twice at most; whoever asks later gets an answer.
        asked_first.append(asked)
        if len(asked_first) <= 2:
            return 503
        users = [{"email": email, "sso_id": "u-7"} for email in asked.json()["emails"]]
        return 200, {"Content-Type": "application/json"}, json.dumps({"users": users}).encode()

    with recording_server(answer) as server:
        launchpad = LaunchpadResource(root_url=server.url, authorization=f"Bearer {SECRET}", timeout_seconds=0.5)
        assert m.run(resource=m.with_resources(launchpad=launchpad), config={"page_rows": 2}).success
    job = m.job()
    assert_adds_up(job)
    assert owners(m) == {(False, "Live User")}
    assert job["notes"] == {"owner_labeled": 6, "launchpad_outages": 1}
    assert (job["status"], job["match_pct"]) == ("completed_success", 100.0)
    assert job["reconciliation"]["notes"] == {"owner_degraded": 6}


@pytest.mark.parametrize("setting", ["CDP_ATTACHMENT_HOSTS", "CDP_FILES_ROOT_URL", "CDP_S3_BUCKET"])
def test_a_setting_of_files_is_missed_only_when_a_note_has_one(
    notes: Notes, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = filled(notes, 3)
    monkeypatch.delenv(setting, raising=False)
    resources: dict[str, dict[str, Any]] = {
        "CDP_ATTACHMENT_HOSTS": {"attachments": AttachmentFetcherResource()},
        "CDP_FILES_ROOT_URL": {"files_root_url": ""},
        "CDP_S3_BUCKET": {"object_store": ObjectStoreResource(endpoint_url=m.env["CDP_S3_ENDPOINT_URL"])},
    }
    resource = m.with_resources(**resources[setting])
    assert m.run(resource=resource).success
    assert m.rollback().success
    m.file(2, f"https://files.crm.example/a.png?signature={TOKEN}", file_name="a.png", content_type="image/png")
    result = m.run(resource=resource)
    assert not result.success
    job = m.job()
    assert (job["status"], job["error"]["code"]) == ("failed", "SETTING_MISSING")
    assert setting in job["error"]["message"]
    assert setting in said(result, m.instance)
    assert m.notes() == []
