"""What tests of the notes migration need besides `migration_harness`: notes in the CRM, their files, and what came."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dagster as dg
from pymongo.database import Database

from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
from cdp_pipelines.resources.crm_notes import CrmNotesResource
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    BEFORE,
    FILES_ROOT_URL,
    Document,
    Migrations,
    migration_resource,
)
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, RecordingServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0" * 64
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"0" * 64
TABLES = {"image": "crm_note_images", "audio": "crm_note_audios", "document": "crm_note_attachments"}


class Notes(Migrations):
    """One company with notes, its CRM organization, and everything to migrate it with."""

    kind = CONTACT_NOTES

    def __init__(
        self, env: Mapping[str, str], database: Database[Document], instance: dg.DagsterInstance, **overrides: Any
    ) -> None:
        super().__init__(env, database, instance, **overrides)
        self._made: list[MigrationResource] = []
        self._next_note = 1
        self._next_part = 1

    def note(self, **columns: Any) -> int:
        """One note; returns its id. Without columns: a note of type 1 about person 1 by nobody."""
        number = columns.pop("id", self._next_note)
        self._next_note = max(self._next_note, number) + 1
        row: Document = {
            "id": number,
            "organization_id": self.cid,
            "note": f"<p>Note {number}</p>",
            "crm_person_id": 1,
            "crm_note_type_id": 1,
            "created_at": BEFORE + timedelta(seconds=number),
            "updated_at": BEFORE + timedelta(minutes=number),
            **columns,
        }
        self._insert("crm_notes", row)
        return int(number)

    def file(self, note: int, url: str, *, kind: str = "image", **columns: Any) -> int:
        """A file on a note; returns its id."""
        row: Document = {"id": self._next_part, "crm_note_id": note, "url": url, **columns}
        self._next_part += 1
        self._insert(TABLES[kind], row)
        return int(row["id"])

    def checkin(self, note: int) -> None:
        self._insert("crm_checkins", {"crm_note_id": note, "latitude": -6.2, "longitude": 106.8, "address": "Jl. X"})

    def _insert(self, table: str, row: Mapping[str, Any]) -> None:
        marks = ", ".join(["%s"] * len(row))
        self.crm.connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))

    def fill(self, rows: int, *, unreadable: Any = ()) -> None:
        """Notes of the company, `rows` of them; those whose number is in `unreadable` are about an unknown person."""
        for number in range(rows):
            self.note(**({"crm_person_id": 404} if number in unreadable else {}))

    def notes(self, company: str | None = None) -> list[Document]:
        """The company's migrated notes in the order of the CRM's."""
        query = {"company_sso_id": company or self.company, "legacy_crm_note_id": {"$ne": None}}
        found = [document for document in self.db["contact_notes"].find(query) if "legacy_crm_note_id" in document]
        return sorted(found, key=lambda document: int(document["legacy_crm_note_id"]))

    def served_by(
        self, server: RecordingServer, *, api: CrmNotesResource | None = None, **overrides: Any
    ) -> MigrationResource:
        """Resources of a run that may fetch from this server."""
        hosts = urlsplit(server.url).netloc
        fetcher = AttachmentFetcherResource(hosts="files.crm.example", trusted_hosts=hosts, **overrides)
        return self.with_resources(attachments=fetcher, **({} if api is None else {"crm_notes": api}))

    def with_resources(self, **overrides: Any) -> MigrationResource:
        """Resources of a run, some of them others than usual."""
        usual = {"crm": CrmPostgresResource(dsn=self.crm.dsn)}
        self._made.append(migration_resource(self.env, self.db.name, **{**usual, **overrides}))
        return self._made[-1]

    def close(self) -> None:
        for resource in self._made:
            resource.close()
        super().close()


def files(contents: Mapping[str, tuple[str, bytes]]) -> Any:
    """A server's answers: each path's content type and content, 404 for any other."""

    def answer(asked: Asked) -> Answer:
        found = contents.get(urlsplit(asked.path).path)
        return 404 if found is None else (200, {"Content-Type": found[0]}, found[1])

    return answer


def keys_of(s3: "S3Client", bucket: str, company: str) -> dict[str, int]:
    """What of a company is in the bucket, with sizes."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{company}/").get("Contents", [])
    return {item["Key"]: item["Size"] for item in listed}


def url_of(key: str) -> str:
    return f"{FILES_ROOT_URL}/{key}"
