"""Waiting for an outside system to come back while a run works on a migration (SPEC 5.3, patience).

The CRM, MongoDB and the bucket each have their own short retries. What outlasts those is waited for here, with the
job's lease kept and a cancel heeded, and the step then goes on from where its cursors stand.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from cdp_pipelines.domain.errors import TransientFailure, is_outage
from cdp_pipelines.pipelines.migrations.hold import Document, Hold

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 15.0


class Outage:
    """How long one outage has lasted, and how long to wait before the next look. `patience` is in seconds."""

    def __init__(
        self,
        patience: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._patience, self._clock, self._sleep = patience, clock, sleep
        self._began: float | None = None
        self._wait = FIRST_WAIT_SECONDS

    def begins(self) -> None:
        """It begins now, unless it lasts already."""
        if self._began is None:
            self._began = self._clock()

    def over(self) -> None:
        """It is over: the next one has the whole patience again."""
        self._began, self._wait = None, FIRST_WAIT_SECONDS

    def waited(self) -> bool:
        """Wait a while; False when patience is at its end."""
        self.begins()
        left = self._patience - (self._clock() - (self._began or 0.0))
        if left <= 0:
            return False
        self._sleep(min(self._wait, left))
        self._wait = min(2 * self._wait, LONGEST_WAIT_SECONDS)
        return True


def patiently(hold: Hold, job: Document, work: Callable[[Document], ResultT]) -> ResultT:
    """Do `work` with the job; when an outage breaks it off, wait, and do it again with the job as it stands then.

    `work` goes on from the job's cursors. What it had done before it broke off ends an earlier outage.

    Raises:
        TransientFailure: what was away stayed away for the whole patience.
        CancelRequested, OwnershipLost: see `Hold.beat`.
    """
    outage = Outage(hold.services.patience_seconds())
    while True:
        try:
            return work(job)
        except TransientFailure as exc:
            if not is_outage(exc):
                raise
            job = _awaited(hold, job, outage, exc)


def _awaited(hold: Hold, before: Document, outage: Outage, cause: TransientFailure) -> Document:
    """The job, with its lease renewed, once it is worth another try."""
    outage.begins()
    while outage.waited():
        logger.warning("%s waiting: %s", hold.label, cause)
        try:
            # Renews the lease and heeds a cancel, unless MongoDB itself is away: a lease is longer than our patience.
            job = hold.beat()
        except TransientFailure:
            continue
        if _marks(hold, job) != _marks(hold, before):
            outage.over()
            outage.begins()
        return job
    raise cause


def _marks(hold: Hold, job: Document) -> tuple[object, ...]:
    """What moves on when work gets on."""
    compared = (job.get("reconciliation") or {}).get(hold.services.kind.jobs.cursor)
    rolled_back, enriched = job.get("records_rolled_back"), str(job.get("enrichment"))
    return (job.get("records_processed"), compared, rolled_back, enriched)


def outwaiting(patience: float, work: Callable[[], ResultT]) -> ResultT:
    """As `patiently`, where there is no job yet, or none that needs this run to go on."""
    outage = Outage(patience)
    while True:
        try:
            return work()
        except TransientFailure as exc:
            if not is_outage(exc) or not outage.waited():
                raise
            logger.warning("waiting: %s", exc)
