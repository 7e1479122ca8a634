"""The files of migrated notes: what arrives in the bucket, what does not and why, and that nothing is fetched twice."""

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from cdp_pipelines.pipelines.migrations.replay import replay
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import failure_text
from cdp_pipelines_tests.integration.pipelines.notes_harness import PDF, PNG, Notes, files, keys_of, url_of
from cdp_pipelines_tests.integration.resources.fetching import HEAD
from cdp_pipelines_tests.integration.resources.http_servers import RecordingServer, recording_server
from cdp_pipelines_tests.integration.resources.raw_servers import Connection, raw_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OGG = b"OggS\x00\x02" + b"\0" * 20 + b"OpusHead" + b"\0" * 64
CONTENTS: Mapping[str, tuple[str, bytes]] = {
    "/a.png": ("image/png", PNG),
    "/b.pdf": ("application/pdf", PDF),
    "/c.ogg": ("audio/ogg", OGG),
    "/page.png": ("image/png", b"<!doctype html><script>alert(1)</script>"),
    "/empty.png": ("image/png", b""),
    "/large.pdf": ("application/pdf", PDF + b"0" * 5_000),
}


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server(files(CONTENTS)) as running:
        yield running


@pytest.fixture
def bucket_of_stack(stack_env: Mapping[str, str]) -> str:
    return stack_env["CDP_S3_BUCKET"]


def asked(server: RecordingServer) -> list[str]:
    return sorted(urlsplit(each.path).path for each in server.asked)


def test_files_move_into_the_bucket_and_bad_ones_never_hold_a_note_back(
    notes: Notes, server: RecordingServer, s3: "S3Client", bucket_of_stack: str
) -> None:
    m = notes
    first, second, bare = m.note(), m.note(), m.note()
    m.file(first, f"{server.url}/a.png", file_name="Foto Toko.png", content_type="image/png", file_size=len(PNG))
    m.file(first, f"{server.url}/c.ogg", kind="audio", file_name="memo.ogg", content_type="audio/ogg")
    m.file(first, f"{server.url}/b.pdf", kind="document", file_name="Ångebot 1.pdf", content_type="application/pdf")
    bad = {
        f"{server.url}/missing.png": "ATTACHMENT_DOWNLOAD_FAILED",
        f"{server.url}/page.png": "ATTACHMENT_TYPE_MISMATCH",
        f"{server.url}/large.pdf": "ATTACHMENT_TOO_LARGE",
        "http://169.254.169.254/latest/meta-data/": "ATTACHMENT_SSRF_BLOCKED",
        "https://files.elsewhere.example/x.png": "ATTACHMENT_SSRF_BLOCKED",
        "": "ATTACHMENT_ADDRESS_INVALID",
        "/uploads/Foto Toko.png": "ATTACHMENT_ADDRESS_INVALID",
        f"{server.url}/empty.png": "ATTACHMENT_EMPTY",
    }
    ids = [m.file(second, url, content_type=None if "pdf" in url else "image/png") for url in bad]
    good = m.file(second, f"{server.url}/a.png", file_name="ok.png", content_type="image/png")
    result = m.run(resource=m.served_by(server, largest_bytes=4_000))
    assert result.success
    job = m.job()
    assert (job["status"], job["notes_migrated"], job["failure_count"]) == ("completed_success", 3, 0)
    assert {name: job["notes"][name] for name in job["notes"] if "attach" in name} == {
        "attachments_stored": 4, "attachments_failed": 8,
    }  # fmt: skip
    found = {int(document["legacy_crm_note_id"]): document["attachments"] for document in m.notes()}
    folder = f"{m.company}/{first}"
    assert found[first] == [
        {"type": "image", "url": url_of(f"{folder}/image-1.png"), "file_name": "Foto Toko.png",
         "file_size_in_byte": len(PNG)},
        {"type": "voice_note", "url": url_of(f"{folder}/audio-2.ogg"), "file_name": "memo.ogg",
         "file_size_in_byte": len(OGG)},
        {"type": "pdf", "url": url_of(f"{folder}/document-3.pdf"), "file_name": "Ångebot 1.pdf",
         "file_size_in_byte": len(PDF)},
    ]  # fmt: skip
    assert [entry["file_name"] for entry in found[second]] == ["ok.png"]
    assert found[bare] == []
    assert "127.0.0.1" not in json.dumps(list(found.values()))
    stored = keys_of(s3, bucket_of_stack, m.company)
    assert stored == {
        f"{folder}/image-1.png": len(PNG), f"{folder}/audio-2.ogg": len(OGG), f"{folder}/document-3.pdf": len(PDF),
        f"{m.company}/{second}/image-{good}.png": len(PNG),
    }  # fmt: skip
    head = s3.head_object(Bucket=bucket_of_stack, Key=f"{folder}/document-3.pdf")
    assert head["ContentType"] == "application/pdf"
    assert head["ContentDisposition"].startswith("attachment;")
    listed = [(row["id"].partition(".")[0], row["reason_code"]) for row in job["failed_parts"]]
    # In the order of their ids as texts.
    assert listed == sorted((f"{second}/image-{number}", code) for number, code in zip(ids, bad.values(), strict=True))
    kept = list(m.db["migration_failures"].find({"part": True}).sort("_id", 1))
    assert {(row["source_id"], row["reason_code"]) for row in kept} == {
        (row["id"], row["reason_code"]) for row in job["failed_parts"]
    }  # fmt: skip
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "attachments"]
    assert (check.passed, check.severity.value) == (False, "WARN")
    assert job["reconciliation"]["notes"] == {"attachments_missing": 1}
    # What a text says of a file holds neither its address nor its content.
    for row in job["failed_parts"]:
        assert "/latest/" not in row["details"]
        assert "alert(1)" not in row["details"]


