"""Waiting for an export to end, with a progress bar on standard error."""

import time
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK, REFUSED
from cdp_pipelines.domain.errors import TransientFailure

if TYPE_CHECKING:
    from rich.progress import Progress

    from cdp_pipelines.cli.export_kinds import Exports

Document = dict[str, Any]

POLL_SECONDS: Final = 0.5
SLOW_START_SECONDS: Final = 30.0
_EXIT_CODES: Final = {"completed": OK, "partial": OK, "rejected": REFUSED}


def wait_for_end(exports: "Exports", job_id: str, *, timeout_seconds: float) -> Document:
    """Watch an export until it is terminal; returns its document.

    Raises:
        Refused: `EXPORT_NOT_FOUND`.
        TransientFailure: `WAIT_TIMED_OUT`; the export itself goes on.
    """
    begun = time.monotonic()
    warned = False
    with _progress() as progress:
        task = progress.add_task("queued", total=None)
        while True:
            document = exports.require(job_id)
            done, total = exports.progress(document)
            progress.update(task, description=str(document.get("status")), completed=done, total=total)
            if exports.has_ended(document.get("status")):
                return document
            waited = time.monotonic() - begun
            if waited > timeout_seconds:
                raise TransientFailure(
                    "WAIT_TIMED_OUT",
                    f"The export is still {document.get('status')} after {timeout_seconds:.0f} seconds; it goes on "
                    f"without us. {_hint(exports, document)}",
                )
            if not warned and exports.is_queued(document) and waited > SLOW_START_SECONDS:
                progress.console.print(_hint(exports, document), style="yellow", soft_wrap=True)
                warned = True
            time.sleep(POLL_SECONDS)


def exit_code_of_status(status: str) -> int:
    """0 when a file was made, also a partial one; 2 when the request was rejected; 1 for failed and canceled."""
    return _EXIT_CODES.get(status, FAILED)


def _hint(exports: "Exports", document: Document) -> str:
    if exports.is_queued(document):
        return "Nobody has taken it from the queue: is a dagster-daemon running? Ask: cdp doctor"
    return f"Look again with: cdp export status {exports.id_of(document)} --watch"


def _progress() -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        console=output.stderr(),
        transient=True,
    )
