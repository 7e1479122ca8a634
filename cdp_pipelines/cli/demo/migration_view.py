"""The demo's tables of migrations: the live one, the final ones, and a customer's timeline before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.demo.migration_outcome import MigrationOutcome
from cdp_pipelines.cli.migration_view import STATUS_STYLES, percent_text
from cdp_pipelines.cli.migration_watch import counts_text, worked_share

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from cdp_pipelines.pipelines.migrations.kinds import MigrationKind

Document = Mapping[str, Any]

MOST_LINES: Final = 12
_LONGEST_CHANGES: Final = 60
_LONGEST_VALUE: Final = 24
_ORDER: Final = ("migrated", "skipped", "failed")


@dataclass(frozen=True, slots=True)
class Timeline:
    """A customer's activity logs, newest first and at most `MOST_LINES` of each; `total_…` count all of them."""

    company_name: str
    customer_id: str
    before: Sequence[Document]
    total_before: int
    after: Sequence[Document] = ()
    total_after: int = 0

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "company_name": self.company_name,
            "customer_id": self.customer_id,
            "before": [list(cells(document)) for document in self.before],
            "total_before": self.total_before,
            "after": [list(cells(document)) for document in self.after],
            "total_after": self.total_after,
        }


def live_table(title: str, found: Sequence[MigrationOutcome]) -> "Table":
    """Company, what it is at, how far, rows so far."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in (title, "status", "", "rows"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for outcome in found:
        watched = outcome.watched
        share = worked_share(watched.job)
        bar = ProgressBar(total=100.0, completed=share or 0.0, width=20) if watched.job and not watched.ended else ""
        table.add_row(outcome.name, _status(outcome), bar, counts_text(watched.job))
    return table


def final_table(kind: "MigrationKind", found: Sequence[MigrationOutcome]) -> "Table":
    """Company, status against what was expected, rows, what of it matches, how ready the company was."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"The {kind.title} of the demo", title_justify="left", pad_edge=False)
    numbers = (kind.rows, "migrated", "match", "coverage")
    for name in ("company", "as expected", "status", *numbers):
        table.add_column(name, overflow="fold", justify="right" if name in numbers else "left")
    for outcome in found:
        differences, job = outcome.differences(), outcome.job
        expected = Text("✘ " + "; ".join(differences), style="bold red") if differences else Text("✔", style="green")
        counts = [f"{int(job.get(name) or 0):,}" if job else "" for name in ("records_processed", "records_migrated")]
        shares = [percent_text(share) for share in (job.get("match_pct"), outcome.coverage_pct)]
        table.add_row(outcome.name, expected, _status(outcome), *counts, *shares)
    return table


def outcome_table(kind: "MigrationKind", found: Sequence[MigrationOutcome]) -> "Table":
    """Rows by outcome and reason, a column for each company that has a job."""
    from rich.table import Table

    with_job = [outcome for outcome in found if outcome.job]
    by_company = [{(kind, reason): rows for kind, reason, rows in outcome.rows()} for outcome in with_job]
    kinds = sorted({key for rows in by_company for key in rows}, key=lambda key: (_ORDER.index(key[0]), key[1]))
    table = Table(title=f"What became of the {kind.rows}", title_justify="left", pad_edge=False)
    table.add_column("outcome")
    table.add_column("reason")
    for outcome in with_job:
        table.add_column(outcome.name, justify="right", overflow="fold")
    for key in kinds:
        table.add_row(*key, *(f"{rows[key]:,}" if key in rows else "" for rows in by_company))
    table.add_section()
    table.add_row("processed", "", *(f"{sum(rows.values()):,}" for rows in by_company))
    return table


def timeline_table(title: str, documents: Sequence[Document], total: int) -> "Table":
    """One line a document."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("time (UTC)", "written by", "category", "action", "about", "actor", "changes"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for document in documents:
        table.add_row(*cells(document))
    if total > len(documents):
        table.caption, table.caption_justify = f"and {total - len(documents):,} older", "left"
    return table


def cells(document: Document) -> tuple[str, ...]:
    """A document as time, writer, category, action, entity, actor, changes."""
    at = document.get("timestamp")
    metadata, actor = document.get("metadata") or {}, document.get("actor") or {}
    about = metadata.get("entity_name") or f"{metadata.get('entity_type', '')} {metadata.get('entity_id', '')}".strip()
    return (
        f"{(at if at.tzinfo else at.replace(tzinfo=UTC)):%Y-%m-%d %H:%M:%S}" if isinstance(at, datetime) else "",
        "migration" if document.get("source_tag") else "live feed",
        str(document.get("category") or ""),
        str(document.get("action") or ""),
        _value(about),
        _value(actor.get("name")),
        changes_text(document.get("attributes") or []),
    )


def changes_text(changes: Sequence[Document]) -> str:
    """`Stage: 3 → 5; Value: 1,000`: the first changes in short."""
    parts = []
    for change in changes:
        before, after = (_value(change.get(side)) for side in ("from", "to"))
        shown = f"{before} → {after or '–'}" if before else after or "–"
        parts.append(f"{change.get('field')}: {shown}")
    return _cut("; ".join(parts), _LONGEST_CHANGES)


def print_migrations(kind: "MigrationKind", found: Sequence[MigrationOutcome]) -> None:
    """How they ended, and what became of the rows, to standard output."""
    console = output.stdout()
    console.print(final_table(kind, found))
    console.print(outcome_table(kind, found))


def print_timeline(timeline: Timeline | None) -> None:
    """The customer's timeline before and after."""
    if timeline is None:
        return
    console = output.stdout()
    console.print(f"\nOne customer of {timeline.company_name}, {timeline.customer_id}", style="bold")
    for name, documents, total in (
        ("Before: what the live feed wrote", timeline.before, timeline.total_before),
        ("After: with the history from the CRM", timeline.after, timeline.total_after),
    ):
        console.print(timeline_table(name, documents, total))


def _value(value: object) -> str:
    return "" if value is None else _cut(" ".join(str(value).split()), _LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _status(outcome: MigrationOutcome) -> "Text":
    from rich.text import Text

    text = f"{outcome.status} {outcome.code}" if outcome.code else outcome.watched.doing
    return Text(text, style=STATUS_STYLES.get(outcome.status, ""))