@pytest.mark.any_mongo
def test_files_come_however_their_address_is_written_and_their_server_packs_them(notes: Notes) -> None:
    """Twice cut off without a length, then whole; and one of another size than the CRM says, which is counted."""
    m = notes
    packed = gzip.compress(PDF)

    def serve(connection: Connection) -> None:
        path = connection.read_request().split(" ")[1]
        times = sum(request.split(" ")[1] == path for request in connection.server.requests)
        answers = {
            "/My%20File%20(1).pdf": b"\r\n" + PDF,
            "/50%25.pdf": b"Content-Encoding: aws-chunked\r\n\r\n" + PDF,
            "/packed.pdf": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed,
            "/late.pdf": b"\r\n" + (PDF if times > 2 else PDF[: 20 * times]),
            "/other.pdf": b"\r\n" + PDF,
        }
        busy = path == "/50%25.pdf" and times <= 2
        connection.send(b"HTTP/1.1 503 Busy\r\n\r\n" if busy else HEAD + b"Connection: close\r\n" + answers[path])

    with raw_server(serve) as server:
        note = m.note()
        for path in ("/My File (1).pdf", "/50%.pdf", "/packed.pdf", "/late.pdf", "/other.pdf"):
            facts = {"file_size": 5} if "other" in path else {"file_size": len(PDF), "file_name": "a.pdf"}
            m.file(note, f" {server.url}{path}\n", kind="document", **facts)
        fetcher = AttachmentFetcherResource(trusted_hosts=urlsplit(server.url).netloc, retry_wait_seconds=0)
        assert m.run(resource=m.with_resources(attachments=fetcher)).success
    job = m.job()
    assert (job["status"], job["match_pct"]) == ("completed_success", 100.0)
    assert job["failed_parts"] == []
    assert {name: job["notes"][name] for name in job["notes"] if "attach" in name} == {
        "attachments_stored": 5, "attachments_size_differs": 1,
    }  # fmt: skip
    (document,) = m.notes()
    facts_of = [(entry["file_size_in_byte"], entry["type"]) for entry in document["attachments"]]
    assert facts_of == [(len(PDF), "pdf")] * 5
    asked_for = [request.split(" ")[1] for request in server.requests]
    assert {path: asked_for.count(path) for path in asked_for} == {
        "/My%20File%20(1).pdf": 1, "/50%25.pdf": 3, "/packed.pdf": 1, "/late.pdf": 3, "/other.pdf": 2,
    }  # fmt: skip
    # As after a run that died before it wrote the note: what the bytes said is still known, with the server gone.
    m.db["contact_notes"].delete_many({})
    assert m.run(config={"force": True}, resource=m.with_resources(attachments=fetcher)).success
    assert m.notes() == [document]


@pytest.mark.any_mongo
def test_a_second_run_downloads_nothing_and_uploads_nothing(
    notes: Notes, server: RecordingServer, s3: "S3Client", bucket_of_stack: str
) -> None:
    m = notes
    for _ in range(3):
        m.file(m.note(), f"{server.url}/a.png", content_type="image/png")
    m.file(m.note(), f"{server.url}/missing.png", content_type="image/png")
    resource = m.served_by(server)
    assert m.run(resource=resource).success
    requests, before = len(server.asked), m.notes()
    listed = s3.list_objects_v2(Bucket=bucket_of_stack, Prefix=f"{m.company}/")["Contents"]
    assert m.run(config={"force": True}, resource=resource).success
    assert len(server.asked) == requests
    assert s3.list_objects_v2(Bucket=bucket_of_stack, Prefix=f"{m.company}/")["Contents"] == listed
    assert m.notes() == before
    assert (m.job()["notes_skipped"], m.job()["status"]) == (4, "completed_success")


