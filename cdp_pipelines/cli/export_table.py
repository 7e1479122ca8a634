"""The list of exports: one row each, with columns that fit every kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

LONGEST_OUTCOME: Final = 90
STATUS_STYLES: Final = {
    "completed": "green",
    "partial": "yellow",
    "failed": "bold red",
    "rejected": "red",
    "canceled": "magenta",
    "processing": "cyan",
    "DONE": "green",
    "ERROR": "bold red",
    "CANCELED": "magenta",
    "IN_PROGRESS": "cyan",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRow:
    """One export, as text."""

    job: str
    created: str
    company: str
    exported_object: str
    status: str
    rows: str
    failed: str
    outcome: str


def exports_table(rows: Sequence[ExportRow]) -> "Table":
    """Exports in rows, in the order given."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("job", "created", "company", "object", "status", "rows", "failed", "file or reason"):
        table.add_column(name, overflow="fold", justify="right" if name in ("rows", "failed") else "left")
    for row in rows:
        table.add_row(
            row.job,
            row.created,
            row.company,
            row.exported_object,
            Text(row.status, style=STATUS_STYLES.get(row.status, "")),
            row.rows,
            row.failed,
            # A refusal lists all that is allowed; the whole of it is shown with the one export.
            Text(shorten(row.outcome, LONGEST_OUTCOME, placeholder=" …")),
        )
    return table
