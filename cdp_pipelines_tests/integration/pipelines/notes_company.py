"""A company whose notes have every outcome, the server of their files, and how a migration of them ended.

Belongs here: what the tests of crashes ask for again and again. Not here: dying (`migration_crashing.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines.stores.contact_notes import ContactNotes
from cdp_pipelines_tests.integration.pipelines.migration_crashing import DoomedMigration, Work
from cdp_pipelines_tests.integration.pipelines.migration_harness import BEFORE, SYNCED, Document, assert_adds_up
from cdp_pipelines_tests.integration.pipelines.notes_harness import PDF, PNG, Notes
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, RecordingServer, recording_server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROWS = 450
PAGE_ROWS = 50
CONFIG = {"page_rows": PAGE_ROWS, "shards": 2}
"""Failures lie so far apart that fewer than one in a hundred notes failed at the end of every page."""
UNKNOWN_PERSON, NO_TIME, TOO_LONG, SQUATTED = 120, 210, 330, 420
OUT_OF_SCOPE = 3
LARGEST = 25 * 1024 * 1024
HTML = b"<!doctype html><html><body>Please log in</body></html>"
TEXT_OF_A_NOTE = "Budi prefers to be called in the evening"
_STATE = ("contact_notes", "crm_notes_migration_jobs", "migration_failures", "alert_causes")


class FileServer:
    """The CRM's files. What is at `missing` is 404 until it is mended, `page` answers with a login page until then."""

    def __init__(self) -> None:
        self.mended = False

    def __call__(self, asked: Asked) -> Answer:
        """Answer by the path."""
        path = urlsplit(asked.path).path
        if path.startswith("/missing") and not self.mended:
            return 404
        if path.startswith("/gone"):
            return 404
        if path.startswith("/page") and not self.mended:
            return 200, {"Content-Type": "image/png"}, HTML
        if path.startswith("/large"):
            return 200, {"Content-Type": "application/pdf", "Content-Length": str(LARGEST + 1)}, PDF
        content = PDF if path.endswith(".pdf") else PNG
        return 200, {"Content-Type": "application/octet-stream"}, content + path.encode()


@dataclass(frozen=True)
class Ended:
    """How an uninterrupted run left everything."""

    documents: list[Document]
    bucket: dict[str, tuple[str, int]]
    quarantine: list[Document]
    job: Document