@pytest.mark.any_mongo
def test_files_whose_notes_were_not_written_are_neither_fetched_nor_stored_again(
    notes: Notes, server: RecordingServer, s3: "S3Client", bucket_of_stack: str
) -> None:
    """As after a run that died between a page's files and its notes."""
    m = notes
    note = m.note()
    m.file(note, f"{server.url}/a.png", content_type="image/png")
    resource = m.served_by(server)
    assert m.run(resource=resource).success
    (before,) = m.notes()
    m.db["contact_notes"].delete_many({})
    listed = s3.list_objects_v2(Bucket=bucket_of_stack, Prefix=f"{m.company}/")["Contents"]
    assert m.run(config={"force": True}, resource=resource).success
    assert asked(server) == ["/a.png"]
    assert s3.list_objects_v2(Bucket=bucket_of_stack, Prefix=f"{m.company}/")["Contents"] == listed
    assert m.notes() == [before]
    assert m.job()["notes"]["attachments_unchanged"] == 1
    # Another file in the CRM under the same row is fetched.
    m.db["contact_notes"].delete_many({})
    m.crm.connection.execute("UPDATE crm_note_images SET url = %s", (f"{server.url}/a.png?v=2",))
    assert m.run(config={"force": True}, resource=resource).success
    assert asked(server) == ["/a.png", "/a.png"]


@pytest.mark.any_mongo
def test_a_dry_run_fetches_and_checks_but_stores_nothing(
    notes: Notes, server: RecordingServer, s3: "S3Client", bucket_of_stack: str
) -> None:
    m = notes
    note = m.note()
    m.file(note, f"{server.url}/a.png", content_type="image/png")
    m.file(note, f"{server.url}/page.png", content_type="image/png")
    assert m.run(config={"dry_run": True}, resource=m.served_by(server)).success
    job = m.job()
    assert (job["notes"]["attachments_stored"], job["notes"]["attachments_failed"]) == (1, 1)
    assert [row["reason_code"] for row in job["failed_parts"]] == ["ATTACHMENT_TYPE_MISMATCH"]
    assert keys_of(s3, bucket_of_stack, m.company) == {}
    assert m.db["migration_failures"].count_documents({}) == m.db["contact_notes"].count_documents({}) == 0


@pytest.mark.any_mongo
def test_a_rollback_takes_the_files_along_and_nobody_elses(
    notes: Notes, server: RecordingServer, s3: "S3Client", bucket_of_stack: str
) -> None:
    m = notes
    m.file(m.note(), f"{server.url}/a.png", content_type="image/png")
    assert m.run(resource=m.served_by(server)).success
    foreign = f"{m.company}x/1/image-1.png"
    native = f"{m.company}/upload/by-a-person.png"
    for key in (foreign, native):
        s3.put_object(Bucket=bucket_of_stack, Key=key, Body=b"x")
    # A migrated note that somebody made point at another company's file.
    m.db["contact_notes"].update_many({}, {"$push": {"attachments": {"url": url_of(foreign)}}})
    assert m.rollback().success
    assert m.notes() == []
    assert set(keys_of(s3, bucket_of_stack, m.company)) == {native}
    assert s3.head_object(Bucket=bucket_of_stack, Key=foreign)["ContentLength"] == 1


@pytest.mark.any_mongo
def test_a_replay_fetches_files_that_are_there_by_now(notes: Notes, s3: "S3Client", bucket_of_stack: str) -> None:
    m = notes
    contents = dict(CONTENTS)
    with recording_server(files(contents)) as server:
        first, second = m.note(), m.note()
        kept = m.file(first, f"{server.url}/a.png", content_type="image/png")
        late = m.file(first, f"{server.url}/late.png", file_name="late.png", content_type="image/png")
        never = m.file(first, f"{server.url}/never.png", content_type="image/png")
        gone = m.file(second, f"{server.url}/gone.png", content_type="image/png")
        resource = m.served_by(server)
        assert m.run(resource=resource).success
        assert m.job()["notes"]["attachments_failed"] == 3
        contents["/late.png"] = ("image/png", PNG)
        m.crm.connection.execute("DELETE FROM crm_note_images WHERE id = %s", (gone,))
        found = replay(_services(m, resource), m.company, "replay-1")
        assert (found.looked_at, found.parts, found.parts_failed) == (0, 3, 1)
        job = m.job()
        assert (job["status"], job["notes_migrated"], job["match_pct"]) == ("completed_success", 2, 100.0)
        assert {name: number for name, number in job["notes"].items() if "attach" in name} == {
            "attachments_stored": 2, "attachments_failed": 1, "attachments_gone": 1,
        }  # fmt: skip
        assert [row["id"] for row in job["failed_parts"]] == [f"{first}/image-{never}.png"]
        assert [row["source_id"] for row in m.db["migration_failures"].find({})] == [f"{first}/image-{never}.png"]
        folder = f"{m.company}/{first}"
        assert [entry["url"] for entry in m.notes()[0]["attachments"]] == [
            url_of(f"{folder}/image-{kept}.png"), url_of(f"{folder}/image-{late}.png"),
        ]  # fmt: skip
        assert set(keys_of(s3, bucket_of_stack, m.company)) == {
            f"{folder}/image-{kept}.png", f"{folder}/image-{late}.png",
        }  # fmt: skip
        # Again, with nothing new: nothing changes.
        before = m.notes()
        assert replay(_services(m, resource), m.company, "replay-2").parts_failed == 1
        assert m.notes() == before


