"""The CDP's own systems, the server of files and the launchpad going away while notes are migrated."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines.resources.launchpad import LaunchpadResource
from cdp_pipelines.resources.object_store import ObjectStoreResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    assert_adds_up,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import PNG, Notes, files, keys_of
from cdp_pipelines_tests.integration.pipelines.outages import MongoBlink, losing_mongo, said, started_again
from cdp_pipelines_tests.integration.resources.http_servers import (
    Answer,
    Asked,
    closed_port,
    recording_server,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
from cdp_pipelines_tests.integration.pipelines.notes_outages import PAGE, SECRET, TOKEN, filled, nothing_leaking

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(autouse=True)
def nothing_leaks(notes: Notes, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with nothing_leaking(notes, caplog):
        yield


def owners(m: Notes) -> set[tuple[bool, str | None]]:
    return {(bool(note["owner_id"]), note.get("legacy_owner_label")) for note in m.notes()}


def all_pictures(rows: int) -> Any:
    return files({f"/{number}.png": ("image/png", PNG) for number in range(1, rows + 1)})


def test_mongo_dying_while_a_page_is_written_is_waited_out(notes: Notes, stack: LocalStack) -> None:
    m = filled(notes, 40)
    assert m.run(config=PAGE).success
    expected = m.notes()
    m.db["contact_notes"].delete_many({})
    blink = MongoBlink(stack)
    result = m.run(resource=m.at_insert(2, blink), config={**PAGE, "force": True})
    assert blink.waited_for()
    assert result.success
    assert m.notes() == expected
    assert_adds_up(m.job())
    assert m.job()["match_pct"] == 100.0


@pytest.mark.any_mongo
def test_mongo_away_for_good_fails_the_run_and_a_start_goes_on(notes: Notes, stack: LocalStack) -> None:
    m = filled(notes, 40)
    resource = losing_mongo(m, stack, "contact_notes")
    with started_again(stack) as starter:
        result = m.run(resource=resource, config=PAGE)
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


@pytest.mark.any_mongo
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
        assert m.the_request(request_id)["put_back"]["outage"] == 1
        assert job["notes_processed"] == len(m.notes()) < 40
        # It is ours to mend: no file is given up for it.
        assert (job["failed_parts"], m.db["migration_failures"].count_documents({})) == ([], 0)
        assert m.run(resource=m.served_by(server)).success
    job = m.job()
    assert (job["status"], job["starts"], job["notes_migrated"]) == ("completed_success", 2, 40)
    assert job["failed_parts"] == []
    assert [len(note["attachments"]) for note in m.notes()] == [0, 0, 0, 0, 1] * 8
    assert len(keys_of(s3, m.env["CDP_S3_BUCKET"], m.company)) == 8


@pytest.mark.any_mongo
@pytest.mark.parametrize("how", ["nothing listens", "500", "hang up"])
def test_the_server_of_files_away_costs_files_and_no_note(notes: Notes, how: str, s3: "S3Client") -> None:
    m = notes
    answer: Answer = 500 if how == "500" else "hang up"
    with recording_server([answer]) as server:
        address = f"http://127.0.0.1:{closed_port()}" if how == "nothing listens" else server.url
        filled(m, 10, address)
        trusted = AttachmentFetcherResource(
            hosts="files.crm.example", trusted_hosts=urlsplit(address).netloc, retry_wait_seconds=0
        )
        assert m.run(resource=m.with_resources(attachments=trusted)).success
        # Each file is tried four times.
        assert len(server.asked) == (0 if how == "nothing listens" else 8)
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


@pytest.mark.any_mongo
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
        launchpad = LaunchpadResource(
            root_url=server.url, authorization=f"Bearer {SECRET}", timeout_seconds=2, retry_waits=[]
        )
        assert m.run(resource=m.with_resources(launchpad=launchpad), config={"page_rows": 2}).success
    job = m.job()
    assert_adds_up(job)
    assert owners(m) == {(False, "Live User")}
    assert job["notes"] == {"owner_labeled": 6, "degraded_owner": 6, "launchpad_outages": 1}
    assert (job["status"], job["match_pct"]) == ("completed_success", 100.0)
    assert job["reconciliation"]["notes"] == {"owner_degraded": 6}


@pytest.mark.any_mongo
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
