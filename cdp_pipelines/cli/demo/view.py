"""The demo's tables: the live one while requests are worked on, the final one, and how to look further."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_pipelines.cli import output
from cdp_pipelines.cli.demo.outcome import DemoOutcome
from cdp_pipelines.cli.export_view import STATUS_STYLES

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def live_table(outcomes: Sequence[DemoOutcome]) -> "Table":
    """Request, status, rows so far."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("request", overflow="ellipsis", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    for outcome in outcomes:
        total = outcome.document.get("total_records") or 0
        rows = f"{outcome.rows:,} of {total:,}" if total and not outcome.ended else _count(outcome)
        table.add_row(outcome.spec.title, _status(outcome), rows)
    return table


def final_table(outcomes: Sequence[DemoOutcome]) -> "Table":
    """Request, status against what was expected, rows, file, link, the mail's subject."""
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Exports of the demo", title_justify="left", pad_edge=False)
    for name in ("request", "as expected", "status", "rows", "file", "link", "mail"):
        table.add_column(name, overflow="fold", justify="right" if name == "rows" else "left")
    for outcome in outcomes:
        differences = outcome.differences()
        expected = Text("✘ " + "; ".join(differences), style="bold red") if differences else Text("✔", style="green")
        url = outcome.result.get("url")
        link = Text("open", style=Style(link=str(url), underline=True)) if url else Text("")
        file_name = outcome.path.name if outcome.path else str(outcome.result.get("file_name") or "")
        mails = "; ".join(outcome.subjects)
        table.add_row(outcome.spec.title, expected, _status(outcome), _count(outcome), file_name, link, mails)
    return table


def link_lines(outcomes: Sequence[DemoOutcome]) -> list[str]:
    """The links in full, for terminals that cannot open them from the table."""
    with_link = [outcome for outcome in outcomes if outcome.result.get("url")]
    return [line for outcome in with_link for line in (f"{outcome.spec.title}:", f"  {outcome.result['url']}")]


def further_lines(root: Path, files: Path, *, ui_url: str, kept_running: bool) -> list[str]:
    """How to look further."""
    lines = [
        "",
        "Look further:",
        f"  files        {files}",
        f"  logs         {root / 'logs'}",
        "  mails        cdp mail; cdp mail show 1; cdp mail save 1 DIR",
    ]
    if kept_running:
        lines += [
            "  exports      cdp export list; cdp export status JOB",
            "  migrations   cdp migrate status activity-logs --all-companies; the same with contact-notes",
            f"  settings     source {root / 'env'}",
            "  health       cdp doctor",
        ]
    if ui_url:
        lines.append(f"  Dagster UI   {ui_url}")
    if kept_running:
        lines.append("  stop         cdp local down (add --delete-data to forget everything)")
    else:
        lines.append("  links, list  cdp local up (links work while the servers run); cdp export list; cdp doctor")
        lines.append("  Dagster UI   cdp demo --ui leaves it running, and the servers")
    return lines


def _status(outcome: DemoOutcome) -> "Text":
    from rich.text import Text

    text = f"{outcome.status} {outcome.code}" if outcome.code else outcome.status
    return Text(text, style=STATUS_STYLES.get(outcome.status, ""))


def _count(outcome: DemoOutcome) -> str:
    failed = int(outcome.document.get("failed_count") or 0)
    if outcome.status in ("rejected", "queued"):
        return ""
    return f"{outcome.rows:,} (+{failed} failed)" if failed else f"{outcome.rows:,}"


def print_final(outcomes: Sequence[DemoOutcome]) -> None:
    """The final table and the links to standard output."""
    output.stdout().print(final_table(outcomes))
    for line in link_lines(outcomes):
        output.print_line(line)