def test_a_later_job_does_not_forget_the_files_that_an_earlier_one_could_not_have(
    notes: Notes, server: RecordingServer
) -> None:
    m = notes
    note = m.note()
    for name in ("missing", "page"):
        m.file(note, f"{server.url}/{name}.png", content_type="image/png")
    resource = m.served_by(server)
    assert m.run(resource=resource).success
    first = m.job()
    # Its job may be gone by then.
    m.db["crm_notes_migration_jobs"].delete_many({})
    assert m.run(resource=resource).success
    second = m.job()
    assert second["_id"] != first["_id"]
    assert second["failed_parts"] == first["failed_parts"]
    assert second["notes"]["attachments_failed"] == 2
    assert {row["job_id"] for row in m.db["migration_failures"].find({})} == {second["_id"]}
    found = replay(_services(m, resource), m.company, "replay-1")
    assert (found.parts, found.parts_failed) == (2, 2)
    other, _ = m.add_company(people=1)
    assert m.run(company=other, resource=resource).success
    assert m.job(other)["failed_parts"] == []
    assert m.rollback().success
    assert m.db["migration_failures"].count_documents({}) == 0


def test_a_rollback_sweeps_files_of_notes_that_were_never_written(
    notes: Notes, server: RecordingServer, s3: "S3Client", bucket_of_stack: str
) -> None:
    m = notes
    m.file(m.note(), f"{server.url}/a.png", content_type="image/png")
    assert m.run(resource=m.served_by(server)).success
    # As a run leaves it that died between a page's files and its notes.
    m.db["contact_notes"].delete_many({})
    theirs = [f"{m.company}/upload/1.png", f"{m.company}/7/image-7.png", f"{m.company}/7/image-7.png/x"]
    for key in theirs:
        s3.put_object(Bucket=bucket_of_stack, Key=key, Body=b"x")
    assert len(keys_of(s3, bucket_of_stack, m.company)) == 4
    assert m.rollback().success
    assert sorted(keys_of(s3, bucket_of_stack, m.company)) == sorted(theirs)


@pytest.mark.any_mongo
def test_many_files_come_at_once_and_in_their_order(notes: Notes, server: RecordingServer) -> None:
    m = notes
    for number in range(30):
        note = m.note()
        for _ in range(1 + number % 3):
            m.file(note, f"{server.url}/a.png", content_type="image/png")
    assert m.run(config={"page_rows": 7}, resource=m.served_by(server)).success
    job = m.job()
    assert (job["notes"]["attachments_stored"], job["match_pct"]) == (60, 100.0)
    for number, document in enumerate(m.notes()):
        assert len(document["attachments"]) == 1 + number % 3
        names = [int(entry["url"].rpartition("-")[2].partition(".")[0]) for entry in document["attachments"]]
        assert names == sorted(names)


@pytest.mark.any_mongo
def test_settings_of_files_are_needed_only_where_there_are_files(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    m = notes
    for name in ("CDP_ATTACHMENT_HOSTS", "CDP_ATTACHMENT_TRUSTED_HOSTS", "CDP_FILES_ROOT_URL"):
        monkeypatch.delenv(name, raising=False)
    bare = m.with_resources(files_root_url="", attachments=AttachmentFetcherResource())
    m.note()
    assert m.run(resource=bare).success
    m.file(m.note(), "https://files.crm.example/a.png")
    result = m.run(config={"force": True}, resource=bare)
    assert not result.success
    assert "CDP_FILES_ROOT_URL is not set" in failure_text(result)
    assert (m.job()["status"], m.job()["error"]["code"]) == ("failed", "SETTING_MISSING")
    result = m.run(resource=m.with_resources(attachments=AttachmentFetcherResource()))
    assert "CDP_ATTACHMENT_HOSTS" in failure_text(result)
    assert (m.job()["status"], m.job()["error"]["code"]) == ("failed", "SETTING_MISSING")
    assert len(m.notes()) == 1
    assert m.run().success
    assert len(m.notes()) == 2


def _services(m: Notes, resource: Any) -> Any:
    return resource.services(m.kind)
