"""Several runs at once, a cancel while files are on their way, runs that go on with others' jobs."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import dagster as dg
import pytest

from cdp_pipelines.definitions import build_defs
from cdp_pipelines.pipelines.contact_notes.files import FILES_AT_ONCE
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.paging import migrate_shard
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines_tests.integration.pipelines.harness import Db
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    FILES_ROOT_URL,
    Document,
    Watcher,
    assert_adds_up,
    failure_text,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import PNG, Notes, files, keys_of
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, RecordingServer, recording_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.timeout(240)

PAGE = {"page_rows": 10}
SLOW_FILES = 64
SECONDS_A_FILE = 3.4
JOBS = "crm_notes_migration_jobs"


def picture(m: Notes, note: int, server: RecordingServer) -> None:
    m.file(note, f"{server.url}/{note}.png", file_name="a.png", content_type="image/png")


def pictures(asked: Asked) -> Answer:
    """Every path is a picture."""
    path = urlsplit(asked.path).path
    answer: Answer = files({path: ("image/png", PNG + path.encode())})(asked)
    return answer


def fetcher_of(server: RecordingServer) -> AttachmentFetcherResource:
    return AttachmentFetcherResource(hosts="files.crm.example", trusted_hosts=urlsplit(server.url).netloc)


def assert_each_once(m: Notes, rows: int, company: str | None = None) -> None:
    numbers = [int(note["legacy_crm_note_id"]) for note in m.notes(company)]
    assert len(numbers) == len(set(numbers)) == rows


def test_of_two_runs_that_pass_the_guards_together_one_gets_the_job(notes: Notes) -> None:
    """Both are about to open a job when they meet; the unique index decides, not a question asked before."""
    m = notes
    m.fill(30)
    meeting = threading.Barrier(2, timeout=30)

    def meet(number: int) -> None:
        if number == 1:
            meeting.wait()

    def run(_: int) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("company", [m.company])
            return m.run(resource=m.watching(Watcher("insert", JOBS, 1, meet)), config=PAGE, instance=instance)

    with ThreadPoolExecutor(2) as threads:
        results = sorted(threads.map(run, range(2)), key=lambda result: result.success)
    assert [result.success for result in results] == [False, True]
    assert "JOB_ALREADY_RUNNING" in failure_text(results[0])
    assert m.db[JOBS].count_documents({}) == 1
    job = m.job()
    assert_adds_up(job)
    assert (job["status"], job["starts"], job["notes_migrated"]) == ("completed_success", 1, 30)
    assert job["run_id"] == results[1].run_id
    assert_each_once(m, 30)


def test_who_comes_while_a_run_is_alive_is_told_so_at_every_entrance(notes: Notes) -> None:
    m = notes
    answers: list[tuple[str, str, Document]] = []
    with recording_server(pictures) as server:
        m.fill(30)
        for number in (5, 15, 25):
            picture(m, number, server)

        def act(number: int) -> None:
            if number == 2:
                request_id = m.request()
                assert m.tick() == []
                refused = [failure_text(result) for result in (m.run(config=PAGE), m.rollback())]
                answers.append((refused[0], refused[1], m.the_request(request_id)))

        assert m.run(resource=m.at_insert(1, act, attachments=fetcher_of(server)), config=PAGE).success
        ((start, rollback, request),) = answers
        assert "JOB_ALREADY_RUNNING" in start
        assert "JOB_ALREADY_RUNNING" in rollback
        assert (request["status"], request["error"]["code"], request["error"]["http_status"]) == (
            "rejected", "JOB_ALREADY_RUNNING", 409,
        )  # fmt: skip
        assert len(server.asked) == 3
    assert (m.job()["status"], m.job()["notes_migrated"]) == ("completed_success", 30)
    assert_each_once(m, 30)


def test_two_companies_side_by_side_keep_apart(notes: Notes, s3: "S3Client") -> None:
    """Each is in the middle of its migration while the other is."""
    m = notes
    other, other_cid = m.add_company(people=1)
    meeting = threading.Barrier(2, timeout=30)

    def meet(number: int) -> None:
        if number == 2:
            meeting.wait()

    with recording_server(pictures) as server:
        for number in range(1, 31):
            m.note(id=number)
            m.note(id=1_000 + number, organization_id=other_cid, crm_person_id=(other_cid - 1) * 1_000 + 1)
            if number % 10 == 0:
                picture(m, number, server)
                picture(m, 1_000 + number, server)

        def run(company: str) -> dg.ExecuteInProcessResult:
            with dg.DagsterInstance.ephemeral() as instance:
                instance.add_dynamic_partitions("company", [company])
                resource = m.at_insert(1, meet, attachments=fetcher_of(server))
                return m.run(resource=resource, config=PAGE, company=company, instance=instance)

        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(run, (m.company, other)))
        assert [result.success for result in results] == [True, True]
        assert len(server.asked) == 6
    for company, first in ((m.company, 1), (other, 1_001)):
        job = m.job(company)
        assert_adds_up(job)
        assert (job["status"], job["notes_migrated"], job["match_pct"]) == ("completed_success", 30, 100.0)
        assert [int(note["legacy_crm_note_id"]) for note in m.notes(company)] == list(range(first, first + 30))
        addresses = {entry["url"] for note in m.notes(company) for entry in note["attachments"]}
        keys = keys_of(s3, m.env["CDP_S3_BUCKET"], company)
        assert addresses == {f"{FILES_ROOT_URL}/{key}" for key in keys}
        assert len(keys) == 3


def test_shards_side_by_side_write_each_note_and_fetch_each_file_once(notes: Notes) -> None:
    """Two shards of a job that was canceled on its first page, each in the middle of its work while the other is."""
    m = notes
    meeting = threading.Barrier(2, timeout=30)

    def cancel(number: int) -> None:
        if number == 1:
            m.db[JOBS].update_one({}, {"$set": {"cancel_requested": True}})

    def meet(number: int) -> None:
        if number == 1:
            meeting.wait()

    with recording_server(pictures) as server:
        m.fill(40)
        for number in range(4, 41, 4):
            picture(m, number, server)
        canceled = m.at_insert(1, cancel, attachments=fetcher_of(server))
        stopped = m.run(resource=canceled, config={**PAGE, "shards": 2})
        assert not stopped.success
        jobs = m.with_resources(lease_seconds=0).services(m.kind).jobs
        owned = jobs.reopen(m.job(), "both shards", {}, now=datetime.now(UTC))
        assert owned is not None

        def work(shard: str) -> None:
            resource = m.at_insert(1, meet, attachments=fetcher_of(server), lease_seconds=0)
            services = resource.services(m.kind)
            source = m.kind.source(services, services.company(m.company), None)
            try:
                migrate_shard(Hold(services, owned), source, m.job(), shard)
            finally:
                source.close()
                resource.close()

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(work, ("shard_0", "shard_1")))
        job = m.job()
        assert_adds_up(job)
        assert (job["notes_processed"], job["notes_migrated"], job["progress_pct"]) == (40, 40, 100.0)
        assert {shard["processed"] for shard in job["shards"].values()} == {20}
        assert_each_once(m, 40)
        paths = [urlsplit(each.path).path for each in server.asked]
        assert sorted(paths) == sorted({f"/{number}.png" for number in range(4, 41, 4)})
        assert m.run().success
    assert (m.job()["status"], m.job()["match_pct"], m.job()["notes_migrated"]) == ("completed_success", 100.0, 40)


@pytest.mark.any_mongo
def test_a_cancel_is_heeded_while_the_files_of_one_page_are_fetched(notes: Notes) -> None:
    m = notes
    request_id = m.request()
    (run_request,) = m.tick()
    ended = threading.Event()

    def answer(asked: Asked) -> Answer:
        m.db["migration_requests"].update_one({"_id": request_id}, {"$set": {"cancel_requested": True}})
        ended.wait(SECONDS_A_FILE)
        return pictures(asked)

    with recording_server(answer) as server:
        m.note()
        for number in range(SLOW_FILES):
            m.file(1, f"{server.url}/{number}.png", file_name="a.png", content_type="image/png")
        resource = m.served_by(server)
        result = m.run(resource=resource, config={"request_id": str(request_id)}, tags=run_request.tags)
        ended.set()
        # Without a look at the request before the page is done, every file would have been asked for.
        fetched = len(server.asked)
        assert FILES_AT_ONCE <= fetched < SLOW_FILES
        assert not result.success
        assert (m.job()["status"], m.the_request(request_id)["status"]) == ("canceled", "canceled")
        assert (m.job()["records_processed"], m.notes()) == (0, [])
        assert m.run(resource=resource).success
        # What had arrived is not fetched again.
        assert len(server.asked) == SLOW_FILES
    job = m.job()
    assert (job["status"], job["starts"], job["notes_migrated"]) == ("completed_success", 2, 1)
    assert (job["notes"]["attachments_unchanged"], job["notes"]["attachments_stored"]) == (
        fetched, SLOW_FILES - fetched,
    )  # fmt: skip
    assert len(m.notes()[0]["attachments"]) == SLOW_FILES


@pytest.mark.parametrize("by", ["request", "job"])
def test_a_cancel_between_pages_stops_within_a_page(notes: Notes, by: str) -> None:
    m = notes
    m.fill(50)
    request_id = m.request(options=PAGE)
    (run_request,) = m.tick()

    def act(number: int) -> None:
        if number == 2:
            name, query = ("migration_requests", {"_id": request_id}) if by == "request" else (JOBS, {})
            m.db[name].update_one(query, {"$set": {"cancel_requested": True}})

    result = m.run(config={"request_id": str(request_id)}, tags=run_request.tags, resource=m.at_insert(1, act))
    assert not result.success
    job = m.job()
    assert_adds_up(job)
    assert (job["status"], job["notes_processed"], len(m.notes())) == ("canceled", 20, 20)
    assert m.the_request(request_id)["status"] == "canceled"
    assert m.run().success
    assert (m.job()["status"], m.job()["starts"], len(m.notes())) == ("completed_success", 2, 50)


def test_a_job_whose_lease_ran_out_is_taken_over_and_its_run_stops(notes: Notes, s3: "S3Client") -> None:
    """The first run was silent for too long and wakes in the middle, with a page in its hands."""
    m = notes
    second: list[dg.ExecuteInProcessResult] = []
    with recording_server(pictures) as server:
        m.fill(50)
        for number in (5, 15, 25, 35, 45):
            picture(m, number, server)
        attachments = fetcher_of(server)

        def act(number: int) -> None:
            if number == 2:
                past = datetime.now(UTC) - timedelta(seconds=1)
                m.db[JOBS].update_one({}, {"$set": {"lease.expires_at": past}})
                second.append(m.run(resource=m.with_resources(attachments=attachments), config=PAGE))

        first = m.run(resource=m.at_insert(1, act, attachments=attachments), config=PAGE)
        asked = [urlsplit(each.path).path for each in server.asked]
    assert (first.success, second[0].success) == (False, True)
    assert "ended or taken over" in failure_text(first)
    assert m.db[JOBS].count_documents({}) == 1
    job = m.job()
    assert_adds_up(job)
    assert (job["status"], job["starts"], job["run_id"]) == ("completed_success", 2, second[0].run_id)
    assert (job["notes_processed"], job["notes_migrated"], job["match_pct"]) == (50, 50, 100.0)
    assert_each_once(m, 50)
    assert set(asked) == {f"/{number}.png" for number in (5, 15, 25, 35, 45)}
    assert len(keys_of(s3, m.env["CDP_S3_BUCKET"], m.company)) == 5


def migration_job() -> dg.JobDefinition:
    return build_defs().resolve_job_def("contact_notes_migration")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Keeps events on disk, which re-executing needs."""
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def on_disk(
    environment: Mapping[str, str], mongo_db: Db, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Notes, RecordingServer]]:
    """A company with 40 notes, every fourth with a file; found through the environment, as runs find it."""
    made = Notes(environment, mongo_db, instance)
    with recording_server(pictures) as server:
        settings = {
            "CDP_MONGO_DB": mongo_db.name,
            "CRM_AUDIT_DATABASE_URL": made.crm.dsn,
            "CDP_FILES_ROOT_URL": FILES_ROOT_URL,
            "CDP_ATTACHMENT_TRUSTED_HOSTS": urlsplit(server.url).netloc,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        made.fill(40)
        for number in range(4, 41, 4):
            picture(made, number, server)
        yield made, server
    made.close()


@pytest.fixture
def execute(
    on_disk: tuple[Notes, RecordingServer], instance: dg.DagsterInstance
) -> Callable[..., dg.JobExecutionResult]:
    m, _ = on_disk

    def run(after: dg.JobExecutionResult | None = None) -> dg.JobExecutionResult:
        again = dg.ReexecutionOptions.from_failure(after.run_id, instance) if after else None
        return dg.execute_job(
            dg.reconstructable(migration_job),
            instance=instance,
            run_config={
                "ops": {"contact_notes": {"ops": {"gates": {"config": PAGE}}}},
                "execution": {"config": {"in_process": {}}},
            },
            tags={"dagster/partition": m.company},
            reexecution_options=again,
        )

    return run


def test_a_halted_run_goes_on_from_its_failed_step(
    on_disk: tuple[Notes, RecordingServer], execute: Callable[..., dg.JobExecutionResult]
) -> None:
    m, server = on_disk
    m.fill(80)
    m.crm.connection.execute("UPDATE crm_notes SET crm_person_id = 404 WHERE id IN (12, 13)")
    halted = execute()
    assert not halted.success
    assert (m.job()["status"], m.job()["notes_processed"], len(m.notes())) == ("halted", 100, 98)
    m.crm.connection.execute("UPDATE crm_notes SET crm_person_id = 1")
    again = execute(halted)
    assert again.success
    steps = {event.step_key for event in again.all_events if event.event_type_value == "STEP_START"}
    assert "contact_notes.gates" not in steps
    job = m.job()
    assert_adds_up(job)
    assert (job["run_id"], job["starts"], job["notes_processed"], job["failure_count"]) == (again.run_id, 2, 120, 0)
    assert m.db[JOBS].count_documents({}) == 1
    assert_each_once(m, 120)
    paths = [urlsplit(each.path).path for each in server.asked]
    assert len(paths) == len(set(paths)) == 10
