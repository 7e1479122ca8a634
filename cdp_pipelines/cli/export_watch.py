"""Waiting for an export to end, with a progress bar on standard error."""

import time
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK, REFUSED
from cdp_pipelines.cli.export_queries import require_job
from cdp_pipelines.domain.contact_export.delivery import TERMINAL_STATUSES
from cdp_pipelines.domain.errors import TransientFailure

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from cdp_pipelines.pipelines.contact_export.services import ExportServices

Document = dict[str, Any]

POLL_SECONDS: Final = 0.5
SLOW_START_SECONDS: Final = 30.0
_EXIT_CODES: Final = {"completed": OK, "partial": OK, "rejected": REFUSED}


def wait_for_end(services: "ExportServices", job_id: str, *, timeout_seconds: float) -> Document:
    """Watch a job until it is terminal; returns its document.

    Raises:
        Refused: `EXPORT_NOT_FOUND`.
        TransientFailure: `WAIT_TIMED_OUT`; the export itself goes on.
    """
    begun = time.monotonic()
    warned = False
    with _progress() as progress:
        task = progress.add_task("queued", total=None)
        while True:
            document = require_job(services, job_id)
            _show(progress, task, document)
            if document["status"] in TERMINAL_STATUSES:
                return document
            waited = time.monotonic() - begun
            if waited > timeout_seconds:
                raise TransientFailure(
                    "WAIT_TIMED_OUT",
                    f"The export is still {document['status']} after {timeout_seconds:.0f} seconds; it goes on without "
                    f"us. {_hint(document)}",
                )
            if not warned and document["status"] == "queued" and waited > SLOW_START_SECONDS:
                progress.console.print(_hint(document), style="yellow", soft_wrap=True)
                warned = True
            time.sleep(POLL_SECONDS)


def exit_code_of_status(status: str) -> int:
    """0 when a file was made, also a partial one; 2 when the request was rejected; 1 for failed and canceled."""
    return _EXIT_CODES.get(status, FAILED)


def _hint(document: Document) -> str:
    if document["status"] == "queued":
        return "Nobody has taken it from the queue: is a dagster-daemon running? Ask: cdp doctor"
    return f"Look again with: cdp export status {document['job_id']} --watch"


def _progress() -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=output.stderr(),
        transient=True,
    )


def _show(progress: "Progress", task: "TaskID", document: Document) -> None:
    total = document.get("total_records")
    done = int(document.get("success_count") or 0) + int(document.get("failed_count") or 0)
    progress.update(task, description=str(document["status"]), completed=done, total=total or None)
