"""Watching migrations to their end, with a bar for each company on standard error.

Belongs here: following requests and jobs, bars, and how a command ends by what it saw. Not here: starting anything;
who stops watching stops nothing.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import FAILED, OK, REFUSED, Refused
from cdp_pipelines.cli.migration_view import STATUS_STYLES
from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.domain.migration_requests import STATUS_QUEUED, TERMINAL_STATUSES
from cdp_pipelines.domain.migrations import FULL_PERCENT, IN_PROGRESS, NOT_STARTED, percent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from cdp_pipelines.domain.companies import Company
    from cdp_pipelines.pipelines.migrations.services import MigrationServices

Document = dict[str, Any]

POLL_SECONDS: Final = 0.5
SLOW_START_SECONDS: Final = 30.0
_EXIT_CODES: Final = {
    "completed": OK,
    "completed_success": OK,
    "completed_with_errors": OK,
    "rolled_back": OK,
    "rejected": REFUSED,
}
_NO_DAEMON: Final = "Nobody has taken it from the queue: is a dagster-daemon running? Ask: cdp doctor"


@dataclass(slots=True)
class Watched:
    """One company's migration while it is watched: the request that asked for it, if one did, and its job."""

    company: "Company"
    request: Document | None = None
    job: Document | None = None

    @property
    def status(self) -> str:
        """The request's status, or the job's where there is no request."""
        document = self.request or self.job
        return str(document.get("status")) if document else NOT_STARTED

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        if self.request is not None:
            return self.status in TERMINAL_STATUSES
        return self.status != IN_PROGRESS

    @property
    def doing(self) -> str:
        """The status, with what the job is at while it is at work."""
        if self.ended or self.job is None or self.job.get("status") != IN_PROGRESS:
            return self.status
        phase = str(self.job.get("phase") or IN_PROGRESS)
        return f"{phase} (dry run)" if self.job.get("dry_run") else phase

    def refresh(self, services: "MigrationServices") -> None:
        """Look again.

        Raises:
            Refused: `REQUEST_NOT_FOUND`, it was removed meanwhile.
        """
        key = self.company.company_sso_id
        if self.request is None:
            self.job = services.jobs.find(self.job["_id"], key) if self.job else None
            return
        self.request = services.requests.find(self.request["_id"], key)
        if self.request is None:
            raise Refused("REQUEST_NOT_FOUND", f"The request of company {key} was removed while it was watched.")
        self.job = services.jobs.of_request(key, self.request["_id"])


def worked_share(job: Mapping[str, Any] | None) -> float | None:
    """How far the job is in what it is at, in percent; None while that cannot be told."""
    if job is None:
        return None
    phase = job.get("phase")
    if phase == "reconcile":
        done = int((job.get("reconciliation") or {}).get("source") or 0)
        return percent(min(done, total), total) if (total := int(job.get("records_total") or 0)) else None
    if phase in ("migrate", "done"):
        return FULL_PERCENT if phase == "done" else float(job.get("progress_pct") or 0.0)
    return None


def counts_text(job: Mapping[str, Any] | None) -> str:
    """`1,130 of 2,500 rows, 3 failed`; empty without a job."""
    if job is None:
        return ""
    if job.get("phase") == "rollback":
        return f"{int(job.get('records_rolled_back') or 0):,} deleted"
    processed, total = int(job.get("records_processed") or 0), int(job.get("records_total") or 0)
    failed = int(job.get("records_failed") or 0)
    return f"{processed:,} of {total:,} rows" + (f", {failed:,} failed" if failed else "")


def exit_code_of(statuses: Sequence[str]) -> int:
    """How a command ends that watched these: 1 if one failed, halted or was canceled, else 2 if one was rejected, else
    0. As with exports, what ended with errors in some rows is done.
    """
    codes = {_EXIT_CODES.get(status, FAILED) for status in statuses}
    return FAILED if FAILED in codes else REFUSED if REFUSED in codes else OK


def watch_to_end(
    services: "MigrationServices", watched: Sequence[Watched], *, timeout_seconds: float | None = None
) -> None:
    """Show all of them until each has ended; they are then as they ended.

    Raises:
        Refused: `REQUEST_NOT_FOUND`.
        TransientFailure: `WAIT_TIMED_OUT`; the migrations themselves go on.
    """
    begun = time.monotonic()
    warned = False
    with _Bars(watched) as bars:
        try:
            for one in watched:
                one.refresh(services)
            while True:
                bars.show()
                waiting = [one for one in watched if not one.ended]
                if not waiting:
                    return
                waited = time.monotonic() - begun
                if timeout_seconds is not None and waited > timeout_seconds:
                    raise _timed_out(waiting, timeout_seconds)
                if not warned and waited > SLOW_START_SECONDS and any(one.status == STATUS_QUEUED for one in waiting):
                    bars.say(_NO_DAEMON)
                    warned = True
                time.sleep(POLL_SECONDS)
                for one in waiting:
                    one.refresh(services)
        except KeyboardInterrupt:
            bars.say("No longer watching; the migration goes on. To stop it: cdp migrate cancel --help")
            raise


def _timed_out(waiting: Sequence[Watched], seconds: float) -> TransientFailure:
    hint = f" {_NO_DAEMON}" if all(one.status == STATUS_QUEUED for one in waiting) else ""
    return TransientFailure(
        "WAIT_TIMED_OUT",
        f"{len(waiting)} not ended after {seconds:.0f} seconds (the first is {waiting[0].doing}); without us it goes "
        f"on.{hint}",
    )


class _Bars:
    """A bar for each company; where there is no terminal, a line whenever one is at something else."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self._watched = watched
        self._console = output.stderr()
        self._progress: Progress | None = _progress() if self._console.is_terminal else None
        self._tasks: list[TaskID] = []
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
            self._tasks = [self._progress.add_task("", total=None, name=_name(one), counts="") for one in self._watched]
        return self

    def __exit__(self, *exc: object) -> None:
        if self._progress is not None:
            self.show()
            self._progress.stop()

    def show(self) -> None:
        """Bring them up to date."""
        if self._progress is None:
            self._say_changes()
            return
        for task, one in zip(self._tasks, self._watched, strict=True):
            share = FULL_PERCENT if one.ended else worked_share(one.job)
            self._progress.update(
                task,
                description=one.doing,
                counts=counts_text(one.job),
                total=None if share is None else FULL_PERCENT,
                completed=share or 0.0,
            )

    def say(self, text: str) -> None:
        """A line between the bars."""
        console = self._progress.console if self._progress is not None else self._console
        console.print(text, style="yellow", soft_wrap=True)

    def _say_changes(self) -> None:
        for one in self._watched:
            key = one.company.company_sso_id
            if self._said.get(key) != one.doing:
                self._said[key] = one.doing
                line = ": ".join(part for part in (_name(one), one.doing, counts_text(one.job)) if part)
                self._console.print(line, style=STATUS_STYLES.get(one.status, ""), soft_wrap=True)


def _name(one: Watched) -> str:
    return one.company.name or one.company.company_sso_id


def _progress() -> "Progress":
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[name]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        console=output.stderr(),
    )
