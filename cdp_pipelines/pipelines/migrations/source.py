"""What a migration must be able to do with its source, for the shared steps to do the rest.

Belongs here: the shape. Not here: any single migration (each pipeline's `pages.py` has its own).
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import Outcome, Skipped
from cdp_pipelines.domain.reconciliation import Tally, Verdict
from cdp_pipelines.stores.migrated_documents import MigratedDocuments

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.migrations.hold import Hold

Document: TypeAlias = dict[str, Any]
Quarantined: TypeAlias = tuple[RowFailure, Mapping[str, Any]]
"""A failure, and the evidence that is kept of it."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What there is to migrate: rows, lowest and highest id (0 and 0 for none), and what the job keeps of it."""

    total: int
    first_id: int
    last_id: int
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Parts:
    """What became of the parts of a page's rows, such as a note's files, beside the rows' own outcomes.

    `counts` go to the job's `notes`; `failed` are listed on the job and kept in the quarantine as parts of rows.
    """

    counts: dict[str, int] = field(default_factory=dict)
    failed: list[Quarantined] = field(default_factory=list)


class Comparing(Protocol):
    """What one migration adds to the comparison of everything, and remembers of it over a restart."""

    def compare(self, expected: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Verdict, Sequence[str]]:
        """Whether the stored document is the expected one, and what is to be noted of it."""

    def mending(self, expected: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Fields to set right (None: to take off) of a document that is identical but for what an outage left unknown.

        None: there are none.
        """

    def there_though_skipped(self, outcome: Skipped, tally: Tally) -> None:
        """A document is there for a row that a rule leaves out; it is counted as extra already."""

    def missed_by_the_feed(self, row_id: int) -> None:
        """A row was left to the live feed, which does not have it."""

    def as_document(self) -> Document:
        """What is kept on the job beside the tally."""


class MigrationSource(ABC):
    """One company's rows, what they become, and the documents they became; used by one step of one run."""

    company_sso_id: str
    documents: MigratedDocuments

    @abstractmethod
    def overview(self, job: Mapping[str, Any], *, after: int = 0) -> Overview:
        """Look over the rows that the job's options ask for, with ids above `after`."""

    def edges(self, job: Mapping[str, Any], overview: Overview, shards: int) -> Sequence[int] | None:  # noqa: ARG002 - for sources that can say
        """The ids that divide the rows looked over into so many parts of as many rows; None: cannot be said."""
        return None

    @abstractmethod
    def pages(self, job: Mapping[str, Any], *, after: int, to: int, page_rows: int) -> Generator[list[Any], None, None]:
        """Stream the job's rows with ids above `after` up to `to`, ascending, in pages; each row has an `id`."""

    @abstractmethod
    def rows_by_id(self, ids: Sequence[int]) -> list[Any]:
        """These rows, ascending, as far as they are there."""

    @abstractmethod
    def outcomes(self, rows: Sequence[Any]) -> list[Outcome]:
        """What each row becomes, in the order of the page."""

    def before_write(self, hold: "Hold", rows: Sequence[Any], outcomes: list[Outcome], *, dry_run: bool) -> Parts:  # noqa: ARG002 - for sources whose rows have parts
        """Do what must be done before the page's documents are written; may renew the lease meanwhile."""
        return Parts()

    def replay_parts(self, hold: "Hold", parts: Sequence[Mapping[str, Any]]) -> Parts:  # noqa: ARG002 - as above
        """Try the quarantined parts of rows again."""
        return Parts()

    def unfed(self, rows: Sequence[Any], outcomes: Sequence[Outcome]) -> Collection[int]:  # noqa: ARG002 - for sources beside a live feed
        """The ids of those rows of a page that were left to a live feed which does not have them."""
        return ()

    def noticed(self) -> Mapping[str, int]:
        """What was noticed since this was last asked, such as outages, for the job's `notes`."""
        return {}

    @abstractmethod
    def evidence(self, row: Any) -> Mapping[str, Any]:
        """What a developer needs to see why a row failed, bounded; for the quarantine only, never for a log."""

    @abstractmethod
    def comparing(self, kept: Mapping[str, Any] | None) -> Comparing:
        """What this migration adds to the comparison; `kept` is what an interrupted one left on the job."""

    @abstractmethod
    def close(self) -> None:
        """Give the connections back."""