class Company:
    """The company, documents of others that nothing may touch, and the server of the files."""

    def __init__(self, notes: Notes, s3: "S3Client", server: RecordingServer, files: FileServer) -> None:
        self.m, self.s3, self.server, self.files = notes, s3, server, files
        self.bucket = notes.env["CDP_S3_BUCKET"]
        fetcher = AttachmentFetcherResource(hosts="files.crm.example", trusted_hosts=urlsplit(server.url).netloc)
        # Leases that end at once, so that whoever comes next may take over.
        notes.resource = notes.with_resources(attachments=fetcher, lease_seconds=0)
        notes.crm.user(notes.cid, 7, "live@example.com", "Live User")
        notes.crm.user(notes.cid, 8, "gone@example.com", "Gone User", deleted=True)
        rows = self._rows()
        for number in range(1, ROWS + 1):
            notes.note(id=number, **rows.get(number, {"crm_note_type_id": OUT_OF_SCOPE}))
        for number in (3, 303):
            notes.checkin(number)
        self._add_files()
        self.others = self._documents_of_others()
        self.begin_anew()

    def _rows(self) -> dict[int, Document]:
        mention = '<p>Ask <a data-user-id="7" href="/users/7/edit_user">@Live User</a> about it</p>'
        usual: list[Document] = [
            {},
            {"creator_id": 7, "crm_note_type_id": 6},
            {"creator_id": 8, "note": mention},
            {"creator_id": 99, "note": f"<div onclick='x()'>{TEXT_OF_A_NOTE}</div>"},
            {"crm_person_id": None, "crm_deal_id": 5},
            {"deleted_at": BEFORE},
            {"creator_id": 7, "crm_person_id": 2, "crm_deal_id": 5},
        ]
        # The same handful on most pages.
        rows = {start + index: row for start in range(1, ROWS, 100) for index, row in enumerate(usual)}
        return rows | {
            UNKNOWN_PERSON: {"crm_person_id": 404},
            NO_TIME: {"created_at": None},
            TOO_LONG: {"note": "x" * 10_001},
            SQUATTED: {},
            430: {"note": None},
        }

    def _add_files(self) -> None:
        files: dict[int, tuple[str, ...]] = {
            1: ("a.png", "b.pdf", "missing/c.png"),
            3: ("page/d.png", "e.png"),
            102: ("f.png",),
            103: ("large/g.pdf", "h.pdf"),
            104: ("https://elsewhere.example/i.png?token=secret-of-a-file",),
            # Deleted in the CRM, and failed: their files must not come.
            106: ("never/j.png",),
            UNKNOWN_PERSON: ("k.png", "gone/l.png"),
            TOO_LONG: ("m.pdf",),
            203: ("n.png", "gone/o.png?token=secret-of-a-file"),
            307: ("p.png", "missing/q.png"),
            402: ("r.png",),
        }
        for note, names in files.items():
            for name in names:
                url = name if name.startswith("https:") else f"{self.server.url}/{name}"
                kind, content_type = ("document", "application/pdf") if ".pdf" in name else ("image", "image/png")
                file_name = urlsplit(url).path.rsplit("/", 1)[-1]
                self.m.file(note, url, kind=kind, file_name=file_name, content_type=content_type)

    def _documents_of_others(self) -> list[Document]:
        m = self.m
        written: Document = {"contact_id": m.customer(1), "owner_id": "u", "content": "<p>By hand</p>"}
        written |= {"attachments": [], "created_at": SYNCED, "updated_at": SYNCED, "is_deleted": False}
        by_hand = {**written, "_id": "by hand", "company_sso_id": m.company}
        another = [
            {**written, "_id": f"another {number}", "company_sso_id": "another", "legacy_crm_note_id": str(number)}
            for number in (1, 2, 3, UNKNOWN_PERSON)
        ]
        # Stands where a note's document belongs, so that one cannot be written.
        squatter = {**written, "company_sso_id": "another", "legacy_crm_note_id": str(SQUATTED)}
        squatter["_id"] = ContactNotes(m.db, m.company).document_id(SQUATTED)
        return [by_hand, *another, squatter]

    def begin_anew(self) -> None:
        """As it was before any migration."""
        for name in _STATE:
            self.m.db[name].delete_many({})
        self.m.db["contact_notes"].insert_many([dict(document) for document in self.others])
        self.empty_bucket()
        self.files.mended = False
        self.server.asked.clear()

    def empty_bucket(self) -> None:
        keys = [{"Key": key} for key in self.in_bucket()]
        if keys:
            self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": keys})  # type: ignore[typeddict-item]

    def doomed(self, work: Work = "migration", **config: Any) -> DoomedMigration:
        settings = CONFIG if work == "migration" else {}
        return DoomedMigration(
            dict(self.m.env),
            self.m.db.name,
            self.m.crm.dsn,
            self.m.company,
            work,
            {**settings, **config},
            kind=self.m.kind.kind,
            files_from=urlsplit(self.server.url).netloc,
        )

    def go_on(self) -> None:
        """Start again, unless the run was killed after its job had ended and only its own report was lost."""
        if not self.has_ended():
            assert self.m.run(config=CONFIG).success

    def has_ended(self) -> bool:
        return self.m.db["crm_notes_migration_jobs"].count_documents({"status": "completed_with_errors"}) == 1

    def documents(self) -> list[Document]:
        """All notes of all companies, every field."""
        return sorted(self.m.db["contact_notes"].find({}), key=lambda document: str(document["_id"]))

    def untouched(self) -> list[Document]:
        """The documents of others, as `documents` gives them."""
        return sorted(self.others, key=lambda document: str(document["_id"]))

    def in_bucket(self) -> dict[str, tuple[str, int]]:
        """All files by key, with what tells their contents apart."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {item["Key"]: (item["ETag"], item["Size"]) for item in listed}

    def last_modified(self) -> dict[str, Any]:
        """When each file was put where it is."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {item["Key"]: item["LastModified"] for item in listed}

    def quarantine(self) -> list[Document]:
        """Failed notes and failed files, with their evidence."""
        kept = self.m.db["migration_failures"].find({}, {"_id": 0, "job_id": 0, "at": 0, "expires_at": 0})
        return sorted(({**row, "replay_id": None} for row in kept), key=lambda row: row["source_id"])

    def fetched(self) -> list[str]:
        """The paths that the server of files was asked for."""
        return [urlsplit(asked.path).path for asked in self.server.asked]

    def end(self) -> Ended:
        return Ended(self.documents(), self.in_bucket(), self.quarantine(), self.m.job())

    def assert_same_end(self, expected: Ended) -> None:
        assert self.documents() == expected.documents
        assert self.in_bucket() == expected.bucket
        assert self.quarantine() == expected.quarantine
        job = self.m.job()
        assert self.m.db["crm_notes_migration_jobs"].count_documents({}) == 1
        assert_all_adds_up(job)
        assert job["records_processed"] == job["records_total"] == ROWS
        assert_same_outcomes(job, expected.job)
        assert job["reconciliation"] == expected.job["reconciliation"]
        assert "lease" not in job
        numbers = [document["legacy_crm_note_id"] for document in self.m.notes()]
        assert len(numbers) == len(set(numbers))


@contextmanager
def serving_files() -> Iterator[tuple[RecordingServer, FileServer]]:
    files = FileServer()
    with recording_server(files) as server:
        yield server, files


def assert_all_adds_up(job: Document) -> None:
    """Under the names of every migration, and under those that other teams know."""
    assert_adds_up(job)
    parts = job["notes_migrated"] + job["notes_skipped"] + job["out_of_scope_count"] + job["failure_count"]
    assert (job["notes_processed"], job["notes_total"]) == (parts, job["records_total"])
    assert job["notes_processed"] == job["records_processed"]
    assert job["failure_count"] == job["records_failed"]


def assert_same_outcomes(job: Document, expected: Document) -> None:
    """A page that was written but not counted is counted as present when it is gone through again; all else is same."""
    for name in ("status", "match_pct", "records_failed", "out_of_scope_count", "failure_count", "failure_rate"):
        assert job[name] == expected[name], name
    for name in ("failed_rows", "failed_parts"):
        listed = [sorted((row["id"], row["reason_code"]) for row in each[name]) for each in (job, expected)]
        assert listed[0] == listed[1]
    arrived = [each["records_migrated"] + each["records_skipped"].get("already_present", 0) for each in (job, expected)]
    assert arrived[0] == arrived[1]
    reasons = [
        {reason: number for reason, number in each["records_skipped"].items() if reason != "already_present"}
        for each in (job, expected)
    ]
    assert reasons[0] == reasons[1]
    failed = [each["notes"].get("attachments_failed", 0) for each in (job, expected)]
    assert failed[0] == failed[1]
