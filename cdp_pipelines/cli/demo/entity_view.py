"""The demo's tables of entity exports: the live one, which is short, and the final one with the notices below it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.demo.entity_outcome import VERIFIED, EntityOutcome

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

STATUS_STYLES: Final = {"DONE": "green", "ERROR": "red", "CANCELED": "magenta", "IN_PROGRESS": "cyan"}
_AT_WORK: Final = "IN_PROGRESS"
_NUMBERS: Final = ("rows", "size", "seconds")


def live_table(outcomes: Sequence[EntityOutcome]) -> "Table":
    """A line for each that is worked on and one for all others: there are more of them than a terminal has lines."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("entity export", overflow="ellipsis", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    for outcome in outcomes:
        if outcome.status == _AT_WORK:
            total = outcome.document.get("total") or 0
            rows = f"{outcome.rows or 0:,} of {total:,}" if total else ""
            table.add_row(outcome.spec.title, _status(outcome), rows)
    ended = Counter(outcome.status for outcome in outcomes if outcome.ended)
    waiting = len(outcomes) - sum(ended.values()) - table.row_count
    counts = [f"{number} {status}" for status, number in sorted(ended.items())]
    table.add_row("and", ", ".join([*counts, *([f"{waiting} waiting"] if waiting else [])]), "")
    return table


def final_table(outcomes: Sequence[EntityOutcome]) -> "Table":
    """What was asked, how it ended against what was expected, and what came of it."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Entity exports of the demo", title_justify="left", pad_edge=False)
    for name in ("request", "as expected", "object", "format", *_NUMBERS, "status", "from cache", "told by", "file"):
        table.add_column(name, overflow="fold", justify="right" if name in _NUMBERS else "left")
    for outcome in outcomes:
        differences = outcome.differences()
        table.add_row(
            outcome.spec.title,
            Text("✘ " + "; ".join(differences), style="bold red") if differences else Text("✔", style="green"),
            str(outcome.document.get("exported_object") or ""),
            format_text(outcome),
            f"{outcome.result['record_count']:,}" if outcome.result else "",
            output.size_text(outcome.size_bytes),
            "" if outcome.seconds is None else f"{outcome.seconds:.1f}",
            _status(outcome),
            "yes" if outcome.cached_from else "",
            ", ".join(_told(outcome)),
            file_text(outcome),
        )
    return table


def format_text(outcome: EntityOutcome) -> str:
    """`CSV`, or `CSV, gzip`."""
    parameters = outcome.document.get("exported_as") or outcome.document.get("parameters") or {}
    return ", ".join(str(parameters[name]) for name in ("format", "compression") if parameters.get(name))


def file_text(outcome: EntityOutcome) -> str:
    """The fetched file's name, and how many more there are."""
    if not outcome.paths:
        return ""
    more = len(outcome.paths) - 1
    return outcome.paths[0].name + (f" and {more} parts" if more else "")


def notice_lines(outcomes: Sequence[EntityOutcome]) -> list[str]:
    """Each webhook that arrived, with what its signature was worth; then how many mails."""
    lines = [line for outcome in outcomes for line in _webhook_lines(outcome)]
    mails = sum(len(outcome.subjects) for outcome in outcomes)
    return [*lines, f"{mails} mails about entity exports; see them with: cdp mail"]


def count_line(outcomes: Sequence[EntityOutcome]) -> str:
    """`31 of 31 entity exports as expected`."""
    right = sum(1 for outcome in outcomes if not outcome.differences())
    return f"{right} of {len(outcomes)} entity exports as expected"


def print_entity_exports(outcomes: Sequence[EntityOutcome]) -> None:
    """The final table, the notices and the count to standard output."""
    output.stdout().print(final_table(outcomes))
    for line in (*notice_lines(outcomes), count_line(outcomes)):
        output.print_line(line)


def _webhook_lines(outcome: EntityOutcome) -> Iterator[str]:
    for notice in outcome.webhooks:
        event = notice.body.get("type") if isinstance(notice.body, dict) else None
        verdict = "a valid signature" if notice.status == VERIFIED else "a signature that does NOT hold"
        message = notice.headers.get("webhook-id", "")
        yield f"Webhook at {notice.at[11:19]} UTC with {verdict}: {event} of {outcome.export_id} ({message})"


def _told(outcome: EntityOutcome) -> Iterator[str]:
    if outcome.subjects:
        yield "mail"
    if outcome.webhooks:
        yield "webhook ✔" if outcome.webhook_verified else "webhook ✘"


def _status(outcome: EntityOutcome) -> "Text":
    from rich.text import Text

    text = f"{outcome.status} {outcome.code}" if outcome.code else outcome.status
    return Text(text, style=STATUS_STYLES.get(outcome.status, ""))
