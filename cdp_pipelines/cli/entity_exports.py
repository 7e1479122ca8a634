"""Entity exports as the commands use them; ids begin with `exp_`."""

from typing import TYPE_CHECKING, Any

from cdp_pipelines.cli import output
from cdp_pipelines.cli.entity_download import download
from cdp_pipelines.cli.entity_view import exit_code_of, export_facts, export_lines, rows_of
from cdp_pipelines.cli.export_kinds import Document, Exports, Target
from cdp_pipelines.pipelines.entity_export import conclude

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.entity_export.services import EntityServices


class EntityKind(Exports):
    """Exports from `exports`. None of their rows can fail alone: a file has all of them, or there is none."""

    def __init__(self, services: "EntityServices") -> None:
        self.services = services
        self.queue = services.jobs

    def failures(self, document: Document) -> list[Document]:  # noqa: ARG002 - contact exports have some
        """None, ever."""
        return []

    def progress(self, document: Document) -> tuple[int, int | None]:
        """Rows written, and rows in all."""
        return rows_of(document)

    def exit_code(self, document: Document) -> int:
        """0 done; 2 refused; 1 failed or canceled."""
        return exit_code_of(document)

    def facts(self, document: Document) -> dict[str, Any]:
        """What `--json` prints."""
        return export_facts(document)

    def lines(self, document: Document) -> list[str]:
        """What people read."""
        return export_lines(document)

    def purge(self, document: Document, *, by: str) -> None:
        """Remove files and personal data."""
        conclude.purge(self.services, document, by=by)

    def download(self, document: Document, target: Target) -> tuple[dict[str, Any], list[str]]:
        """The files: `{job_id, path, size_bytes, files: [{path, size_bytes, sha256}]}`; `path` may be a folder."""
        fetched = download(self.services, document, target)
        total = sum(file.size_bytes for file in fetched.files)
        facts = {
            "job_id": self.id_of(document),
            "path": str(fetched.path),
            "size_bytes": total,
            "files": [{"path": str(f.path), "size_bytes": f.size_bytes, "sha256": f.sha256} for f in fetched.files],
        }
        lines = [f"{file.path} ({output.size_text(file.size_bytes)})" for file in fetched.files]
        return facts, lines
