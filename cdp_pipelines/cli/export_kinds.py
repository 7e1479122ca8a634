"""The two kinds of exports, as the commands that take an id use them: found by it, watched, stopped, fetched, removed.

Belongs here: what both kinds have, and telling them apart. Not here: what only one of them has (`contact_exports.py`,
`entity_exports.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from cdp_pipelines.cli.exit_codes import Refused

if TYPE_CHECKING:
    from cdp_pipelines.stores.export_queue import ExportQueue

Document = dict[str, Any]
Via: TypeAlias = Literal["store", "link"]

ENTITY_ID_PREFIX: Final = "exp_"


@dataclass(frozen=True, slots=True)
class Target:
    """Where files go (`output`: a file, a folder, or None for here), by which way, and whether over what is there."""

    output: Path | None
    via: Via
    overwrite: bool


class Exports(ABC):
    """The exports of one kind, of all companies: for operators."""

    queue: "ExportQueue"

    def require(self, job_id: str) -> Document:
        """The export of this id.

        Raises:
            Refused: `EXPORT_NOT_FOUND`.
        """
        document = self.find(job_id.strip())
        if document is None:
            raise Refused(
                "EXPORT_NOT_FOUND",
                "There is no export with this id (they are kept 7 days after they end). See: cdp export list",
            )
        return document

    def find(self, job_id: str) -> Document | None:
        """The export of this id, or None."""
        return self.queue.find(job_id)

    def id_of(self, document: Document) -> str:
        """What commands know the export by."""
        return str(document[self.queue.shape.id_field])

    def is_queued(self, document: Document) -> bool:
        """Whether no run has begun with it."""
        return bool(document.get("status") == self.queue.shape.queued)

    def has_ended(self, status: object) -> bool:
        """Whether nothing more will happen to an export in this status."""
        return status in self.queue.shape.terminal

    @abstractmethod
    def failures(self, document: Document) -> list[Document]:
        """All failed rows: `{id, reason_code, details}`."""

    @abstractmethod
    def progress(self, document: Document) -> tuple[int, int | None]:
        """Rows done, and rows in all if that is known."""

    @abstractmethod
    def exit_code(self, document: Document) -> int:
        """How a command that waited for this export ends."""

    @abstractmethod
    def facts(self, document: Document) -> dict[str, Any]:
        """What `--json` prints."""

    @abstractmethod
    def lines(self, document: Document) -> list[str]:
        """What people read."""

    @abstractmethod
    def purge(self, document: Document, *, by: str) -> None:
        """Remove files and personal data of an ended export, and say so in the audit trail."""

    @abstractmethod
    def download(self, document: Document, target: Target) -> tuple[dict[str, Any], list[str]]:
        """Fetch all files; returns what `--json` prints, and lines for people.

        Raises:
            Refused: `EXPORT_HAS_NO_FILE`, `FILE_EXISTS`, `FILE_UNWRITABLE`.
            PermanentFailure: `EXPORT_FILE_GONE`.
            TransientFailure: not all arrived, or the store did not answer.
        """


@contextmanager
def exports_of(job_id: str) -> Iterator[Exports]:
    """The kind that an id belongs to, with its services open."""
    if job_id.strip().startswith(ENTITY_ID_PREFIX):
        from cdp_pipelines.cli.entity_exports import EntityKind
        from cdp_pipelines.cli.services import entity_services

        with entity_services() as services:
            yield EntityKind(services)
    else:
        from cdp_pipelines.cli.contact_exports import ContactKind
        from cdp_pipelines.cli.services import export_services

        with export_services() as contact_services:
            yield ContactKind(contact_services)
