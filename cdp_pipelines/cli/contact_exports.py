"""Contact exports as the commands use them; ids are uuids, in whatever case they are typed."""

from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli import output
from cdp_pipelines.cli.export_download import download, result_of, target_path
from cdp_pipelines.cli.export_kinds import Document, Exports, Target
from cdp_pipelines.cli.export_view import job_facts, job_lines
from cdp_pipelines.cli.export_watch import exit_code_of_status
from cdp_pipelines.pipelines.contact_export import conclude

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.contact_export.services import ExportServices


class ContactKind(Exports):
    """Exports from `bulk_upload_jobs`."""

    def __init__(self, services: "ExportServices") -> None:
        self.services = services
        self.queue = services.jobs

    def find(self, job_id: str) -> Document | None:
        """The export of this id, or None."""
        return self.queue.find(job_id.lower()) or self.queue.find(job_id)

    def failures(self, document: Document) -> list[Document]:
        """All failed rows: `{id, reason_code, details}`."""
        return [
            {"id": row.get("source_id"), "reason_code": row.get("reason_code"), "details": row.get("details")}
            for row in self.services.records.failures(document["job_id"], document["company_sso_id"])
        ]

    def progress(self, document: Document) -> tuple[int, int | None]:
        """Contacts written or failed, and contacts in all."""
        done = int(document.get("success_count") or 0) + int(document.get("failed_count") or 0)
        return done, document.get("total_records") or None

    def exit_code(self, document: Document) -> int:
        """0 when a file was made, also a partial one; 2 when the request was rejected; 1 for failed and canceled."""
        return exit_code_of_status(document["status"])

    def facts(self, document: Document) -> dict[str, Any]:
        """What `--json` prints."""
        return job_facts(document)

    def lines(self, document: Document) -> list[str]:
        """What people read."""
        return job_lines(document)

    def purge(self, document: Document, *, by: str) -> None:
        """Remove file and personal data."""
        conclude.purge(self.services, document, by=by)

    def download(self, document: Document, target: Target) -> tuple[dict[str, Any], list[str]]:
        """Fetch the file: `{job_id, path, size_bytes}`."""
        path = target_path(result_of(document), target.output, overwrite=target.overwrite)
        size = download(self.services, document, path, via=target.via)
        facts = {"job_id": self.id_of(document), "path": str(path), "size_bytes": size}
        return facts, [f"{path} ({output.size_text(size)})"]
